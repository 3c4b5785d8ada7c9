//! Numbers and JSON files as other programs write them; infinity, NaN and minus signs.

mod common;

use common::{Shown, run, run_with_input};
use serde_json::Value;

fn command(line: &str) -> Shown {
    run(&line.split(' ').collect::<Vec<_>>())
}

fn answers(lines: &str) -> Vec<Value> {
    let shown = run_with_input(&["query"], lines.as_bytes());
    assert!(shown.ok, "{}", shown.err);
    shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn whole_numbers_may_be_written_with_a_point_or_an_exponent() {
    let expected = &answers(
        r#"{"query":"epsilon","accountant":"rdp","sampling_rate":0.005,"noise_multiplier":1.1,"steps":2000,"delta":1e-5}"#,
    )[0]["epsilon"];
    let lines = [
        r#""sampling_rate":0.005,"steps":2000.0"#,
        r#""sampling_rate":0.005,"steps":2e3"#,
        r#""dataset_size":5e4,"batch_size":250,"steps":2000"#,
        r#""dataset_size":50000.0,"batch_size":250,"epochs":10"#,
    ]
    .map(|run| format!(r#"{{"query":"epsilon","accountant":"rdp","noise_multiplier":1.1,"delta":1e-5,{run}}}"#));
    for answer in answers(&lines.join("\n")) {
        assert_eq!(&answer["epsilon"], expected, "{answer}");
    }
    // Counts inside an event too.
    let event = r#"{"self_composed":{"event":{"poisson_sampled":{"sampling_rate":0.005,"event":{"gaussian":{"noise_multiplier":1.1}}}},"count":2e3}}"#;
    let line = format!(r#"{{"query":"epsilon","accountant":"rdp","delta":1e-5,"event":{event}}}"#);
    assert_eq!(&answers(&line)[0]["epsilon"], expected);
    let composed =
        run_with_input(&["compose", "-", "--delta", "1e-5", "--json", "--accountant", "rdp"], event.as_bytes());
    assert!(composed.out.contains(&expected.to_string()), "{} {}", composed.out, composed.err);
    let flags = "epsilon --dataset-size 5e4 --batch-size 250 --steps 2e3 --noise-multiplier 1.1 --delta 1e-5 --json";
    assert!(command(&format!("{flags} --accountant rdp")).out.contains(&expected.to_string()));
    for bad in ["2000.5", "-1", "\"2000\"", "1e300", "true"] {
        let line =
            format!(r#"{{"query":"epsilon","sampling_rate":0.005,"noise_multiplier":1.1,"steps":{bad},"delta":1e-5}}"#);
        assert!(answers(&line)[0]["error"].as_str().unwrap().contains("line"), "{bad}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let line = "\u{feff}{\"query\":\"rdp\",\"noise_multiplier\":2,\"steps\":3,\"order\":8}\n";
    assert!(answers(line)[0]["rdp"].as_f64().is_some());
    let composed = run_with_input(
        &["compose", "-", "--delta", "1e-5"],
        "\u{feff}{\"gaussian\":{\"noise_multiplier\":2}}".as_bytes(),
    );
    assert!(composed.ok, "{}", composed.err);
    // PowerShell's `>` writes UTF-16.
    let utf16: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for args in [&["query"][..], &["compose", "-", "--delta", "1e-5"], &["perturb", "check", "--schema", "-"]] {
        let shown = run_with_input(args, &utf16);
        assert!(shown.code == 1 && shown.err.contains("standard input is UTF-16"), "{}", shown.err);
    }
}

#[test]
fn phases_are_a_list_or_one_and_share_their_records() {
    let compose = |text: &str| {
        let args = ["compose", "-", "--delta", "1e-5", "--json", "--accountant", "rdp"];
        let shown = run_with_input(&args, text.as_bytes());
        assert!(shown.ok, "{text}: {}", shown.err);
        serde_json::from_str::<Value>(&shown.out).unwrap()["epsilon"].as_f64().unwrap()
    };
    let plain = r#"{"sampling_rate":0.01,"noise_multiplier":1.0,"steps":500}"#;
    let epochs = r#"{"batch_size":500,"noise_multiplier":1.0,"epochs":5}"#;
    let once = compose(plain);
    assert_eq!(compose(&format!("[{plain}]")), once);
    assert_eq!(compose(&format!(r#"{{"phases":[{epochs}],"dataset_size":5e4}}"#)), once);
    assert_eq!(
        compose(r#"{"phases":[{"noise_multiplier":1,"steps":500}],"dataset_size":50000,"batch_size":500}"#),
        once
    );
    let twice = compose(&format!("[{plain}, {plain}]"));
    assert!(twice > once);
    assert_eq!(compose(&format!(r#"{{"phases":[{plain},{epochs}],"dataset_size":50000}}"#)), twice);
    for (bad, expected) in [
        (r#"[{"sampling_rate":0.1,"noise_multiplier":1}]"#, "phase 1: give steps or epochs"),
        (r#"[{"sampling_rate":0.1,"batch_size":2,"noise_multiplier":1,"steps":1}]"#, "given twice"),
        (
            r#"[{"batch_size":2,"noise_multiplier":1,"steps":1}]"#,
            "phase 1: give sampling_rate, or dataset_size and batch_size",
        ),
        (r#"[{"sampling_rate":0.1,"noise_multiplier":1,"steps":1,"epochs":1}]"#, "give steps or epochs"),
        (r#"[{"sampling_rate":0,"noise_multiplier":1,"epochs":1}]"#, "no number of steps makes an epoch"),
        (r#"[{"sampling_rate":0.1,"sampling_rate":0.2,"noise_multiplier":1,"steps":1}]"#, "duplicate field"),
        (r#"[{"gaussian":{"noise_multiplier":1}}]"#, "unknown field"),
    ] {
        let shown = run_with_input(&["compose", "-", "--delta", "1e-5"], bad.as_bytes());
        assert!(shown.code == 1 && shown.err.contains(expected), "{bad}: {}", shown.err);
    }
}

#[test]
fn infinity_nan_and_minus_get_one_answer_each() {
    let run = "--sampling-rate 0.1 --noise-multiplier 1 --steps 10";
    // With and without the equals sign, and the same words for all that is no target.
    for bad in ["-1", "inf", "-inf", "NaN"] {
        for joint in ["=", " "] {
            for line in [
                format!("noise --sampling-rate 0.1 --steps 10 --epsilon{joint}{bad} --delta 1e-5"),
                format!("steps --sampling-rate 0.1 --noise-multiplier 1 --epsilon{joint}{bad} --delta 1e-5"),
            ] {
                let shown = command(&line);
                let expected = format!("error: --epsilon is {bad}, but must be a finite number of at least 0");
                assert!(shown.code == 1 && shown.err.starts_with(&expected), "{line}: {}", shown.err);
            }
        }
        let line =
            format!(r#"{{"query":"steps","sampling_rate":0.1,"noise_multiplier":1,"delta":1e-5,"epsilon":{bad}}}"#);
        if bad == "-1" {
            assert!(
                answers(&line)[0]["error"].as_str().unwrap().contains("epsilon is -1, but must be a finite number")
            );
        }
    }
    for bad in ["-1", "-inf", "NaN"] {
        let shown = command(&format!("delta {run} --epsilon {bad}"));
        let expected = format!("error: epsilon is {bad}, but must be a number of at least 0 (infinity is allowed)");
        assert!(shown.code == 1 && shown.err.starts_with(&expected), "{}", shown.err);
    }
    assert!(command(&format!("delta {run} --epsilon inf --json")).out.contains("\"delta\":0.0,"));
    let shown = command("epsilon --dataset-size 10 --batch-size 0 --noise-multiplier 1 --epochs 1 --delta 1e-5");
    assert!(shown.code == 1 && shown.err.contains("no number of steps makes an epoch"), "{}", shown.err);
    for (flag, bad) in [("--epochs", "NaN"), ("--epochs", "inf"), ("--epochs", "-1")] {
        let shown = command(&format!("epsilon --sampling-rate 0.1 --noise-multiplier 1 {flag} {bad} --delta 1e-5"));
        assert!(
            shown.code == 1 && shown.err.contains(&format!("{flag} is {bad}, but must be a finite number")),
            "{}",
            shown.err
        );
    }
}

#[test]
fn epochs_are_as_many_steps_as_in_a_plan_and_a_sweep() {
    let steps = |run: &str| {
        let shown = command(&format!("epsilon {run} --noise-multiplier 1 --delta 1e-6 --accountant rdp --json"));
        serde_json::from_str::<serde_json::Value>(&shown.out).unwrap()["steps"].as_u64().unwrap()
    };
    assert_eq!(steps("--dataset-size 50000 --batch-size 30 --epochs 9"), 15_000);
    assert_eq!(steps("--dataset-size 50000 --batch-size 10 --epochs 1.1"), 5_500);
    // By the rate alone, too; a started step counts, and no epoch has none.
    assert_eq!(steps("--sampling-rate 0.0006 --epochs 9"), 15_000);
    assert_eq!(steps("--sampling-rate 0.0002 --epochs 1.1"), 5_500);
    assert_eq!(steps("--sampling-rate 0.3 --epochs 1"), 4);
    assert_eq!(steps("--sampling-rate 0.3 --epochs 0"), 0);
    let shown = command("epsilon --sampling-rate 1e-9 --noise-multiplier 1 --epochs 1e9 --delta 1e-6");
    assert!(shown.code == 1 && shown.err.contains("--epochs is 1000000000, but must be so few"), "{}", shown.err);
}

#[test]
fn minus_zero_is_written_as_zero() {
    let flags = "epsilon --sampling-rate -0.0 --noise-multiplier -0.0 --steps 0 --delta 1e-5 --json";
    for line in [flags, "delta --sampling-rate 0.1 --noise-multiplier 1 --steps 10 --epsilon -0.0 --json"] {
        let shown = command(line);
        assert!(shown.ok && !shown.out.contains("-0.0"), "{} {}", shown.out, shown.err);
    }
    // The divergence of nothing is a sum of nothing.
    let nothing = &answers(r#"{"query":"rdp","sampling_rate":0.1,"noise_multiplier":1,"steps":0,"order":8}"#)[0];
    assert_eq!(nothing["rdp"].to_string(), "0.0");
}

#[test]
fn a_file_of_queries_may_be_named() {
    let line = "{\"query\":\"rdp\",\"noise_multiplier\":2,\"order\":8}\n";
    let file = common::temporary("queries.jsonl", line);
    let named = run(&["query", &file]);
    assert!(named.ok && named.out == run_with_input(&["query", "-"], line.as_bytes()).out, "{}", named.err);
    let missing = run(&["query", "no/such/file"]);
    assert!(missing.code == 1 && missing.err.contains("could not read no/such/file"), "{}", missing.err);
    // A curve goes to standard output for -, too.
    let flags = "curve --sampling-rate 0.1 --noise-multiplier 1 --steps 10 --delta 1e-5 --points 2 --output -";
    assert!(command(flags).out.starts_with("steps,"));
}
