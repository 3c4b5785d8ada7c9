//! What becomes of released gradients: post-processing, which costs no privacy.

use crate::{LinearError, Result};

/// How a released, averaged gradient moves the weights.
///
/// The gradient is in units of the clipping norm (the noisy sum over C times the expected batch size), so that learning rates don't
/// change with C.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpdateRule {
    /// Gradient descent with momentum (not damped); 0 for none.
    Momentum(f64),
    /// DP-AdamBC (Tang, Shpilevskiy, Lécuyer, AAAI 2024): the noise's known variance is subtracted from the second moment, which
    /// is at least `floor`.
    AdamBc {
        /// Decay of the first moment.
        first: f64,
        /// Decay of the second moment.
        second: f64,
        /// The least second moment, after correction, in units of the noise's variance.
        floor: f64,
    },
    /// DOPPLER (Zhang et al., 2024): gradients pass a low-pass filter of first order, `m <- a m + (1 - a)(g + g')/2` with `g'` the
    /// previous gradient, corrected for its start.
    LowPass(f64),
}

impl UpdateRule {
    /// Checks the numbers.
    pub(crate) fn checked(self) -> Result<Self> {
        let decays: &[f64] = match &self {
            Self::Momentum(decay) | Self::LowPass(decay) => &[*decay],
            Self::AdamBc { first, second, floor } => {
                if !(floor.is_finite() && *floor > 0.0) {
                    return Err(LinearError::invalid("the floor", floor, "a finite number above 0"));
                }
                &[*first, *second]
            }
        };
        match decays.iter().find(|decay| !(0.0..1.0).contains(*decay)) {
            Some(decay) => Err(LinearError::invalid("a decay", decay, "from 0 to below 1")),
            None => Ok(self),
        }
    }
}

