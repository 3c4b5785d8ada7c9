//! Linear classifiers and an additive model on UCI Adult, with the noise in every place where it can go.
//!
//! ```text
//! cargo run --release --example adult_dp -- --data DIR
//! ```
//!
//! DIR holds `adult.data` and `adult.test`, plain or as `.gz`, from <https://archive.ics.uci.edu/dataset/2/adult>.
//! Categories, bounds, scales and settings are public: written down here, not read from the records. All randomness is from
//! seeds, so that the table can be repeated: nothing here is private.

mod additive;
mod file;
mod network;
mod records;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use burn::prelude::*;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::mechanisms::Entropy;
use burn_privacy_convex::{
    Loss, PrivacyBudget, TrainingSet, objective_perturbation, output_perturbation, solve_without_privacy,
};
use burn_privacy_examples::{NominalSize, auroc};
use burn_privacy_train::{complain, say};
use clap::{Parser, ValueEnum};

use crate::records::Records;
use crate::report::{Report, Score, Summaries};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Accuracy of private linear classifiers on UCI Adult, as a Markdown table and plots.
#[derive(Parser)]
struct Arguments {
    /// Folder with adult.data and adult.test, plain or .gz
    #[arg(long)]
    data: PathBuf,
    /// Where the noise goes, separated by commas [default: everywhere, one after the other]
    #[arg(long, value_enum, value_delimiter = ',')]
    mode: Vec<Mode>,
    /// Epsilons, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.5,1,2,4,8")]
    epsilon: Vec<f64>,
    /// Runs for each mean
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Delta of the modes that need one
    #[arg(long, default_value_t = 1e-6)]
    delta: f64,
    /// Trains on the first four fifths of adult.data and measures on the last; leaves adult.test alone
    #[arg(long)]
    tune: bool,
    /// Public number of records in adult.data: rates, rules and everything that is printed are made with it. Modes that exchange a
    /// record for another (all but `input`, `label`, `gradient` and `boosting`) have a public number of records, which must be this one
    #[arg(long, value_name = "N", default_value_t = PUBLISHED.0)]
    nominal_size: usize,
    /// Folder for the table and the plots
    #[arg(long, value_name = "FOLDER", default_value = "runs/adult_dp")]
    out: PathBuf,
}

/// A place for the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// On every cell of every row (local, pure)
    Input,
    /// On the labels alone (label differential privacy, pure), with a corrected loss
    Label,
    /// On the gradients: DP-SGD
    Gradient,
    /// On the released weights, pure
    Output,
    /// On the released weights, Gaussian
    OutputGaussian,
    /// On the objective, pure, in the shape of a ball: Chaudhuri, Monteleoni and Sarwate
    ObjectiveBall,
    /// On the objective, pure, in the shape of the rows' sensitivity hull
    Objective,
    /// As objective, with the rounded hinge loss of a support vector machine in place of the logistic loss
    ObjectiveHinge,
    /// On the objective, Gaussian
    ObjectiveGaussian,
    /// On the residuals of a boosted additive model of binned columns, as DP-EBM has it
    Boosting,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Input => "input: rows, local, pure",
            Self::Label => "input: labels alone, pure",
            Self::Gradient => "gradients: DP-SGD (add-or-remove-one)",
            Self::Output => "output: weights, pure",
            Self::OutputGaussian => "output: weights, Gaussian",
            Self::ObjectiveBall => "objective, pure (ball)",
            Self::Objective => "objective, pure (rows' hull)",
            Self::ObjectiveHinge => "objective, pure (rows' hull, hinge loss)",
            Self::ObjectiveGaussian => "objective, Gaussian",
            Self::Boosting => "residuals: boosted additive model (add-or-remove-one)",
        }
    }

    /// Factor and power of the rule lambda = factor x (n epsilon)^-power, chosen on the last fifth of adult.data.
    fn lambda_rule(self) -> (f64, f64) {
        match self {
            Self::Output => (0.3, 0.5),
            Self::OutputGaussian => (0.15, 0.5),
            Self::ObjectiveBall => (1.8, 0.8),
            Self::Objective => (35.0, 1.2),
            Self::ObjectiveHinge => (40.0, 1.2),
            _ => (1.0, 0.8),
        }
    }

    /// Whether neighbors have the same number of records: it is public then, and the sensitivities are made with it.
    fn exchanges_a_record(self) -> bool {
        !matches!(self, Self::Input | Self::Label | Self::Gradient | Self::Boosting)
    }

    /// Whether its delta is 0.
    fn is_pure(self) -> bool {
        !matches!(self, Self::Gradient | Self::OutputGaussian | Self::ObjectiveGaussian | Self::Boosting)
    }
}

/// How many records adult.data has, and who says so.
const PUBLISHED: (usize, &str) = (32_561, "UCI");

/// Half the width of the hinge loss's rounded corner.
const HINGE_WIDTH: f64 = 1.0;

/// Lambda without privacy, and on perturbed rows.
const PLAIN_LAMBDA: f64 = 1e-6;
const NOISY_LAMBDA: f64 = 1e-3;

/// What all runs share.
struct Job {
    train: Records,
    train_set: TrainingSet,
    /// Of blocks, for logistic and hinge loss.
    logistic_set: TrainingSet,
    hinge_set: TrainingSet,
    test: Records,
    test_set: TrainingSet,
    test_labels: Vec<f64>,
    delta: f64,
    /// Public number of records to train on.
    nominal: NominalSize,
    /// With autodiff.
    device: Device,
}

