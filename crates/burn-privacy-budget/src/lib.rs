//! What is promised, spent and said: privacy plans, the ledger of a data set, and statements. No Burn here, so that
//! command lines, tables, convex models and ensembles charge one ledger and speak one language.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | one immutable value that makes sampler, clipping, noise and accounting event together |
//! | [`ledger`] | the durable record of what was spent on a data set, written before it is spent |
//! | [`statement`] | what a run can say about itself |

mod error;
mod ledger_run;
mod phased_run;

pub mod ledger;
pub mod plan;
pub mod statement;

pub use error::{BudgetError, Result};
pub use ledger_run::LedgerRun;
pub use phased_run::{PhasedRun, Release};
