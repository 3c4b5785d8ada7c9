//! Additive noise: Laplace and Gaussian, on real and on integer grids.

use burn_privacy_accounting::{gaussian_epsilon, gaussian_sigma};

use super::grid::{FINEST, Grid, IntegerGrid, RealGrid};
use super::randomness::CellRandomness;
use super::{EPSILON_SLACK, LocalError, check_delta, check_epsilon};

/// Steps of a grid that noise may reach: up to there `f64` places every step within `2^-23` of its width.
const REACH: f64 = (1_u64 << 25) as f64;

/// Scales beyond the bounds where Laplace noise is cut off: e^-24 of it lies further out.
const TAIL: f64 = 24.0;

/// Two-sided geometric noise, the discrete Laplace distribution: `P[g]` proportional to `e^(-|g| · per_step)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TwoSidedGeometric {
    per_step: f64,
    /// A 63-bit number below it: no noise. Probability `tanh(per_step / 2)`.
    zero: u64,
    /// Steps beyond the bounds at which outputs are cut off; post-processing, so that tails that `f64` can't draw don't
    /// tell values apart.
    margin: i64,
}

impl TwoSidedGeometric {
    /// The finest grid that keeps within [`REACH`].
    fn most_places(epsilon: f64) -> i64 {
        ((REACH / (1.0 + TAIL / (epsilon - EPSILON_SLACK))) as i64).clamp(1, FINEST)
    }

    fn new(epsilon: f64, last: i64) -> Self {
        let per_step = (epsilon - EPSILON_SLACK) / last as f64;
        // Of no noise and some, the rarer probability is rounded; that of some upwards.
        let (scale, r) = ((1_u64 << 63) as f64, (-per_step).exp());
        let no_noise = (0.5 * per_step).tanh();
        let zero = if no_noise <= 0.5 {
            (no_noise * scale) as u64
        } else {
            (1 << 63) - (2.0 * r / (1.0 + r) * (1.0 + 1e-14) * scale).ceil() as u64
        };
        Self { per_step, zero, margin: (TAIL / per_step).ceil() as i64 }
    }

    fn perturb(&self, place: i64, last: i64, randomness: &CellRandomness) -> i64 {
        let [coin, _] = randomness.words;
        let size = 1 + (randomness.exponential() / self.per_step) as i64;
        let noise = match (coin >> 1 < self.zero, coin & 1) {
            (true, _) => 0,
            (false, 0) => size,
            (false, _) => -size,
        };
        (place + noise).clamp(-self.margin, last + self.margin)
    }
}

/// Noise in steps of a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Noise {
    Laplace(TwoSidedGeometric),
    /// Gaussian noise of this standard deviation, rounded to whole steps.
    Gaussian(f64),
}

impl Noise {
    fn perturb(&self, place: i64, last: i64, randomness: &CellRandomness) -> i64 {
        match self {
            Self::Laplace(noise) => noise.perturb(place, last, randomness),
            Self::Gaussian(deviation) => place + (deviation * randomness.normals[0]).round() as i64,
        }
    }
}

/// Standard deviation of Gaussian noise over the width of the bounds, what it claims, and the finest grid for it.
struct GaussianPlan {
    ratio: f64,
    epsilon: f64,
    delta: f64,
    most_places: i64,
}

impl GaussianPlan {
    /// Smallest and largest ratio.
    const RATIOS: (f64, f64) = (1e-5, 1e5);

    /// What the distribution of the rounded noise may differ by, as a factor of delta; covers the tail beyond 13.37
    /// standard deviations too.
    const DELTA_SLACK: f64 = 1.0 - EPSILON_SLACK;

    fn calibrated(epsilon: f64, delta: f64) -> Result<Self, LocalError> {
        let (epsilon, delta) = (check_epsilon(epsilon)?, check_delta(delta)?);
        let ratio = gaussian_sigma(epsilon - EPSILON_SLACK, delta * Self::DELTA_SLACK, 1.0)?;
        Ok(Self { ratio, epsilon, delta, most_places: Self::most_places(ratio) })
    }

    fn given(standard_deviation: f64, width: f64, delta: f64) -> Result<Self, LocalError> {
        let delta = check_delta(delta)?;
        let ratio = standard_deviation / width;
        let (smallest, largest) = Self::RATIOS;
        if !(smallest..=largest).contains(&ratio) {
            let (smallest, largest) = (smallest * width, largest * width);
            return Err(LocalError::StandardDeviation { given: standard_deviation, smallest, largest });
        }
        // Rounded down, the ratio makes epsilon larger.
        let epsilon = gaussian_epsilon(ratio * (1.0 - 1e-15), delta * Self::DELTA_SLACK)? + EPSILON_SLACK;
        Ok(Self { ratio, epsilon, delta, most_places: Self::most_places(ratio) })
    }

    fn most_places(ratio: f64) -> i64 {
        ((REACH / (crate::MAX_DEVIATION * ratio)) as i64).clamp(1, FINEST)
    }
}

/// Additive noise on bounded numbers, in steps of a public grid over the bounds: [`RealNoise`] and [`IntegerNoise`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundedNoise<G> {
    grid: G,
    noise: Noise,
    epsilon: f64,
    delta: f64,
}

/// Additive noise on bounded reals.
///
/// A value is clamped to the bounds and rounded to one of at most `2^20 + 1` places of a public grid; the output is
/// unbiased for that place and may lie beyond the bounds. NaN counts as the lower bound.
pub type RealNoise = BoundedNoise<RealGrid>;

