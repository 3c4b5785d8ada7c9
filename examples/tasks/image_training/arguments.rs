//! The options that programs which train on images have in common.

use std::path::PathBuf;

use burn_privacy::datasets::DATA_VARIABLE;
use burn_privacy::device::DeviceChoice;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches};

use super::{ClippingStyle, PretrainedArguments};

/// Headings of `--help`.
pub const TRAINING: &str = "What is trained";
const PRIVACY: &str = "Privacy (what is not given is the preset's)";
const OPTIMIZATION: &str = "Optimization (what is not given is the preset's)";
/// See [`TRAINING`].
pub const DATA: &str = "Data";
/// See [`TRAINING`].
pub const RUNNING: &str = "Running";

/// Help and version, listed among the others.
#[derive(Args, Debug)]
pub struct HelpArguments {
    /// Print this and end
    // One form for both: clap's long one says no more, in three times the lines.
    #[arg(short, long, action = ArgAction::HelpShort, help_heading = RUNNING)]
    pub help: Option<bool>,

    /// Print the version and end
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = RUNNING)]
    pub version: Option<bool>,
}

/// The part of the command line that programs which train on images have in common.
#[derive(Args, Debug)]
pub struct TrainingArguments {
    /// Weights to start from.
    #[command(flatten)]
    pub weights: PretrainedArguments,

    /// Train in Burn's ordinary way, to see what privacy costs. Protects nobody
    #[arg(long, help_heading = PRIVACY,
          conflicts_with_all = ["epsilon", "noise_multiplier", "delta", "clip", "clipping", "users", "ledger", "physical_batch",
                                "checkpoint_every", "resume"])]
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

    /// Public number of images to train on, before any are held out: sampling, epochs and everything that is printed are made
    /// with it, and the images are not counted [default: the published number; --unverified needs it]
    #[arg(long, value_name = "N", help_heading = PRIVACY, value_parser = at_least_one())]
    pub nominal_size: Option<u64>,

    /// Norm to which each image's gradient is clipped
    #[arg(long, value_name = "C", help_heading = PRIVACY)]
    pub clip: Option<f64>,

    /// How gradients are bounded; `normalized` (AUTO-S) has no norm to tune [default: flat]
    #[arg(long, value_name = "STYLE", help_heading = PRIVACY, value_enum)]
    pub clipping: Option<ClippingStyle>,

    /// Protect users in the place of images: the images are dealt out to N made-up users in turn, who join steps by their own
    /// coins; --batch-size then counts users
    #[arg(long, value_name = "N", help_heading = PRIVACY, value_parser = at_least_one())]
    pub users: Option<u64>,

    /// Ledger of what was spent on these data [default: OUT/privacy-ledger-DATA.jsonl]
    #[arg(long, value_name = "FILE", help_heading = PRIVACY)]
    pub ledger: Option<PathBuf>,

    /// Expected images a step: each image joins each step by its own coin
    #[arg(long, value_name = "N", help_heading = OPTIMIZATION, value_parser = at_least_one())]
    pub batch_size: Option<u64>,

    /// Passes over the training set
    #[arg(long, value_name = "N", help_heading = OPTIMIZATION, value_parser = at_least_one())]
    pub epochs: Option<u64>,

    /// Learning rate of SGD
    #[arg(long, value_name = "R", help_heading = OPTIMIZATION)]
    pub learning_rate: Option<f64>,

    /// Momentum of SGD, from 0 to below 1
    #[arg(long, value_name = "M", help_heading = OPTIMIZATION)]
    pub momentum: Option<f64>,

    /// Evaluate and keep the average of the weights over the steps, with this decay: post-processing, which costs nothing
    #[arg(long, value_name = "D", help_heading = OPTIMIZATION, conflicts_with = "no_privacy")]
    pub average: Option<f64>,

    /// Augmented views of each image in each step, clipped as one: shifted, and color images also mirrored; 1 takes the
    /// images as they are
    #[arg(long, value_name = "K", help_heading = OPTIMIZATION, conflicts_with = "no_privacy",
          value_parser = at_least_one())]
    pub views: Option<u64>,

    /// Hold out the last tenth of the training images, half for validation after each epoch and half for
    /// the test at the end; always so for data without test images
    #[arg(long, help_heading = DATA)]
    pub holdout: bool,

    /// Hold out so many training images instead of a tenth, half for validation and half for the test
    #[arg(long, value_name = "N", help_heading = DATA, requires = "holdout", value_parser = at_least_one())]
    pub holdout_size: Option<u64>,

    /// Where to compute; `auto` takes a real GPU if there is one
    #[arg(long, default_value = "auto", help_heading = RUNNING,
          value_parser = PossibleValuesParser::new(DeviceChoice::NAMES).try_map(|name| name.parse::<DeviceChoice>()))]
    pub device: DeviceChoice,

    /// Folder that fixed features are kept in. They are as private as the images: nobody else may read the files
    #[arg(long, value_name = "DIR", default_value = "runs/features", help_heading = RUNNING)]
    pub features: PathBuf,

    /// Most images at once, by memory; changes neither result nor privacy
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = RUNNING, value_parser = at_least_one())]
    pub physical_batch: u64,

    /// Write a checkpoint into OUT/checkpoints after every N steps, and after the last one; the last three are kept
    #[arg(long, value_name = "N", help_heading = RUNNING, value_parser = at_least_one())]
    pub checkpoint_every: Option<u64>,

    /// Go on from the newest whole checkpoint in OUT/checkpoints, with the steps that the ledger has not charged; everything else
    /// must be said as it was
    #[arg(long, help_heading = RUNNING)]
    pub resume: bool,

    /// Repeatable randomness. NOT private: whoever knows the seed can subtract the noise
    #[arg(long, value_name = "N", help_heading = RUNNING)]
    pub seed: Option<u64>,

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

