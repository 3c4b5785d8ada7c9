//! The networks the benchmarks run, each over Burn's layers and over private ones, on made-up data.

// `networks.rs` is compiled twice on purpose: over Burn's layers and over the private ones.
#![allow(clippy::duplicate_mod)]

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use burn_privacy::loss::{cross_entropy, mean_squared_error};

pub mod private;
pub mod recurrent;
mod steps;
pub mod stock;

pub use steps::{MODELS, Mode, STOCK_MODELS, Stepper, stepper};

/// What a network is fed and trained for.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    /// A real number from so many features.
    Regression {
        /// Features of an example.
        features: usize,
    },
    /// One of ten classes from so many features.
    Classification {
        /// Features of an example.
        features: usize,
    },
    /// One of ten classes from a sequence of tokens.
    Tokens {
        /// Number of different tokens.
        vocabulary: usize,
        /// Tokens of an example.
        length: usize,
    },
}

/// Values of an example, and its class (or target).
pub type Row = (Vec<f32>, i32);

impl Task {
    /// Made-up examples: every run sees the same.
    pub fn rows(self, examples: usize) -> Vec<Row> {
        let (values, tokens) = match self {
            Self::Regression { features } | Self::Classification { features } => (features, None),
            Self::Tokens { vocabulary, length } => (length, Some(vocabulary)),
        };
        let value = |i: usize| {
            let mixed = (i * 2_654_435_761) >> 3;
            match tokens {
                Some(vocabulary) => (mixed % vocabulary) as f32,
                None => (mixed % 1000) as f32 / 500.0 - 1.0,
            }
        };
        (0..examples).map(|row| ((0..values).map(|i| value(row * values + i)).collect(), (row % 10) as i32)).collect()
    }

    /// One loss an example.
    pub fn losses(self, outputs: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        match self {
            Self::Regression { .. } => mean_squared_error(outputs, targets.float().unsqueeze_dim(1)),
            Self::Classification { .. } | Self::Tokens { .. } => cross_entropy(outputs, targets),
        }
    }
}

/// A benchmark network: `[batch, values]` to `[batch, outputs]`.
pub trait Network: Module {
    /// What it is trained for.
    const TASK: Task;
    /// With fresh weights.
    fn new(device: &Device) -> Self;
    /// The forward pass.
    fn forward(&self, input: Tensor<2>) -> Tensor<2>;
}

/// Makes tensors of rows.
#[derive(Debug, Clone)]
pub struct Rows;

impl Batcher<Row, (Tensor<2>, Tensor<1, Int>)> for Rows {
    fn batch(&self, rows: Vec<Row>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let (values, labels): (Vec<Vec<f32>>, Vec<i32>) = rows.into_iter().unzip();
        let batch = labels.len();
        let values = Tensor::<1>::from_floats(values.concat().as_slice(), device).reshape([batch as i32, -1]);
        (values, Tensor::from_ints(labels.as_slice(), device))
    }
}
