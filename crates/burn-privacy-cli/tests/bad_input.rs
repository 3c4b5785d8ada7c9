//! Bad input of every kind: an error sentence, an exit code, no panic, no NaN, at once.

mod common;

use std::time::{Duration, Instant};

use common::{run, run_with_input};
use proptest::prelude::*;

#[test]
fn bad_values_are_refused_with_a_sentence() {
    let run_of = |rate: &str, noise: &str, steps: &str, delta: &str| {
        let flags = [
            format!("--sampling-rate={rate}"),
            format!("--noise-multiplier={noise}"),
            format!("--steps={steps}"),
            format!("--delta={delta}"),
        ];
        let start = Instant::now();
        let shown = run(&[&["epsilon"], &flags.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
        assert!(start.elapsed() < Duration::from_secs(5), "{flags:?}");
        assert!(!shown.ok && !shown.err.contains("panicked") && shown.out.is_empty(), "{flags:?} {}", shown.err);
        assert!(shown.err.starts_with("error: "), "{}", shown.err);
        shown.code
    };
    for bad in ["NaN", "inf", "-inf", "-0.1", "1.1"] {
        assert_eq!(run_of(bad, "1", "10", "1e-5"), 1, "rate {bad}");
    }
    for bad in ["NaN", "inf", "-1", "-inf"] {
        assert_eq!(run_of("0.1", bad, "10", "1e-5"), 1, "noise {bad}");
    }
    for bad in ["NaN", "0", "1", "-1e-5", "2", "inf"] {
        assert_eq!(run_of("0.1", "1", "10", bad), 1, "delta {bad}");
    }
    for bad in ["-1", "1.5", "99999999999999999999999", "many"] {
        assert_eq!(run_of("0.1", "1", bad, "1e-5"), 2, "steps {bad}");
    }
    assert_eq!(run_of("0.1", "1", "18446744073709551615", "1e-5"), 1);
}

#[test]
fn exit_codes_tell_the_cases_apart() {
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["epsilon"]).code, 2);
    assert_eq!(run(&["surprise"]).code, 2);
    assert_eq!(run(&["compose", "/no/such/file", "--delta", "1e-5"]).code, 1);
    for orders in ["--orders=1,2", "--orders=NaN", "--orders=8 --accountant=pld"] {
        let flags = format!("epsilon --sampling-rate=0.1 --noise-multiplier=1 --steps=10 --delta=1e-5 {orders}");
        let shown = run(&flags.split(' ').collect::<Vec<_>>());
        assert!(shown.code == 1 && shown.err.contains("order"), "{orders}: {}", shown.err);
    }
    let unreachable =
        "noise --sampling-rate 1 --steps 1000000000000 --epsilon 0.000000000000001 --delta 1e-15 --accountant rdp";
    let shown = run(&unreachable.split(' ').collect::<Vec<_>>());
    assert_eq!(shown.code, 3, "{} {}", shown.out, shown.err);
    assert_eq!(run(&["--version"]).code, 0);
}

