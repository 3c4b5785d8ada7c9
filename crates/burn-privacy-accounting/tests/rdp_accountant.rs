//! How the accountant behaves: multiplicity, monotonicity, edge cases, refusals, and the known defects of other
//! libraries.
//!
//! Long because: one question a test, all asked of one accountant.

use std::time::Instant;

use burn_privacy_accounting::{
    Accountant, AccountingError, Adjacency, DpEvent, EpsilonSchedule, RdpAccountant, calibrate_noise_multiplier,
    calibrate_sampling_rate, calibrate_steps,
};
use proptest::prelude::*;

const ALL: [Adjacency; 3] = [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne, Adjacency::ZeroOut];

fn sampled(q: f64, noise: f64) -> DpEvent {
    DpEvent::poisson_sampled(q, DpEvent::gaussian(noise).unwrap()).unwrap()
}

fn accountant(adjacency: Adjacency, events: &[(&DpEvent, u64)]) -> RdpAccountant {
    let mut accountant = RdpAccountant::new(adjacency);
    for (event, count) in events {
        accountant.compose(event, *count).unwrap();
    }
    accountant
}

fn epsilon(event: &DpEvent, count: u64, delta: f64) -> f64 {
    let adjacency = ALL
        .into_iter()
        .find(|&adjacency| RdpAccountant::new(adjacency).compose(event, 1).is_ok())
        .unwrap_or_else(|| panic!("{event:?} is refused everywhere"));
    accountant(adjacency, &[(event, count)]).epsilon(delta).unwrap()
}

/// One of each kind that has a theorem.
fn supported() -> Vec<DpEvent> {
    let gaussian = || DpEvent::gaussian(3.0).unwrap();
    vec![
        gaussian(),
        DpEvent::laplace(4.0).unwrap(),
        DpEvent::discrete_gaussian(10.0, 2.0).unwrap(),
        DpEvent::discrete_laplace(10.0, 3).unwrap(),
        DpEvent::randomized_response(0.7, 10).unwrap(),
        DpEvent::exponential_mechanism(0.3).unwrap(),
        DpEvent::zcdp(0.01).unwrap(),
        DpEvent::epsilon_delta(0.2, 0.0).unwrap(),
        sampled(0.01, 1.0),
        DpEvent::poisson_sampled(0.1, DpEvent::self_composed(gaussian(), 4).unwrap()).unwrap(),
        DpEvent::tree_aggregation(8.0, vec![100, 50, 200]).unwrap(),
        DpEvent::banded_matrix_factorization(1.5, 4, 30, 0.05).unwrap(),
        DpEvent::composed(vec![gaussian(), sampled(0.1, 2.0)]).unwrap(),
        DpEvent::self_composed(sampled(0.1, 2.0), 3).unwrap(),
    ]
}

#[test]
fn k_calls_are_one_call_with_count_k_for_every_event() {
    for event in supported() {
        for k in [1, 2, 7] {
            for adjacency in ALL {
                let mut once = RdpAccountant::new(adjacency);
                let mut each = RdpAccountant::new(adjacency);
                let mut nested = RdpAccountant::new(adjacency);
                if once.compose(&event, k).is_err() {
                    continue;
                }
                for _ in 0..k {
                    each.compose(&event, 1).unwrap();
                }
                nested.compose(&DpEvent::self_composed(event.clone(), k).unwrap(), 1).unwrap();
                let found = once.epsilon(1e-6).unwrap();
                assert_eq!(found, each.epsilon(1e-6).unwrap(), "{event:?}");
                assert_eq!(found, nested.epsilon(1e-6).unwrap(), "{event:?}");
            }
        }
        // Multiplicity: other accountants forget the count of some events.
        assert!(epsilon(&event, 10_000, 1e-6) > 3.0 * epsilon(&event, 1, 1e-6), "{event:?}");
    }
}

#[test]
fn divergences_add_up_and_grow_with_the_order() {
    for event in supported() {
        for adjacency in ALL {
            let mut one = RdpAccountant::new(adjacency);
            if one.compose(&event, 1).is_err() {
                continue;
            }
            let ten = accountant(adjacency, &[(&event, 10)]);
            let mut last = 0.0;
            for order in [1.01, 1.5, 2.0, 3.7, 16.0, 200.0] {
                let (single, total) = (one.divergence(order).unwrap(), ten.divergence(order).unwrap());
                assert!((total / (10.0 * single) - 1.0).abs() < 1e-13, "{event:?}");
                assert!(single >= last, "{event:?} {order}");
                last = single;
            }
        }
    }
}

