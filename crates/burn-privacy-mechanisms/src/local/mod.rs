//! Local differential privacy: values are perturbed one by one, before anybody collects them.
//!
//! A mechanism maps a value `x` to a random output `Y`. It is `epsilon`-locally differentially private if for all
//! values `x`, `x'` of its domain and all sets `S` of outputs `P[Y(x) in S] <= e^epsilon P[Y(x') in S]`, and `(epsilon,
//! delta)`-private if that holds up to an added `delta` (Kasiviswanathan et al., "What can we learn privately?", FOCS
//! 2008). Neighbors are any two values of the domain: replace-one.
//!
//! | mechanism | domain | guarantee |
//! |---|---|---|
//! | [`RealNoise::laplace`], [`IntegerNoise::laplace`] | bounded numbers | `epsilon` |
//! | [`RealNoise::gaussian`], [`IntegerNoise::gaussian`] | bounded numbers | `(epsilon, delta)` |
//! | [`RealNoise::obfuscation`], [`IntegerNoise::obfuscation`] | bounded numbers | what a given standard deviation is worth |
//! | [`Piecewise`], [`Duchi`] | bounded reals | `epsilon` |
//! | [`SampledPiecewise`] | several bounded reals at once | `epsilon` |
//! | [`RandomizedResponse`] | categories | `epsilon` |
//!
//! # Floating point
//!
//! Every mechanism works on the integers `0 ..= N` of a public grid over the bounds, draws an integer, and only then
//! turns it into a number: the low bits of an output carry nothing. The coins of [`Piecewise`], [`Duchi`] and
//! [`RandomizedResponse`] are comparisons of 64-bit words with integer thresholds that are rounded towards privacy, so
//! that their epsilon is exact. The noise of the others comes from `f64` arithmetic with a relative error below
//! `2^-48`; the grids are chosen so coarse that it changes no output's probability by more than a factor `1 + 2^-22`,
//! and the mechanisms are calibrated to [`EPSILON_SLACK`] less than what they claim.
//!
//! # Randomness
//!
//! The output is a pure function of the value and of [`CellRandomness`], which is a pure function of `(key, record,
//! cell)`. A key that perturbs records must serve nothing else: no training run, and no second release of the same
//! records.
//!
//! ```
//! use burn_privacy_mechanisms::local::{CellRandomness, RandomizedResponse, RealNoise};
//! use burn_privacy_mechanisms::{Entropy, PrivacyKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = PrivacyKey::draw(Entropy::os())?;
//! let income = RealNoise::laplace(0.0, 200_000.0, 1.0)?;
//! let answer = RandomizedResponse::new(3, 2.0)?;
//! for (record, (earned, ticked)) in [(31_000.0, 2), (54_500.0, 0)].into_iter().enumerate() {
//!     let earned = income.perturb(earned, &CellRandomness::draw(&key, record as u64, 0)?);
//!     let ticked = answer.perturb(ticked, &CellRandomness::draw(&key, record as u64, 1)?);
//!     assert!(earned.is_finite() && ticked < 3);
//! }
//! # Ok(())
//! # }
//! ```

mod bounded;
mod error;
mod grid;
mod noise;
mod randomized_response;
mod randomness;
mod several;
mod threshold;

pub use bounded::{Duchi, Piecewise};
pub use error::LocalError;
pub use noise::{BoundedNoise, IntegerNoise, RealNoise};
pub use randomized_response::RandomizedResponse;
pub use randomness::CellRandomness;
pub use several::SampledPiecewise;

pub use randomness::RandomnessBlock;

/// The smallest epsilon that a mechanism takes.
pub const MIN_EPSILON: f64 = 1e-4;

/// The largest epsilon that a mechanism takes; beyond it there is no privacy to speak of.
pub const MAX_EPSILON: f64 = 32.0;

/// The smallest delta that a mechanism takes.
pub const MIN_DELTA: f64 = 1e-30;

/// What a claimed epsilon holds back for the rounding of noise: `2^-20`, about 1e-6.
pub const EPSILON_SLACK: f64 = 1.0 / 1_048_576.0;

/// The largest magnitude of a real bound.
pub const MAX_BOUND: f64 = 1e300;

/// The largest magnitude of an integer bound: `2^53`.
pub const MAX_INTEGER_BOUND: i64 = 1 << 53;

/// The largest number of categories.
pub const MAX_CATEGORIES: usize = 1 << 16;

/// Checks an epsilon.
fn check_epsilon(epsilon: f64) -> Result<f64, LocalError> {
    if (MIN_EPSILON..=MAX_EPSILON).contains(&epsilon) { Ok(epsilon) } else { Err(LocalError::Epsilon { epsilon }) }
}

/// Checks a delta.
fn check_delta(delta: f64) -> Result<f64, LocalError> {
    if (MIN_DELTA..=0.5).contains(&delta) { Ok(delta) } else { Err(LocalError::Delta { delta }) }
}
