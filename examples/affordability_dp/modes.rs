//! One function for each place where the noise can go.

use std::path::Path;

use burn::prelude::*;
use burn_privacy::ledger::{Ledger, compose_charges};
use burn_privacy::prediction::{NoisyMean, QueryPlan, Shards};
use burn_privacy::prelude::*;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{Data, Household, Row};
use burn_privacy_examples::affordability::{
    CLIPPING_NORM, Degree, LEARNING_RATE, Network, Polynomial, SAMPLED, STEPS, r_squared, train_plain, train_private,
};

use crate::cli::Arguments;
use crate::{input, local};

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

    fn score_of(&self, model: &Polynomial, rows: &[Row]) -> f64 {
        let bounds = &self.data.bounds;
        let predictions: Vec<f64> = rows.iter().map(|row| model.predict(row, bounds)).collect();
        r_squared(&predictions, &self.targets(rows))
    }

    fn targets(&self, rows: &[Row]) -> Vec<f64> {
        rows.iter().map(|row| f64::from(Household::of(row, &self.data.bounds).target)).collect()
    }

    /// Noise on the data: every household perturbs what it is asked for, once.
    pub fn on_the_input(&self, epsilon: f64) -> Result<Outcome> {
        let data = self.data;
        let (model, statement) = local::trained(&data.train, &data.bounds, data.nominal.get(), epsilon)?;
        Ok(Outcome { r_squared: self.score_of(&model, &data.test), statement })
    }

    /// Noise on the data, in every cell, which is taken into account when a line is fitted.
    pub fn on_rows_corrected(&self, epsilon: f64) -> Result<Outcome> {
        let data = self.data;
        let (model, statement) = input::corrected(&data.train, &data.bounds, data.nominal.get(), epsilon)?;
        Ok(Outcome { r_squared: self.score_of(&model, &data.test), statement })
    }

    /// Noise on the data, in every cell: each household perturbs its own row, and training is as usual.
    pub fn on_every_cell(&self, epsilon: f64) -> Result<Outcome> {
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

    /// Noise on the predictions of many small teachers, from whose answers to public questions a student learns. Scored on the
    /// test households that were not asked about: the student answers any number of questions for nothing more.
    pub fn on_the_output(&self, epsilon: f64, run: &str) -> Result<Outcome> {
        let (data, bounds, degree) = (self.data, &self.data.bounds, Degree::Two);
        let nominal = data.nominal.get();
        // Less epsilon, more teachers, so that each moves the mean less: chosen on generated households.
        let teachers = ((nominal as f64 / RECORDS_OF_TEACHER / epsilon.sqrt()) as usize).clamp(2, 100_000);
        let queries = (self.arguments.queries as usize).min(data.test.len() / 2).max(1);
        let (asked, rest) = data.test.split_at(queries);
        let inputs = |rows: &[Row]| -> Vec<Vec<f64>> { rows.iter().map(|row| degree.inputs(row, bounds)).collect() };
        let (questions, all, targets) = (inputs(asked), inputs(&data.train), self.targets(&data.train));
        let shards = Shards::draw(all.len(), teachers, Entropy::os())?;
        let votes: Vec<Vec<f64>> = shards
            .iter()
            .map(|records| {
                let rows: Vec<Vec<f64>> = records.iter().map(|&record| all[record].clone()).collect();
                let targets: Vec<f64> = records.iter().map(|&record| targets[record]).collect();
                let teacher = Polynomial::fit(degree, &rows, &targets, TEACHERS_RIDGE);
                questions.iter().map(|inputs| teacher.raw(inputs)).collect()
            })
            .collect();
        let plan = QueryPlan::for_target(queries as u64, epsilon, self.arguments.delta, nominal)?;
        let deviation = plan.noise_multiplier() / teachers as f64;
        let mut predictor = NoisyMean::open(plan, 0.0..=1.0, teachers, self.ledger()?, run, Entropy::os())?;
        let answers = (0..queries)
            .map(|query| {
                let predictions: Vec<f64> = votes.iter().map(|of_teacher| of_teacher[query]).collect();
                Ok(predictor.answer(&predictions)?)
            })
            .collect::<Result<Vec<f64>>>()?;
        // Bayes' rule for weights of about WEIGHTS and answers of known noise.
        let ridge = (deviation / WEIGHTS).powi(2).max(1e-6);
        let student = Polynomial::fit(degree, &questions, &answers, ridge);
        let statement = format!(
            "```text\n{}```\n\nA student learned from the answers; what it says of others is post-processing.\n",
            predictor.finish()?
        );
        Ok(Outcome { r_squared: self.score_of(&student, rest), statement })
    }

    /// Teachers for [`on_networks_output`](Self::on_networks_output), each trained without noise on its own shard.
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

    /// Noise on the predictions of an ensemble of networks. Scored on the households it answers about.
    pub fn on_networks_output(&self, teachers: &[Network], epsilon: f64, run: &str) -> Result<Outcome> {
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

/// Households of a teacher at epsilon 1.
const RECORDS_OF_TEACHER: f64 = 36.0;

/// Regularization of a teacher: small, since the mean over teachers takes away what they have learned by chance, but not what all
/// of them are drawn to.
const TEACHERS_RIDGE: f64 = 0.3;

/// Size that a student's weights are assumed to have.
const WEIGHTS: f64 = 0.1;

/// Name of the ledger in the output folder.
pub const LEDGER: &str = "privacy-ledger.jsonl";

/// Epsilon of everything that the ledger holds, runs before this one included.
pub fn composed_epsilon(folder: &Path, delta: f64) -> Result<f64> {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    compose_charges(&Ledger::read(folder.join(LEDGER))?.charges(), &mut accountant)?;
    Ok(accountant.epsilon(delta)?)
}
