//! How little any grouping can lose: a bound to hold a microaggregation against (compare Laszlo and Mukherjee 2009, TKDE
//! 21(11), on bounds by what single records must lose).
//!
//! Two bounds, of which the larger is given, both over all groupings in groups of at least k:
//!
//! - A group of s records loses the sum over its records i of (1 / 2s) times the sum of squared distances from i to the others.
//!   Those are at least the s - 1 smallest from i, so that i contributes at least half the mean of the s smallest, its own 0
//!   among them. That mean only grows with s: half the mean of the k smallest bounds i's share.
//! - The loss is the sum over columns, and no grouping loses less in a column than the best for that column alone, which is
//!   known (Hansen and Mukherjee).

use super::kd_tree::KdTree;
use super::records::{Records, squared_distance};
use super::univariate::optimal_univariate;
use crate::AnonymizeError;

/// A lower bound of the information loss, in percent of the standardized records' spread, over all groupings in groups of at
/// least k.
///
/// # Errors
///
/// Those of [`super::mdav()`].
pub fn information_loss_lower_bound_percent(records: &Records, k: usize) -> Result<f64, AnonymizeError> {
    records.check(k)?;
    let scaled = records.standardized();
    let spread: f64 = (0..scaled.len()).flat_map(|index| scaled.record(index)).map(|value| value * value).sum();
    if spread == 0.0 {
        return Ok(0.0);
    }
    let tree = KdTree::new(&scaled);
    let of_record = |index: usize| {
        let point = scaled.record(index);
        let near = tree.nearest(point, k);
        near.iter().map(|&other| squared_distance(scaled.record(other), point)).sum::<f64>() / (2.0 * k as f64)
    };
    let by_neighbors: f64 = (0..scaled.len()).map(of_record).sum();
    let mut by_columns = 0.0;
    for (place, name) in scaled.names().iter().enumerate() {
        let rows: Vec<Vec<f64>> = (0..scaled.len()).map(|index| vec![scaled.record(index)[place]]).collect();
        let column = Records::new(vec![name.clone()], &rows)?;
        let share: f64 = rows.iter().map(|row| row[0] * row[0]).sum();
        by_columns += optimal_univariate(&column, k)?.information_loss_percent(&column) / 100.0 * share;
    }
    // Lowered by more than the rounding of the sums.
    Ok(100.0 * by_neighbors.max(by_columns) / spread * (1.0 - 1e-9))
}
