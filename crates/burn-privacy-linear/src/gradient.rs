//! The sum of clipped gradients of the drawn records, exactly.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::exact::{FEATURE_ONE, FEATURE_UNIT, LONGEST_WEIGHTS, MARGIN, MOST_RECORDS, WEIGHT_UNIT, residual_unit};
use crate::{HeadLoss, LinearError, LinearHead, Records, Result};

/// Records whose products are taken at once.
const BLOCK: usize = 64;

/// Features whose products are taken at once: with a block of records they stay in a core's cache.
const TILE: usize = 1024;

/// Records that one task adds up.
const TASK: usize = 8 * BLOCK;

/// The sum over the drawn records of the loss's gradients, each scaled to a norm of at most `clip`: `[classes, dimension + 1]`, the
/// constant feature last. What it may differ by between neighbors is proved in [`exact`](crate::exact).
///
/// # Errors
///
/// [`LinearError::Invalid`] for a clipping norm outside 1e-12 to 1e12; [`LinearError::Length`] if head and records have other
/// shapes; [`LinearError::Diverged`] and [`LinearError::TooManyRecords`] where sums would not be exact.
///
/// # Panics
///
/// If a drawn record does not exist.
pub fn clipped_sum(
    records: &Records,
    drawn: &[usize],
    head: &LinearHead,
    loss: HeadLoss,
    clip: f64,
) -> Result<Vec<f64>> {
    check_clip(clip)?;
    head.check_shape(records)?;
    if drawn.len() > MOST_RECORDS {
        return Err(LinearError::TooManyRecords { limit: MOST_RECORDS });
    }
    let weights = whole_weights(head)?;
    let unit = residual_unit(clip);
    let partial = |task: &[usize]| {
        let mut sum = vec![0.0; weights.len()];
        let mut work = Work::new(records.classes());
        for block in task.chunks(BLOCK) {
            work.score(records, block, &weights);
            work.residuals(records, block, loss, clip, unit);
            work.add(records, block, &mut sum);
        }
        sum
    };
    let add = |mut a: Vec<f64>, b: Vec<f64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    // As few sums as there are tasks at work.
    let task = drawn.len().div_ceil(4 * rayon::current_num_threads()).next_multiple_of(BLOCK).max(TASK);
    let sum = drawn.par_chunks(task).map(partial).reduce_with(add);
    let mut sum = sum.unwrap_or_else(|| vec![0.0; weights.len()]);
    // Powers of two: still exact.
    sum.iter_mut().for_each(|entry| *entry *= unit * FEATURE_UNIT);
    Ok(sum)
}

/// Lets a clipping norm pass for which sums are exact: to ask before a charge.
pub(crate) fn check_clip(clip: f64) -> Result<()> {
    if (1e-12..=1e12).contains(&clip) {
        return Ok(());
    }
    Err(LinearError::invalid("the clipping norm", clip, "a number from 1e-12 to 1e12"))
}

/// Scores of some records, `[records, classes]`, for evaluation. Exact as those of training are.
///
/// # Errors
///
/// [`LinearError::Length`] if head and records have other shapes; [`LinearError::Diverged`].
pub(crate) fn scores(records: &Records, head: &LinearHead) -> Result<Vec<f64>> {
    head.check_shape(records)?;
    let weights = whole_weights(head)?;
    let all: Vec<usize> = (0..records.len()).collect();
    let task = |task: &[usize]| {
        let mut work = Work::new(records.classes());
        let blocks = task.chunks(BLOCK).map(|block| {
            work.score(records, block, &weights);
            work.scores[..block.len() * records.classes()].to_vec()
        });
        blocks.collect::<Vec<_>>().concat()
    };
    Ok(all.par_chunks(TASK).flat_map_iter(task).collect())
}

/// Lets weights pass of which sums stay exact.
///
/// # Errors
///
/// [`LinearError::Diverged`] for longer ones.
pub(crate) fn check_length(head: &LinearHead) -> Result<()> {
    whole_weights(head).map(drop)
}

