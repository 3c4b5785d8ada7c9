//! The mean and variance of each channel over all records, released with Gaussian noise.
//!
//! A record gives two vectors with an entry for each channel: the mean of its places and the mean of their squares, both in
//! units of public [`ChannelBounds::scales`]. Each is shortened to a norm, and the pair of them, each divided by its norm, is one
//! vector of norm at most sqrt(2), which is summed over all records and released once.
//!
//! The norms are public, or were released before: [`ChannelBounds::fitted`] takes the mean norms of the records' two vectors, two
//! numbers that cost next to nothing with as much noise, so that nobody has to guess.
//!
//! # Sensitivity
//!
//! Entries are rounded toward zero to whole multiples of 2^-30 and added as integers, so that the sum of two neighbors differs by
//! exactly one record's vector. Its norm before rounding is at most sqrt(2) times 1 - 1e-12 (f64's roundings are covered by
//! that), and rounding toward zero shortens it. Sums of at most 2^22 records are below 2^53 multiples, which floats hold.

use burn_privacy_budget::Release;
use burn_privacy_budget::plan::{PhaseConfig, PhaseNoise, Sampling};
use rayon::prelude::*;

use super::unit_rows;
use crate::table::channels_of;
use crate::{FeatureError, FeatureTable, Result, TablePart};

/// Entries are multiples of 1 over this.
const GRID: f64 = (1_u64 << 30) as f64;

/// The largest norm of a record's pair of vectors.
const CONTRIBUTION: f64 = std::f64::consts::SQRT_2;

/// Covers the roundings of norms and quotients.
const MARGIN: f64 = 1.0 - 1e-12;

/// The most records whose sum a float holds exactly, in multiples of 1 over [`GRID`].
const MOST_RECORDS: usize = 1 << 22;

/// Scales and norms lie between these: the squares of squares of 32-bit floats over them neither run over nor vanish, so that a
/// record's norm is known to f64's rounding.
const RANGE: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// How many times longer than assumed a record's vector may be before [`ChannelBounds::fitted`] shortens it.
pub const HEADROOM: f64 = 16.0;

/// Records that one task adds up.
const TASK: usize = 256;

/// What is public about the channels: chosen without looking at the records.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelBounds {
    scales: Vec<f64>,
    mean_norm: f64,
    square_norm: f64,
}

impl ChannelBounds {
    /// `scales` has one unit for each channel (1 takes the features as they are); `mean_norm` and `square_norm` are the norms to
    /// which a record's vectors of means and of mean squares are shortened, in these units.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] unless all are from 1e-30 to 1e30.
    pub fn new(scales: Vec<f64>, mean_norm: f64, square_norm: f64) -> Result<Self> {
        let good = |x: &f64| RANGE.contains(x);
        if scales.is_empty() || !scales.iter().all(good) {
            return Err(FeatureError::invalid(
                "the channels' scales",
                "not all of them so",
                "numbers from 1e-30 to 1e30",
            ));
        }
        for (name, norm) in [("the norm of means", mean_norm), ("the norm of squares", square_norm)] {
            if !good(&norm) {
                return Err(FeatureError::invalid(name, norm, "a number from 1e-30 to 1e30"));
            }
        }
        Ok(Self { scales, mean_norm, square_norm })
    }

    /// Bounds from the features of public records, such as generated images: scales are the channels' standard deviations there,
    /// the two norms the medians of the records' vectors.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] without a record.
    pub fn of_public_records(public: &FeatureTable) -> Result<Self> {
        if public.rows() == 0 {
            return Err(FeatureError::Length { what: "public records", given: 0, expected: 1 });
        }
        let (channels, rows) = (public.channels(), public.rows() as f64);
        let moments = |scales: &[f64]| -> Vec<Vec<f64>> {
            (0..public.rows()).into_par_iter().map(|row| record_moments(public, row, scales)).collect()
        };
        let raw = moments(&vec![1.0; channels]);
        let total = |at: usize| raw.iter().map(|record| record[at]).sum::<f64>() / rows;
        let deviation = |channel: usize| (total(channels + channel) - total(channel).powi(2)).max(0.0).sqrt();
        let deviations: Vec<f64> = (0..channels).map(deviation).collect();
        // A channel that is silent on the public records gets the smallest scale of the others.
        let least = deviations.iter().copied().filter(|&x| x > 0.0).fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { 1.0 };
        let scales = deviations.into_iter().map(|x| if x > 0.0 { x } else { least });
        let scales: Vec<f64> = scales.map(|x| x.clamp(*RANGE.start(), *RANGE.end())).collect();
        let scaled = moments(&scales);
        let median = |part: fn(&[f64], usize) -> &[f64]| {
            let mut norms: Vec<f64> = scaled.iter().map(|record| norm(part(record, channels))).collect();
            norms.sort_by(f64::total_cmp);
            norms[norms.len() / 2].clamp(*RANGE.start(), *RANGE.end())
        };
        let mean_norm = median(|record, channels| &record[..channels]);
        let square_norm = median(|record, channels| &record[channels..]);
        Self::new(scales, mean_norm, square_norm)
    }

