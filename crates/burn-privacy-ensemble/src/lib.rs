//! Output perturbation: answers of an ensemble, with noise on each answer instead of on the training.
//!
//! Teachers are trained without noise, each on a shard of its own ([`Shards`]). One record lies in one shard, and so
//! changes the answer of one teacher at most; the noise on the mean ([`NoisyMean`]) or on the votes ([`NoisyVote`],
//! [`ConfidentVote`]; PATE, Papernot et al., arXiv 1802.08908) hides that. The teachers themselves must never be released.
//!
//! Every answer costs. A [`QueryPlan`] fixes how many there will be, and each is charged to the data set's
//! [`Ledger`](burn_privacy_budget::ledger::Ledger) before it leaves: after the last one the predictor refuses, also after a restart.
//! Whether it refuses depends on the ledger alone, never on the data.
//!
//! ```
//! use burn_privacy_budget::ledger::Ledger;
//! use burn_privacy_ensemble::{NoisyMean, QueryPlan, Shards};
//! use burn_privacy_mechanisms::Entropy;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("ledger.jsonl");
//! let shards = Shards::draw(10_000, 50, Entropy::os())?; // train a teacher on each
//! let teachers: Vec<f64> = shards.iter().map(|records| records.len() as f64 / 10_000.0).collect();
//!
//! let plan = QueryPlan::for_target(3, 1.0, 1e-5, 10_000)?;
//! let ledger = Ledger::open(path, "incomes")?;
//! let mut predictor = NoisyMean::open(plan, 0.0..=1.0, teachers.len(), ledger, "answers", Entropy::os())?;
//! for _ in 0..3 {
//!     println!("{:.3}", predictor.answer(&teachers)?);
//! }
//! assert!(predictor.answer(&teachers).is_err());
//! println!("{}", predictor.statement()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clipped_mean;
mod error;
mod mean;
mod plan;
mod predictor;
mod shards;
mod statement;
mod vote;

pub use error::{EnsembleError, Result};
pub use mean::{ClippedMean, NoisyMean};
pub use plan::QueryPlan;
pub use predictor::{Aggregation, Predictor};
pub use shards::Shards;
pub use statement::PredictionStatement;
pub use vote::{ConfidentVote, NoisyVote, Votes, VotesAboveThreshold};
