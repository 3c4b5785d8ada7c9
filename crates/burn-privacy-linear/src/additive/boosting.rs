//! Cyclic boosting under a plan.

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{PhaseConfig, PhaseNoise, Sampling};
use rayon::prelude::*;

use super::{AdditiveModel, BinnedRecords, Column};
use crate::{LinearError, Result};

/// Name of the phase of the bins' counts.
pub const COUNTS_PHASE: &str = "records of each bin";

/// Name of the phase of the sums of residuals.
pub const BOOSTING_PHASE: &str = "boosting";

/// A residual is a whole number of 1 over this.
const GRID: f64 = (1 << 20) as f64;

/// The largest curvature of the logistic loss.
const CURVATURE: f64 = 0.25;

/// The most that one round moves a score by.
const MOST: f64 = 0.5;

/// The largest size of a residual, of which a record has one in each release.
const RESIDUAL: f64 = 1.0;

/// The norm of a record's counts: 1 in one bin of each column.
fn norm_of_counts(columns: usize) -> f64 {
    (columns as f64).sqrt().next_up()
}

/// The phase that pays for the counts: one release of all bins of all columns.
pub fn counts_phase(columns: &[Column], nominal_size: usize, noise: PhaseNoise) -> PhaseConfig {
    let contribution = norm_of_counts(columns.len());
    let sampling = Sampling::full_batch(nominal_size);
    PhaseConfig { name: COUNTS_PHASE.into(), sampling, contribution, noise, steps: 1 }
}

/// The phase that pays for boosting: a release for each column in each round.
pub fn boosting_phase(columns: &[Column], nominal_size: usize, noise: PhaseNoise, rounds: u64) -> PhaseConfig {
    let sampling = Sampling::full_batch(nominal_size);
    let steps = rounds.saturating_mul(columns.len() as u64);
    PhaseConfig { name: BOOSTING_PHASE.into(), sampling, contribution: RESIDUAL, noise, steps }
}

/// How an additive model is boosted. What decides about privacy is in the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdditiveTraining {
    /// Part of a leaf's Newton step that is taken.
    pub rate: f64,
    /// Leaves of a column in a round.
    pub leaves: usize,
    /// Noise standard deviations that are added to each leaf's curvature, so that leaves of few records are not moved by noise alone.
    pub ridge: f64,
    /// The logarithm of the odds to begin with, public.
    pub offset: f64,
}

impl AdditiveTraining {
    /// Boosts for all rounds of the plan's phase [`BOOSTING_PHASE`], after the release of [`COUNTS_PHASE`].
    ///
    /// # Errors
    ///
    /// [`LinearError::Invalid`] for numbers that can't be; errors of the plan and of the ledger.
    pub fn train(&self, records: &BinnedRecords, run: &mut PhasedRun) -> Result<AdditiveModel> {
        let Self { rate, leaves, ridge, offset } = *self;
        for (name, value) in [("the rate", rate), ("the ridge", ridge)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(LinearError::invalid(name, value, "a finite number above 0"));
            }
        }
        if leaves < 2 {
            return Err(LinearError::invalid("the number of leaves", leaves, "at least 2"));
        }
        if !offset.is_finite() {
            return Err(LinearError::invalid("the offset", offset, "a finite number"));
        }
        run.plan().check_population(records.len())?;
        let columns = records.columns();
        run.require_sum_of_all(COUNTS_PHASE, norm_of_counts(columns.len()))?;
        run.require_sum_of_all(BOOSTING_PHASE, RESIDUAL)?;
        let counts = released_counts(records, run)?;
        let steps = run.plan().phase(BOOSTING_PHASE).map_or(0, |phase| phase.steps());
        let mut model = AdditiveModel::new(columns, offset);
        let mut scores = vec![offset; records.len()];
        for step in 0..steps {
            let (round, at) = (step / columns.len() as u64, step as usize % columns.len());
            let assigned = Leaves::of(columns[at], leaves, round, at as u64);
            let release = run.charge(BOOSTING_PHASE)?;
            let deviation = release.phase().noise_standard_deviation();
            let mut sums = residual_sums(records, at, &scores, &assigned);
            release.add_noise(&mut sums)?;
            // From here on nothing looks at the records but to move their own scores.
            let mut curvature = vec![ridge * deviation; sums.len()];
            for (bin, &leaf) in assigned.of_bin.iter().enumerate() {
                curvature[leaf] += CURVATURE * counts[at][bin];
            }
            let moves: Vec<f64> = assigned
                .of_bin
                .iter()
                .map(|&leaf| (rate * sums[leaf] / curvature[leaf].max(f64::MIN_POSITIVE)).clamp(-MOST, MOST))
                .collect();
            model.scores[at].iter_mut().zip(&moves).for_each(|(score, by)| *score += by);
            scores.iter_mut().zip(records.column(at)).for_each(|(score, bin)| *score += moves[bin]);
        }
        Ok(model)
    }
}

/// The noisy number of records of each bin, none below 0.
fn released_counts(records: &BinnedRecords, run: &mut PhasedRun) -> Result<Vec<Vec<f64>>> {
    let release = run.charge(COUNTS_PHASE)?;
    let mut all = Vec::new();
    for (at, column) in records.columns().iter().enumerate() {
        let mut counts = vec![0_u64; column.bins];
        records.column(at).for_each(|bin| counts[bin] += 1);
        all.extend(counts.into_iter().map(|count| count as f64));
    }
    release.add_noise(&mut all)?;
    let mut rest = all.as_slice();
    Ok(records
        .columns()
        .iter()
        .map(|column| {
            let (counts, after) = rest.split_at(column.bins);
            rest = after;
            counts.iter().map(|count| count.max(0.0)).collect()
        })
        .collect())
}

