//! Every number has the name of the method that proved it.

mod common;

use common::{run, run_with_input};
use serde_json::{Value, json};

/// Steps so many that rounding leaves a wide bracket on the grid: Renyi divergences have the smaller bound.
const BY_RDP: &str = "--sampling-rate 1e-5 --noise-multiplier 0.7 --steps 100000000000000";
/// The delta is below all that the grid resolves.
const TINY: &str = "--sampling-rate 0.01 --noise-multiplier 1 --steps 100 --delta 1e-290";

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn answer(line: &str) -> Value {
    let shown = run(&words(&format!("{line} --json")));
    assert!(shown.ok, "{line}: {}", shown.err);
    serde_json::from_str(&shown.out).unwrap()
}

#[test]
fn epsilon_names_renyi_divergences_where_theirs_is_the_smaller_bound() {
    for given in [TINY.to_owned(), format!("{BY_RDP} --delta 1e-6")] {
        let line = format!("epsilon {given}");
        let both = answer(&line);
        let rdp = answer(&format!("{line} --accountant rdp"));
        assert!(both["epsilon"].as_f64().unwrap().is_finite());
        assert_eq!((&both["epsilon"], &both["accountant"]), (&rdp["epsilon"], &json!("rdp")), "{line}");
        let shown = run(&words(&line)).out;
        let first: Vec<&str> = shown.lines().filter(|line| line.contains("bound")).collect();
        assert!(first.len() == 1 && first[0].contains(" RDP (") && !shown.contains("PLD"), "{shown}");
    }
}

#[test]
fn the_tight_bound_keeps_its_name() {
    let line = "epsilon --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --delta 1e-5";
    assert_eq!(answer(line)["accountant"], "pld");
    let shown = run(&words(line)).out;
    assert!(shown.lines().next().unwrap().contains(" PLD (") && shown.contains(" RDP ("), "{shown}");
}

#[test]
fn queries_and_deltas_name_their_method() {
    let lines = concat!(
        r#"{"query":"epsilon","sampling_rate":0.01,"noise_multiplier":1,"steps":100,"delta":1e-290}"#,
        "\n",
        r#"{"query":"delta","sampling_rate":0.01,"noise_multiplier":1,"steps":100,"epsilon":2}"#,
        "\n",
    );
    let shown = run_with_input(&["query"], lines.as_bytes());
    let names: Vec<Value> =
        shown.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["accountant"].clone()).collect();
    assert_eq!(names, [json!("rdp"), json!("pld")], "{}", shown.out);
}