#[test]
fn events_nested_ten_thousand_deep_are_refused_at_once() {
    let deep = format!("{}\"no_op\"{}", r#"{"composed":{"events":["#.repeat(10_000), "]}}".repeat(10_000));
    let start = Instant::now();
    let composed = run_with_input(&["compose", "-", "--delta", "1e-5"], deep.as_bytes());
    assert!(composed.code == 1 && composed.err.contains("error"), "{}", composed.err);
    let line = format!("{{\"query\":\"epsilon\",\"delta\":1e-5,\"event\":{deep}}}\n");
    let shown = run_with_input(&["query"], line.as_bytes());
    assert!(shown.ok && shown.out.starts_with("{\"error\":"), "{}", shown.out);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn bad_lines_do_not_end_a_run() {
    let good =
        r#"{"query":"epsilon","accountant":"rdp","sampling_rate":0.1,"noise_multiplier":1,"steps":10,"delta":1e-5}"#;
    let bad = [
        "",
        "{",
        "[]",
        "null",
        "42",
        "\u{0}",
        r#"{"query":"epsilon"}"#,
        r#"{"query":"unknown"}"#,
        r#"{"query":"epsilon","surprise":1}"#,
        r#"{"query":"epsilon","noise_multiplier":"NaN","delta":1e-5}"#,
        r#"{"query":"epsilon","noise_multiplier":-1,"delta":1e-5}"#,
        r#"{"query":"epsilon","noise_multiplier":1e999,"delta":1e-5}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":0}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":1e-5,"sampling_rate":2}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":1e-5,"steps":-1}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":1e-5,"steps":18446744073709551615}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":1e-5,"adjacency":"other"}"#,
        r#"{"query":"epsilon","noise_multiplier":1,"delta":1e-5,"event":"no_op"}"#,
        r#"{"query":"epsilon","delta":1e-5,"event":{"gaussian":{"noise_multiplier":-1}}}"#,
        r#"{"query":"rdp","noise_multiplier":1,"order":1}"#,
        r#"{"query":"delta","noise_multiplier":1,"epsilon":-1}"#,
        r#"{"query":"gaussian_sigma","epsilon":"inf","delta":1e-5}"#,
        r#"{"query":"zcdp_epsilon","rho":-1,"delta":1e-5}"#,
    ];
    let mut lines = Vec::new();
    for line in bad {
        lines.extend(format!("{line}\n{good}\n").bytes());
    }
    lines.extend(b"\xff\xfe\n");
    lines.extend(good.bytes());
    let shown = run_with_input(&["query"], &lines);
    assert!(shown.ok, "{}", shown.err);
    let answers: Vec<&str> = shown.out.lines().collect();
    // The empty line is no question.
    assert_eq!(answers.len(), 2 * bad.len() - 1 + 2);
    assert_eq!(answers.iter().filter(|line| line.contains("\"epsilon\":")).count(), bad.len() + 1);
    assert_eq!(answers.iter().filter(|line| line.starts_with("{\"error\":\"")).count(), bad.len());
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::num::f64::ANY.prop_map(|x| x.to_string()),
        (-3.0..3.0_f64).prop_map(|x| x.to_string()),
        (-12.0..0.0_f64).prop_map(|x| 10_f64.powf(x).to_string()),
        (0..10_000_u64).prop_map(|x| x.to_string()),
        Just("\"inf\"".to_owned()),
        Just("1e999".to_owned()),
        Just("null".to_owned()),
        Just("{}".to_owned()),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let fields = ["sampling_rate", "noise_multiplier", "steps", "delta", "epsilon", "order", "sensitivity", "rho"];
    let query = prop::sample::select(vec!["epsilon", "delta", "rdp", "gaussian_sigma", "zcdp_epsilon"]);
    let accountant = prop::sample::select(vec!["pld", "rdp", "contour"]);
    (
        query,
        accountant,
        prop::collection::vec(number(), fields.len()),
        prop::collection::vec(any::<bool>(), fields.len()),
    )
        .prop_map(move |(query, accountant, numbers, present)| {
            let mut text = format!("{{\"query\":\"{query}\",\"accountant\":\"{accountant}\"");
            for ((field, number), present) in fields.iter().zip(numbers).zip(present) {
                if present {
                    text.push_str(&format!(",\"{field}\":{number}"));
                }
            }
            text.push('}');
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_gets_one_answer(lines in prop::collection::vec(line(), 20)) {
        let input = lines.join("\n");
        let start = Instant::now();
        let shown = run_with_input(&["query"], input.as_bytes());
        prop_assert!(shown.ok, "{}", shown.err);
        prop_assert!(!shown.err.contains("panicked"), "{}", shown.err);
        let answers: Vec<&str> = shown.out.lines().collect();
        prop_assert_eq!(answers.len(), lines.len());
        for (answer, line) in answers.iter().zip(&lines) {
            let value: serde_json::Value = serde_json::from_str(answer).unwrap();
            prop_assert!(value.is_object(), "{}", line);
            prop_assert!(!answer.contains("NaN") && !answer.contains("null"), "{} {}", line, answer);
            if let (Some(lower), Some(upper)) = (value["lower"].as_f64(), value["upper"].as_f64()) {
                prop_assert!(lower <= upper, "{} {}", line, answer);
            }
        }
        prop_assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }

    #[test]
    fn arbitrary_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let shown = run_with_input(&["query"], &bytes);
        // One input in a hundred begins as UTF-16 does, or as gzip, which is refused as a whole.
        let named = shown.err.contains("is UTF-16") || shown.err.contains("is compressed by gzip");
        prop_assert!(shown.ok || shown.code == 1 && named && shown.err.starts_with("error: "), "{}", shown.err);
    }
}
