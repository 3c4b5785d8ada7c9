//! Noise vectors.

use burn_privacy_accounting::{DpEvent, gaussian_sigma};
use burn_privacy_budget::statement::RandomnessSource;
use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_gaussian_f64, fill_secret_uniform};

use crate::error::invalid;
use crate::linear_algebra::norm;
use crate::{NoiseDistribution, PrivacyBudget, Result};

/// Relative excess of a calibrated scale over the rounding of its formula.
const OUTWARD: f64 = 1.0 + 1e-12;

/// Draws the key of one release, and says where it came from.
pub(crate) fn key(entropy: Entropy) -> Result<(PrivacyKey, RandomnessSource)> {
    let key = PrivacyKey::draw(entropy)?;
    let stated = if key.is_private() { RandomnessSource::Os } else { RandomnessSource::Seeded };
    Ok((key, stated))
}

/// A vector with density proportional to e^(-||b|| / scale), from the streams of `step`.
///
/// In spherical coordinates the density of r = ||b|| is proportional to r^(d-1) e^(-r / scale): Gamma of shape d, a sum
/// of d exponentials -scale ln U. The direction is uniform: that of a Gaussian vector.
pub(crate) fn gamma_vector(key: &PrivacyKey, step: u64, dimension: usize, scale: f64) -> Result<Vec<f64>> {
    let mut uniforms = vec![0.0; dimension];
    fill_secret_uniform(key, Purpose::OutputPerturbation, step, 0, &mut uniforms)?;
    let length = -scale * uniforms.iter().map(|u| u.ln()).sum::<f64>();
    let mut vector = vec![0.0; dimension];
    fill_gaussian_f64(key, step, 0, &mut vector, 1.0)?;
    let factor = length / norm(&vector);
    for x in &mut vector {
        *x *= factor;
    }
    Ok(vector)
}

/// Independent Gaussians, from the stream of `step`.
pub(crate) fn gaussian_vector(key: &PrivacyKey, step: u64, dimension: usize, std: f64) -> Result<Vec<f64>> {
    let mut vector = vec![0.0; dimension];
    fill_gaussian_f64(key, step, 0, &mut vector, std)?;
    Ok(vector)
}

/// A noise vector, its distribution, and the event to account for it.
pub(crate) struct DrawnNoise {
    pub(crate) noise: NoiseDistribution,
    pub(crate) event: DpEvent,
    pub(crate) vector: Vec<f64>,
}

/// Draws the noise that makes a vector of this L2 `sensitivity` private, from the streams of `step`.
///
/// - Pure epsilon: density proportional to e^(-epsilon ||b|| / sensitivity); by the triangle inequality the ratio of the
///   densities of neighbors is at most e^epsilon (Chaudhuri, Monteleoni and Sarwate 2011, algorithm 1).
/// - (epsilon, delta): the analytic Gaussian mechanism (Balle and Wang, arXiv 1805.06530).
///
/// # Errors
///
/// If the noise would be beyond the range of floats.
pub(crate) fn draw(
    sensitivity: f64,
    privacy: &PrivacyBudget,
    key: &PrivacyKey,
    step: u64,
    dimension: usize,
) -> Result<DrawnNoise> {
    match privacy.delta() {
        None => {
            let scale = sensitivity / privacy.epsilon() * OUTWARD;
            // Room for a long vector.
            if !(scale.is_finite() && scale < 1e280) {
                return Err(invalid("epsilon", privacy.epsilon(), "larger: the noise nears the range of floats"));
            }
            let event = DpEvent::epsilon_delta(privacy.epsilon(), 0.0)?;
            Ok(DrawnNoise {
                noise: NoiseDistribution::Gamma { scale },
                event,
                vector: gamma_vector(key, step, dimension, scale)?,
            })
        }
        Some(delta) => {
            let std = gaussian_sigma(privacy.epsilon(), delta, sensitivity)?;
            let event = DpEvent::gaussian(std / sensitivity)?;
            Ok(DrawnNoise {
                noise: NoiseDistribution::Gaussian { std },
                event,
                vector: gaussian_vector(key, step, dimension, std)?,
            })
        }
    }
}
