//! Every harness for some seconds: on its corpus, and on changed copies of it.
#![allow(missing_docs)]

use std::path::Path;

use fuzzing::HARNESSES;
use fuzzing::mutation::{corpus, duration, run};

#[test]
fn no_parser_breaks_on_changed_inputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, harness) in HARNESSES {
        let seeds = corpus(&folder.join(name)).unwrap();
        assert!(!seeds.is_empty(), "{name} has no corpus");
        let executions = run(name, &seeds, duration(3), harness);
        assert!(executions.0 > 50, "{name} ran {} times", executions.0);
    }
}

/// Writes the part of the corpus that has check sums or versions in it, after a change of a format.
#[test]
#[ignore = "writes into the source tree: cargo test --release -p fuzzing -- --ignored"]
fn write_corpus() {
    use burn_privacy_budget::ledger::{Ledger, RunDescription, Unit};
    use burn_privacy_budget::plan::{Clipping, NoiseLevel, PrivacyPlanConfig, Sampling};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, clipping) in [("flat", Clipping::flat(1.0)), ("auto", Clipping::normalized())] {
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(250, 50_000))
            .with_clipping(clipping)
            .with_noise(NoiseLevel::multiplier(1.1))
            .with_delta(1e-5)
            .with_steps(2_000)
            .build()
            .unwrap();
        std::fs::create_dir_all(folder.join("plan")).unwrap();
        std::fs::write(folder.join(format!("plan/{name}.json")), serde_json::to_string(&plan).unwrap()).unwrap();
    }
    std::fs::create_dir_all(folder.join("ledger")).unwrap();
    let path = folder.join("ledger/two-runs.jsonl");
    let _ = std::fs::remove_file(&path);
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    for (name, steps, closed) in [("first", 10, true), ("second", 5, false)] {
        let description = RunDescription {
            name: name.to_owned(),
            event_per_step: serde_json::json!({"poisson": {"rate": 0.005, "event": {"gaussian": {"noise_multiplier": 1.1}}}}),
            planned_steps: 30,
            adjacency: "add-or-remove-one".to_owned(),
            private: true,
            delta: Some(1e-5),
            mechanism: None,
            unit: Unit::Record,
        };
        let run = ledger.begin(description).unwrap();
        ledger.reserve(run, steps).unwrap();
        if closed {
            ledger.close(run, steps - 2).unwrap();
        }
    }
    drop(ledger);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(folder.join("ledger/torn.jsonl"), &bytes[..bytes.len() - 20]).unwrap();
}