impl Job {
    fn score(&self, mode: Mode, epsilon: f64, seed: u64) -> Result<Score> {
        let entropy = Entropy::seeded(seed);
        let (factor, power) = mode.lambda_rule();
        let lambda = factor * (self.nominal.get() as f64 * epsilon).powf(-power);
        let privacy = if mode.is_pure() {
            PrivacyBudget::pure(epsilon)?
        } else {
            PrivacyBudget::approximate(epsilon, self.delta)?
        };
        let objective = |set: &TrainingSet| -> Result<Vec<f64>> {
            Ok(objective_perturbation(set, lambda, &privacy, entropy)?.model.weights().to_vec())
        };
        let weights = match mode {
            Mode::Input => {
                let noisy = self.train.perturbed(epsilon, seed)?.training_set()?;
                solve_without_privacy(&noisy, NOISY_LAMBDA)?.weights
            }
            Mode::Label => {
                let noisy = self.train.with_labels_perturbed(epsilon, seed)?;
                network::with_corrected_loss(&noisy, epsilon, &self.device)?
            }
            Mode::Gradient => {
                network::by_gradients(&self.train, self.nominal.get(), epsilon, self.delta, seed, &self.device)?
            }
            Mode::Output | Mode::OutputGaussian => {
                output_perturbation(&self.train_set, lambda, &privacy, entropy)?.model.weights().to_vec()
            }
            Mode::ObjectiveBall | Mode::ObjectiveGaussian => objective(&self.train_set)?,
            Mode::Objective => objective(&self.logistic_set)?,
            Mode::ObjectiveHinge => objective(&self.hinge_set)?,
            Mode::Boosting => {
                let model = additive::boosted(&self.train, self.nominal.get(), epsilon, self.delta, seed)?;
                let test = self.test.binned()?;
                return self.score_by((0..test.len()).map(|at| model.score(test.row(at))).collect());
            }
        };
        self.score_of(&weights)
    }

    /// On the test records.
    fn score_of(&self, weights: &[f64]) -> Result<Score> {
        let score = |x: &[f64]| x.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>();
        self.score_by(self.test_set.features().vectors().map(score).collect())
    }

    fn score_by(&self, scores: Vec<f64>) -> Result<Score> {
        let right = scores.iter().zip(&self.test_labels).filter(|(score, label)| **score * **label > 0.0).count();
        let auroc = auroc(&scores, &self.test_labels).ok_or("the test records are all of one class")?;
        Ok(Score { accuracy: 100.0 * right as f64 / self.test_labels.len() as f64, auroc })
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let train = Records::read(&arguments.data, "adult.data")?;
    let given = (arguments.nominal_size != PUBLISHED.0).then_some(arguments.nominal_size);
    let nominal = NominalSize::new(given, Some(PUBLISHED))?;
    let modes = if arguments.mode.is_empty() { Mode::value_variants() } else { &arguments.mode };
    if let Some(mode) = modes.iter().find(|mode| mode.exchanges_a_record() && train.len() != nominal.get()) {
        return Err(format!(
            "adult.data does not hold {} records; under replace-one adjacency, which the mode {} has, the number of records is \
             public and must be right: give it as --nominal-size",
            nominal.get(),
            mode.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
        )
        .into());
    }
    let (train, nominal, test) = if arguments.tune {
        let fifths = nominal.get() / 5 * 4;
        let cut = fifths.min(train.len());
        (train.part(0..cut), nominal.derived(fifths, "four fifths of"), train.part(cut..train.len()))
    } else {
        (train, nominal, Records::read(&arguments.data, "adult.test")?)
    };
    let job = Job {
        train_set: train.training_set()?,
        logistic_set: train.training_set_of_blocks(Loss::Logistic)?,
        hinge_set: train.training_set_of_blocks(Loss::HuberSvm { h: HINGE_WIDTH })?,
        train,
        test_set: test.training_set()?,
        test_labels: test.labels(),
        test,
        delta: arguments.delta,
        nominal,
        device: select_device(DeviceChoice::Cpu)?.device.autodiff(),
    };
    let about = format!(
        "{} records, {} features, {} others to test on; mean of {} runs",
        job.nominal.get(),
        job.train_set.dimension(),
        job.test.len(),
        arguments.seeds
    );
    let mut report = Report {
        about,
        delta: arguments.delta,
        epsilons: arguments.epsilon.clone(),
        plain: job.score_of(&solve_without_privacy(&job.train_set, PLAIN_LAMBDA)?.weights)?,
        rows: Vec::new(),
    };
    for &mode in modes {
        complain(&format!("{} ...", mode.name()));
        let summary = |&epsilon: &f64| -> Result<Summaries> {
            let scores = (0..arguments.seeds).map(|seed| job.score(mode, epsilon, seed));
            Ok(Summaries::of(&scores.collect::<Result<Vec<Score>>>()?))
        };
        let summaries = arguments.epsilon.iter().map(summary).collect::<Result<Vec<Summaries>>>()?;
        report.rows.push((mode, summaries));
    }
    say(&format!("{}, with standard deviation\n\n{}", report.about, report.tables()));
    say(&format!(
        "Number of records: {}. Gradients, residuals and rows: add-or-remove-one adjacency or local, nothing is counted; weights and \
         objective: replace-one adjacency, where the number is public.\n",
        job.nominal.origin()
    ));
    say(&format!("Wrote {} into {}", report.write(&arguments.out)?, arguments.out.display()));
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
