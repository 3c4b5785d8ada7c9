//! A run as stretches of equal steps, with the event of each.

use burn_privacy_accounting::{DpEvent, Result};

use super::clipping::Clipping;
use super::protected_unit::ProtectedUnit;
use super::sampling::Sampling;
use super::step_function::StepFunction;

/// Equal steps, one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first of them, counted from 0.
    pub first_step: u64,
    /// How many there are.
    pub steps: u64,
    /// The event of each.
    pub event: DpEvent,
}

/// What decides the events of a run, but for the noise multiplier.
pub(super) struct Mechanism<'a> {
    pub(super) unit: ProtectedUnit,
    pub(super) sampling: Sampling,
    pub(super) clipping: &'a Clipping,
    pub(super) noise_schedule: &'a StepFunction,
    pub(super) steps: u64,
}

impl Mechanism<'_> {
    /// The run in stretches of equal steps, in their order.
    pub(super) fn stretches(&self, noise_multiplier: f64) -> Result<Vec<Stretch>> {
        let stretch = |(first_step, steps, factor)| {
            Ok(Stretch { first_step, steps, event: self.step(noise_multiplier * factor)? })
        };
        self.noise_schedule.stretches(self.steps).into_iter().map(stretch).collect()
    }

    /// The whole run.
    pub(super) fn event(&self, noise_multiplier: f64) -> Result<DpEvent> {
        let stretches = self.stretches(noise_multiplier)?.into_iter();
        let mut events = stretches.map(|stretch| DpEvent::self_composed(stretch.event, stretch.steps));
        match (events.next(), events.next()) {
            (Some(only), None) => only,
            (first, second) => DpEvent::composed(first.into_iter().chain(second).chain(events).collect::<Result<_>>()?),
        }
    }

    /// A step with this noise multiplier, with the count of clipped gradients where the clipping has one.
    fn step(&self, noise_multiplier: f64) -> Result<DpEvent> {
        let released = match (self.clipping.count_multiplier(), self.clipping.gradient_multiplier(noise_multiplier)) {
            // Two Gaussian releases about one sample.
            (Some(count), Some(gradients)) if noise_multiplier > 0.0 => {
                DpEvent::composed(vec![DpEvent::gaussian(gradients)?, DpEvent::gaussian(count)?])?
            }
            _ if self.unit.sampled_records() == 1 => return step_event(self.sampling, noise_multiplier),
            _ => DpEvent::gaussian(noise_multiplier)?,
        };
        match self.unit.sampled_records() {
            1 => DpEvent::poisson_sampled(self.sampling.rate(), released),
            records => DpEvent::group_poisson_sampled(self.sampling.rate(), records, released),
        }
    }
}

/// The event of one step.
pub(super) fn step_event(sampling: Sampling, noise_multiplier: f64) -> burn_privacy_accounting::Result<DpEvent> {
    DpEvent::poisson_sampled(sampling.rate(), DpEvent::gaussian(noise_multiplier)?)
}
