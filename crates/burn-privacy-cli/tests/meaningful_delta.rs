//! A delta that means nothing: refused in statements, a warning with every other answer.

mod common;

use common::{Shown, run, run_with_input, temporary};

const RECORDS: &str = "--dataset-size 100 --batch-size 10";

fn command(line: &str) -> Shown {
    run(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn statements_with_a_meaningless_delta_are_refused() {
    let statement = |records: u64, delta: &str| {
        command(&format!(
            "statement --dataset-size {records} --batch-size 1 --noise-multiplier 1 --steps 10 --delta {delta}"
        ))
    };
    for (records, delta) in [(1_000, "0.5"), (1_000, "0.001"), (1_000_000, "1e-6"), (1, "0.5"), (3, "0.1")] {
        let shown = statement(records, delta);
        assert!(shown.code == 1 && shown.out.is_empty(), "{records} {delta}: {}", shown.out);
        assert!(shown.err.contains("--delta is") && shown.err.contains("but must be well below"), "{}", shown.err);
    }
    for (records, delta) in [(1_000, "0.0009"), (1_000_000, "1e-7"), (3, "0.01")] {
        let shown = statement(records, delta);
        assert!(shown.ok && shown.err.is_empty(), "{records} {delta}: {}", shown.err);
    }
}

#[test]
fn every_command_warns_where_the_number_of_records_is_known() {
    let phases = r#"[{"dataset_size": 100, "batch_size": 10, "noise_multiplier": 1, "steps": 10}]"#;
    let file = temporary("phases.json", phases);
    for (line, has_json) in [
        (format!("epsilon {RECORDS} --noise-multiplier 1 --steps 10 --delta DELTA"), true),
        (
            "epsilon --sampling-rate 0.1 --dataset-size 100 --noise-multiplier 1 --steps 10 --delta DELTA".to_owned(),
            true,
        ),
        (format!("noise {RECORDS} --steps 10 --epsilon 3 --delta DELTA --accountant rdp"), true),
        (format!("steps {RECORDS} --noise-multiplier 2 --epsilon 3 --delta DELTA --accountant rdp"), true),
        (format!("curve {RECORDS} --noise-multiplier 1 --steps 10 --delta DELTA --points 2"), false),
        (format!("compose {file} --delta DELTA"), true),
    ] {
        let shown = command(&line.replace("DELTA", "0.01"));
        assert!(shown.ok && shown.err.starts_with("warning: delta 0.01 is not below 1/100"), "{line}: {}", shown.err);
        let well = command(&line.replace("DELTA", "1e-5"));
        assert!(well.ok && well.err.is_empty(), "{line}: {}", well.err);
        if has_json {
            let shown = command(&format!("{line} --json").replace("DELTA", "0.01"));
            assert!(
                shown.out.contains("\"warning\":\"delta 0.01") && shown.err.starts_with("warning"),
                "{}",
                shown.out
            );
            assert!(!command(&format!("{line} --json").replace("DELTA", "1e-5")).out.contains("warning"));
        }
    }
    // An answer may be one too: delta at epsilon 0.
    let shown = command(&format!("delta {RECORDS} --noise-multiplier 1 --steps 10 --epsilon 0 --json"));
    assert!(shown.err.starts_with("warning: delta 0.") && shown.out.contains("\"warning\""), "{}", shown.err);
    // No number of records makes 0.5 mean something.
    let shown = command("epsilon --sampling-rate 0.1 --noise-multiplier 1 --steps 10 --delta 0.5");
    assert!(shown.err.contains("however few records"), "{}", shown.err);
}

#[test]
fn queries_carry_their_warning() {
    let lines = r#"{"query":"epsilon","dataset_size":100,"batch_size":10,"noise_multiplier":1,"steps":10,"delta":0.1}
{"query":"epsilon","dataset_size":100,"batch_size":10,"noise_multiplier":1,"steps":10,"delta":1e-5}
{"query":"epsilon","event":{"gaussian":{"noise_multiplier":1}},"dataset_size":100,"delta":0.02}
{"query":"epsilon","phases":[{"dataset_size":100,"batch_size":10,"noise_multiplier":1,"steps":1}],"delta":0.02}
{"query":"noise_multiplier","dataset_size":100,"batch_size":10,"steps":10,"epsilon":2,"delta":0.02,"accountant":"rdp"}
"#;
    let shown = run_with_input(&["query"], lines.as_bytes());
    let warned: Vec<bool> = shown.out.lines().map(|line| line.contains("\"warning\":\"delta 0.")).collect();
    assert_eq!(warned, [true, false, true, true, true], "{}", shown.out);
    assert!(!shown.out.contains("error"), "{}", shown.out);
    // Standard error has it once.
    assert_eq!(shown.err.lines().count(), 1, "{}", shown.err);
}