/// Reads the command line; ends the program for `--help` (status 0) and for wrong usage (status 2). `about` says what the program
/// does, `tail` follows the options, and `check` refuses what is wrong whatever the data are.
pub fn parse<A: CommandFactory + FromArgMatches>(
    about: &'static str,
    tail: String,
    check: impl FnOnce(&A, &mut clap::Command),
) -> A {
    let mut command = A::command().about(about).after_help(tail);
    let matches = command.get_matches_mut();
    match A::from_arg_matches(&matches) {
        Ok(arguments) => {
            check(&arguments, &mut command);
            arguments
        }
        Err(error) => error.format(&mut command).exit(),
    }
}

/// What follows the options: presets and examples, `environment` (what the variable for the data means), and how a run ends.
pub fn help_tail(presets: &str, examples: &str, environment: &str) -> String {
    format!(
        "Presets:\n{presets}\n\n\
         Examples:\n{examples}\n\n\
         Environment:\n  {DATA_VARIABLE}   {environment}\n\n\
         Ctrl-C finishes the current step and writes the report of what was done; a second one ends at once.\n\
         Status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )
}

/// A number of things, 1 or more.
pub fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=u64::from(u32::MAX))
}

impl TrainingArguments {
    /// Ends the program, with status 2, for values that are wrong whatever the data are.
    pub fn check(&self, command: &mut clap::Command) {
        let mut refuse = |flag: &str, given: f64, allowed: &str| -> ! {
            let message = format!("{flag} {given} is not possible: {allowed}");
            command.error(clap::error::ErrorKind::ValueValidation, message).exit()
        };
        for (flag, value) in [
            ("--epsilon", self.epsilon),
            ("--clip", self.clip),
            ("--learning-rate", self.learning_rate),
            ("--delta", self.delta),
        ] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                refuse(flag, value, "a finite number above 0");
            }
        }
        if let (Some(ClippingStyle::Normalized), Some(value)) = (self.clipping, self.clip) {
            refuse("--clip", value, "--clipping normalized has no norm");
        }
        if let Some(value) = self.noise_multiplier.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            refuse("--noise-multiplier", value, "a finite number, 0 or above");
        }
        if let Some(value) = self.average.filter(|value| !(0.0..1.0).contains(value)) {
            refuse("--average", value, "from 0 to below 1");
        }
        if let Some(value) = self.momentum.filter(|value| !(0.0..1.0).contains(value)) {
            refuse("--momentum", value, "from 0 to below 1");
        }
    }
}