/// A rule with what it remembers.
pub(crate) struct Optimizer {
    rule: UpdateRule,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Optimizer {
    pub(crate) fn new(rule: UpdateRule, weights: usize) -> Self {
        Self { rule, first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    /// Moves the weights along the gradient; `noise_variance` is that of one of its entries.
    pub(crate) fn step(&mut self, weights: &mut [f64], gradient: &[f64], rate: f64, noise_variance: f64) {
        self.steps = self.steps.saturating_add(1);
        let steps = self.steps;
        let all = weights.iter_mut().zip(gradient).zip(self.first.iter_mut().zip(&mut self.second));
        match self.rule {
            UpdateRule::Momentum(decay) => all.for_each(|((weight, g), (velocity, _))| {
                *velocity = decay * *velocity + g;
                *weight -= rate * *velocity;
            }),
            UpdateRule::AdamBc { first, second, floor } => {
                let (first_share, second_share) = (1.0 - first.powi(steps), 1.0 - second.powi(steps));
                all.for_each(|((weight, g), (m, v))| {
                    *m = first * *m + (1.0 - first) * g;
                    *v = second * *v + (1.0 - second) * g * g;
                    let moment =
                        (*v / second_share - noise_variance).max(floor * noise_variance.max(f64::MIN_POSITIVE));
                    *weight -= rate * (*m / first_share) / moment.sqrt();
                });
            }
            UpdateRule::LowPass(decay) => {
                // The filter's answer to a constant 1 from the first step on, by which it is corrected.
                let share = 1.0 - 0.5 * (1.0 + decay) * decay.powi(steps - 1);
                all.for_each(|((weight, g), (filtered, previous))| {
                    *filtered = decay * *filtered + (1.0 - decay) * 0.5 * (g + *previous);
                    *previous = *g;
                    *weight -= rate * *filtered / share;
                });
            }
        }
    }
}

/// Which weights are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Averaging {
    /// The last step's.
    Last,
    /// The exponential average of all steps', corrected for its start.
    Exponential(f64),
    /// The mean over the last part of the steps, a share from above 0 to 1.
    Tail(f64),
}

impl Averaging {
    /// Checks the number.
    pub(crate) fn checked(self) -> Result<Self> {
        match self {
            Self::Exponential(decay) if !(0.0..1.0).contains(&decay) => {
                Err(LinearError::invalid("the average's decay", decay, "from 0 to below 1"))
            }
            Self::Tail(share) if !(share > 0.0 && share <= 1.0) => {
                Err(LinearError::invalid("the averaged share of steps", share, "above 0 and at most 1"))
            }
            averaging => Ok(averaging),
        }
    }
}

/// An average with what it remembers.
pub(crate) struct Average {
    kind: Averaging,
    planned: u64,
    made: u64,
    sum: Vec<f64>,
    weight: f64,
}

impl Average {
    pub(crate) fn new(kind: Averaging, planned: u64, weights: usize) -> Self {
        let sum = if kind == Averaging::Last { Vec::new() } else { vec![0.0; weights] };
        Self { kind, planned, made: 0, sum, weight: 0.0 }
    }

    /// Takes the weights after one more step.
    pub(crate) fn add(&mut self, weights: &[f64]) {
        self.made += 1;
        let (keep, take) = match self.kind {
            Averaging::Last => return,
            Averaging::Exponential(decay) => (decay, 1.0 - decay),
            Averaging::Tail(share) => {
                let first = self.planned - (self.planned as f64 * share).ceil() as u64;
                if self.made <= first {
                    return;
                }
                (1.0, 1.0)
            }
        };
        self.weight = keep * self.weight + take;
        self.sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum = keep * *sum + take * weight);
    }

    /// The average, if any step is in it.
    pub(crate) fn value(&self) -> Option<Vec<f64>> {
        (self.weight > 0.0).then(|| self.sum.iter().map(|sum| sum / self.weight).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(rule: UpdateRule, gradients: &[f64]) -> Vec<f64> {
        let mut optimizer = Optimizer::new(rule, 1);
        let mut weight = [0.0];
        let mut path = Vec::new();
        for gradient in gradients {
            optimizer.step(&mut weight, &[*gradient], 1.0, 0.5);
            path.push(weight[0]);
        }
        path
    }

    #[test]
    fn rules_are_those_of_their_papers() {
        assert_eq!(steps(UpdateRule::Momentum(0.5), &[1.0, 1.0]), [-1.0, -2.5]);
        // m / share is 2; v / share is 4, of which 0.5 is noise.
        let adam = UpdateRule::AdamBc { first: 0.9, second: 0.99, floor: 1e-3 };
        assert!((steps(adam, &[2.0])[0] + 2.0 / 3.5_f64.sqrt()).abs() < 1e-12);
        // All of it is noise: the floor holds.
        assert!((steps(adam, &[0.5])[0] + 0.5 / 5e-4_f64.sqrt()).abs() < 1e-9);
        // A constant passes a filter that is corrected for its start unchanged.
        for (at, weight) in steps(UpdateRule::LowPass(0.9), &[1.0; 20]).into_iter().enumerate() {
            assert!((weight + (at + 1) as f64).abs() < 1e-9, "{at} {weight}");
        }
        assert!(UpdateRule::Momentum(1.0).checked().is_err() && UpdateRule::LowPass(f64::NAN).checked().is_err());
        assert!(UpdateRule::AdamBc { first: 0.9, second: 0.9, floor: 0.0 }.checked().is_err());
    }

    #[test]
    fn averages_are_averages() {
        let average = |kind| {
            let mut average = Average::new(kind, 4, 1);
            for weight in [1.0, 2.0, 3.0, 7.0] {
                average.add(&[weight]);
            }
            average.value().map(|value| value[0])
        };
        assert_eq!(average(Averaging::Last), None);
        assert_eq!(average(Averaging::Tail(0.5)), Some(5.0));
        assert_eq!(average(Averaging::Tail(1.0)), Some(3.25));
        let expected = (0.125 + 2.0 * 0.25 + 3.0 * 0.5 + 7.0) * 0.5 / (1.0 - 0.0625);
        assert!((average(Averaging::Exponential(0.5)).unwrap() - expected).abs() < 1e-12);
        assert!(Averaging::Tail(0.0).checked().is_err() && Averaging::Exponential(1.0).checked().is_err());
    }
}
