//! Second moments of the features, released with noise: for least squares in closed form, and to precondition gradients.
//!
//! The sum over records of `z z^T`, and of `z y^T` for least squares, with `z` a row with the constant feature and `y` 1 for the
//! record's class and 0 for all others. A row has norm at most 1 without the constant, so `|z|^2 <= 2`; the upper triangle of
//! `z z^T` has norm at most `|z|^2`, and `z y^T` norm `|z|`. Both sums are of integers below 2^53 (at most 2^23 records), exact in
//! any order as in [`exact`](crate::exact).
//!
//! Sources: Mehta et al., "Towards large scale transfer learning for differentially private image classification" and "Differentially
//! private image classification from features" (TMLR 2023): DP-LS, DP-FC; Sheffet, "Old techniques in differentially private linear
//! regression" (ALT 2019).

use std::f64::consts::SQRT_2;

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{PhaseConfig, PhaseNoise, Sampling};
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use crate::exact::FEATURE_ONE;
use crate::{LinearError, LinearHead, Records, Result};

/// Name of the phase of `z z^T`.
pub const MOMENTS_PHASE: &str = "second moments of the features";

/// Name of the phase of `z y^T`.
pub const TARGETS_PHASE: &str = "features by class";

/// The most features with the constant: 512 MB for the matrix and as much for its factor.
pub const MOST_FEATURES: usize = 8_192;

/// Records whose products are taken at once.
const BLOCK: usize = 256;

/// The most records of an exact sum.
const MOST_RECORDS: usize = 1 << 22;

/// The largest norm of a record's `z z^T`, and of its `z y^T`: `z` is of norm at most sqrt(2).
const MOMENTS_CONTRIBUTION: f64 = 2.0;
const TARGETS_CONTRIBUTION: f64 = SQRT_2;

/// The phase that pays for the matrix: one release of all records' sum.
pub fn moments_phase(nominal_size: usize, noise: PhaseNoise) -> PhaseConfig {
    let sampling = Sampling::full_batch(nominal_size);
    PhaseConfig { name: MOMENTS_PHASE.into(), sampling, contribution: MOMENTS_CONTRIBUTION, noise, steps: 1 }
}

/// The phase that pays for the right-hand side of least squares.
pub fn targets_phase(nominal_size: usize, noise: PhaseNoise) -> PhaseConfig {
    let sampling = Sampling::full_batch(nominal_size);
    PhaseConfig { name: TARGETS_PHASE.into(), sampling, contribution: TARGETS_CONTRIBUTION, noise, steps: 1 }
}

/// The exact sum of `z z^T` of all records, which may serve several releases. As private as the records.
pub struct SecondMoments {
    sum: Mat<f64>,
    records: usize,
}

impl SecondMoments {
    /// Of these records.
    ///
    /// # Errors
    ///
    /// [`LinearError::Invalid`] for more than [`MOST_FEATURES`]; [`LinearError::TooManyRecords`].
    pub fn of(records: &Records) -> Result<Self> {
        if records.dimension() >= MOST_FEATURES {
            return Err(LinearError::invalid(
                "the number of features",
                records.dimension(),
                "at most 8191 for second moments",
            ));
        }
        Ok(Self { sum: moments(records)?, records: records.len() })
    }
}

/// `(M + ridge I)^-1` for the mean M of `z z^T` as it was released.
pub struct Preconditioner {
    factor: Llt<f64>,
    width: usize,
    /// So that the largest eigenvalue of the inverse is about 1.
    scale: f64,
}

impl Preconditioner {
    /// Releases the second moments of all records, under the phase [`MOMENTS_PHASE`], and factorizes them.
    ///
    /// The noise of a symmetric matrix of n rows has eigenvalues up to about `2 sqrt(n)` standard deviations (Wigner), so that a `ridge`,
    /// in units of the mean, below `2 sqrt(n) std / N` is too small.
    ///
    /// # Errors
    ///
    /// [`LinearError::Invalid`] for a ridge that is not above 0, or more than [`MOST_FEATURES`]; [`LinearError::NotPositive`];
    /// errors of the ledger.
    pub fn release(records: &Records, run: &mut PhasedRun, ridge: f64) -> Result<Self> {
        Self::check_ridge(ridge)?;
        run.plan().check_population(records.len())?;
        Self::release_of(&SecondMoments::of(records)?, run, ridge)
    }

    fn check_ridge(ridge: f64) -> Result<()> {
        if ridge.is_finite() && ridge > 0.0 {
            return Ok(());
        }
        Err(LinearError::invalid("the ridge", ridge, "a finite number above 0"))
    }

    /// Lets records pass that have as many features as those whose moments were released: to ask before a charge.
    pub(crate) fn check_width(&self, records: &Records) -> Result<()> {
        if records.dimension() + 1 == self.width {
            return Ok(());
        }
        let (given, expected) = (records.dimension(), self.width - 1);
        Err(LinearError::Length { what: "features a row", given, expected })
    }

