//! Epsilon as a metric of the training split.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_privacy::accounting::round_up_for_display;

/// Epsilon at the end of the epoch that is going on: [`PrivateLearning::epsilon_metric`](super::PrivateLearning::epsilon_metric).
///
/// Burn averages a metric over an epoch. Epsilon at each step, averaged, would be below what the epoch has cost; so within an
/// epoch this is the one of its end, which is public and known before. Its average is itself.
#[derive(Clone, Debug)]
pub struct EpsilonMetric {
    name: MetricName,
    /// Bits of an f64.
    epsilon: Arc<AtomicU64>,
}

impl EpsilonMetric {
    pub(super) fn new() -> Self {
        Self { name: Arc::new("Epsilon".to_owned()), epsilon: Arc::new(AtomicU64::new(0.0_f64.to_bits())) }
    }

    /// What it shows now.
    pub fn epsilon(&self) -> f64 {
        f64::from_bits(self.epsilon.load(Ordering::SeqCst))
    }

    pub(super) fn set(&self, epsilon: f64) {
        self.epsilon.store(epsilon.to_bits(), Ordering::SeqCst);
    }

    fn entry(&self) -> SerializedEntry {
        let epsilon = self.epsilon();
        SerializedEntry::new(format!("{} at the epoch's end", round_up_for_display(epsilon)), epsilon.to_string())
    }
}

impl Metric for EpsilonMetric {
    type Input = ();

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        Some("Epsilon of the steps up to the end of the epoch, at the plan's delta: an upper bound".to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(&mut self, _item: &(), _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry())
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry())
    }

    fn clear(&mut self) {}
}

impl Numeric for EpsilonMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(NumericEntry::Value(self.epsilon()))
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Value(self.epsilon())
    }
}
