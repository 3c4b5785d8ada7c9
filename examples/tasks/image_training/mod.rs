//! Training an image classifier, privately or not, from the command line to the files that are left.
//!
//! The loops, what is shown while they last and how they are interrupted are `burn_privacy_train`'s. Read `private.rs` for what a training loop needs, and a task's `models.rs` for what a model needs (other imports).

mod arguments;
mod data;
mod end;
mod evaluation;
mod extractor;
mod fixed_features;
mod plain;
mod preset;
mod pretrained;
mod private;
mod run;
mod scattered;
mod settings;

use burn::prelude::*;
pub use burn_privacy_train::{complain, percent, say};

pub use arguments::{DATA, HelpArguments, RUNNING, TRAINING, TrainingArguments, at_least_one, help_tail, parse};
pub use data::{ImageData, ImageSource};
pub use end::{End, exit_code};
pub use evaluation::{accuracy, right_guesses};
pub use extractor::FeatureSource;
pub use fixed_features::{FeatureScaling, Recipe};
pub use plain::{PlainTraining, train_plain};
pub use preset::{ClippingStyle, Preset, Scaling, preset_table, value_name};
pub use pretrained::PretrainedArguments;
pub use private::{PrivateTraining, train_private};
pub use run::{Job, Run};
pub use scattered::{LARGEST, scattered};
pub use settings::{PrivacySettings, Settings, sgd};

/// A model that scores images.
pub trait Classifier: Module {
    /// # Shapes
    ///
    /// - images: `[batch, channels, rows, columns]`
    /// - returns: `[batch, classes]`, logits
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}
