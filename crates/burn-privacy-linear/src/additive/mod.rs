//! Boosted additive models of binned columns: a score for each bin of each column, added up and put through the logistic function.
//!
//! As DP-EBM (Nori, Caruana, Bu, Shen, Kulkarni, "Accuracy, interpretability, and differential privacy via explainable boosting",
//! ICML 2021): the noisy number of records in each bin is released once; then columns are visited in turn, and for each the bins
//! are put together to few leaves without looking at the records, the residuals of each leaf summed, noise added, and the
//! bins' scores moved along. What a person sees of a model is a curve for each column.
//!
//! # Sensitivity
//!
//! Add-or-remove-one. A record lies in one bin of each column. Counts: one release of all columns' bins, to which it adds a vector
//! of as many ones as there are columns, of norm sqrt(columns). Boosting: a release is the sums of one column's leaves, to one of which
//! the record adds its residual, a number from -1 to 1. A residual is computed from the record and the released scores alone, in an
//! order that doesn't depend on other records, and truncated toward zero to a whole multiple of 2^-20; sums are of whole
//! numbers in 64 bits, exact in any order for the at most 2^33 records that fit: neighbors' sums differ by exactly one record's
//! residual. Noise is added in `f64`, with the caveat of `burn-privacy-mechanisms`. Composition is the plan's: the boosting phase is
//! `rounds x columns` Gaussian releases.

mod binned;
mod boosting;
mod model;

pub use binned::{BinnedRecords, Column};
pub use boosting::{AdditiveTraining, BOOSTING_PHASE, COUNTS_PHASE, boosting_phase, counts_phase};
pub use model::AdditiveModel;
