//! Answers for `benches/accounting_soundness.py`, which recomputes them independently.
//!
//! Reads one JSON object a line: `kind` (gaussian or laplace), `noise`, `sampling_rate`, `steps`, and `epsilon` or `delta`.
//! Answers one a line: `lower` and `upper` by privacy loss distributions, and `rdp` where that supports the event.

use std::io::BufRead;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant, Result};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    kind: String,
    noise: f64,
    sampling_rate: f64,
    steps: u64,
    epsilon: Option<f64>,
    delta: Option<f64>,
}

fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!("inf") }
}

fn answer(case: &Case) -> Result<Value> {
    let noise = if case.kind == "laplace" { DpEvent::laplace(case.noise)? } else { DpEvent::gaussian(case.noise)? };
    let step = DpEvent::poisson_sampled(case.sampling_rate, noise)?;
    let mut pld = PldAccountant::new(Adjacency::AddOrRemoveOne);
    pld.compose(&step, case.steps)?;
    let mut rdp = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    let has_rdp = rdp.compose(&step, case.steps).is_ok();
    let ask = |accountant: &dyn Accountant| match (case.epsilon, case.delta) {
        (Some(epsilon), _) => accountant.delta(epsilon),
        (None, delta) => accountant.epsilon(delta.unwrap_or(1e-5)),
    };
    let (lower, upper) = match (case.epsilon, case.delta) {
        (Some(epsilon), _) => pld.delta_bounds(epsilon)?,
        (None, delta) => pld.epsilon_bounds(delta.unwrap_or(1e-5))?,
    };
    let rdp = if has_rdp { number(ask(&rdp)?) } else { Value::Null };
    Ok(json!({ "lower": number(lower), "upper": number(upper), "rdp": rdp }))
}

fn main() -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(|error| error.to_string())
            .and_then(|case: Case| answer(&case).map_err(|error| error.to_string()));
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": error })));
    }
    Ok(())
}
