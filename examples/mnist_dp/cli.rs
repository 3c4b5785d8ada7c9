//! The command line.

use std::path::PathBuf;

use burn_privacy_examples::image_training::{
    self, DATA, HelpArguments, RUNNING, TRAINING, TrainingArguments, help_tail, preset_table,
};
use burn_privacy_examples::mnist::{ModelName, PresetName};
use clap::Parser;

/// What the program does.
const ABOUT: &str = "\
Train a digit classifier on MNIST under differential privacy, and say how private it is.

Every image of the training set is protected: whoever sees the trained model can hardly tell whether it was among \
them. How hard that is, epsilon says: it is printed at the end with all that it rests on.";

/// Train a digit classifier under differential privacy, and say how private it is.
#[derive(Parser, Debug)]
#[command(
    name = "mnist_dp",
    version,
    max_term_width = 100,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Arguments {
    /// Settings to start from; every other option changes one of them
    #[arg(long, value_enum, default_value_t = PresetName::Tf1, help_heading = TRAINING)]
    pub preset: PresetName,

    /// Another model than the preset's
    #[arg(long, value_enum, help_heading = TRAINING)]
    pub model: Option<ModelName>,

    /// Fashion-MNIST instead of MNIST
    #[arg(long, help_heading = DATA)]
    pub fashion: bool,

    /// Folder of the four files, each plain or .gz [default: what BURN_PRIVACY_DATA names, else datasets/mnist or
    /// datasets/fashion-mnist]
    #[arg(long, value_name = "DIR", help_heading = DATA)]
    pub data: Option<PathBuf>,

    /// First fetch the files (12 MB; Fashion-MNIST 31 MB) into that folder, if they aren't there
    #[arg(long, help_heading = DATA)]
    pub download: bool,

    /// Take files with other contents than the published ones, of any number of images
    #[arg(long, help_heading = DATA)]
    pub unverified: bool,

    #[command(flatten)]
    pub training: TrainingArguments,

    /// Folder for report, statement, model, curve and plot, replacing an earlier run's
    #[arg(long, value_name = "DIR", default_value = "runs/mnist_dp", help_heading = RUNNING)]
    pub out: PathBuf,

    #[command(flatten)]
    pub help: HelpArguments,
}

/// Reads the command line; ends the program for `--help` (status 0) and for wrong usage (status 2).
pub fn parse() -> Arguments {
    image_training::parse(ABOUT, tail(), |arguments: &Arguments, command| arguments.training.check(command))
}

fn tail() -> String {
    let examples = "  mnist_dp --download                          the first row of the tutorial\n  \
                      mnist_dp --preset tf-3 --data ~/mnist        the third, from a folder of yours\n  \
                      mnist_dp --preset tanh --epsilon 1 --fashion Fashion-MNIST";
    let presets = preset_table(|preset: &PresetName| preset.settings(), |preset| preset.description());
    help_tail(&presets, examples, "folder of the files, or above mnist and fashion-mnist, if --data is not given")
}
