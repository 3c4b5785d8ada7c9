//! `burn-privacy audit`: runs the binary.
#![allow(missing_docs)]

mod common;

use common::{run, run_with_input, temporary};
use serde_json::Value;

#[test]
fn one_run_prints_the_reference_s_bounds() {
    let args = [
        "audit",
        "one-run",
        "--canaries",
        "1000",
        "--guesses",
        "100",
        "--correct",
        "80",
        "--delta",
        "1e-5",
        "--epsilon",
        "1",
    ];
    let shown = run(&args);
    assert!(
        shown.ok && shown.out.contains("at least 0.9553") && shown.out.contains("at least 1.4022"),
        "{}",
        shown.out
    );
    let shown = run(&[&args[..], &["--json"]].concat());
    let object: Value = serde_json::from_str(&shown.out).unwrap();
    assert!((object["p_value"].as_f64().unwrap() - 0.073_009_115_949_177_76).abs() < 1e-12, "{object}");
    let shown = run(&["audit", "one-run", "--canaries", "10", "--guesses", "11", "--correct", "0", "--delta", "0"]);
    assert!(!shown.ok && shown.err.contains("at most the 10 canaries"), "{}", shown.err);
}

#[test]
fn scores_give_a_report_and_a_curve() {
    let mut table = "score,member\n".to_owned();
    for k in 0..200 {
        table.push_str(&format!("{},1\n{},0\n", f64::from(k), f64::from(k) - 150.0));
    }
    let curve = temporary("audit.roc.csv", "");
    let shown = run_with_input(
        &["audit", "scores", "-", "--runs", "many", "--delta", "1e-6", "--claimed", "0.5", "--roc", &curve],
        table.as_bytes(),
    );
    assert!(shown.ok && shown.out.contains("REFUTED"), "{}{}", shown.out, shown.err);
    let roc = std::fs::read_to_string(&curve).unwrap();
    assert!(roc.starts_with("false_positive_rate,true_positive_rate\n0,0\n") && roc.ends_with("1,1\n"), "{roc}");
    let shown = run_with_input(
        &["audit", "scores", "-", "--runs", "observed", "--delta", "1e-6", "--claimed", "0.5", "--format", "json"],
        table.as_bytes(),
    );
    let object: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&object["refuted"], &object["lower_bound"]), (&Value::from(false), &Value::from(0.0)), "{object}");
}

#[test]
fn membership_inference_tells_members_by_each_attack() {
    // Members are remembered by the model, references did not see them (in_2 did half of them).
    let mut table = "member,confidence,reference_1,reference_2,reference_3,in_1,in_2,in_3\n".to_owned();
    for k in 0..60 {
        let wobble = f64::from(k % 7) * 0.01;
        table.push_str(&format!("1,{},{},{},{},0,0,0\n", 0.9 + wobble, 0.4 + wobble, 0.5, 0.45));
        table.push_str(&format!("0,{},{},{},{},0,0,0\n", 0.45 + wobble, 0.5 - wobble, 0.4, 0.55));
        table.push_str(&format!(",{},{},{},{},0,0,0\n", 0.5 - wobble, 0.5, 0.45, 0.4));
    }
    for attack in ["loss", "lira", "rmia"] {
        let shown = run_with_input(
            &["audit", "membership", "-", "--attack", attack, "--delta", "1e-5", "--format", "json"],
            table.as_bytes(),
        );
        assert!(shown.ok, "{attack}: {}", shown.err);
        let object: Value = serde_json::from_str(&shown.out).unwrap();
        assert!(object["report"]["area"].as_f64().unwrap() > 0.95, "{attack}: {object}");
    }
}

#[test]
fn files_that_do_not_fit_are_refused_with_a_sentence() {
    for (table, words) in [
        ("score,member\n1,2\n", "row 2: member must be 1 or 0"),
        ("score,member\nhigh,1\n", "row 2: score must be a number"),
        ("points,member\n1,1\n", "has no column \"score\""),
        ("score,score,member\n1,1,1\n", "two columns"),
        ("score,member\n1,1\n", "non-members were given"),
        ("score,member\nNaN,1\n1,0\n", "must be a number"),
        ("score,member\n1\n", "record"),
    ] {
        let shown = run_with_input(&["audit", "scores", "-", "--runs", "one", "--delta", "1e-5"], table.as_bytes());
        assert!(!shown.ok && shown.err.contains(words) && !shown.err.contains("panicked"), "{table}: {}", shown.err);
    }
    let shown = run_with_input(&["audit", "membership", "-", "--delta", "1e-5"], b"member,confidence\n1,1.5\n0,0.5\n");
    assert!(!shown.ok && shown.err.contains("between 0 and 1"), "{}", shown.err);
}

#[test]
fn coins_that_were_not_fair_bound_nothing_and_a_curve_replaces_no_scores() {
    let row = |member: u8| format!("0,{member}\n");
    let table = format!("score,member\n{}{}", row(1).repeat(900), row(0).repeat(100));
    let scores = temporary("split.csv", &table);
    let shown = run(&["audit", "scores", &scores, "--runs", "one", "--delta", "0", "--claimed", "1"]);
    assert!(!shown.ok && shown.out.is_empty() && shown.err.contains("fair coins"), "{} {}", shown.out, shown.err);
    let shown = run(&["audit", "scores", &scores, "--runs", "observed", "--delta", "1e-6", "--roc", &scores]);
    assert!(!shown.ok && shown.err.contains("the output is the input"), "{}", shown.err);
    assert_eq!(std::fs::read_to_string(&scores).unwrap(), table);
}
