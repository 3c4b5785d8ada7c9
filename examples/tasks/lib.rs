//! What the programs of this package train: data, models, presets and training loops, shared by them.
//!
//! - [`image_training`]: an image classifier from the command line to the files it leaves, privately or not.
//! - [`cifar`], [`mnist`]: data, models and presets for it.
//! - [`affordability`]: a small network on households.

pub mod affordability;
pub mod cifar;
pub mod image_training;
pub mod mnist;

mod auroc;
mod command_line;
mod nominal_size;
mod output_folder;
mod paid_score;
mod runs_together;

pub use auroc::auroc;
pub use command_line::command_line;
pub use nominal_size::NominalSize;
pub use output_folder::require_writable;
pub use paid_score::noisy_share;
pub use runs_together::RunsTogether;

/// Errors of these programs are for people: one sentence each.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