/// The exact sum of the residuals of each leaf.
fn residual_sums(records: &BinnedRecords, at: usize, scores: &[f64], leaves: &Leaves) -> Vec<f64> {
    const TASK: usize = 4_096;
    let partial = |task: usize| {
        let mut sums = vec![0_i64; leaves.count];
        let records_of_task = task * TASK..((task + 1) * TASK).min(scores.len());
        for record in records_of_task {
            let bin = usize::from(records.row(record)[at]);
            sums[leaves.of_bin[bin]] += residual(scores[record], records.positive()[record]);
        }
        sums
    };
    let add = |mut a: Vec<i64>, b: Vec<i64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let tasks = (0..scores.len().div_ceil(TASK)).into_par_iter();
    let sums = tasks.map(partial).reduce(|| vec![0; leaves.count], add);
    sums.into_iter().map(|sum| sum as f64 / GRID).collect()
}

/// The label less the probability, in whole numbers of 1 over [`GRID`]: of size at most [`GRID`] whatever the score, and 0 for NaN.
fn residual(score: f64, positive: bool) -> i64 {
    let probability = 1.0 / (1.0 + (-score).exp());
    let residual = if positive { 1.0 } else { 0.0 } - probability;
    (residual.clamp(-1.0, 1.0) * GRID) as i64
}

/// Which bins are put together in a round: by round and column alone.
struct Leaves {
    of_bin: Vec<usize>,
    count: usize,
}

impl Leaves {
    /// Ordered bins are cut into stretches of equal length whose cuts wander from round to round; categories are dealt at random.
    fn of(column: Column, leaves: usize, round: u64, at: u64) -> Self {
        let bins = column.bins;
        let mixed = |bin: u64| mixed(round.wrapping_mul(0x1_0000_0001) ^ at << 40 ^ bin << 20);
        if bins <= leaves {
            return Self { of_bin: (0..bins).collect(), count: bins };
        }
        let of_bin: Vec<usize> = if column.ordered {
            // The golden ratio spreads the cuts evenly over the rounds, and columns are not in step.
            let shift = (round as f64 * 0.618_033_988_749_895 + at as f64 * 0.414_213_562).fract();
            let place = |bin: usize| (bin as f64 * (leaves - 1) as f64 / bins as f64 + shift) as usize;
            (0..bins).map(|bin| place(bin).min(leaves - 1)).collect()
        } else {
            let mut order: Vec<usize> = (0..bins).collect();
            order.sort_by_key(|&bin| mixed(bin as u64));
            let mut of_bin = vec![0; bins];
            order.iter().enumerate().for_each(|(place, &bin)| of_bin[bin] = place * leaves / bins);
            of_bin
        };
        Self { of_bin, count: leaves }
    }
}

/// SplitMix64: public coins.
fn mixed(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_are_put_together_without_gaps_and_differently_in_each_round() {
        for (ordered, bins) in [(true, 32), (false, 32), (true, 7), (false, 256), (true, 5)] {
            let column = Column { bins, ordered };
            let rounds: Vec<Leaves> = (0..20).map(|round| Leaves::of(column, 5, round, 3)).collect();
            for leaves in &rounds {
                assert!(leaves.of_bin.len() == bins && leaves.of_bin.iter().all(|&leaf| leaf < leaves.count));
                assert!(!ordered || leaves.of_bin.is_sorted(), "{:?}", leaves.of_bin);
            }
            let alike = rounds.iter().skip(1).filter(|leaves| leaves.of_bin == rounds[0].of_bin).count();
            assert!(if bins == 5 { alike == 19 } else { alike < 8 }, "{ordered} {bins}: {alike}");
        }
    }

    proptest! {
        #[test]
        fn a_record_moves_one_leaf_by_at_most_one(
            bins in proptest::collection::vec(0_u8..9, 1..60),
            scores in proptest::collection::vec(prop_oneof![-50.0..50.0_f64, Just(f64::INFINITY), Just(f64::NAN)], 60),
            gone in any::<prop::sample::Index>(),
            round in 0_u64..50,
        ) {
            let gone = gone.index(bins.len());
            let columns = vec![Column { bins: 9, ordered: true }];
            let positive: Vec<bool> = (0..bins.len()).map(|at| at % 3 == 0).collect();
            let leaves = Leaves::of(columns[0], 4, round, 0);
            let scores = &scores[..bins.len()];
            let without = |list: &[f64]| -> Vec<f64> {
                list.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, &x)| x).collect()
            };
            let mut fewer = (bins.clone(), positive.clone());
            fewer.0.remove(gone);
            fewer.1.remove(gone);
            let all = BinnedRecords::new(columns.clone(), bins, positive).unwrap();
            let rest = BinnedRecords::new(columns, fewer.0, fewer.1).unwrap();
            let a = residual_sums(&all, 0, scores, &leaves);
            let b = residual_sums(&rest, 0, &without(scores), &leaves);
            let moved: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).filter(|by| *by > 0.0).collect();
            prop_assert!(moved.len() <= 1 && moved.iter().all(|by| *by <= 1.0), "{moved:?}");
        }
    }
}
