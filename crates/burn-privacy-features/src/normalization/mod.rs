//! Bringing features to comparable sizes: [`group`] and [`unit_rows`] look at one record alone and cost nothing;
//! [`channel_statistics`] looks at all of them, and is paid for.

pub mod channel_statistics;
pub mod group;

pub use channel_statistics::{ChannelBounds, ChannelStatistics, norms_phase, statistics_phase};
pub use group::{normalize_groups, normalize_groups_of_parts};

/// Divides a row by its norm; a row of zeros stays.
pub fn unit_rows(row: &mut [f32]) {
    let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
}
