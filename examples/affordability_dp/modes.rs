//! One function for each place where the noise can go.

use std::path::Path;

use burn::prelude::*;
use burn_privacy::accounting::EpsilonReport;
use burn_privacy::ledger::{Ledger, compose_charges};
use burn_privacy::prediction::{NoisyMean, QueryPlan, Shards};
use burn_privacy::prelude::*;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{Data, Household, Row};
use burn_privacy_examples::affordability::{
    CLIPPING_NORM, LEARNING_RATE, Network, SAMPLED, STEPS, r_squared, train_plain, train_private,
};

use crate::cli::Arguments;
use crate::input;

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
    fn train_on_perturbed(&self, rows: &[Row]) -> Network {
        let households = rows.iter().map(|row| Household::of_perturbed(row, &self.data.bounds)).collect();
        train_plain(Network::new(&self.device), households, &self.device)
    }

    fn score(&self, network: &Network) -> f64 {
        let (batch, targets) = self.data.test_batch(&self.device);
        r_squared(&network.predict(&batch), &targets)
    }

    fn ledger(&self) -> Result<Ledger> {
        std::fs::create_dir_all(&self.arguments.out)?;
        Ok(Ledger::open(self.arguments.out.join(LEDGER), &self.data.name)?)
    }

    /// No noise anywhere: protects nobody.
    pub fn without_privacy(&self) -> Outcome {
        let network = train_plain(Network::new(&self.device), self.data.households(), &self.device);
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
        let (households, nominal) = (self.data.households(), self.data.nominal.get());
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(nominal / SAMPLED, nominal))
            .with_clipping(self.arguments.clipping.at(CLIPPING_NORM, nominal / SAMPLED))
            .with_steps(STEPS)
            .with_noise(NoiseLevel::target(epsilon, self.arguments.delta))
            .build()?;
        let ledger = Some((self.ledger()?, run));
        let (network, mut statement) = train_private(
            Network::new(&self.device),
            households,
            &self.device,
            &plan,
            LEARNING_RATE,
            Entropy::os(),
            ledger,
        )?;
        statement.assumptions.push(self.data.nominal.assumption());
        Ok(Outcome { r_squared: self.score(&network), statement: statement.to_markdown() })
    }

    /// Teachers for [`on_the_output`](Self::on_the_output), each trained without noise on its own shard.
    pub fn teachers(&self) -> Result<Vec<Network>> {
        let households = self.data.households();
        let shards = Shards::draw(households.len(), self.arguments.teachers as usize, Entropy::os())?;
        Ok(shards
            .iter()
            .map(|records| {
                let shard = records.iter().map(|&record| households[record]).collect();
                train_plain(Network::new(&self.device), shard, &self.device)
            })
            .collect())
    }

    /// Noise on the predictions of an ensemble. Scored on the households it answers about.
    pub fn on_the_output(&self, teachers: &[Network], epsilon: f64, run: &str) -> Result<Outcome> {
        let (batch, targets) = self.data.test_batch(&self.device);
        let queries = (self.arguments.queries as usize).min(targets.len());
        let votes: Vec<Vec<f64>> = teachers.iter().map(|teacher| teacher.predict(&batch)).collect();
        let nominal = self.data.nominal.get();
        let plan = QueryPlan::for_target(queries as u64, epsilon, self.arguments.delta, nominal)?;
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
pub fn composed_epsilon(folder: &Path, delta: f64) -> Result<EpsilonReport> {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    compose_charges(&Ledger::read(folder.join(LEDGER))?.charges(), &mut accountant)?;
    Ok(EpsilonReport::of(&accountant, delta)?)
}
