//! Events: the frozen JSON schema, exact round trips, and bad input of every kind.

use std::time::Instant;

use burn_privacy_accounting::{
    Accountant, AccountingError, Adjacency, DpEvent, EventKind, MAX_COUNT, MAX_EVENT_DEPTH, RdpAccountant, RunCount,
};
use proptest::prelude::*;

/// One of each kind, and the JSON that later releases have to read.
fn frozen() -> Vec<(DpEvent, &'static str)> {
    let gaussian = || DpEvent::gaussian(1.5).unwrap();
    vec![
        (DpEvent::no_op(), r#""no_op""#),
        (DpEvent::non_private(), r#""non_private""#),
        (gaussian(), r#"{"gaussian":{"noise_multiplier":1.5}}"#),
        (DpEvent::laplace(2.0).unwrap(), r#"{"laplace":{"noise_multiplier":2.0}}"#),
        (DpEvent::discrete_gaussian(3.5, 1.25).unwrap(), r#"{"discrete_gaussian":{"sigma":3.5,"sensitivity":1.25}}"#),
        (DpEvent::discrete_laplace(3.5, 2).unwrap(), r#"{"discrete_laplace":{"scale":3.5,"sensitivity":2}}"#),
        (
            DpEvent::randomized_response(0.25, 10).unwrap(),
            r#"{"randomized_response":{"noise_probability":0.25,"categories":10}}"#,
        ),
        (DpEvent::exponential_mechanism(0.5).unwrap(), r#"{"exponential_mechanism":{"epsilon":0.5}}"#),
        (DpEvent::zcdp(0.125).unwrap(), r#"{"zcdp":{"rho":0.125,"xi":0.0}}"#),
        (DpEvent::epsilon_delta(1.0, 1e-6).unwrap(), r#"{"epsilon_delta":{"epsilon":1.0,"delta":1e-6}}"#),
        (
            DpEvent::poisson_sampled(0.01, gaussian()).unwrap(),
            r#"{"poisson_sampled":{"sampling_rate":0.01,"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::sampled_without_replacement(100, 10, gaussian()).unwrap(),
            r#"{"sampled_without_replacement":{"dataset_size":100,"sample_size":10,"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::truncated_poisson_sampled(100, 0.1, 20, gaussian()).unwrap(),
            r#"{"truncated_poisson_sampled":{"dataset_size":100,"sampling_rate":0.1,"max_sample_size":20,"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::group_poisson_sampled(0.1, 4, gaussian()).unwrap(),
            r#"{"group_poisson_sampled":{"sampling_rate":0.1,"group_size":4,"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::tree_aggregation(4.0, vec![100, 50, 200]).unwrap(),
            r#"{"tree_aggregation":{"noise_multiplier":4.0,"steps_per_tree":[100,50,200]}}"#,
        ),
        (
            DpEvent::banded_matrix_factorization(1.25, 8, 100, 0.04).unwrap(),
            r#"{"banded_matrix_factorization":{"noise_multiplier":1.25,"bands":8,"steps":100,"sampling_rate":0.04}}"#,
        ),
        (
            DpEvent::repeat_and_select(RunCount::Poisson { mean: 10.0 }, gaussian()).unwrap(),
            r#"{"repeat_and_select":{"runs":{"poisson":{"mean":10.0}},"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::repeat_and_select(RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 0.1 }, gaussian())
                .unwrap(),
            r#"{"repeat_and_select":{"runs":{"truncated_negative_binomial":{"shape":1.0,"gamma":0.1}},"event":{"gaussian":{"noise_multiplier":1.5}}}}"#,
        ),
        (
            DpEvent::composed(vec![gaussian(), DpEvent::no_op()]).unwrap(),
            r#"{"composed":{"events":[{"gaussian":{"noise_multiplier":1.5}},"no_op"]}}"#,
        ),
        (
            DpEvent::self_composed(gaussian(), 7).unwrap(),
            r#"{"self_composed":{"event":{"gaussian":{"noise_multiplier":1.5}},"count":7}}"#,
        ),
    ]
}

#[test]
fn the_schema_is_frozen() {
    for (event, json) in frozen() {
        let document = format!(r#"{{"schema":"burn-privacy/dp-event","version":1,"event":{json}}}"#);
        assert_eq!(event.to_json(), document);
        assert_eq!(DpEvent::from_json(&document).unwrap(), event);
        // The bare event, as part of a larger document.
        assert_eq!(serde_json::from_str::<DpEvent>(json).unwrap(), event);
        assert!(json.contains(event.name()));
    }
}

#[test]
fn optional_and_other_spellings_are_read() {
    let zcdp: DpEvent = serde_json::from_str(r#"{"zcdp":{"rho":1}}"#).unwrap();
    assert_eq!(zcdp, DpEvent::zcdp(1.0).unwrap());
    let british = r#"{"randomised_response":{"noise_probability":0.5,"categories":2}}"#;
    assert_eq!(serde_json::from_str::<DpEvent>(british).unwrap(), DpEvent::randomized_response(0.5, 2).unwrap());
    let british =
        r#"{"banded_matrix_factorisation":{"noise_multiplier":1.25,"bands":8,"steps":100,"sampling_rate":0.04}}"#;
    let event = DpEvent::banded_matrix_factorization(1.25, 8, 100, 0.04).unwrap();
    assert_eq!(serde_json::from_str::<DpEvent>(british).unwrap(), event);
}

#[test]
fn other_schemas_and_versions_are_refused() {
    for (schema, version) in [("burn-privacy/dp-event", 2), ("other", 1), ("", 0)] {
        let text = format!(r#"{{"schema":"{schema}","version":{version},"event":{{"of the future":1}}}}"#);
        let error = DpEvent::from_json(&text).unwrap_err();
        assert!(matches!(error, AccountingError::WrongSchema { .. }), "{error}");
    }
}

#[test]
fn numbers_out_of_range_are_refused_also_in_json() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -5e-324] {
        assert!(DpEvent::gaussian(bad).is_err());
        assert!(DpEvent::laplace(bad).is_err());
        assert!(DpEvent::discrete_gaussian(bad, 1.0).is_err());
        assert!(DpEvent::discrete_gaussian(1.0, bad).is_err());
        assert!(DpEvent::discrete_laplace(bad, 1).is_err());
        assert!(DpEvent::randomized_response(bad, 2).is_err());
        assert!(DpEvent::exponential_mechanism(bad).is_err());
        assert!(DpEvent::zcdp(bad).is_err());
        assert!(DpEvent::epsilon_delta(bad, 0.0).is_err());
        assert!(DpEvent::epsilon_delta(1.0, bad).is_err());
        assert!(DpEvent::poisson_sampled(bad, DpEvent::no_op()).is_err());
        assert!(DpEvent::tree_aggregation(bad, vec![1]).is_err());
        assert!(DpEvent::banded_matrix_factorization(bad, 1, 1, 0.5).is_err());
        assert!(DpEvent::banded_matrix_factorization(1.0, 1, 1, bad).is_err());
        assert!(DpEvent::repeat_and_select(RunCount::Poisson { mean: bad }, DpEvent::no_op()).is_err());
    }
    let just_above_one = 1.0_f64.next_up();
    assert!(DpEvent::poisson_sampled(just_above_one, DpEvent::no_op()).is_err());
    assert!(DpEvent::randomized_response(just_above_one, 2).is_err());
    assert!(DpEvent::randomized_response(0.5, 0).is_err());
    assert!(DpEvent::sampled_without_replacement(10, 11, DpEvent::no_op()).is_err());
    assert!(DpEvent::sampled_without_replacement(0, 0, DpEvent::no_op()).is_err());
    assert!(DpEvent::tree_aggregation(1.0, vec![]).is_err());
    assert!(DpEvent::tree_aggregation(1.0, vec![1, 0]).is_err());
    assert!(DpEvent::banded_matrix_factorization(1.0, 0, 1, 0.5).is_err());
    assert!(DpEvent::self_composed(DpEvent::no_op(), MAX_COUNT + 1).is_err());
    let negative_shape = RunCount::TruncatedNegativeBinomial { shape: -1.0, gamma: 0.5 };
    assert!(DpEvent::repeat_and_select(negative_shape, DpEvent::no_op()).is_err());

    for bad in [
        r#"{"gaussian":{"noise_multiplier":-1}}"#,
        r#"{"gaussian":{"noise_multiplier":1e999}}"#,
        r#"{"gaussian":{"noise_multiplier":null}}"#,
        r#"{"gaussian":{"noise_multiplier":"NaN"}}"#,
        r#"{"gaussian":{"noise_multiplier":1,"surprise":2}}"#,
        r#"{"gaussian":{}}"#,
        r#"{"poisson_sampled":{"sampling_rate":1.1,"event":"no_op"}}"#,
        r#"{"self_composed":{"event":"no_op","count":-1}}"#,
        r#"{"self_composed":{"event":"no_op","count":1e3}}"#,
        r#"{"self_composed":{"event":"no_op","count":99999999999999999999}}"#,
        r#"{"unknown":{}}"#,
        "[]",
        "",
        "{",
    ] {
        assert!(serde_json::from_str::<DpEvent>(bad).is_err(), "{bad}");
    }
}

#[test]
fn ten_thousand_levels_are_an_error_at_once() {
    let start = Instant::now();
    let open = r#"{"composed":{"events":["#;
    let text = format!(
        r#"{{"schema":"burn-privacy/dp-event","version":1,"event":{}{}}}"#,
        open.repeat(10_000),
        "]}}".repeat(10_000)
    );
    assert!(matches!(DpEvent::from_json(&text), Err(AccountingError::MalformedJson { .. })));
    assert!(serde_json::from_str::<DpEvent>(&open.repeat(10_000)).is_err());
    assert!(DpEvent::from_json(&"[".repeat(1_000_000)).is_err());

    let mut event = DpEvent::no_op();
    let mut levels = 1;
    let error = loop {
        match DpEvent::composed(vec![event.clone()]) {
            Ok(deeper) => event = deeper,
            Err(error) => break error,
        }
        levels += 1;
        assert!(levels < 10_000);
    };
    assert_eq!(levels, MAX_EVENT_DEPTH);
    assert_eq!(error, AccountingError::TooDeep { depth: MAX_EVENT_DEPTH + 1, max: MAX_EVENT_DEPTH });
    // The deepest that is allowed makes the round trip.
    assert_eq!(DpEvent::from_json(&event.to_json()).unwrap(), event);
    assert!(start.elapsed().as_secs() < 1);
}

#[test]
fn counts_that_multiply_to_the_absurd_are_refused() {
    let huge = DpEvent::self_composed(DpEvent::gaussian(1e9).unwrap(), MAX_COUNT).unwrap();
    let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    accountant.compose(&huge, 1).unwrap();
    let before = accountant.epsilon(1e-5).unwrap();
    assert!(before.is_finite());
    for error in [
        accountant.compose(&huge, 2).unwrap_err(),
        accountant.compose(&huge, u64::MAX).unwrap_err(),
        accountant.compose(&huge, 1).unwrap_err(),
        accountant.compose(&DpEvent::self_composed(huge.clone(), MAX_COUNT).unwrap(), 1).unwrap_err(),
    ] {
        assert!(matches!(error, AccountingError::TooManySteps { .. }), "{error}");
    }
    assert_eq!(accountant.epsilon(1e-5).unwrap(), before);
}

fn any_event() -> impl Strategy<Value = DpEvent> {
    let noise =
        prop_oneof![Just(0.0), 0.0..1e3_f64, proptest::num::f64::POSITIVE.prop_filter("finite", |x| x.is_finite())];
    let leaf = prop_oneof![
        Just(DpEvent::no_op()),
        noise.clone().prop_map(|x| DpEvent::gaussian(x).unwrap()),
        noise.clone().prop_map(|x| DpEvent::laplace(x).unwrap()),
        (noise.clone(), 0..100_u64).prop_map(|(x, s)| DpEvent::discrete_laplace(x, s).unwrap()),
        (0.0..=1.0_f64, 1..50_u64).prop_map(|(p, k)| DpEvent::randomized_response(p, k).unwrap()),
        (noise.clone(), 0.0..=1.0_f64).prop_map(|(e, d)| DpEvent::epsilon_delta(e, d).unwrap()),
        (noise, 1..20_u64, 0..=MAX_COUNT, 0.0..=1.0_f64)
            .prop_map(|(x, b, n, q)| DpEvent::banded_matrix_factorization(x, b, n, q).unwrap()),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            (0.0..=1.0_f64, inner.clone()).prop_map(|(q, e)| DpEvent::poisson_sampled(q, e).unwrap()),
            prop::collection::vec(inner.clone(), 0..5).prop_map(|list| DpEvent::composed(list).unwrap()),
            (inner, 0..=MAX_COUNT).prop_map(|(e, k)| DpEvent::self_composed(e, k).unwrap()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_round_trip_is_exact(event in any_event()) {
        prop_assert_eq!(DpEvent::from_json(&event.to_json()).unwrap(), event.clone());
        prop_assert_eq!(DpEvent::new(event.kind().clone()).unwrap(), event);
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}", cut in 0..400_usize, event in any_event()) {
        let _ = DpEvent::from_json(&text);
        let _ = serde_json::from_str::<EventKind>(&text);
        let json = event.to_json();
        let _ = DpEvent::from_json(&json[..cut.min(json.len())]);
        let mut broken = json.into_bytes();
        let at = cut % broken.len();
        broken[at] = text.as_bytes().first().copied().unwrap_or(b'-') & 0x7f;
        let _ = DpEvent::from_json(&String::from_utf8_lossy(&broken));
    }

    #[test]
    fn every_event_is_counted_or_refused_never_nan(event in any_event(), delta in 1e-12..0.5_f64, epsilon in 0.0..50.0_f64) {
        for adjacency in [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne, Adjacency::ZeroOut] {
            let mut accountant = RdpAccountant::new(adjacency);
            if let Err(error) = accountant.compose(&event, 1) {
                prop_assert!(!error.to_string().is_empty());
            }
            let found = accountant.epsilon(delta).unwrap();
            prop_assert!(found >= 0.0);
            prop_assert!((0.0..=1.0).contains(&accountant.delta(epsilon).unwrap()));
        }
    }
}