    /// The same scales with the mean norms of the records' two vectors, released under a charged release of [`norms_phase`].
    ///
    /// A norm counts as at most [`HEADROOM`] times this one's. A mean that comes out below this one's divided by as much, as it
    /// can where noise is all there is, leaves this one's.
    ///
    /// # Errors
    ///
    /// As [`ChannelStatistics::release`].
    pub fn fitted(&self, table: &FeatureTable, release: Release<'_>) -> Result<Self> {
        check_release(table, self, &release)?;
        let channels = table.channels();
        let most = [self.mean_norm, self.square_norm].map(|norm| norm * HEADROOM);
        let both = |row: usize| -> [i64; 2] {
            let moments = record_moments(table, row, &self.scales);
            let norms = [norm(&moments[..channels]), norm(&moments[channels..])];
            // NaN counts as 0.
            std::array::from_fn(|at| ((norms[at] / most[at]).clamp(0.0, 1.0) * (GRID * MARGIN)) as i64)
        };
        let add = |a: [i64; 2], b: [i64; 2]| [a[0] + b[0], a[1] + b[1]];
        let sums = (0..table.rows()).into_par_iter().map(both).reduce(|| [0; 2], add);
        let nominal_size = release.phase().sampling().nominal_size() as f64;
        let mut means = sums.map(|sum| sum as f64 / GRID);
        release.add_noise(&mut means)?;
        let kept = |at: usize, old: f64| {
            let mean = means[at] / nominal_size * most[at];
            if mean * HEADROOM > old && RANGE.contains(&mean) { mean } else { old }
        };
        Self::new(self.scales.clone(), kept(0, self.mean_norm), kept(1, self.square_norm))
    }

    /// Lets features pass of which [`fitted`](Self::fitted) and [`ChannelStatistics::release`] can be made: to ask before a charge, which
    /// stays charged whatever is refused after it.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if bounds and features have other numbers of channels; [`FeatureError::Invalid`] for more records
    /// than an exact sum can hold.
    pub fn check(&self, table: &FeatureTable) -> Result<()> {
        self.check_numbers(table.channels(), table.rows())
    }

    fn check_numbers(&self, channels: usize, records: usize) -> Result<()> {
        let (given, expected) = (self.scales.len(), channels);
        if given != expected {
            return Err(FeatureError::Length { what: "scales of channels", given, expected });
        }
        if records > MOST_RECORDS {
            return Err(FeatureError::invalid(
                "the number of records",
                "too large",
                "at most 4194304, for which sums are exact",
            ));
        }
        Ok(())
    }

    /// One unit for each channel.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// The norms of means and of mean squares.
    pub const fn norms(&self) -> (f64, f64) {
        (self.mean_norm, self.square_norm)
    }
}

/// Name of the phase of the norms.
pub const NORMS_PHASE: &str = "norms of channel statistics";

/// Name of the phase of the statistics.
pub const PHASE: &str = "channel statistics";

/// The phase that pays for [`ChannelBounds::fitted`].
pub fn norms_phase(nominal_size: usize, noise: PhaseNoise) -> PhaseConfig {
    PhaseConfig { name: NORMS_PHASE.into(), ..statistics_phase(nominal_size, noise) }
}

/// The phase that pays for the statistics: one release of all records' sum, with noise of `noise_multiplier` times its
/// sensitivity, sqrt(2).
pub fn statistics_phase(nominal_size: usize, noise: PhaseNoise) -> PhaseConfig {
    PhaseConfig {
        name: PHASE.into(),
        sampling: Sampling::full_batch(nominal_size),
        contribution: CONTRIBUTION,
        noise,
        steps: 1,
    }
}

/// Mean and standard deviation of each channel, as they were released.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelStatistics {
    parts: Vec<TablePart>,
    means: Vec<f64>,
    /// Nothing for a channel whose variance is lost in the noise.
    deviations: Vec<Option<f64>>,
}

impl ChannelStatistics {
    /// Releases the statistics of all rows, under a charged release of [`statistics_phase`].
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if bounds and features have other numbers of channels; [`FeatureError::Invalid`] if the release
    /// is of another phase; errors of the noise.
    pub fn release(table: &FeatureTable, bounds: &ChannelBounds, release: Release<'_>) -> Result<Self> {
        check_release(table, bounds, &release)?;
        let channels = table.channels();
        let nominal_size = release.phase().sampling().nominal_size() as f64;
        let mut sums = clipped_sums(table, bounds);
        release.add_noise(&mut sums)?;
        // From here on nothing looks at the records.
        let (means, squares) = sums.split_at(channels);
        let mean = |at: usize| means[at] / nominal_size * bounds.mean_norm;
        let unscaled = (0..channels).map(mean);
        let deviations = unscaled.clone().zip(squares).zip(&bounds.scales).map(|((mean, square), scale)| {
            let variance = square / nominal_size * bounds.square_norm - mean * mean;
            (variance > 0.0).then(|| variance.sqrt() * scale)
        });
        let deviations = deviations.collect();
        let means = unscaled.zip(&bounds.scales).map(|(mean, scale)| mean * scale).collect();
        Ok(Self { parts: table.parts().to_vec(), means, deviations })
    }