/// Additive noise on bounded integers.
///
/// A value is clamped to the bounds and, where these are further apart than `2^20` (less for an epsilon below 1),
/// rounded to a multiple of [`step`](BoundedNoise::step) above the lower one; the output is an integer, unbiased, and may lie
/// beyond the bounds.
pub type IntegerNoise = BoundedNoise<IntegerGrid>;

impl<G: Grid> BoundedNoise<G> {
    /// The Laplace mechanism of scale `(hi - lo) / epsilon`, on the grid: discrete Laplace (two-sided geometric) noise.
    ///
    /// # Formal guarantees
    ///
    /// `epsilon`-locally differentially private: two places are at most `N` steps apart and the probability of an
    /// output changes by a factor of at most `e^(epsilon / N)` a step; cutting outputs off 24 scales beyond the bounds
    /// is post-processing. The scale is enlarged by a factor `1 + 1e-6 / epsilon` for the rounding of `f64` (module
    /// documentation).
    ///
    /// # Errors
    ///
    /// [`LocalError::RealBounds`] or [`LocalError::IntegerBounds`]; [`LocalError::Epsilon`].
    ///
    /// # Source
    ///
    /// Dwork, McSherry, Nissim and Smith, "Calibrating noise to sensitivity in private data analysis", TCC 2006; Ghosh,
    /// Roughgarden and Sundararajan, "Universally utility-maximizing privacy mechanisms", STOC 2009, for the discrete
    /// distribution.
    pub fn laplace(lo: G::Number, hi: G::Number, epsilon: f64) -> Result<Self, LocalError> {
        let epsilon = check_epsilon(epsilon)?;
        let grid = G::new(lo, hi, TwoSidedGeometric::most_places(epsilon))?;
        let noise = Noise::Laplace(TwoSidedGeometric::new(epsilon, grid.last()));
        Ok(Self { grid, noise, epsilon, delta: 0.0 })
    }

    /// The Gaussian mechanism with the smallest standard deviation for `(epsilon, delta)` at sensitivity `hi - lo`.
    ///
    /// # Formal guarantees
    ///
    /// `(epsilon, delta)`-locally differentially private by the exact condition of the source; rounding to the grid is
    /// post-processing, and the rounding of `f64` is held back from both.
    ///
    /// # Errors
    ///
    /// As [`laplace`](Self::laplace); [`LocalError::Delta`]; [`LocalError::Accounting`].
    ///
    /// # Source
    ///
    /// Balle and Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018.
    pub fn gaussian(lo: G::Number, hi: G::Number, epsilon: f64, delta: f64) -> Result<Self, LocalError> {
        Self::with_gaussian(lo, hi, GaussianPlan::calibrated(epsilon, delta)?)
    }

    /// Gaussian noise of a given standard deviation, as in plain obfuscation (`income += N(0, sigma^2)`), and what it
    /// is worth at `delta`: [`Self::epsilon`] is that of the Gaussian mechanism under these bounds. Without the
    /// clamping to the bounds it would be worth nothing.
    ///
    /// # Errors
    ///
    /// Those of the bounds, as [`laplace`](Self::laplace); [`LocalError::Delta`]; [`LocalError::StandardDeviation`] unless it is
    /// between 1e-5 and 1e5 times the width of the bounds.
    pub fn obfuscation(lo: G::Number, hi: G::Number, standard_deviation: f64, delta: f64) -> Result<Self, LocalError> {
        let width = G::width(lo, hi)?;
        Self::with_gaussian(lo, hi, GaussianPlan::given(standard_deviation, width, delta)?)
    }

    fn with_gaussian(lo: G::Number, hi: G::Number, plan: GaussianPlan) -> Result<Self, LocalError> {
        let grid = G::new(lo, hi, plan.most_places)?;
        // The last place of integers may lie beyond `hi`: the sensitivity is that of the grid.
        let noise = Noise::Gaussian(plan.ratio * grid.last() as f64);
        Ok(Self { grid, noise, epsilon: plan.epsilon, delta: plan.delta })
    }

    /// The epsilon claimed.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The delta claimed; 0 for Laplace noise.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The bounds.
    pub fn bounds(&self) -> (G::Number, G::Number) {
        self.grid.bounds()
    }

    /// Standard deviation of the noise.
    pub fn standard_deviation(&self) -> f64 {
        self.grid.times_step(deviation(&self.noise))
    }

    /// A number to release instead of `value`.
    pub fn perturb(&self, value: G::Number, randomness: &CellRandomness) -> G::Output {
        self.grid.value(self.noise.perturb(self.grid.place(value), self.grid.last(), randomness))
    }
}

impl RealNoise {
    /// Decimals that tell the grid's places apart, if they are few.
    pub fn decimals(&self) -> Option<usize> {
        self.grid.decimals()
    }
}

impl IntegerNoise {
    /// The distance of the integers that values are rounded to.
    pub fn step(&self) -> i64 {
        self.grid.step()
    }
}

/// Standard deviation in steps.
fn deviation(noise: &Noise) -> f64 {
    match noise {
        // Variance 2 r / (1 - r)^2 with r = e^-per_step.
        Noise::Laplace(noise) => 0.5_f64.sqrt() / (0.5 * noise.per_step).sinh(),
        Noise::Gaussian(deviation) => (deviation * deviation + 1.0 / 12.0).sqrt(),
    }
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
