//! How much leaks, measured: lower bounds on epsilon, and membership inference.
//!
//! An accountant says what epsilon is at most; an audit says what it is at least. Between them lies the truth.
//!
//! ```
//! use burn_privacy_audit::{AuditReport, Guesses, Runs, Scores, one_run};
//!
//! // 1,000 canaries, each trained on or not by its own fair coin; 80 of 100 guesses were right.
//! let epsilon = one_run(Guesses::new(1_000, 100, 80)?, 1e-5, 0.05)?;
//! assert_eq!(format!("{epsilon:.4}"), "0.9553");
//!
//! // Scores of canaries, whether they were in or not: all auditors and the ROC curve in one report.
//! let scores = Scores::new(vec![3.1, 2.2, 2.9, 3.3], vec![0.1, 0.4, -0.2, 0.3])?;
//! let report = AuditReport::new(&scores, Runs::One, 1e-5, 0.05, Some(8.0))?;
//! assert!(!report.refutes_the_claim());
//! # Ok::<(), burn_privacy_audit::AuditError>(())
//! ```
//!
//! # What is guaranteed
//!
//! - A lower bound is wrong with probability at most `significance`, over the mechanism's randomness and the coins, if the
//!   preconditions in its documentation hold. Everything else is called an estimate.
//! - That an audit shows nothing proves nothing.

mod binomial;
mod error;
mod lower_bound;
pub mod membership;
mod normal;
mod one_run;
mod report;
mod roc;
mod scores;

pub use error::{AuditError, Result};
pub use lower_bound::{clopper_pearson, gaussian_fit, gaussian_mean, one_run_gaussian_of_scores, one_run_of_scores};
pub use one_run::{Guesses, one_run, one_run_gaussian, p_value};
pub use report::{AuditReport, Finding, Runs};
pub use roc::{Roc, gaussian_area};
pub use scores::Scores;
