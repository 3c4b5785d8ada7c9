//! The command line.

use std::path::PathBuf;

use burn_privacy::datasets::DEFAULT_FOLDER;
use burn_privacy_examples::cifar::{GENERATED, ModelName, PresetName, SIDE};
use burn_privacy_examples::image_training::{
    self, DATA, HelpArguments, RUNNING, TRAINING, TrainingArguments, at_least_one, help_tail, preset_table,
};
use clap::Parser;

/// What the program does.
const ABOUT: &str = "\
Train an image classifier under differential privacy, and say how private it is.

Every image of the training set is protected: whoever sees the trained model can hardly tell whether it was among \
them. How hard that is, epsilon says: it is printed at the end with all that it rests on. Without any data, the program trains on \
images that it draws itself, and says so.";

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

    /// Side in pixels to which images are enlarged for public features
    #[arg(long, value_name = "N", default_value_t = SIDE, help_heading = TRAINING, value_parser = at_least_one())]
    pub side: u64,

    /// CIFAR-10's folder or archive, or `generated` for images drawn by this program [default: what
    /// BURN_PRIVACY_DATA names, else datasets/cifar10 if the data are there, else generated]
    #[arg(long, value_name = "DIR", help_heading = DATA)]
    pub data: Option<PathBuf>,

    /// First fetch CIFAR-10 (170 MB) from its author's site into that folder, if it isn't there
    #[arg(long, help_heading = DATA)]
    pub download: bool,

    #[command(flatten)]
    pub training: TrainingArguments,

    /// Folder for report, statement, model, curve and plot, replacing an earlier run's
    #[arg(long, value_name = "DIR", default_value = "runs/cifar_dp", help_heading = RUNNING)]
    pub out: PathBuf,

    #[command(flatten)]
    pub help: HelpArguments,
}

/// Reads the command line; ends the program for `--help` (status 0) and for wrong usage (status 2).
pub fn parse() -> Arguments {
    image_training::parse(ABOUT, tail(), Arguments::check)
}

impl Arguments {
    /// What is wrong whatever the data are.
    fn check(&self, command: &mut clap::Command) {
        self.training.check(command);
        if self.download && self.data.as_deref().is_some_and(|data| data.as_os_str() == GENERATED) {
            let message =
                format!("--download with --data {GENERATED} is not possible: generated images need no download");
            command.error(clap::error::ErrorKind::ValueValidation, message).exit()
        }
    }
}

fn tail() -> String {
    let examples = format!(
        "  cifar_dp                                     the small CNN, epsilon 3\n  \
           cifar_dp --epsilon 1                         with three times less epsilon\n  \
           cifar_dp --no-privacy                        what privacy costs\n  \
           cifar_dp --preset public-linear --pretrained efficientnet-lite0.safetensors\n  \
           cifar_dp --preset tanh --download            CIFAR-10, put into {DEFAULT_FOLDER}\n  \
           cifar_dp --preset handout --data ~/cifar10   CIFAR-10 from a folder of yours"
    );
    let presets = preset_table(|preset: &PresetName| preset.settings(), |preset| preset.description());
    help_tail(&presets, &examples, "folder or archive of CIFAR-10, if --data is not given")
}
