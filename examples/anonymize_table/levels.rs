//! The network of `affordability_dp`, trained on each release and with differential privacy, tested on raw households.

use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use burn_privacy::prelude::*;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{BOUNDS, Household, Households, Row};
use burn_privacy_examples::affordability::{
    CLIPPING_NORM, LEARNING_RATE, Network, SAMPLED, STEPS, r_squared, train_plain, train_private,
};
use burn_privacy_output::write_atomically;

/// What all levels need.
pub struct Job {
    pub train: Vec<Row>,
    pub test: Vec<Row>,
    /// With autodiff.
    pub device: Device,
    pub delta: f64,
    pub repeats: u32,
}

/// How well a network does that was trained at a level of protection.
pub struct Level {
    pub protection: String,
    /// k or epsilon, if the level has one.
    pub at: Option<f64>,
    /// True for an epsilon.
    pub is_epsilon: bool,
    /// Rows that were trained on.
    pub rows: usize,
    /// On raw test households, of each repeat.
    pub r_squared: Vec<f64>,
}

impl Job {
    fn score(&self, network: &Network) -> f64 {
        let items: Vec<Household> = self.test.iter().map(|row| Household::of(row, &BOUNDS)).collect();
        let targets: Vec<f64> = items.iter().map(|item| f64::from(item.target)).collect();
        r_squared(&network.predict(&Households.batch(items, &self.device)), &targets)
    }

    /// Trained on rows as they are.
    pub fn on_rows(&self, protection: &str, k: Option<f64>, rows: &[Row]) -> Level {
        let households: Vec<Household> = rows.iter().map(|row| Household::of(row, &BOUNDS)).collect();
        let once = |_| self.score(&train_plain(Network::new(&self.device), households.clone(), &self.device));
        Level {
            protection: protection.to_owned(),
            at: k,
            is_epsilon: false,
            rows: rows.len(),
            r_squared: (0..self.repeats).map(once).collect(),
        }
    }

    /// Trained on the raw rows with DP-SGD; the statement of the last repeat is written.
    pub fn with_privacy(&self, epsilon: f64, folder: &Path) -> Result<Level> {
        // The number of households is published: it is that of the program that makes them up.
        let nominal = self.train.len();
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(nominal / SAMPLED, nominal))
            .with_clipping(Clipping::flat(CLIPPING_NORM))
            .with_steps(STEPS)
            .with_noise(NoiseLevel::target(epsilon, self.delta))
            .build()?;
        let mut r_squared = Vec::new();
        for _ in 0..self.repeats {
            let households = self.train.iter().map(|row| Household::of(row, &BOUNDS)).collect();
            let network = Network::new(&self.device);
            let (network, statement) =
                train_private(network, households, &self.device, &plan, LEARNING_RATE, Entropy::os(), None)?;
            r_squared.push(self.score(&network));
            write_atomically(folder.join(format!("private-{epsilon}.statement.md")), statement.to_markdown())?;
        }
        Ok(Level {
            protection: "differentially private (DP-SGD)".to_owned(),
            at: Some(epsilon),
            is_epsilon: true,
            rows: self.train.len(),
            r_squared,
        })
    }
}