#[test]
fn edge_cases() {
    let delta = 1e-5;
    for adjacency in ALL {
        assert_eq!(RdpAccountant::new(adjacency).epsilon(delta).unwrap(), 0.0);
        assert_eq!(RdpAccountant::new(adjacency).delta(0.0).unwrap(), 0.0);
    }
    // No noise.
    for event in [
        DpEvent::gaussian(0.0).unwrap(),
        DpEvent::laplace(0.0).unwrap(),
        DpEvent::discrete_gaussian(0.0, 1.0).unwrap(),
        DpEvent::discrete_laplace(0.0, 1).unwrap(),
        DpEvent::randomized_response(0.0, 2).unwrap(),
        DpEvent::tree_aggregation(0.0, vec![3]).unwrap(),
        DpEvent::banded_matrix_factorization(0.0, 2, 2, 0.5).unwrap(),
        sampled(1e-9, 0.0),
        DpEvent::non_private(),
        DpEvent::poisson_sampled(0.5, DpEvent::non_private()).unwrap(),
        DpEvent::gaussian(1e-200).unwrap(),
    ] {
        assert_eq!(epsilon(&event, 1, delta), f64::INFINITY, "{event:?}");
        assert_eq!(epsilon(&event, 0, delta), 0.0, "{event:?}");
    }
    // Nothing released.
    for event in [
        DpEvent::no_op(),
        DpEvent::composed(vec![]).unwrap(),
        sampled(0.0, 0.0),
        DpEvent::poisson_sampled(0.5, DpEvent::no_op()).unwrap(),
        DpEvent::self_composed(DpEvent::non_private(), 0).unwrap(),
        DpEvent::randomized_response(1.0, 5).unwrap(),
        DpEvent::randomized_response(0.1, 1).unwrap(),
        DpEvent::discrete_gaussian(0.0, 0.0).unwrap(),
        DpEvent::zcdp(0.0).unwrap(),
        DpEvent::exponential_mechanism(0.0).unwrap(),
    ] {
        assert_eq!(epsilon(&event, 1000, delta), 0.0, "{event:?}");
    }
    // A rate of 1 is the plain Gaussian, under each adjacency.
    for adjacency in ALL {
        let plain = accountant(adjacency, &[(&DpEvent::gaussian(2.0).unwrap(), 10)]).epsilon(delta).unwrap();
        assert_eq!(accountant(adjacency, &[(&sampled(1.0, 2.0), 10)]).epsilon(delta).unwrap(), plain);
    }
    // Next to 1 there is no jump.
    let almost = epsilon(&sampled(1.0 - 1e-12, 2.0), 10, delta);
    assert!((almost / epsilon(&sampled(1.0, 2.0), 10, delta) - 1.0).abs() < 1e-9);

    let some = accountant(Adjacency::AddOrRemoveOne, &[(&sampled(0.01, 1.0), 100)]);
    for bad in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(some.epsilon(bad).is_err(), "{bad}");
    }
    for bad in [-1e-9, f64::NAN, f64::NEG_INFINITY] {
        assert!(some.delta(bad).is_err(), "{bad}");
    }
    assert_eq!(some.delta(f64::INFINITY).unwrap(), 0.0);
    for bad in [1.0, 0.5, f64::NAN, f64::INFINITY, -2.0] {
        assert!(some.divergence(bad).is_err());
        assert!(RdpAccountant::with_orders(Adjacency::ZeroOut, &[2.0, bad]).is_err());
    }
    assert!(RdpAccountant::with_orders(Adjacency::ZeroOut, &[]).is_err());
    // Huge deltas don't make epsilon negative.
    assert_eq!(some.epsilon(0.999_999).unwrap(), 0.0);
}

