//! Reads the reference tables under `tests/fixtures`.
#![allow(dead_code, missing_docs)]

use serde_json::Value;

pub fn table(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn entries(table: &Value) -> &[Value] {
    table["entries"].as_array().unwrap()
}

/// A number, or the string `"inf"`.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap_or_else(|| panic!("{other} is not a number")),
    }
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Relative error above the truth; the reported value must never be below it by more than the truth's own rounding.
#[track_caller]
pub fn assert_upper_bound(found: f64, truth: f64, relative: f64, absolute: f64, what: &str) {
    if truth == f64::INFINITY {
        assert_eq!(found, f64::INFINITY, "{what}");
        return;
    }
    let excess = found - truth;
    assert!(excess <= relative * truth.abs() + absolute, "{what}: {found} is above {truth} by {excess:e}");
    // The tables' numbers are themselves rounded.
    assert!(excess >= -1e-12 * truth.abs() - 1e-15, "{what}: {found} is below {truth} by {:e}", -excess);
}

#[track_caller]
pub fn assert_close(found: f64, truth: f64, relative: f64, what: &str) {
    if truth == f64::INFINITY {
        assert_eq!(found, f64::INFINITY, "{what}");
        return;
    }
    assert!((found - truth).abs() <= relative * truth.abs(), "{what}: found {found}, truth {truth}");
}
