//! Cryptographic randomness and noise for differential privacy. No deep-learning framework needed.
//!
//! Everything here is a pure function of `(key, purpose, step, element)`:
//!
//! - [`Entropy`] says where a key comes from: the operating system, or a fixed seed, which is **not private**;
//! - [`PrivacyKey`] is a 256-bit ChaCha20 key that lives in memory only and is wiped when dropped;
//! - [`stream`] is the frozen layout of the key's streams, one for each [`Purpose`] and step;
//! - [`StepNoise`] is a step's Gaussian noise, [`fill_gaussian_f32`] and [`fill_gaussian_f64`] draw a part of it at once;
//! - [`RoundedStepNoise`] is Gaussian noise for sums that are whole numbers, rounded to whole numbers and drawn exactly;
//! - [`poisson_sample`] flips one coin for each record;
//! - [`local`] perturbs single values before anybody collects them, and `table` (with the feature of that name) whole CSV files,
//!   under a schema;
//! - [`fill_uniform`] serves everything that is *not* protected by being secret: validators, tests, initial weights.
//!
//! # Example
//!
//! ```
//! use burn_privacy_mechanisms::{Entropy, PrivacyKey, fill_gaussian_f32, poisson_sample};
//!
//! # fn main() -> Result<(), burn_privacy_mechanisms::MechanismError> {
//! let key = PrivacyKey::draw(Entropy::os())?;
//!
//! // Step 0 of a run over 50,000 records at sampling rate 0.005 (250 records expected).
//! let batch: Vec<usize> = poisson_sample(&key, 0, 50_000, 0.005)?;
//! assert!(batch.is_sorted() && batch.iter().all(|&record| record < 50_000));
//!
//! // Noise for two tensors, of 3 and 5 elements: the second starts where the first ended.
//! let (mut weight, mut bias) = ([0.0_f32; 3], [0.0_f32; 5]);
//! fill_gaussian_f32(&key, 0, 0, &mut weight, 1.1)?;
//! fill_gaussian_f32(&key, 0, 3, &mut bias, 1.1)?;
//!
//! // Cutting the list differently changes nothing: element i depends on (key, step, i) alone.
//! let mut all = [0.0_f32; 8];
//! fill_gaussian_f32(&key, 0, 0, &mut all, 1.1)?;
//! assert_eq!(all[..3], weight);
//! assert_eq!(all[3..], bias);
//! # Ok(())
//! # }
//! ```
//!
//! # What this protects against, and what it does not
//!
//! It protects against guessing: keys hold 256 bits from the operating system, and ChaCha20 output cannot be told
//! from random bits by anyone who lacks the key. It protects against reuse: no two purposes, steps or elements share
//! a word of a key stream (for one key, a step must be used for one release only; a resumed run draws a new key). It
//! protects against a truncated tail: the radius uses 128 random bits near the ends of its range, so noise reaches 13.37
//! standard deviations.
//!
//! [`StepNoise`] does **not** give the exact Gaussian of the theorems. Its noise is computed in `f64` and rounded to a float. The
//! set of reachable floats has holes, and the sum `value + noise` is rounded once more, so that an adversary who sees
//! every bit of the result can in principle rule out some values (Mironov, "On significance of the least
//! significant bits for differential privacy", CCS 2012, for Laplace; Jin, McMurtry, Rubinstein and Ohrimenko, "Are we
//! there yet? Timing and floating-point attacks on differential privacy systems", IEEE S&P 2022, for Gaussian noise in
//! deep-learning libraries). Bounds computed for the real-valued Gaussian are therefore statements about the ideal
//! mechanism. [`RoundedStepNoise`] has no such gap: it takes sums on a grid of whole numbers, and what it adds is exactly a
//! Gaussian value rounded to the grid.
//!
//! It does not protect keys from someone who reads this process's memory (keys and generator states are wiped when
//! dropped; copies that lie on the stack for the length of a call are not), and it makes no constant-time promise: the
//! pattern of work depends on the number of values asked for and on the coins, never on the data that the coins and
//! the noise protect.

pub mod error;
pub mod gaussian;
pub mod key;
pub mod local;
pub mod poisson;
pub mod rounded;
pub mod stream;
pub mod uniform;

mod box_muller;
mod key_stream_lanes;
mod purpose;

pub use error::MechanismError;
pub use gaussian::{KernelNoise, MAX_DEVIATION, StepNoise, fill_gaussian_f32, fill_gaussian_f64};
pub use key::{Entropy, PrivacyKey};
pub use poisson::poisson_sample;
pub use rounded::RoundedStepNoise;
pub use stream::{MAX_STEP, Purpose};
pub use uniform::{fill_secret_uniform, fill_secret_words, fill_uniform};
