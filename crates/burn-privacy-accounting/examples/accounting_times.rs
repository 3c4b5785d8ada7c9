//! Times questions to the accountants, for comparison with other libraries in one run (`benches/accounting_peers.py`).
//!
//! Reads one JSON object a line from standard input: the fields of `burn-privacy query` for `epsilon` and
//! `noise_multiplier`, besides `runs` (how often to measure, each time with a new accountant) and `accuracy` (of the PLD
//! accountant). Answers one JSON object a line: `median_ms`, `min_ms`, `answer`, and `lower` where there is one.

use std::io::BufRead;
use std::time::Instant;

use burn_privacy_accounting::{
    Accountant, Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, Result, calibrate_noise_multiplier,
};
use serde::Deserialize;
use serde_json::json;

const ADJACENCY: Adjacency = Adjacency::AddOrRemoveOne;

#[derive(Deserialize)]
struct Phase {
    sampling_rate: f64,
    noise_multiplier: f64,
    steps: u64,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    accountant: String,
    #[serde(default)]
    phases: Vec<Phase>,
    sampling_rate: Option<f64>,
    noise_multiplier: Option<f64>,
    steps: Option<u64>,
    epsilon: Option<f64>,
    delta: f64,
    accuracy: Option<f64>,
    #[serde(default = "once")]
    runs: usize,
}

fn once() -> usize {
    1
}

fn training(rate: f64, noise: f64, steps: u64) -> Result<DpEvent> {
    DpEvent::self_composed(DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise)?)?, steps)
}

impl Query {
    /// The answer, and a lower bound of it where there is one.
    fn answer(&self) -> Result<(f64, Option<f64>), String> {
        let pld = || match self.accuracy {
            Some(accuracy) => PldAccountant::with_accuracy(ADJACENCY, accuracy).map_err(|error| error.to_string()),
            None => Ok(PldAccountant::new(ADJACENCY)),
        };
        match (self.query.as_str(), self.accountant.as_str()) {
            ("epsilon", "pld") => {
                let (lower, upper) =
                    self.composed(pld()?)?.epsilon_bounds(self.delta).map_err(|error| error.to_string())?;
                Ok((upper, Some(lower)))
            }
            ("epsilon", "rdp") => self.epsilon(RdpAccountant::new(ADJACENCY)),
            ("epsilon", "contour") => self.epsilon(ContourEstimator::new(ADJACENCY)),
            ("noise_multiplier", "pld") => {
                let empty = pld()?;
                self.noise_multiplier(|| empty.clone())
            }
            ("noise_multiplier", "rdp") => self.noise_multiplier(|| RdpAccountant::new(ADJACENCY)),
            (query, accountant) => Err(format!("{query} by {accountant} is not timed here")),
        }
    }

    fn composed<A: Accountant>(&self, mut accountant: A) -> Result<A, String> {
        let flat = match (self.sampling_rate, self.noise_multiplier, self.steps) {
            (Some(sampling_rate), Some(noise_multiplier), Some(steps)) => {
                Some(Phase { sampling_rate, noise_multiplier, steps })
            }
            _ => None,
        };
        for phase in self.phases.iter().chain(&flat) {
            training(phase.sampling_rate, phase.noise_multiplier, phase.steps)
                .and_then(|event| accountant.compose(&event, 1))
                .map_err(|error| error.to_string())?;
        }
        Ok(accountant)
    }

    fn epsilon<A: Accountant>(&self, accountant: A) -> Result<(f64, Option<f64>), String> {
        let epsilon = self.composed(accountant)?.epsilon(self.delta).map_err(|error| error.to_string())?;
        Ok((epsilon, None))
    }

    fn noise_multiplier<A: Accountant>(&self, new: impl Fn() -> A) -> Result<(f64, Option<f64>), String> {
        let (Some(rate), Some(steps), Some(epsilon)) = (self.sampling_rate, self.steps, self.epsilon) else {
            return Err("sampling_rate, steps and epsilon are needed".to_owned());
        };
        let noise = calibrate_noise_multiplier(|noise| training(rate, noise, steps), epsilon, self.delta, new)
            .map_err(|error| error.to_string())?;
        Ok((noise, None))
    }
}

fn main() -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let timed = serde_json::from_str(&line?).map_err(|error| error.to_string()).and_then(|query: Query| {
            let mut times = Vec::new();
            let mut answer = (f64::NAN, None);
            for _ in 0..query.runs.max(1) {
                let start = Instant::now();
                answer = query.answer()?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            Ok(json!({"median_ms": times[times.len() / 2], "min_ms": times[0], "answer": answer.0, "lower": answer.1}))
        });
        println!("{}", timed.unwrap_or_else(|error: String| json!({ "error": error })));
    }
    Ok(())
}
