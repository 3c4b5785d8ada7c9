//! Convex linear models released with differential privacy: logistic regression, support vector machines and ridge
//! regression, by output perturbation, objective perturbation and bolt-on SGD. No deep-learning framework needed.
//!
//! ```
//! use burn_privacy_convex::{
//!     FeatureMap, Features, Loss, PrivacyBudget, RowScale, TrainingSet, objective_perturbation,
//! };
//! use burn_privacy_mechanisms::Entropy;
//!
//! # fn main() -> Result<(), burn_privacy_convex::ConvexError> {
//! // 4,000 points of the square [-1, 1] x [-1, 1]; the class is which side of a line they lie on.
//! let (mut rows, mut labels) = (Vec::new(), Vec::new());
//! for i in 0..4_000 {
//!     let (x, y) = ((f64::from(i) * 0.754_878).fract() * 2.0 - 1.0, (f64::from(i) * 0.569_840).fract() * 2.0 - 1.0);
//!     rows.extend([x, y]);
//!     labels.push(if x + 0.5 * y > 0.1 { 1.0 } else { -1.0 });
//! }
//!
//! // Public: how rows are scaled, the loss, the strength of the regularizer.
//! let map = FeatureMap::new(2, RowScale::Clip(1.5))?.with_intercept(0.3)?;
//! let set = TrainingSet::new(Features::new(&rows, map)?, labels.clone(), Loss::Logistic)?;
//! let release = objective_perturbation(&set, 1e-3, &PrivacyBudget::pure(1.0)?, Entropy::os())?;
//!
//! println!("{}", release.statement);
//! let right = rows.chunks(2).zip(&labels).filter(|(row, label)| release.model.classify(row) == Ok(**label)).count();
//! assert!(right > 3_600, "{right}"); // never print such a number of private data: it is not protected
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`Features`] scale rows into the unit ball by a public [`FeatureMap`], so that no record's gradient is longer than
//!   the [`Loss`]'s constant. A [`TrainingSet`] adds labels and loss, and checks all of it.
//! - [`Block`]s say what is public about the columns of a [`FeatureMap`]: bounds of numbers, one-hot categories. Pure
//!   objective perturbation uses them for noise that fits.
//! - [`PrivacyBudget`] is what is asked: pure epsilon, or (epsilon, delta).
//! - [`output_perturbation`] adds noise to the minimizer, [`objective_perturbation`] to the objective (usually better, for
//!   classification), [`bolt_on_sgd`] to the last iterate of SGD.
//! - A [`Release`] holds the model, a [`ReleaseStatement`] and the event to charge an accountant with.
//! - [`solve_without_privacy`] and [`sgd_without_privacy`] are what their names say.
//!
//! # What is guaranteed
//!
//! - Adjacency is replace-one everywhere: one record exchanged for any other, with a public number of records. Epsilons
//!   are in nats.
//! - Minima are not assumed to be exact: the distance to the minimum is certified by strong convexity, and its public
//!   bound is part of the sensitivity, or has noise of its own.
//! - Each release draws a key of its own. With [`Entropy::seeded`](burn_privacy_mechanisms::Entropy::seeded) nothing is
//!   private, and the statement says so.
//! - The theorems speak of real numbers; noise and weights are floats, as `burn-privacy-mechanisms` explains, and
//!   pure noise is drawn from 53-bit uniforms. Running time and errors can depend on the records.

pub mod objective;
pub mod sensitivity_hull;
pub mod sgd;

mod blocks;
mod error;
mod features;
mod linear_algebra;
mod loss;
mod noise;
mod output;
mod privacy;
mod release;
mod solver;
mod training_set;

pub use blocks::Block;
pub use error::{ConvexError, Result};
pub use features::{FeatureMap, Features, RowScale};
pub use loss::Loss;
pub use objective::objective_perturbation;
pub use output::{minimizer_sensitivity, output_perturbation};
pub use privacy::PrivacyBudget;
pub use release::{LinearModel, NoiseDistribution, Release, ReleaseStatement};
pub use sgd::{SgdPlan, StepSize, bolt_on_sgd, sgd_without_privacy};
pub use solver::{Minimum, optimizer_error, solve_without_privacy};
pub use training_set::TrainingSet;
