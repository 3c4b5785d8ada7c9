//! From flags and fields to an event.

use burn_privacy_accounting::{DpEvent, MAX_COUNT, Result as Accounted, steps_of_epochs};
use burn_privacy_output::InvalidValue;
use serde::Deserialize;

use crate::failure::Failure;
use crate::flags::RunArgs;
use crate::numbers::{real_field, whole_field};

/// A run of equal steps.
pub fn run(sampling_rate: f64, noise_multiplier: f64, steps: u64) -> Accounted<DpEvent> {
    let step = DpEvent::poisson_sampled(sampling_rate, DpEvent::gaussian(noise_multiplier)?)?;
    DpEvent::self_composed(step, steps)
}

/// Where a value was given, which decides how its name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `--batch-size`.
    Flag,
    /// `batch_size`.
    Field,
}

impl Place {
    /// A name as it is written there, from that of the field.
    pub fn name(self, field: &str) -> String {
        match self {
            Self::Flag => format!("--{}", field.replace('_', "-")),
            Self::Field => field.to_owned(),
        }
    }
}

/// A run, as it was described. Each of rate and length may be given in two ways.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDescription {
    #[serde(default, deserialize_with = "real_field")]
    pub sampling_rate: Option<f64>,
    #[serde(default, deserialize_with = "whole_field")]
    pub dataset_size: Option<u64>,
    #[serde(default, deserialize_with = "real_field")]
    pub batch_size: Option<f64>,
    #[serde(default, deserialize_with = "real_field")]
    pub noise_multiplier: Option<f64>,
    #[serde(default, deserialize_with = "whole_field")]
    pub steps: Option<u64>,
    #[serde(default, deserialize_with = "real_field")]
    pub epochs: Option<f64>,
}

impl From<&RunArgs> for RunDescription {
    fn from(args: &RunArgs) -> Self {
        let RunArgs { sampling, noise, length } = args;
        Self {
            sampling_rate: sampling.sampling_rate,
            dataset_size: sampling.dataset_size,
            batch_size: sampling.batch_size,
            noise_multiplier: Some(noise.noise_multiplier),
            steps: length.steps,
            epochs: length.epochs,
        }
    }
}

impl RunDescription {
    /// The sampling rate, given or computed as expected batch over number of records.
    pub fn rate(&self, place: Place) -> Result<f64, Failure> {
        let name = |field| place.name(field);
        if let Some(records) = self.dataset_size
            && !(1..=MAX_COUNT).contains(&records)
        {
            return Err(InvalidValue::new(name("dataset_size"), records, format!("from 1 to {MAX_COUNT}")).into());
        }
        match (self.sampling_rate, self.dataset_size, self.batch_size) {
            (Some(rate), _, None) if (0.0..=1.0).contains(&rate) => Ok(rate),
            (Some(rate), _, None) => {
                Err(InvalidValue::new(name("sampling_rate"), rate, "a probability from 0 to 1").into())
            }
            (Some(_), _, Some(_)) => Err(Failure::Input(format!(
                "the sampling rate is given twice: give {}, or {} and {}",
                name("sampling_rate"),
                name("dataset_size"),
                name("batch_size")
            ))),
            (None, Some(records), Some(batch)) => {
                let rate = batch / records as f64;
                if (0.0..=1.0).contains(&rate) {
                    return Ok(rate);
                }
                let allowed = format!("from 0 to the number of records, {records}");
                Err(InvalidValue::new(name("batch_size"), batch, allowed).into())
            }
            (None, ..) => Err(Failure::Input(format!(
                "give {}, or {} and {}",
                name("sampling_rate"),
                name("dataset_size"),
                name("batch_size")
            ))),
        }
    }

    /// The number of steps, given or computed from the epochs; a started step counts.
    pub fn length(&self, rate: f64, place: Place) -> Result<u64, Failure> {
        let name = |field| place.name(field);
        match (self.steps, self.epochs) {
            (Some(steps), None) => Ok(steps),
            (Some(_), Some(_)) => {
                Err(Failure::Input(format!("the length is given twice: give {} or {}", name("steps"), name("epochs"))))
            }
            (None, Some(epochs)) => {
                if !(epochs >= 0.0 && epochs.is_finite()) {
                    return Err(InvalidValue::new(name("epochs"), epochs, "a finite number of at least 0").into());
                }
                if rate == 0.0 {
                    return Err(Failure::Input(format!(
                        "at sampling rate 0 no number of steps makes an epoch: give {}",
                        name("steps")
                    )));
                }
                if epochs == 0.0 {
                    return Ok(0);
                }
                // Without a number of records, the rate is that of a single one.
                let (batch, records) = match (self.sampling_rate, self.batch_size, self.dataset_size) {
                    (None, Some(batch), Some(records)) => (batch, records),
                    _ => (rate, 1),
                };
                steps_of_epochs(epochs, batch, records).map_err(|_| {
                    let allowed = format!("so few that they make no more than {MAX_COUNT} steps");
                    InvalidValue::new(name("epochs"), epochs, allowed).into()
                })
            }
            (None, None) => Err(Failure::Input(format!("give {} or {}", name("steps"), name("epochs")))),
        }
    }

    /// The event of a run that says everything.
    pub fn event(&self) -> Result<DpEvent, Failure> {
        let rate = self.rate(Place::Field)?;
        let Some(noise) = self.noise_multiplier else {
            return Err(Failure::Input("a run needs the field `noise_multiplier`".to_owned()));
        };
        Ok(run(rate, noise, self.length(rate, Place::Field)?)?)
    }
}

/// Lets a target epsilon pass.
pub fn target_epsilon(value: f64, place: Place) -> Result<f64, InvalidValue> {
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(InvalidValue::new(
            place.name("epsilon"),
            value,
            "a finite number of at least 0 (an infinite target needs no noise)",
        ))
    }
}

/// The runs of several phases, one after the other. A phase that does not say how its records are drawn draws them as
/// `shared` says. With it, the largest number of records that is said.
pub fn phases_event(phases: &[RunDescription], shared: RunDescription) -> Result<(DpEvent, Option<u64>), Failure> {
    let phases = phases.iter().map(|phase| match phase {
        RunDescription { sampling_rate: None, dataset_size, batch_size, .. } => RunDescription {
            dataset_size: dataset_size.or(shared.dataset_size),
            batch_size: batch_size.or(shared.batch_size),
            ..*phase
        },
        phase => *phase,
    });
    let mut events = Vec::new();
    let mut largest = shared.dataset_size;
    for (number, phase) in (1..).zip(phases) {
        largest = largest.max(phase.dataset_size);
        events.push(phase.event().map_err(|failure| Failure::Input(format!("phase {number}: {failure}")))?);
    }
    Ok((DpEvent::composed(events)?, largest))
}