#[test]
fn extreme_plans_are_finite_bounds_and_fast() {
    let start = Instant::now();
    for q in [1e-9, 1e-4, 0.1, 0.999_999] {
        for noise in [1e-3, 0.05, 0.2, 1.0, 30.0, 1000.0] {
            for steps in [1, 1_000_000, 1_000_000_000] {
                for delta in [1e-300, 1e-12, 1e-5, 0.5] {
                    let found = epsilon(&sampled(q, noise), steps, delta);
                    let unsampled = epsilon(&DpEvent::gaussian(noise).unwrap(), steps, delta);
                    assert!(
                        found.is_finite() && found <= unsampled * (1.0 + 1e-9),
                        "{q} {noise} {steps} {delta}: {found}"
                    );
                    assert!(found > 0.0 || delta == 0.5 || q < 1e-3, "{q} {noise} {steps} {delta}");
                }
            }
        }
    }
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn what_has_no_theorem_is_refused_by_name() {
    use Adjacency::{AddOrRemoveOne, ReplaceOne, ZeroOut};
    let gaussian = || DpEvent::gaussian(1.0).unwrap();
    for (event, adjacency, name, advice) in [
        (sampled(0.1, 1.0), ReplaceOne, "poisson_sampled", "add-or-remove-one or zero-out"),
        (
            DpEvent::banded_matrix_factorization(1.0, 2, 4, 0.5).unwrap(),
            ReplaceOne,
            "banded_matrix_factorization",
            "add-or-remove-one or zero-out",
        ),
        (
            DpEvent::poisson_sampled(0.1, DpEvent::laplace(1.0).unwrap()).unwrap(),
            AddOrRemoveOne,
            "poisson_sampled",
            "not `laplace`",
        ),
        (
            DpEvent::tree_aggregation(1.0, vec![4]).unwrap(),
            AddOrRemoveOne,
            "tree_aggregation",
            "zero-out or replace-one",
        ),
        (DpEvent::randomized_response(0.5, 2).unwrap(), ZeroOut, "randomized_response", "replace-one"),
        (DpEvent::epsilon_delta(1.0, 1e-9).unwrap(), ZeroOut, "epsilon_delta", "basic composition"),
        (
            DpEvent::sampled_without_replacement(10, 2, gaussian()).unwrap(),
            AddOrRemoveOne,
            "sampled_without_replacement",
            "replace-one",
        ),
        (
            DpEvent::truncated_poisson_sampled(10, 0.1, 2, gaussian()).unwrap(),
            AddOrRemoveOne,
            "truncated_poisson_sampled",
            "PLD",
        ),
    ] {
        let mut accountant = accountant(adjacency, &[(&gaussian(), 1)]);
        let before = accountant.epsilon(1e-5).unwrap();
        // Refused as part of a composition, too, and with a count of 0; nothing of it is counted.
        let composed = DpEvent::composed(vec![gaussian(), event.clone()]).unwrap();
        for (refused, count) in [(&event, 1), (&event, 0), (&composed, 1)] {
            let error = accountant.compose(refused, count).unwrap_err();
            let AccountingError::Unsupported { event: found, .. } = &error else { panic!("{error}") };
            assert_eq!(found, name);
            let text = error.to_string();
            assert!(text.contains(&adjacency.to_string()) && text.contains("RDP") && text.contains(advice), "{text}");
        }
        assert_eq!(accountant.epsilon(1e-5).unwrap(), before);
    }
}

#[test]
fn defects_of_other_libraries_are_not_shared() {
    // Sign of the binomial coefficients at fractional orders: dp-accounting is up to three times too large here.
    let small_noise = accountant(Adjacency::AddOrRemoveOne, &[(&sampled(0.1, 0.3), 50)]).epsilon(1e-5).unwrap();
    assert!((small_noise - 81.915_611).abs() < 1e-5, "{small_noise}");
    // The count of randomized response, and of the exponential mechanism.
    let response = DpEvent::randomized_response(0.5, 2).unwrap();
    let ten = epsilon(&response, 10, 1e-12);
    assert!(ten > 8.0 && ten <= 10.0 * 3.0_f64.ln() * (1.0 + 1e-9), "{ten}");
    // Several Gaussian releases about one Poisson sample, with a whole-number noise multiplier.
    let sixteen = DpEvent::self_composed(DpEvent::gaussian(2.0).unwrap(), 16).unwrap();
    let nested = epsilon(&DpEvent::poisson_sampled(0.01, sixteen).unwrap(), 100, 1e-5);
    let effective = epsilon(&sampled(0.01, 0.5), 100, 1e-5);
    assert!((nested / effective - 1.0).abs() < 1e-12, "{nested} {effective}");
    // Cancellation for tiny divergences: never 0, never below the truth, which is q^2 (e^(1/s^2) - 1) order / 2 here.
    for q in [1e-9, 1e-7, 1e-5] {
        let found = accountant(Adjacency::AddOrRemoveOne, &[(&sampled(q, 100.0), 1)]).divergence(2.0).unwrap();
        let truth = (q * q * 1e-4_f64.exp_m1()).ln_1p();
        assert!(found >= truth && found <= truth * (1.0 + 1e-11), "{q}: {found} {truth}");
    }
    // No clamp, orders above 1029, large noise.
    assert_eq!(epsilon(&sampled(0.0, 1.0), 1, 1e-5), 0.0);
    let orders = RdpAccountant::with_orders(Adjacency::AddOrRemoveOne, &[5_000.0]);
    let mut orders = orders.unwrap();
    orders.compose(&sampled(0.005, 200.0), 2_000).unwrap();
    assert!(orders.epsilon(1e-5).unwrap().is_finite());
    // Small targets need orders above 63.
    let noise =
        calibrate_noise_multiplier(DpEvent::gaussian, 0.2, 1e-7, || RdpAccountant::new(Adjacency::ZeroOut)).unwrap();
    assert!((noise - 22.953_914).abs() < 1e-5, "{noise}");
}

#[test]
fn a_pure_mechanism_never_costs_more_than_its_epsilons() {
    for (event, pure) in [
        (DpEvent::epsilon_delta(0.5, 0.0).unwrap(), 0.5),
        (DpEvent::laplace(2.0).unwrap(), 0.5),
        (DpEvent::discrete_laplace(4.0, 2).unwrap(), 0.5),
        (DpEvent::exponential_mechanism(0.5).unwrap(), 0.5),
        (DpEvent::randomized_response(0.5, 3).unwrap(), 4.0_f64.ln()),
    ] {
        for count in [1, 5, 50] {
            for delta in [1e-300, 1e-9, 1e-3] {
                let found = epsilon(&event, count, delta);
                assert!(found <= pure * count as f64 * (1.0 + 1e-6), "{event:?} {count} {delta}: {found}");
            }
        }
    }
}

#[test]
fn bands_divide_the_participations() {
    let banded = DpEvent::banded_matrix_factorization(1.0, 8, 100, 0.08).unwrap();
    assert_eq!(epsilon(&banded, 1, 1e-5), epsilon(&sampled(0.08, 1.0), 13, 1e-5));
    let one_band = DpEvent::banded_matrix_factorization(1.0, 1, 100, 0.01).unwrap();
    assert_eq!(epsilon(&one_band, 1, 1e-5), epsilon(&sampled(0.01, 1.0), 100, 1e-5));
}

#[test]
fn rates_and_steps_are_kept_as_given() {
    // n = 93, 99, ... are those where 1 / (1 / n), cut to a whole number, is n - 1.
    for n in [93_u64, 99, 105, 117, 123] {
        let step = sampled(1.0 / n as f64, 1.0);
        assert_eq!(DpEvent::from_json(&step.to_json()).unwrap(), step);
        let epoch = epsilon(&step, n, 1e-5);
        assert!(epoch > epsilon(&step, n - 1, 1e-5));
        let steps = calibrate_steps(
            |steps| DpEvent::self_composed(step.clone(), steps),
            epoch,
            1e-5,
            || RdpAccountant::new(Adjacency::AddOrRemoveOne),
        );
        assert_eq!(steps.unwrap(), n);
    }
}

#[test]
fn calibration_reports_what_it_cannot_reach() {
    let new = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
    let fixed = |_: f64| DpEvent::zcdp(1.0);
    let error = calibrate_noise_multiplier(fixed, 0.5, 1e-5, new).unwrap_err();
    assert!(matches!(error, AccountingError::UnreachableTarget { .. }), "{error}");
    assert!(calibrate_sampling_rate(fixed, 0.5, 1e-5, new).is_err());
    assert!(calibrate_steps(|_| DpEvent::zcdp(1.0), 0.5, 1e-5, new).is_err());
    for (target, delta) in [(f64::NAN, 1e-5), (-1.0, 1e-5), (f64::INFINITY, 1e-5), (1.0, 0.0), (1.0, f64::NAN)] {
        assert!(calibrate_noise_multiplier(DpEvent::gaussian, target, delta, new).is_err());
    }
    // What the accountant refuses, the calibration refuses.
    let refused = |noise| DpEvent::poisson_sampled(0.5, DpEvent::laplace(noise)?);
    assert!(matches!(calibrate_noise_multiplier(refused, 1.0, 1e-5, new), Err(AccountingError::Unsupported { .. })));
    // Nothing to calibrate: no noise is needed, all records may be used, any number of steps holds.
    assert_eq!(calibrate_noise_multiplier(|noise| Ok(sampled(0.0, noise)), 1.0, 1e-5, new).unwrap(), 0.0);
    assert_eq!(calibrate_sampling_rate(|rate| Ok(sampled(rate, 1e9)), 1.0, 1e-5, new).unwrap(), 1.0);
    let nothing = |steps| DpEvent::self_composed(DpEvent::no_op(), steps);
    assert_eq!(calibrate_steps(nothing, 1.0, 1e-5, new).unwrap(), burn_privacy_accounting::MAX_COUNT);
    // An epsilon of 0 is reached where delta allows for it.
    let noise = calibrate_noise_multiplier(DpEvent::gaussian, 0.0, 0.1, new).unwrap();
    assert_eq!(epsilon(&DpEvent::gaussian(noise).unwrap(), 1, 0.1), 0.0);
}

#[test]
fn schedules_start_at_zero_and_end_at_the_accountants_figure() {
    for event in supported() {
        for adjacency in ALL {
            let Ok(schedule) = EpsilonSchedule::new(adjacency, &event) else {
                continue;
            };
            assert_eq!(schedule.epsilon_after(0, 1e-6).unwrap(), 0.0);
            let mut last = 0.0;
            for steps in [1, 10, 1_000, 100_000] {
                let found = schedule.epsilon_after(steps, 1e-6).unwrap();
                let exact = accountant(adjacency, &[(&event, steps)]).epsilon(1e-6).unwrap();
                assert!(
                    found >= exact * (1.0 - 1e-9) && found <= exact * (1.0 + 1e-6),
                    "{event:?} {steps}: {found} {exact}"
                );
                assert!(found >= last);
                last = found;
            }
        }
    }
    let none = EpsilonSchedule::new(Adjacency::ZeroOut, &DpEvent::gaussian(0.0).unwrap()).unwrap();
    assert_eq!(none.epsilon_after(0, 1e-6).unwrap(), 0.0);
    assert_eq!(none.epsilon_after(1, 1e-6).unwrap(), f64::INFINITY);
    assert!(none.epsilon_after(1, f64::NAN).is_err());
    assert!(none.epsilon_after(u64::MAX, 1e-6).is_err());
}

fn plan() -> impl Strategy<Value = (f64, f64, u64, f64)> {
    ((-9.0..0.0_f64), (-0.7..3.0_f64), (0.0..9.0_f64), (-14.0..-1.0_f64))
        .prop_map(|(q, s, t, d)| (10_f64.powf(q), 10_f64.powf(s), 10_f64.powf(t) as u64, 10_f64.powf(d)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn epsilon_is_monotone_in_every_parameter((q, noise, steps, delta) in plan(), factor in 1.0..3.0_f64) {
        let found = epsilon(&sampled(q, noise), steps, delta);
        // At tiny rates and large noise the best order is in the millions and the minimum as sharp as the search's
        // precision.
        let slack = 1.0 + if q < 1e-5 && noise > 50.0 { 1e-6 } else { 1e-10 };
        prop_assert!(epsilon(&sampled(q, noise * factor), steps, delta) <= found * slack);
        prop_assert!(epsilon(&sampled((q * factor).min(1.0), noise), steps, delta) * slack >= found);
        prop_assert!(epsilon(&sampled(q, noise), (steps as f64 * factor) as u64, delta) * slack >= found);
        prop_assert!(epsilon(&sampled(q, noise), steps, (delta * factor).min(0.9)) <= found * slack);
    }

    #[test]
    fn given_orders_never_beat_all_orders((q, noise, steps, delta) in plan(), order in 1.05..300.0_f64) {
        let mut listed = RdpAccountant::with_orders(Adjacency::AddOrRemoveOne, &[order]).unwrap();
        listed.compose(&sampled(q, noise), steps).unwrap();
        let best = epsilon(&sampled(q, noise), steps, delta);
        // The total variation rule is applied at order 1.1.
        prop_assert!(best <= listed.epsilon(delta).unwrap() * (1.0 + 1e-10) || order < 1.1);
    }

    #[test]
    fn delta_and_epsilon_agree((q, noise, steps, delta) in plan()) {
        let accountant = accountant(Adjacency::AddOrRemoveOne, &[(&sampled(q, noise), steps)]);
        let epsilon = accountant.epsilon(delta).unwrap();
        // Where the best order is in the millions, ln delta is that much steeper in the order than epsilon is.
        prop_assert!(accountant.delta(epsilon).unwrap() <= delta * (1.0 + 1e-4));
    }

    #[test]
    fn calibrated_noise_holds_and_is_tight((q, _, steps, delta) in plan(), target in 0.05..20.0_f64) {
        let make = |noise| DpEvent::self_composed(sampled(q, noise), steps);
        let new = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
        let noise = calibrate_noise_multiplier(make, target, delta, new).unwrap();
        prop_assert!(epsilon(&make(noise).unwrap(), 1, delta) <= target);
        prop_assert!(noise < 2e-6 || epsilon(&make(noise * (1.0 - 1e-6)).unwrap(), 1, delta) > target);
    }

    #[test]
    fn composition_order_does_not_matter((q, noise, steps, delta) in plan(), other in 0.5..20.0_f64) {
        let (a, b) = (sampled(q, noise), DpEvent::gaussian(other).unwrap());
        let forth = accountant(Adjacency::ZeroOut, &[(&a, steps), (&b, 3)]).epsilon(delta).unwrap();
        let back = accountant(Adjacency::ZeroOut, &[(&b, 3), (&a, steps)]).epsilon(delta).unwrap();
        prop_assert_eq!(forth, back);
    }
}

/// Prints how long the questions take: `cargo test --release --test rdp_accountant -- --ignored --nocapture`.
#[test]
#[ignore = "prints timings: cargo test --release -p burn-privacy-accounting --test rdp_accountant -- --ignored --nocapture"]
fn timings() {
    fn median(name: &str, mut f: impl FnMut()) {
        let mut times: Vec<_> = (0..101)
            .map(|_| {
                let start = Instant::now();
                f();
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("{name}: {:?}", times[50]);
    }
    for (q, noise, steps) in [(0.005, 1.1, 2_000), (0.01, 0.5, 1_000), (0.1, 0.3, 2_000), (1e-5, 2.0, 100_000)] {
        println!("q {q}, noise {noise}, steps {steps}");
        let step = sampled(q, noise);
        let filled = accountant(Adjacency::AddOrRemoveOne, &[(&step, steps)]);
        median("  epsilon", || drop(filled.epsilon(1e-5)));
        let orders: Vec<f64> = (11..110).map(|k| f64::from(k) / 10.0).chain((11..64).map(f64::from)).collect();
        median("  compose and epsilon, 152 orders", || {
            let mut listed = RdpAccountant::with_orders(Adjacency::AddOrRemoveOne, &orders).unwrap();
            listed.compose(&step, steps).unwrap();
            listed.epsilon(1e-5).unwrap();
        });
        let new = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
        let make = |noise| DpEvent::self_composed(sampled(q, noise), steps);
        median("  calibrate noise to epsilon 3", || drop(calibrate_noise_multiplier(make, 3.0, 1e-5, new)));
        median("  make a schedule", || drop(EpsilonSchedule::new(Adjacency::AddOrRemoveOne, &step)));
        let schedule = EpsilonSchedule::new(Adjacency::AddOrRemoveOne, &step).unwrap();
        median("  ask a schedule", || drop(schedule.epsilon_after(steps, 1e-5)));
    }
}
