//! Input perturbation, from outside: distributions, empirical epsilon, tables.
//!
//! All seeds are fixed, so that a test that passes once always does. Bounds are such that another seed would fail a
//! right program with probability below 1e-6 a test.

mod distributions;
mod empirical_epsilon;
mod formats;
mod schemas;
mod tables;

use burn_privacy_mechanisms::local::CellRandomness;
use burn_privacy_mechanisms::{Entropy, PrivacyKey};

/// Outputs of a mechanism for one value.
fn draws<T>(seed: u64, count: usize, perturb: impl Fn(&CellRandomness) -> T) -> Vec<T> {
    let key = PrivacyKey::draw(Entropy::seeded(seed)).unwrap();
    CellRandomness::draw_many(&key, 0, count, 0).unwrap().iter().map(perturb).collect()
}
