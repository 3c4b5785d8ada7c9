//! The handout's network.

use burn::prelude::*;
use burn_privacy::activation::relu;
use burn_privacy::nn::{Linear, LinearConfig};

use super::data::{Batch, FEATURES};

/// Dense 10, ReLU, Dense 1.
#[derive(Module, Debug)]
pub struct Network {
    hidden: Linear,
    output: Linear,
}

impl Network {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self { hidden: LinearConfig::new(FEATURES, 10).init(device), output: LinearConfig::new(10, 1).init(device) }
    }

    /// `[households, features]` to `[households, 1]`.
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward((features - 0.5) * 4.0)))
    }

    /// Predictions as numbers.
    pub fn predict(&self, batch: &Batch) -> Vec<f64> {
        let values = self.forward(batch.features.clone()).into_data().convert::<f32>();
        values.iter::<f32>().map(f64::from).collect()
    }
}

/// Share of the targets' variance that predictions explain.
pub fn r_squared(predictions: &[f64], targets: &[f64]) -> f64 {
    let count = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / count;
    let total: f64 = targets.iter().map(|target| (target - mean).powi(2)).sum();
    let rest: f64 = predictions.iter().zip(targets).map(|(found, target)| (found - target).powi(2)).sum();
    1.0 - rest / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_explains_nothing_and_the_truth_all() {
        let targets = [0.0, 0.5, 1.0];
        assert_eq!(r_squared(&targets, &targets), 1.0);
        assert_eq!(r_squared(&[0.5; 3], &targets), 0.0);
        assert!(r_squared(&[5.0; 3], &targets) < 0.0);
    }
}
