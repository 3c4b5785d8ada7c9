//! Averaging the weights of a run: less noise in the released model, for free.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// An exponential moving average of a model's trainable weights over the steps of a run.
///
/// # Formal guarantee
///
/// A function of the run's released updates alone, so post-processing: whatever epsilon covers the run covers the average.
///
/// With decay `d`, step `t` (from 0) adds a share of `1 - min(d, (1 + t) / (10 + t))`: the first steps, far from any good
/// weights, are forgotten soon (De et al., "Unlocking high-accuracy differentially private image classification through
/// scale", arXiv 2204.13650, appendix C).
#[derive(Debug, Clone)]
pub struct WeightAverage {
    decay: f64,
    steps: u64,
    /// Each parameter, flattened, without autodiff: whose graph would grow with every step.
    weights: HashMap<ParamId, Tensor<1>>,
}

impl WeightAverage {
    /// An average of nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] unless `decay` is from 0 to below 1.
    pub fn new(decay: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            let allowed = "from 0 (the last weights alone) to below 1".into();
            return Err(Error::Plan { field: "decay of the weight average", given: decay.to_string(), allowed });
        }
        Ok(Self { decay, steps: 0, weights: HashMap::new() })
    }

    /// Goes on from an average over `steps` steps, whose weights `averaged` has.
    pub fn resumed<M: Module>(mut self, steps: u64, averaged: &M) -> Self {
        self.weights.clear();
        if steps > 0 {
            averaged.visit(&mut Adding { share: 1.0, weights: &mut self.weights });
        }
        self.steps = steps;
        self
    }

    /// Steps that it is over.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// See the type.
    pub fn decay(&self) -> f64 {
        self.decay
    }

    /// Adds the weights after a step.
    pub fn add<M: Module>(&mut self, model: &M) {
        let steps = self.steps as f64;
        let share = if self.steps == 0 { 1.0 } else { 1.0 - self.decay.min((1.0 + steps) / (10.0 + steps)) };
        model.visit(&mut Adding { share, weights: &mut self.weights });
        self.steps += 1;
    }

    /// The model with the averaged weights; the model itself before the first step.
    pub fn average<M: Module>(&self, model: M) -> M {
        model.map(&mut Replacing { weights: &self.weights })
    }
}

struct Adding<'a> {
    share: f64,
    weights: &'a mut HashMap<ParamId, Tensor<1>>,
}

impl ModuleVisitor for Adding<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            let entries = value.shape().num_elements();
            let new = value.inner().reshape([entries]);
            let average = match self.weights.remove(&param.id) {
                Some(old) => old.clone() + (new - old) * self.share,
                None => new,
            };
            self.weights.insert(param.id, average);
        }
    }
}

struct Replacing<'a> {
    weights: &'a HashMap<ParamId, Tensor<1>>,
}

impl ModuleMapper for Replacing<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(average) = self.weights.get(&param.id) else { return param };
        param.map(|value| Tensor::from_inner(average.clone().reshape(value.dims())).require_grad())
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::nn::{Initializer, Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;

    fn weights(model: &Linear) -> Vec<f32> {
        model.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_average_is_the_recursions() {
        let device = Device::flex().autodiff();
        let mut model = LinearConfig::new(2, 1).with_initializer(Initializer::Ones).init(&device);
        for decay in [0.0, 0.5, 0.95] {
            let mut average = WeightAverage::new(decay).unwrap();
            assert_eq!(weights(&average.average(model.clone())), weights(&model));
            let mut expected = 0.0_f64;
            for step in 0..40 {
                let value = (step as f64 * 0.7).sin();
                model.weight = model.weight.map(|weight| (weight * 0.0 + value).detach().require_grad());
                average.add(&model);
                let warm = (1.0 + step as f64) / (10.0 + step as f64);
                let keep = if step == 0 { 0.0 } else { warm.min(decay) };
                expected = keep * expected + (1.0 - keep) * value;
            }
            assert!(average.weights.values().all(|weights| !weights.device().is_autodiff()));
            let averaged = average.average(model.clone());
            for weight in weights(&averaged) {
                assert!((f64::from(weight) - expected).abs() < 1e-5, "{decay}: {weight} {expected}");
            }
            // It can be trained on, and is the same module.
            assert!(averaged.weight.val().is_require_grad() && averaged.weight.id == model.weight.id);
        }
    }

    #[test]
    fn decays_that_forget_nothing_are_refused() {
        for decay in [1.0, -0.1, f64::NAN] {
            assert!(WeightAverage::new(decay).unwrap_err().to_string().contains("below 1"));
        }
    }
}
