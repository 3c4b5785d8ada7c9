//! A durable record of the privacy spent on one data set, written before it is spent.
//!
//! Epsilon of a data set is the composition over *all* releases made from it: finished runs, crashed runs, and the run
//! that is going on. Memory forgets; the ledger does not. It is one append-only file for each data set, and the user
//! chooses its place and the data set's name. Nothing in it is derived from private data.
//!
//! # Formal guarantees
//!
//! At every moment, also after a crash of the process or of the machine, the steps that the file charges to a run are
//! at least the steps that [`Ledger::charge_step`] released, and at most the steps planned:
//!
//! `released <= charged <= planned`
//!
//! The first holds because steps are reserved durably (written and synchronized to the disk) before any of them is
//! released; the second because a reservation beyond the plan is refused. A crash leaves the whole reserved block
//! charged: about one second of steps too many, never one too few. Nothing happens on drop: a ledger that is dropped
//! without [`Ledger::close`] is in the same state as after a crash. The guarantee needs a disk that keeps what it
//! says it has synchronized, and a file that nobody edits or restores from an older copy; the lines are chained by
//! check sums, which detect accidents, not forgery. While a run holds the ledger, a file that is replaced (also by a
//! copy of the same length), removed or edited is found out before the next step is released, by device, inode and length;
//! the run stops, and saves what it has charged beside the ledger.
//!
//! # Runs
//!
//! A run has a name, unique in its ledger, and a [`RunDescription`] that never changes. [`Ledger::begin`] starts a new
//! name. [`Ledger::resume`] continues a run, crashed or closed, if its description is identical and steps
//! remain: remaining steps are planned minus charged, so a run that crashed ends short, never over. A run whose steps
//! are all charged is over for good; to train on, begin a run with a new name, whose charge adds to the old one's.
//!
//! # Totals and budgets
//!
//! [`History::total`] composes all charges: an upper bound only if all runs were planned without looking at each other's
//! results. Where later runs depend on earlier ones' results, as they do in any search, [`Ledger::set_budget`] gives the data
//! set a [`Budget`] before its first run, which a Rényi filter enforces from then on.
//!
//! # Example
//!
//! ```
//! use burn_privacy_budget::ledger::{Ledger, LedgerError, RunDescription, Unit};
//!
//! # fn main() -> Result<(), LedgerError> {
//! # let folder = tempfile::tempdir().expect("a folder for the example");
//! # let path = folder.path().join("patients.ledger");
//! let mut ledger = Ledger::open(&path, "patients 2024")?;
//! let run = ledger.begin(RunDescription {
//!     name: "first".into(),
//!     event_per_step: serde_json::json!({"gaussian": {"noise_multiplier": 1.1}}),
//!     planned_steps: 20,
//!     adjacency: "add-or-remove-one".into(),
//!     private: true,
//!     delta: Some(1e-5),
//!     mechanism: None,
//!     unit: Unit::Record,
//! })?;
//! for _ in 0..15 {
//!     ledger.charge_step(run)?; // durable from here on: compute and release the step
//! }
//! ledger.close(run, ledger.released(run)?)?;
//! drop(ledger);
//!
//! // Later, or meanwhile in another process: what the data set's epsilon is composed of.
//! let charges = Ledger::read(&path)?.charges();
//! assert_eq!((charges[0].name.as_str(), charges[0].steps), ("first", 15));
//! # Ok(())
//! # }
//! ```
//!
//! # File format, version 4
//!
//! UTF-8, one JSON object a line, each line ended by a line feed. The first line is the header:
//!
//! `{"format":"burn-privacy-ledger","version":3,"dataset":"…","software":"…","time":…,"check":"…"}`
//!
//! Every other line is a record, `{"KIND":{…},"check":"…"}`; `time` is in seconds since 1970 (UTC), `run` counts from
//! 0:
//!
//! | kind | fields | meaning |
//! |---|---|---|
//! | `begin` | `run`, `description`, `process`, `software`, `time` | a new run, with no steps charged |
//! | `resume` | `run`, `charged`, `process`, `software`, `time` | the run goes on; what was charged stays charged |
//! | `reserve` | `run`, `steps`, `charged`, `time` | `steps` more are charged, `charged` in all |
//! | `close` | `run`, `charged`, `time` | the steps really released in all; replaces the reservations since begin or resume |
//! | `budget` | `budget` (`adjacency`, `epsilon`, `delta`, `order`, `failures`, `unit`), `software`, `time` | the data set's budget; once, before the first `reserve` |
//! | `version` | `version`, `software`, `time` | lines from here on are of this version of the format |
//!
//! Version 1 had no `budget`, version 3 no `version` and no `unit`. Files of all versions are read and continued. A new file says
//! version 3; `version` stands before the first run that protects another unit than a record. Programs that know version 3 only, and
//! would take that run for one of records, refuse the file at that line, as they do at a budget's `unit`.
//!
//! `check` is always last: 16 hexadecimal digits, the FNV-1a hash (64 bits) of the previous line's digits (none before
//! the header) followed by the line's bytes up to the comma before `check`. A changed, lost or inserted line is thereby
//! detected.
//!
//! A crash in mid-write leaves a last line without a line feed. It was never acknowledged, so it counts for nothing;
//! the next opener completes it with ` #torn: crash in mid-write, never acknowledged` and a line feed. Such lines are
//! kept, take no part in the chain and are skipped.

mod block;
mod budget;
mod budget_filter;
mod composition;
mod error;
mod file;
mod history;
mod listing;
mod record;
mod run_description;
mod set_budget;
mod total;
mod unit;
mod writer;

#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(all(test, unix))]
mod identity_tests;
#[cfg(test)]
mod unit_tests;
#[cfg(test)]
mod writer_tests;

pub use block::BlockReservation;
pub use budget::Budget;
pub use composition::epsilons;
pub use composition::{COMPOSITION_CAVEAT, compose_charges};
pub use error::LedgerError;
pub use history::{Charge, History, RunId};
pub use listing::Verification;
pub use run_description::RunDescription;
pub use total::LedgerTotal;
pub use unit::Unit;
pub use writer::Ledger;
