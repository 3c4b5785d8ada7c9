//! Group normalization without affine parameters: each record by itself, so that it costs no privacy.

use super::unit_rows;
use crate::{FeatureError, Result, TablePart};

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

/// [`normalize_groups`] for each part of a row, with as many groups in each; where there are several parts, each is then divided by
/// its norm, so that none outweighs the others by its size.
///
/// # Shapes
///
/// - row: `[channels, positions]` of part after part
///
/// # Errors
///
/// [`FeatureError::Invalid`] unless each part has `groups` equal groups of channels; [`FeatureError::Length`] if the row is not as long as
/// its parts.
pub fn normalize_groups_of_parts(mut row: &mut [f32], parts: &[TablePart], groups: usize) -> Result<()> {
    let expected = parts.iter().map(TablePart::width).sum();
    if row.len() != expected {
        return Err(FeatureError::Length { what: "features of a row", given: row.len(), expected });
    }
    for part in parts {
        let (own, rest) = row.split_at_mut(part.width());
        normalize_groups(own, part.channels, groups)?;
        if parts.len() > 1 {
            unit_rows(own);
        }
        row = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_normalized_on_their_own() {
        let parts = [TablePart { channels: 2, positions: 2 }, TablePart { channels: 4, positions: 1 }];
        let row = [1.0, 2.0, 3.0, 5.0, -100.0, 7.0, 50.0, 9.0];
        let mut whole = row;
        normalize_groups_of_parts(&mut whole, &parts, 2).unwrap();
        let (mut first, mut second) = (row[..4].to_vec(), row[4..].to_vec());
        normalize_groups(&mut first, 2, 2).unwrap();
        normalize_groups(&mut second, 4, 2).unwrap();
        unit_rows(&mut first);
        unit_rows(&mut second);
        assert_eq!(whole, [first, second].concat()[..]);
        let mut only = row;
        normalize_groups_of_parts(&mut only[..4], &parts[..1], 2).unwrap();
        assert!((only[..4].iter().map(|x| x * x).sum::<f32>() - 4.0).abs() < 1e-3);
        assert!(normalize_groups_of_parts(&mut only, &parts, 4).is_err());
        assert!(normalize_groups_of_parts(&mut only[..7], &parts, 2).is_err());
    }

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