    /// Lets features pass that have the parts of those that the statistics are of.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] for others.
    pub fn check_parts(&self, parts: &[TablePart]) -> Result<()> {
        if parts == self.parts {
            return Ok(());
        }
        let words = |parts: &[TablePart]| -> String {
            let parts: Vec<String> =
                parts.iter().map(|part| format!("{} x {}", part.channels, part.positions)).collect();
            parts.join(" and ")
        };
        let given = format!("{}, where the statistics are of {}", words(parts), words(&self.parts));
        Err(FeatureError::invalid("the features' channels x positions", given, "what the statistics are of"))
    }

    /// Subtracts each channel's mean and divides by its standard deviation; a channel whose variance was lost in the noise becomes
    /// zero. Where features of several transforms were [joined](FeatureTable::joined), each part is then divided by its norm, so that
    /// none outweighs the others by its size.
    ///
    /// # Shapes
    ///
    /// - row: `[channels, positions]` of part after part
    ///
    /// # Panics
    ///
    /// If the row is shorter than those that the statistics are of.
    pub fn normalize(&self, mut row: &mut [f32]) {
        let mut statistics = self.means.iter().zip(&self.deviations);
        for part in &self.parts {
            let (own, rest) = row.split_at_mut(part.width());
            for (channel, (mean, deviation)) in own.chunks_exact_mut(part.positions).zip(&mut statistics) {
                let factor = deviation.map_or(0.0, |deviation| 1.0 / deviation);
                channel.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * factor) as f32);
            }
            if self.parts.len() > 1 {
                unit_rows(own);
            }
            row = rest;
        }
    }

    /// Each channel's mean.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Each channel's standard deviation; nothing where it was lost in the noise.
    pub fn deviations(&self) -> &[Option<f64>] {
        &self.deviations
    }

    /// Channels whose variance was lost in the noise.
    pub fn lost(&self) -> usize {
        self.deviations.iter().filter(|deviation| deviation.is_none()).count()
    }
}

/// The release must be for a pair of vectors of norm 1, of every record.
fn check_release(table: &FeatureTable, bounds: &ChannelBounds, release: &Release<'_>) -> Result<()> {
    bounds.check(table)?;
    let phase = release.phase();
    if phase.require_sum_of_all(CONTRIBUTION).is_err() {
        let name = phase.name().to_owned();
        return Err(FeatureError::invalid(
            "the release's phase",
            name,
            "one of statistics_phase(..) or norms_phase(..)",
        ));
    }
    Ok(())
}

/// Means and mean squares of one record, `[2 channels]`, in the scales' units; zeros if a feature is not finite.
fn record_moments(table: &FeatureTable, row: usize, scales: &[f64]) -> Vec<f64> {
    let mut features = vec![0.0; table.width()];
    table.read_row(row, &mut features);
    let channels = || channels_of(table.parts(), &features).zip(scales);
    let mean = |channel: &[f32], of: fn(f64) -> f64| {
        channel.iter().map(|&x| of(f64::from(x))).sum::<f64>() / channel.len() as f64
    };
    let means = channels().map(|(channel, scale)| mean(channel, |x| x) / scale);
    let squares = channels().map(|(channel, scale)| mean(channel, |x| x.powi(2)) / (scale * scale));
    let moments: Vec<f64> = means.chain(squares).collect();
    if moments.iter().all(|x| x.is_finite()) { moments } else { vec![0.0; moments.len()] }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The exact sum of all records' rounded vectors.
fn clipped_sums(table: &FeatureTable, bounds: &ChannelBounds) -> Vec<f64> {
    let channels = table.channels();
    let rows: Vec<usize> = (0..table.rows()).collect();
    let partial = |rows: &[usize]| {
        let mut sums = vec![0_i64; 2 * channels];
        for &row in rows {
            for (sum, entry) in sums.iter_mut().zip(contribution(&record_moments(table, row, &bounds.scales), bounds)) {
                // Below 2^30 each: 2^33 records fit.
                *sum += entry;
            }
        }
        sums
    };
    let add = |mut a: Vec<i64>, b: Vec<i64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let sums = rows.par_chunks(TASK).map(partial).reduce(|| vec![0; 2 * channels], add);
    sums.into_iter().map(|sum| sum as f64 / GRID).collect()
}

/// A record's vector in units of 1 / [`GRID`]: both halves of norm at most 1.
fn contribution(moments: &[f64], bounds: &ChannelBounds) -> Vec<i64> {
    let (means, squares) = moments.split_at(moments.len() / 2);
    let half = |part: &[f64], most: f64| -> Vec<i64> {
        let length = norm(part);
        // Norms that run over make zeros.
        let factor = GRID * MARGIN / length.max(most);
        part.iter().map(|x| (x * factor).trunc() as i64).collect()
    };
    [half(means, bounds.mean_norm), half(squares, bounds.square_norm)].concat()
}

#[cfg(test)]
#[path = "channel_statistics_tests.rs"]
mod tests;