/// The weights in units, `[classes, dimension + 1]`.
fn whole_weights(head: &LinearHead) -> Result<Vec<f64>> {
    let width = head.dimension() + 1;
    let whole: Vec<f64> = head.weights().iter().map(|weight| (weight / WEIGHT_UNIT).round()).collect();
    for class in whole.chunks_exact(width) {
        let length = class.iter().map(|x| x * x).sum::<f64>().sqrt() * WEIGHT_UNIT;
        // Half of it, so that the norm's own rounding does not matter.
        if length.is_nan() || length > 0.5 * LONGEST_WEIGHTS {
            return Err(LinearError::Diverged { limit: 0.5 * LONGEST_WEIGHTS });
        }
    }
    Ok(whole)
}

/// What one task works with.
struct Work {
    classes: usize,
    /// `[BLOCK, TILE]`.
    tile: Vec<f64>,
    /// Scores, then residuals: `[BLOCK, classes]`.
    scores: Vec<f64>,
}

impl Work {
    fn new(classes: usize) -> Self {
        Self { classes, tile: vec![0.0; BLOCK * TILE], scores: vec![0.0; BLOCK * classes] }
    }

    /// Brings some features of some records into the tile, `[records, features]`, and says how many features.
    fn load(&mut self, records: &Records, block: &[usize], start: usize) -> usize {
        let features = TILE.min(records.dimension() - start);
        for (out, &record) in self.tile.chunks_exact_mut(features).zip(block) {
            for (out, &x) in out.iter_mut().zip(&records.row(record)[start..start + features]) {
                *out = f64::from(x);
            }
        }
        features
    }

    /// Fills `scores` for the block.
    fn score(&mut self, records: &Records, block: &[usize], weights: &[f64]) {
        let (classes, width) = (self.classes, records.dimension() + 1);
        for row in self.scores.chunks_exact_mut(classes) {
            for (class, score) in row.iter_mut().enumerate() {
                *score = weights[class * width + width - 1] * FEATURE_ONE;
            }
        }
        for start in (0..records.dimension()).step_by(TILE) {
            let features = self.load(records, block, start);
            let rows = MatRef::from_row_major_slice(&self.tile[..block.len() * features], block.len(), features);
            let weights = MatRef::from_row_major_slice(weights, classes, width).submatrix(0, start, classes, features);
            let scores =
                MatMut::from_row_major_slice_mut(&mut self.scores[..block.len() * classes], block.len(), classes);
            matmul(scores, Accum::Add, rows, weights.transpose(), 1.0, Par::Seq);
        }
        self.scores.iter_mut().for_each(|score| *score *= FEATURE_UNIT * WEIGHT_UNIT);
    }

    /// Turns scores into clipped residuals, in units.
    fn residuals(&mut self, records: &Records, block: &[usize], loss: HeadLoss, clip: f64, unit: f64) {
        for (scores, &record) in self.scores.chunks_exact_mut(self.classes).zip(block) {
            loss.residual(scores, records.label(record));
            let length = scores.iter().map(|x| x * x).sum::<f64>().sqrt();
            let allowed = clip * MARGIN / records.norm_with_constant(record);
            let factor = if length > allowed { allowed / length } else { 1.0 };
            for residual in scores.iter_mut() {
                let whole = (*residual * factor / unit).trunc();
                // Scores that run over make NaN; such a record counts as zeros.
                *residual = if length.is_finite() { whole } else { 0.0 };
            }
        }
    }

    /// Adds the block's gradients.
    fn add(&mut self, records: &Records, block: &[usize], sum: &mut [f64]) {
        let (classes, width) = (self.classes, records.dimension() + 1);
        for residuals in self.scores.chunks_exact(classes).take(block.len()) {
            for (class, residual) in residuals.iter().enumerate() {
                sum[class * width + width - 1] += residual * FEATURE_ONE;
            }
        }
        for start in (0..records.dimension()).step_by(TILE) {
            let features = self.load(records, block, start);
            let rows = MatRef::from_row_major_slice(&self.tile[..block.len() * features], block.len(), features);
            let residuals = MatRef::from_row_major_slice(&self.scores[..block.len() * classes], block.len(), classes);
            let sum = MatMut::from_row_major_slice_mut(sum, classes, width).submatrix_mut(0, start, classes, features);
            matmul(sum, Accum::Add, residuals.transpose(), rows, 1.0, Par::Seq);
        }
    }
}
