//! Differential privacy accounting: how much privacy a mechanism costs, as a bound that one may publish.
//!
//! ```
//! use burn_privacy_accounting::{
//!     Accountant, Adjacency, DpEvent, RdpAccountant, calibrate_noise_multiplier,
//! };
//!
//! // 2,000 steps of DP-SGD; each of 50,000 records is in a step's batch with probability 0.005.
//! let training = |noise_multiplier| {
//!     let step = DpEvent::poisson_sampled(0.005, DpEvent::gaussian(noise_multiplier)?)?;
//!     DpEvent::self_composed(step, 2_000)
//! };
//! let new_accountant = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
//!
//! // What does a given noise cost?
//! let mut accountant = new_accountant();
//! accountant.compose(&training(1.1)?, 1)?;
//! assert_eq!(format!("{:.3}", accountant.epsilon(1e-5)?), "1.183");
//!
//! // Which noise reaches a given target?
//! let noise_multiplier = calibrate_noise_multiplier(training, 3.0, 1e-5, new_accountant)?;
//! assert_eq!(format!("{noise_multiplier:.3}"), "0.761");
//! # Ok::<(), burn_privacy_accounting::AccountingError>(())
//! ```
//!
//! # The parts
//!
//! - A [`DpEvent`] says what was done to private data: a checked tree, with a [versioned JSON form](EventDocument).
//! - An [`Adjacency`] says which data sets are neighbors. It is part of every question.
//! - An [`Accountant`] composes events and answers with epsilon or delta. [`PldAccountant`] does so by privacy loss
//!   distributions: it is tight, and certifies a lower bound, too. [`RdpAccountant`] does so by Renyi divergences: larger
//!   bounds, in microseconds. What they have no theorem for, they refuse by name. [`ContourEstimator`] estimates the
//!   exact curve of Gaussian training runs; it is not a bound and says so.
//! - [`PlannedSchedule`] answers for any number of steps of a planned run in some microseconds, for progress bars;
//!   [`EpsilonSchedule`] does so by Renyi divergences alone, for any delta and any length.
//! - [`calibrate_noise_multiplier`], [`calibrate_sampling_rate`] and [`calibrate_steps`] find a parameter for a target.
//! - An [`RdpFilter`] keeps to a budget when events are chosen by looking at earlier results.
//! - [`gaussian_sigma`], [`gaussian_epsilon`] and [`gaussian_delta`] are exact for a single Gaussian mechanism;
//!   [`zcdp_epsilon`] and [`zcdp_delta`] convert zero-concentrated differential privacy, [`group_privacy`] speaks about
//!   several records; [`laplace_scale`] and [`discrete_gaussian_variance`] are about other noise.
//! - The crate `burn-privacy-budget` puts the result into words, with its assumptions and with what it leaves out.
//!
//! # What is guaranteed
//!
//! - Epsilons are in nats. Every epsilon and delta is an upper bound, rounded outward, unless it is called an estimate.
//! - A noise multiplier is the noise's standard deviation divided by the L2 sensitivity *under the adjacency in use*
//!   ([`Adjacency::sensitivity_factor`]). A multiplier of 0 costs an infinite epsilon; no steps cost nothing.
//! - NaN is never returned, and no input makes a function panic: what is out of range is an [`AccountingError`] whose
//!   text says what was given, what is allowed and what to do.
//!
//! | event | PLD | RDP | add-or-remove-one | zero-out | replace-one |
//! |---|---|---|---|---|---|
//! | Gaussian, Laplace, discrete Laplace, exponential mechanism, pure epsilon | yes | yes | yes | yes | yes |
//! | discrete Gaussian | sensitivity 1 | yes | yes | yes | yes |
//! | zCDP | no | yes | yes | yes | yes |
//! | (epsilon, delta) with delta > 0 | yes | no | yes | yes | yes |
//! | randomized response | yes | yes | no | no | yes |
//! | Poisson-sampled Gaussian, banded matrix factorization | yes | yes | yes | yes | no |
//! | Poisson-sampled Laplace, discrete noise, exponential mechanism, (epsilon, delta) | yes | no | yes | yes | no |
//! | truncated Poisson samples of all of these | yes | no | yes | yes | no |
//! | Gaussian on samples of fixed size | yes | yes | no | no | yes |
//! | samples of fixed size of all others | yes | no | no | no | yes |
//! | repeat-and-select of anything with RDP | no | yes | as inside | as inside | as inside |
//! | tree aggregation | yes | yes | no | yes | yes |

mod accountant;
mod adjacency;
mod calibration;
mod contour;
mod conversion;
mod epsilon_report;
mod error;
mod event;
mod event_fold;
mod gaussian;
pub mod json;
mod keeping_nan;
mod mills;
mod noise_scales;
mod planned_schedule;
mod pld;
mod rdp;
mod rounding;
mod sample_noise;
mod search;
mod shared_theorems;
mod steps;

pub use accountant::Accountant;
pub use adjacency::Adjacency;
pub use calibration::{calibrate_noise_multiplier, calibrate_sampling_rate, calibrate_steps};
pub use contour::ContourEstimator;
pub use conversion::{group_privacy, zcdp_delta, zcdp_epsilon};
pub use epsilon_report::EpsilonReport;
pub use error::{AccountingError, Result};
pub use event::{
    DpEvent, EVENT_SCHEMA, EVENT_SCHEMA_VERSION, EventDocument, EventKind, MAX_COUNT, MAX_EVENT_DEPTH, RunCount,
};
pub use gaussian::{gaussian_delta, gaussian_epsilon, gaussian_sigma, gdp_clt_epsilon_not_a_bound};
pub use noise_scales::{discrete_gaussian_variance, laplace_scale};
pub use planned_schedule::PlannedSchedule;
pub use pld::PldAccountant;
pub use rdp::{EpsilonSchedule, RdpAccountant, RdpFilter};
pub use rounding::round_up_for_display;
pub use steps::steps_of_epochs;
