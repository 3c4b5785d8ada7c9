//! Linear heads on fixed features, trained with differential privacy. No deep-learning framework needed.
//!
//! The gradient of a linear classifier for one record is an outer product, so that its norm is known before it is
//! computed: a private step costs what a plain one does. Sums are exact, so that their stated sensitivity is that of the numbers
//! that are computed, not of those that were meant ([`exact`]).
//!
//! ```
//! use burn_privacy_budget::PhasedRun;
//! use burn_privacy_budget::plan::{PhaseNoise, PhasedPlanConfig, Sampling};
//! use burn_privacy_linear::{Averaging, HeadLoss, HeadTraining, Records, UpdateRule, head_phase};
//! use burn_privacy_mechanisms::Entropy;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // 4,000 points of a disc in three sectors.
//! let points: Vec<(f32, f32)> = (0..4_000).map(|i| (i as f32 * 0.618, ((i * 37 % 101) as f32 / 101.0).sqrt())).collect();
//! let sector = |turn: f32| (turn.fract() * 3.0) as u8;
//! let labels = points.iter().map(|(turn, _)| sector(*turn)).collect();
//! let records = Records::new(2, 3, labels, |at, row| {
//!     let (turn, radius) = points[at];
//!     let angle = turn * std::f32::consts::TAU;
//!     row.copy_from_slice(&[radius * angle.cos(), radius * angle.sin()]);
//! })?;
//!
//! // 60 steps of about 400 records, at epsilon 2.
//! let phase = head_phase(Sampling::poisson(400, 4_000), 0.1, PhaseNoise::Calibrated(1.0), 60)?;
//! let plan = PhasedPlanConfig::new(1e-5).with_phase(phase).with_target(2.0).build()?;
//! let mut run = PhasedRun::new(plan, Entropy::os())?;
//! let training = HeadTraining {
//!     loss: HeadLoss::CrossEntropy,
//!     rate: 1.0,
//!     rule: UpdateRule::Momentum(0.9),
//!     averaging: Averaging::Exponential(0.9),
//! };
//! let head = training.train(&records, &mut run, None, |_, _| true)?;
//! println!("{}", run.finish("points of a disc", "DP-SGD of a linear head")?);
//! assert!(head.accuracy(&records)? > Some(0.85)); // never print such a number of private data
//! # Ok(())
//! # }
//! ```
//!
//! [`FixedFeatureTraining`] is the whole recipe for features of `burn-privacy-features`, their normalization paid for in the same
//! plan. [`second_moments`] has least squares in closed form and preconditioned gradients, [`additive`] boosted additive models of
//! binned columns.

pub mod additive;
pub mod exact;
pub mod second_moments;

mod error;
mod evaluation;
mod fixed_features;
mod gradient;
mod head;
mod loss;
mod records;
mod train;
mod update;

pub use error::{LinearError, Result};
pub use fixed_features::{FeatureClassifier, FixedFeatureTraining, Normalization, Normalizer};
pub use gradient::clipped_sum;
pub use head::LinearHead;
pub use loss::HeadLoss;
pub use records::Records;
pub use train::{HeadTraining, PHASE, head_phase};
pub use update::{Averaging, UpdateRule};
