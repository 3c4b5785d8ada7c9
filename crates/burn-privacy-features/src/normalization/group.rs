//! Group normalization without affine parameters: each record by itself, so that it costs no privacy.

use crate::{FeatureError, Result};

/// Added to the variance.
const EPSILON: f64 = 1e-5;

/// Brings each group of neighboring channels of one record to mean 0 and variance 1 (Wu and He 2018, without scale and shift).
///
/// # Shapes
///
/// - row: `[channels, positions]`
///
/// # Errors
///
/// [`FeatureError::Invalid`] unless there are `groups` equal groups of channels.
pub fn normalize_groups(row: &mut [f32], channels: usize, groups: usize) -> Result<()> {
    if groups == 0 || !channels.is_multiple_of(groups) || channels == 0 || !row.len().is_multiple_of(channels) {
        return Err(FeatureError::invalid("the number of groups", groups, "a divisor of the number of channels"));
    }
    for group in row.chunks_exact_mut((row.len() / groups).max(1)) {
        let count = group.len() as f64;
        let mean = group.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = group.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (variance + EPSILON).sqrt();
        group.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_mean_zero_and_variance_one() {
        let mut row: Vec<f32> = (0..24).map(|at| (at * at) as f32 + if at < 12 { 0.0 } else { 900.0 }).collect();
        normalize_groups(&mut row, 4, 2).unwrap();
        for group in row.chunks(12) {
            let mean = group.iter().sum::<f32>() / 12.0;
            let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 12.0;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
        }
        assert!(normalize_groups(&mut row, 4, 3).is_err() && normalize_groups(&mut row, 4, 0).is_err());
    }
}
