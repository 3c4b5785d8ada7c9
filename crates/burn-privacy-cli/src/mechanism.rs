//! From flags to an event.

use burn_privacy_accounting::{DpEvent, MAX_COUNT, Result};

use crate::args::{LengthArgs, SamplingArgs};
use crate::failure::Failure;

/// A run of equal steps.
pub fn run(sampling_rate: f64, noise_multiplier: f64, steps: u64) -> Result<DpEvent> {
    let step = DpEvent::poisson_sampled(sampling_rate, DpEvent::gaussian(noise_multiplier)?)?;
    DpEvent::self_composed(step, steps)
}

/// The sampling rate, given or computed.
pub fn sampling_rate(args: &SamplingArgs) -> Result<f64, Failure> {
    match (args.sampling_rate, args.dataset_size, args.batch_size) {
        (Some(rate), ..) if (0.0..=1.0).contains(&rate) => Ok(rate),
        (Some(rate), ..) => {
            Err(Failure::Input(format!("--sampling-rate is {rate}, but must be a probability from 0 to 1")))
        }
        (None, Some(records), Some(batch)) => rate_of(records, batch),
        _ => Err(Failure::Input("give --sampling-rate, or --dataset-size and --batch-size".to_owned())),
    }
}

/// Expected batch over number of records.
pub fn rate_of(records: u64, batch: f64) -> Result<f64, Failure> {
    if records == 0 || records > MAX_COUNT {
        return Err(Failure::Input(format!("--dataset-size is {records}, but must be from 1 to {MAX_COUNT}")));
    }
    let rate = batch / records as f64;
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(Failure::Input(format!("--batch-size is {batch}, but must be from 0 to the number of records, {records}")))
    }
}

/// The number of steps, given or computed from the epochs; a started step counts.
pub fn steps(args: &LengthArgs, sampling_rate: f64) -> Result<u64, Failure> {
    match (args.steps, args.epochs) {
        (Some(steps), _) => Ok(steps),
        (None, Some(epochs)) => {
            let steps = (epochs / sampling_rate - 1e-9).ceil();
            if epochs >= 0.0 && steps <= MAX_COUNT as f64 {
                Ok(steps.max(0.0) as u64)
            } else {
                Err(Failure::Input(format!(
                    "--epochs is {epochs}, but must be at least 0 and make no more than {MAX_COUNT} steps"
                )))
            }
        }
        (None, None) => Err(Failure::Input("give --steps or --epochs".to_owned())),
    }
}