    /// As [`release`](Self::release), of a sum that was computed before.
    ///
    /// # Errors
    ///
    /// As [`release`](Self::release).
    pub fn release_of(moments: &SecondMoments, run: &mut PhasedRun, ridge: f64) -> Result<Self> {
        Self::check_ridge(ridge)?;
        let width = moments.sum.nrows();
        run.plan().check_population(moments.records)?;
        run.require_sum_of_all(MOMENTS_PHASE, MOMENTS_CONTRIBUTION)?;
        let release = run.charge(MOMENTS_PHASE)?;
        let nominal_size = release.phase().sampling().nominal_size() as f64;
        // The lower triangle alone is released; each entry gets noise of its own.
        let mut triangle: Vec<f64> =
            (0..width).flat_map(|row| moments.sum.row(row).iter().take(row + 1).copied().collect::<Vec<_>>()).collect();
        release.add_noise(&mut triangle)?;
        let at = |row: usize, column: usize| triangle[row.max(column) * (row.max(column) + 1) / 2 + row.min(column)];
        let matrix = Mat::from_fn(width, width, |row, column| {
            at(row, column) / nominal_size + if row == column { ridge } else { 0.0 }
        });
        let factor = matrix.llt(Side::Lower).map_err(|_| LinearError::NotPositive { ridge })?;
        Ok(Self { factor, width, scale: ridge })
    }

    /// Multiplies each class's gradient by the inverse, times the ridge: directions without data are left as they are, others
    /// shortened.
    ///
    /// # Errors
    ///
    /// [`LinearError::Length`] for a gradient of another width.
    pub fn apply(&self, gradient: &mut [f64]) -> Result<()> {
        if !gradient.len().is_multiple_of(self.width) {
            let (given, expected) = (gradient.len(), gradient.len().next_multiple_of(self.width));
            return Err(LinearError::Length { what: "entries of the gradient", given, expected });
        }
        let classes = gradient.len() / self.width;
        // Row after row of the gradient is column after column of its transpose.
        let mut columns = MatMut::from_column_major_slice_mut(gradient, self.width, classes);
        self.factor.solve_in_place(&mut columns);
        gradient.iter_mut().for_each(|entry| *entry *= self.scale);
        Ok(())
    }
}

/// Least squares in closed form: `(M + ridge I)^-1` times the mean of `z y^T`, both released.
///
/// # Errors
///
/// As [`Preconditioner::release`].
pub fn least_squares(records: &Records, run: &mut PhasedRun, ridge: f64) -> Result<LinearHead> {
    run.require_sum_of_all(TARGETS_PHASE, TARGETS_CONTRIBUTION)?;
    least_squares_with(Preconditioner::release(records, run, ridge)?, records, run)
}

/// As [`least_squares`], with the inverse that was released before.
///
/// # Errors
///
/// [`LinearError::Length`] for records with another number of features than those whose moments were released; errors of the ledger.
pub fn least_squares_with(inverse: Preconditioner, records: &Records, run: &mut PhasedRun) -> Result<LinearHead> {
    inverse.check_width(records)?;
    run.plan().check_population(records.len())?;
    let ridge = inverse.scale;
    run.require_sum_of_all(TARGETS_PHASE, TARGETS_CONTRIBUTION)?;
    let release = run.charge(TARGETS_PHASE)?;
    let nominal_size = release.phase().sampling().nominal_size() as f64;
    let mut weights = sums_by_class(records);
    release.add_noise(&mut weights)?;
    weights.iter_mut().for_each(|entry| *entry /= nominal_size * ridge);
    inverse.apply(&mut weights)?;
    LinearHead::new(records.classes(), records.dimension(), weights)
}

/// The exact lower triangle of the sum of `z z^T`.
fn moments(records: &Records) -> Result<Mat<f64>> {
    if records.len() > MOST_RECORDS {
        return Err(LinearError::TooManyRecords { limit: MOST_RECORDS });
    }
    let width = records.dimension() + 1;
    let mut sum = Mat::<f64>::zeros(width, width);
    let mut rows = vec![0.0; BLOCK * width];
    let all: Vec<usize> = (0..records.len()).collect();
    for block in all.chunks(BLOCK) {
        for (out, &record) in rows.chunks_exact_mut(width).zip(block) {
            for (out, &x) in out.iter_mut().zip(records.row(record)) {
                *out = f64::from(x);
            }
            out[width - 1] = FEATURE_ONE;
        }
        let rows = MatRef::from_row_major_slice(&rows[..block.len() * width], block.len(), width);
        triangular_matmul(
            sum.as_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            rows.transpose(),
            BlockStructure::Rectangular,
            rows,
            BlockStructure::Rectangular,
            1.0,
            Par::rayon(0),
        );
    }
    Ok(sum * faer::Scale(1.0 / (FEATURE_ONE * FEATURE_ONE)))
}

/// The exact sum of `z y^T`, `[classes, dimension + 1]`.
fn sums_by_class(records: &Records) -> Vec<f64> {
    let width = records.dimension() + 1;
    let mut sums = vec![0.0; records.classes() * width];
    for record in 0..records.len() {
        let label = records.label(record);
        let sums = &mut sums[label * width..(label + 1) * width];
        for (sum, &x) in sums.iter_mut().zip(records.row(record)) {
            *sum += f64::from(x);
        }
        sums[width - 1] += FEATURE_ONE;
    }
    sums.iter_mut().for_each(|sum| *sum /= FEATURE_ONE);
    sums
}
