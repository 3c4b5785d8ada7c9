//! Sweeps: how much accuracy a given epsilon costs, and what it costs to find out.
//!
//! A [`SweepConfig`] says what to run over; a [`Sweep`] runs a closure for every setting several times, charges every
//! trial to the data set's ledger, records it durably, and goes on where it was interrupted; its [`SweepSummary`] becomes a
//! table, plots and a report.
//!
//! ```
//! use burn_privacy_sweep::{Sweep, SweepConfig, SweepDescription, TrialOutcome};
//!
//! # let folder = tempfile::tempdir().expect("a folder for the example");
//! # let folder = folder.path();
//! let config = SweepConfig::new("patients 2024", 20_000)
//!     .with_noise_multipliers([0.5, 1.0, 2.0])
//!     .with_batch_sizes([500])
//!     .with_epochs(10.0)
//!     .with_repeats(3);
//! let sweep = Sweep::open(config, folder, None)?.with_jobs(2);
//! sweep.run(
//!     |plan, trial| {
//!         // let model = trial.initialize(&device, || Network::new(&device));
//!         // let mut session = plan.start(patients, batcher, &device, trial.entropy())?; ..
//!         Ok(TrialOutcome::score(0.9 / plan.noise_multiplier()))
//!     },
//!     |progress| eprintln!("{} of {}", progress.done, progress.total),
//! )?;
//! let summary = sweep.summary()?;
//! println!("{}", summary.to_markdown("Test accuracy"));
//! assert!(summary.notes()[0].contains("together cost"));
//! # Ok::<(), burn_privacy_sweep::SweepError>(())
//! ```
//!
//! # What choosing costs
//!
//! Whoever picks the best of many trials has used all of them: the picked run's own epsilon covers that choice no more than
//! it covers the other runs. Every output therefore gives the epsilon of all trials together. [`PrivateSelection`] is the
//! cheaper way for data that are really private: it releases the best trial of a secret, random number, for little more than
//! the cost of a few (Papernot and Steinke, "Hyperparameter tuning with Renyi differential privacy", ICLR 2022).

#[cfg(feature = "plot")]
mod charts;
mod config;
mod error;
mod free_memory;
mod limits;
mod log;
mod planned;
mod report;
mod runner;
mod selection;
mod summary;
mod table;
mod trial;

pub use config::{Setting, SweepConfig};
pub use error::{Result, SweepError};
pub use free_memory::jobs_that_fit;
pub use log::{TRIALS_FILE, TrialEnd, TrialRecord};
pub use planned::{PlanFigures, PlannedSetting};
pub use report::SweepDescription;
pub use runner::{Sweep, SweepProgress};
pub use selection::{PrivateSelection, Selected};
pub use summary::{SettingSummary, SweepSummary};
pub use trial::{Trial, TrialOutcome, TrialResult};
