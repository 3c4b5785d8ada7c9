//! One function for each place where the noise can go.

use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::loss::{MseLoss, Reduction};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::prediction::{NoisyMean, QueryPlan, Shards};
use burn_privacy::prelude::*;

use crate::Result;
use crate::cli::Arguments;
use crate::data::{Batch, Data, Household, Households, Row};
use crate::input;
use crate::model::{Network, r_squared};

/// Updates of plain training, each on all households at once, and their learning rate, which falls to 0.
const PLAIN_STEPS: usize = 2_000;
const PLAIN_RATE: f64 = 0.02;

/// Updates of private training, each on a random twentieth of the households, and their learning rate, which falls to 0.
const PRIVATE_STEPS: u64 = 1_000;
const SAMPLED: usize = 20;
const PRIVATE_RATE: f64 = 0.03;

/// Clipping norm of a household's gradient.
const CLIPPING_NORM: f64 = 0.1;

/// What all modes need.
pub struct Job<'a> {
    pub arguments: &'a Arguments,
    pub data: &'a Data,
    /// With autodiff.
    pub device: Device,
}

/// How good predictions are, and what they rest on.
pub struct Outcome {
    pub r_squared: f64,
    /// Empty without privacy.
    pub statement: String,
}

impl Job<'_> {
    fn households(&self) -> Vec<Household> {
        self.data.train.iter().map(|row| Household::of(row, &self.data.bounds)).collect()
    }

    fn test(&self) -> (Batch, Vec<f64>) {
        let items: Vec<Household> = self.data.test.iter().map(|row| Household::of(row, &self.data.bounds)).collect();
        let targets = items.iter().map(|item| f64::from(item.target)).collect();
        (Households.batch(items, &self.device), targets)
    }

    fn train_on_perturbed(&self, rows: &[Row]) -> Network {
        let households = rows.iter().map(|row| Household::of_perturbed(row, &self.data.bounds)).collect();
        train_plain(households, &self.device)
    }

    fn score(&self, network: &Network) -> f64 {
        let (batch, targets) = self.test();
        r_squared(&network.predict(&batch), &targets)
    }

    fn ledger(&self) -> Result<Ledger> {
        std::fs::create_dir_all(&self.arguments.out)?;
        Ok(Ledger::open(self.arguments.out.join(LEDGER), &self.data.name)?)
    }

    /// No noise anywhere: protects nobody.
    pub fn without_privacy(&self) -> Outcome {
        let network = train_plain(self.households(), &self.device);
        Outcome { r_squared: self.score(&network), statement: String::new() }
    }

    /// Noise on the data: every household perturbs its own row, and training is as usual.
    pub fn on_the_input(&self, epsilon: f64) -> Result<Outcome> {
        let (rows, statement) = input::perturbed(&self.data.train, &self.data.bounds, epsilon)?;
        let network = self.train_on_perturbed(&rows);
        Ok(Outcome { r_squared: self.score(&network), statement })
    }

    /// The handout's obfuscation: noise of one standard deviation on the raw features.
    pub fn obfuscated(&self, deviation: f64) -> Result<Outcome> {
        let (rows, statement) =
            input::obfuscated(&self.data.train, &self.data.bounds, deviation, self.arguments.delta)?;
        let network = self.train_on_perturbed(&rows);
        Ok(Outcome { r_squared: self.score(&network), statement })
    }

    /// Noise on the gradients: DP-SGD.
    pub fn on_the_gradients(&self, epsilon: f64, run: &str) -> Result<Outcome> {
        let households = self.households();
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(households.len() / SAMPLED, households.len()))
            .with_clipping(Clipping::flat(CLIPPING_NORM))
            .with_steps(PRIVATE_STEPS)
            .with_noise(NoiseLevel::target(epsilon, self.arguments.delta))
            .build()?;
        let mut network = Network::new(&self.device);
        let mut optimizer = AdamConfig::new().init();
        let mut session = plan
            .start(InMemDataset::new(households), Households, &self.device, Entropy::os())?
            .with_physical_batch(4_096)
            .with_ledger(self.ledger()?, run)?;
        let mut done = 0.0;
        while let Some(step) = session.next_step()? {
            let update = step.gradients(&network, |network, batch: Batch| {
                Ok(mean_squared_error(network.forward(batch.features), batch.targets))
            })?;
            let left = 1.0 - done / PRIVATE_STEPS as f64;
            network = optimizer.step(PRIVATE_RATE * left, network, update.into());
            done += 1.0;
        }
        let statement = session.finish()?.to_markdown();
        Ok(Outcome { r_squared: self.score(&network), statement })
    }

    /// Teachers for [`on_the_output`](Self::on_the_output), each trained without noise on its own shard.
    pub fn teachers(&self) -> Result<Vec<Network>> {
        let households = self.households();
        let shards = Shards::draw(households.len(), self.arguments.teachers as usize, Entropy::os())?;
        Ok(shards
            .iter()
            .map(|records| {
                let shard = records.iter().map(|&record| households[record]).collect();
                train_plain(shard, &self.device)
            })
            .collect())
    }

    /// Noise on the predictions of an ensemble. Scored on the households it answers about.
    pub fn on_the_output(&self, teachers: &[Network], epsilon: f64, run: &str) -> Result<Outcome> {
        let (batch, targets) = self.test();
        let queries = (self.arguments.queries as usize).min(targets.len());
        let votes: Vec<Vec<f64>> = teachers.iter().map(|teacher| teacher.predict(&batch)).collect();
        let plan = QueryPlan::for_target(queries as u64, epsilon, self.arguments.delta)?;
        let mut predictor = NoisyMean::open(plan, 0.0..=1.0, teachers.len(), self.ledger()?, run, Entropy::os())?;
        let mut answers = Vec::with_capacity(queries);
        for query in 0..queries {
            let predictions: Vec<f64> = votes.iter().map(|of_teacher| of_teacher[query]).collect();
            // Clipping an answer to what is possible costs nothing.
            answers.push(predictor.answer(&predictions)?.clamp(0.0, 1.0));
        }
        let statement = format!("```text\n{}```\n", predictor.finish()?);
        Ok(Outcome { r_squared: r_squared(&answers, &targets[..queries]), statement })
    }
}

/// Name of the ledger in the output folder.
pub const LEDGER: &str = "privacy-ledger.jsonl";

/// Epsilon of everything that the ledger holds, runs before this one included.
pub fn composed_epsilon(folder: &Path, delta: f64) -> Result<f64> {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    for charge in Ledger::read(folder.join(LEDGER))?.charges() {
        let document: burn_privacy::accounting::EventDocument = serde_json::from_value(charge.event)?;
        accountant.compose(document.event(), charge.steps)?;
    }
    Ok(accountant.epsilon(delta)?)
}

/// Ordinary training on all households at once.
fn train_plain(households: Vec<Household>, device: &Device) -> Network {
    let mut network = Network::new(device);
    if households.is_empty() {
        // A shard may be.
        return network;
    }
    let batch = Households.batch(households, device);
    let mut optimizer = AdamConfig::new().init();
    for step in 0..PLAIN_STEPS {
        let left = 1.0 - step as f64 / PLAIN_STEPS as f64;
        let found = network.forward(batch.features.clone());
        let gradients = MseLoss::new().forward(found, batch.targets.clone(), Reduction::Mean).backward();
        let update = GradientsParams::from_grads(gradients, &network);
        network = optimizer.step(PLAIN_RATE * left, network, update);
    }
    network
}
