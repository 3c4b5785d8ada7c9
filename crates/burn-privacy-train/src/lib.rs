//! Training loops for Burn Privacy.
//!
//! | What | How |
//! |---|---|
//! | a model under a privacy session | [`Trainer`] |
//! | the same model without privacy, to see what it costs | [`OrdinaryTrainer`] |
//! | progress, evaluation after each epoch, the curve | [`Monitor`] |
//! | going on after a crash, with what is left of the plan | [`Checkpoints`], [`Trainer::resuming`] |
//! | Ctrl-C ends after the current step | [`Interrupt`] |
//! | Burn's own learner, with its dashboard (feature `train`) | `learner::PrivateLearning` |
//! | how many examples a classifier gets right | [`correct_predictions`] |
//!
//! # Formal guarantee
//!
//! A [`Trainer`] gets noisy gradients from its session and nothing else of the private data; learning rates, optimizer state and
//! averages are functions of them. So the guarantee is the session's. Whoever watches a run may stop it; that is covered if the
//! decision does not depend on private data.

#[cfg(doctest)]
mod book;

mod checkpoint;
mod checkpoints;
mod error;
mod evaluation;
mod history;
mod interrupt;
#[cfg(feature = "train")]
pub mod learner;
mod monitor;
mod optimizer_trace;
mod ordinary_trainer;
mod progress;
mod resume;
mod run_length;
mod terminal;
mod trainer;

pub use checkpoint::Checkpoint;
pub use checkpoints::Checkpoints;
pub use error::{BoxedError, CheckpointError, Result, TrainError};
pub use evaluation::correct_predictions;
pub use history::TrainingHistory;
pub use interrupt::{INTERRUPTED, Interrupt};
pub use monitor::{Monitor, RunSummary};
pub use ordinary_trainer::OrdinaryTrainer;
pub use run_length::RunLength;
pub use terminal::{complain, percent, say};
pub use trainer::Trainer;
