//! Runs `recommend`: larger batches mean less noise, as long as there are enough steps.

mod common;

use common::run;
use serde_json::Value;

const RUN: [&str; 9] =
    ["recommend", "--dataset-size", "60000", "--epsilon", "3", "--delta", "1e-5", "--records-per-second", "100000"];

#[test]
fn the_largest_batch_with_enough_steps_is_recommended() {
    let shown = run(&[&RUN[..], &["--minutes", "0.4", "--json"]].concat());
    assert!(shown.ok, "{}", shown.err);
    let answer: Value = serde_json::from_str(&shown.out).unwrap();
    // 2.4 million records: 585 steps of 4,096, and too few of 8,192.
    assert_eq!((&answer["recommended"]["batch_size"], &answer["recommended"]["steps"]), (&4096.into(), &585.into()));
    let noise = answer["recommended"]["noise_multiplier"].as_f64().unwrap();
    // What `noise` says.
    let said = run(&[
        "noise",
        "--dataset-size",
        "60000",
        "--batch-size",
        "4096",
        "--steps",
        "585",
        "--epsilon",
        "3",
        "--delta",
        "1e-5",
        "--json",
    ]);
    let said: Value = serde_json::from_str(&said.out).unwrap();
    assert!((noise - said["noise_multiplier"].as_f64().unwrap()).abs() < 1e-5);
    let relative: Vec<f64> =
        answer["choices"].as_array().unwrap().iter().map(|row| row["relative_noise"].as_f64().unwrap()).collect();
    assert!(relative.is_sorted_by(|a, b| a > b), "{relative:?}");

    let shown = run(&[&RUN[..], &["--minutes", "0.4"]].concat());
    assert!(shown.out.contains("4,096") && shown.out.contains("the least"), "{}", shown.out);
}

#[test]
fn too_little_time_and_impossible_numbers_are_refused() {
    for (more, words) in [
        (&["--minutes", "0.001"][..], "--minutes is 0.001"),
        (&["--minutes", "inf"], "--minutes is inf"),
        (&["--minutes", "1", "--delta", "0.1"], "cannot be used multiple times"),
    ] {
        let shown = run(&[&RUN[..], more].concat());
        assert!(!shown.ok && shown.err.contains(words), "{}", shown.err);
    }
    let shown = run(&[
        "recommend",
        "--dataset-size",
        "100",
        "--epsilon",
        "1",
        "--delta",
        "0.01",
        "--records-per-second",
        "1",
        "--minutes",
        "1",
    ]);
    assert!(!shown.ok && shown.err.contains("--delta"), "{}", shown.err);
}
