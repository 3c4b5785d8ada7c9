//! A score on private records, with noise that pays for it.

use burn_privacy::mechanisms::{Entropy, PrivacyKey, fill_gaussian_f64};

use crate::Result;

/// A sum of sensitivity 1 with Gaussian noise of this standard deviation, as a share of a number of records that is taken to
/// be public: a score on private records. It costs what `DpEvent::gaussian(standard_deviation)` costs.
///
/// # Errors
///
/// If there is no randomness, or the standard deviation is out of range.
pub fn noisy_share(sum: f64, records: usize, standard_deviation: f64) -> Result<f64> {
    let mut noise = [0.0];
    fill_gaussian_f64(&PrivacyKey::draw(Entropy::os())?, 0, 0, &mut noise, standard_deviation)?;
    Ok((sum + noise[0]) / records as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_as_large_as_said_and_new_every_time() {
        let shares: Vec<f64> = (0..2_000).map(|_| noisy_share(300.0, 1_000, 20.0).unwrap()).collect();
        let mean = shares.iter().sum::<f64>() / 2_000.0;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 2_000.0;
        // Six standard errors each: false failures below 1e-8 (mean) and 1e-7 (variance, whose tails are a little heavier).
        assert!((mean - 0.3).abs() < 6.0 * 0.02 / 2_000.0_f64.sqrt(), "{mean}");
        assert!((variance / 0.0004 - 1.0).abs() < 6.0 * (2.0 / 2_000.0_f64).sqrt(), "{variance}");
    }
}
