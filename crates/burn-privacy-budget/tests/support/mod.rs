//! Runs of a ledger, and a folder for it.

use std::path::Path;

use burn_privacy_budget::ledger::{RunDescription, Unit};
use serde_json::json;

pub fn description(name: &str, planned_steps: u64) -> RunDescription {
    RunDescription {
        name: name.to_owned(),
        event_per_step: json!({"poisson": {"rate": 0.005, "event": {"gaussian": {"noise_multiplier": 1.1}}}}),
        planned_steps,
        adjacency: "add-or-remove-one".to_owned(),
        private: true,
        delta: Some(1e-5),
        mechanism: None,
        unit: Unit::Record,
    }
}

/// A folder in memory where there is one: synchronizing a file thousands of times takes a disk minutes.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
