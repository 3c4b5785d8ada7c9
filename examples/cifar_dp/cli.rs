//! The command line.

use std::path::PathBuf;

use burn_privacy::datasets::{DATA_VARIABLE, DEFAULT_FOLDER};
use burn_privacy::device::DeviceChoice;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::presets::{ModelName, PresetName, table};

/// What the program does.
const ABOUT: &str = "\
Train an image classifier under differential privacy, and say how private it is.

Every image of the training set is protected: whoever sees the trained model can hardly tell whether it was among \
them. How hardly is epsilon, printed at the end with all that it rests on. Without any data, the program trains on \
images that it draws itself, and says so.";

const TRAINING: &str = "What is trained";
const PRIVACY: &str = "Privacy (what is not given is the preset's)";
const OPTIMISATION: &str = "Optimisation (what is not given is the preset's)";
const DATA: &str = "Data";
const RUNNING: &str = "Running";

/// Train an image classifier under differential privacy, and say how private it is.
#[derive(Parser, Debug)]
#[command(
    name = "cifar_dp",
    version,
    max_term_width = 100,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Arguments {
    /// Settings to start from; every other option changes one of them
    #[arg(long, value_enum, default_value_t = PresetName::Quick, help_heading = TRAINING)]
    pub preset: PresetName,

    /// Another model than the preset's
    #[arg(long, value_enum, help_heading = TRAINING)]
    pub model: Option<ModelName>,

    /// Train in Burn's ordinary way, to see what privacy costs. Protects nobody
    #[arg(long, help_heading = PRIVACY,
          conflicts_with_all = ["epsilon", "noise_multiplier", "delta", "clip", "ledger", "physical_batch"])]
    pub no_privacy: bool,

    /// Epsilon to reach at the end: the noise is calibrated to it
    #[arg(long, value_name = "E", conflicts_with = "noise_multiplier", help_heading = PRIVACY)]
    pub epsilon: Option<f64>,

    /// Or the noise's standard deviation, in multiples of the clipping norm
    #[arg(long, value_name = "S", help_heading = PRIVACY)]
    pub noise_multiplier: Option<f64>,

    /// Delta of the guarantee, below 1 / (number of training images)
    #[arg(long, value_name = "D", help_heading = PRIVACY)]
    pub delta: Option<f64>,

    /// Norm to which each image's gradient is clipped
    #[arg(long, value_name = "C", help_heading = PRIVACY)]
    pub clip: Option<f64>,

    /// Ledger of what was spent on these data [default: OUT/privacy-ledger-DATA.jsonl]
    #[arg(long, value_name = "FILE", help_heading = PRIVACY)]
    pub ledger: Option<PathBuf>,

    /// Expected images a step: each image joins each step by its own coin
    #[arg(long, value_name = "N", help_heading = OPTIMISATION, value_parser = at_least_one())]
    pub batch_size: Option<u64>,

    /// Passes over the training set
    #[arg(long, value_name = "N", help_heading = OPTIMISATION, value_parser = at_least_one())]
    pub epochs: Option<u64>,

    /// Learning rate of SGD
    #[arg(long, value_name = "R", help_heading = OPTIMISATION)]
    pub learning_rate: Option<f64>,

    /// Momentum of SGD, from 0 to below 1
    #[arg(long, value_name = "M", help_heading = OPTIMISATION)]
    pub momentum: Option<f64>,

    /// CIFAR-10's folder or archive, or `generated` for images drawn by this program [default: what
    /// BURN_PRIVACY_DATA names, else datasets/cifar10 if the data are there, else generated]
    #[arg(long, value_name = "DIR", help_heading = DATA)]
    pub data: Option<PathBuf>,

    /// First fetch CIFAR-10 (170 MB) from its author's site into that folder, if it isn't there
    #[arg(long, help_heading = DATA)]
    pub download: bool,

    /// Hold out the last tenth of the training images, half for validation after each epoch and half for
    /// the test at the end; always so for a CIFAR-10 folder without its test file
    #[arg(long, help_heading = DATA)]
    pub holdout: bool,

    /// Where to compute; `auto` takes a real GPU if there is one
    #[arg(long, default_value = "auto", help_heading = RUNNING,
          value_parser = PossibleValuesParser::new(DeviceChoice::NAMES).try_map(|name| name.parse::<DeviceChoice>()))]
    pub device: DeviceChoice,

    /// Most images at once, by memory; changes neither result nor privacy
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = RUNNING, value_parser = at_least_one())]
    pub physical_batch: u64,

    /// Repeatable randomness. NOT private: whoever knows the seed can subtract the noise
    #[arg(long, value_name = "N", help_heading = RUNNING)]
    pub seed: Option<u64>,

    /// Folder for report, statement, model, curve and plot, replacing an earlier run's
    #[arg(long, value_name = "DIR", default_value = "runs/cifar_dp", help_heading = RUNNING)]
    pub out: PathBuf,

    /// Print this and end
    // One form for both: clap's long one says no more, in three times the lines.
    #[arg(short, long, action = ArgAction::HelpShort, help_heading = RUNNING)]
    pub help: Option<bool>,

    /// Print the version and end
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = RUNNING)]
    pub version: Option<bool>,

    /// Use the first training images only (for tests)
    #[arg(long, value_name = "N", hide = true, value_parser = at_least_one())]
    pub limit_train: Option<u64>,

    /// Use the first evaluation images only (for tests)
    #[arg(long, value_name = "N", hide = true, value_parser = at_least_one())]
    pub limit_test: Option<u64>,

    /// Plan no more steps than this (for tests)
    #[arg(long, value_name = "N", hide = true, value_parser = at_least_one())]
    pub max_steps: Option<u64>,
}

fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=u64::from(u32::MAX))
}

/// Reads the command line; ends the program for `--help` (status 0) and for wrong usage (status 2).
pub fn parse() -> Arguments {
    let mut command = Arguments::command().about(ABOUT).after_help(tail());
    let matches = command.get_matches_mut();
    match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments.checked(&mut command),
        Err(error) => error.format(&mut command).exit(),
    }
}

impl Arguments {
    /// Whether `--data generated` was said.
    pub fn asks_for_generated(&self) -> bool {
        self.data.as_deref().is_some_and(|data| data.as_os_str() == "generated")
    }

    /// Ranges that are wrong whatever the data are.
    fn checked(self, command: &mut clap::Command) -> Self {
        let mut refuse = |flag: &str, given: &dyn std::fmt::Display, allowed: &str| -> ! {
            let message = format!("{flag} {given} is not possible: {allowed}");
            command.error(clap::error::ErrorKind::ValueValidation, message).exit()
        };
        let positive = "a finite number above 0";
        for (flag, value) in [
            ("--epsilon", self.epsilon),
            ("--clip", self.clip),
            ("--learning-rate", self.learning_rate),
            ("--delta", self.delta),
        ] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                refuse(flag, &value, positive);
            }
        }
        if let Some(value) = self.noise_multiplier.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            refuse("--noise-multiplier", &value, "a finite number, 0 or above");
        }
        if let Some(value) = self.momentum.filter(|value| !(0.0..1.0).contains(value)) {
            refuse("--momentum", &value, "from 0 to below 1");
        }
        if self.download && self.asks_for_generated() {
            refuse("--download with --data", &"generated", "generated images need no download");
        }
        self
    }
}

fn tail() -> String {
    format!(
        "Presets:\n{}\n\n\
         Examples:\n  \
           cifar_dp                                     the small CNN, epsilon 3\n  \
           cifar_dp --epsilon 1                         with three times less epsilon\n  \
           cifar_dp --no-privacy                        what privacy costs\n  \
           cifar_dp --preset tanh --download            CIFAR-10, put into {DEFAULT_FOLDER}\n  \
           cifar_dp --preset handout --data ~/cifar10   CIFAR-10 from a folder of yours\n\n\
         Environment:\n  {DATA_VARIABLE}   folder or archive of CIFAR-10, if --data is not given\n\n\
         Ctrl-C finishes the current step and writes the report of what was done; a second one ends at once.\n\
         Status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
        table()
    )
}
