//! Objective perturbation: the exact minimizer of a noisy objective, and noise for what is not exact.
//!
//! # The proof
//!
//! Let n J(w) = sum of l(w.x_i, y_i) + (Lambda/2) ||w||^2 + b.w with Lambda = n lambda, and w the minimizer. For fixed
//! records, b = -(sum of l' x_i + Lambda w) is a one-to-one function of w on the whole space, Lipschitz in both
//! directions, and differentiable almost everywhere (for the Huberized loss, off finitely many hyperplanes). By the
//! area formula the density of w is
//!
//! ```text
//! p(w) = nu(b(w)) det(A(w) + c x x^T),    A = Lambda I + sum of the other records' l'' x_i x_i^T,  0 <= c <= beta,
//! ```
//!
//! with nu the density of b, and x the record in which the neighbors differ. For the neighbor p' has b' and c', x'.
//!
//! **Determinants.** det(A + c x x^T) = det(A) (1 + c x^T A^-1 x) lies between det(A) and det(A) (1 + beta/Lambda), for
//! either neighbor. So their ratio is at most 1 + beta/Lambda, which costs
//!
//! ```text
//! curvature cost = ln(1 + beta / (n lambda)),
//! ```
//!
//! half of what Chaudhuri, Monteleoni and Sarwate (JMLR 12, 2011, theorem 9) take for it, ln(1 + 2c/(n lambda) +
//! c^2/(n lambda)^2); they allow for both records at once. If it is above epsilon / 2, lambda is raised until it is that.
//!
//! **Noise.** b - b' = l'(w.x', y') x' - l'(w.x, y) x has norm at most 2 L.
//!
//! - *Pure*: nu(b) proportional to e^(-e' ||b|| / (2 L)) has a ratio of at most e^(e'), so that e' = epsilon - curvature
//!   cost is enough.
//! - *Pure, with blocks*: b - b' lies in 2 L C, with C the [hull](crate::sensitivity_hull) of the rows and their negatives,
//!   as |l'| <= L. So in the norm whose unit ball is C it is 2 L long at most, and nu(b) proportional to
//!   e^(-e' ||b||_C / (2 L)) has a ratio of at most e^(e') again (Awan and Slavkovic, arXiv 1801.09236, who choose the norm
//!   for the sensitivity in this way). Nothing else changes: the determinants do not depend on the noise.
//! - *Gaussian of standard deviation s*: b - b' depends on b, but lies in the plane of x and x', which does not. With k =
//!   2 L / s and R the length of b's projection onto that plane over s, the log-ratio is at most k R + k^2/2. Under p, R is
//!   a Rayleigh variable. So with e' as above
//!
//!   ```text
//!   delta <= E[(1 - e^(e' - k^2/2 - k R))_+] = k e^(-r^2/2) M(r + k),    r = e'/k - k/2 >= 0,
//!   ```
//!
//!   where M is Mills' ratio (integrate by parts), which is below 4 / (3 x + sqrt(x^2 + 8)) (Sampford, Annals of
//!   Mathematical Statistics 24, 1953). Redberg, Koskela and Wang (arXiv 2401.00583) do the same for an added or removed
//!   record, where the plane is a line. It is sharper than the noise of Kifer, Smith and Thakurta (COLT 2012, algorithm
//!   1), who spend epsilon / 2 on each of the two parts.
//!
//! **Approximate minima.** The computed v is within t of w, a public number. Given w, the records determine b and with it
//! v - w, by a deterministic optimizer, so that v - w plus noise for a sensitivity of 2 t is a second mechanism after w.
//! A thousandth of epsilon and delta is kept for it; v plus that noise is a function of both (Iyengar et al., IEEE S&P
//! 2019, and Redberg, Koskela and Wang).

use burn_privacy_accounting::{Adjacency, DpEvent};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};

use crate::error::{finite_above_zero, invalid};
use crate::linear_algebra::add_scaled;
use crate::release::{LinearModel, Release, ReleaseStatement};
use crate::solver::{minimize, optimizer_error};
use crate::training_set::Objective;
use crate::{ConvexError, Loss, NoiseDistribution, PrivacyBudget, Result, TrainingSet, noise};

/// Share of epsilon and delta that is kept for the optimizer's error.
const SHARE_FOR_ERROR: f64 = 1e-3;

/// Releases the minimizer of (1/n) sum of losses + (lambda/2) ||w||^2 + b.w/n with a noise vector b, plus a little
/// noise for what the optimizer leaves.
///
/// Pure epsilon as Chaudhuri, Monteleoni and Sarwate (JMLR 12, 2011, algorithm 2), (epsilon, delta) as Kifer, Smith and
/// Thakurta (COLT 2012, algorithm 1), each with the sharper constants that are derived in [`objective`](self). At pure epsilon
/// and with [blocks](crate::FeatureMap::with_blocks), the noise has the shape of their hull (Awan and Slavkovic, arXiv
/// 1801.09236). Where `lambda` is too small for epsilon, a larger one is used, and stated. `lambda` must not depend on the
/// records.
///
/// # Errors
///
/// If `lambda` is not a finite number above 0, the loss is the squared one, whose gradient has no bound without a ball, the
/// minimum could not be certified, or no randomness is available.
pub fn objective_perturbation(
    set: &TrainingSet,
    lambda: f64,
    privacy: &PrivacyBudget,
    entropy: Entropy,
) -> Result<Release> {
    let loss = set.loss();
    if matches!(loss, Loss::Ridge { .. }) {
        return Err(ConvexError::UnsupportedLoss {
            mechanism: "objective perturbation",
            loss: loss.name(),
            advice: "the proof needs a bounded gradient on the whole space; use output perturbation or bolt-on SGD",
        });
    }
    let n = set.rows() as f64;
    let (for_error, main) = privacy.split(SHARE_FOR_ERROR);
    let lambda = enough_regularized(finite_above_zero("lambda", lambda)?, loss.smoothness(), n, main.epsilon())?;
    let distance = optimizer_error(set, lambda);
    let (key, stated) = noise::key(entropy)?;
    let for_distance = noise::draw(2.0 * distance, &for_error, &key, 1, set.dimension())?;
    let left = main.epsilon() - curvature_cost(lambda, loss.smoothness(), n);
    let sensitivity = 2.0 * loss.lipschitz();
    let Perturbation { noise: objective_noise, theorem, mut linear } =
        Perturbation::draw(set, sensitivity, left, main.delta(), &key)?;
    for x in &mut linear {
        *x /= n;
    }
    let mut weights = minimize(&Objective::new(set, lambda, Some(&linear)))?.weights;
    add_scaled(&mut weights, 1.0, &for_distance.vector);

    let (epsilon, delta) = (privacy.epsilon(), privacy.delta().unwrap_or(0.0));
    Ok(Release {
        model: LinearModel::new(set.features().map().clone(), weights),
        statement: ReleaseStatement {
            mechanism: "objective perturbation with approximate minima".to_owned(),
            theorem,
            adjacency: Adjacency::ReplaceOne,
            epsilon,
            delta,
            sensitivity,
            noise: objective_noise,
            optimizer_error: distance,
            output_noise: Some(for_distance.noise),
            lambda,
            records: set.rows(),
            loss: loss.name(),
            entropy: stated,
        },
        event: DpEvent::epsilon_delta(epsilon, delta)?,
    })
}

/// The linear term of n J.
struct Perturbation {
    noise: NoiseDistribution,
    theorem: &'static str,
    linear: Vec<f64>,
}

impl Perturbation {
    /// Draws it from the streams of step 0; `epsilon` is what the determinants leave.
    fn draw(set: &TrainingSet, sensitivity: f64, epsilon: f64, delta: Option<f64>, key: &PrivacyKey) -> Result<Self> {
        let scale = sensitivity / epsilon * (1.0 + 1e-12);
        Ok(match (delta, set.features().map().sensitivity_hull()) {
            (None, Some(hull)) => Self {
                noise: NoiseDistribution::KNorm { scale },
                theorem: "Awan and Slavkovic, JASA 116 (2021), arXiv 1801.09236, objective perturbation with K-norm noise, with \
                          a rank-one bound of the determinants",
                linear: hull.noise(key, 0, scale)?,
            },
            (None, None) => Self {
                noise: NoiseDistribution::Gamma { scale },
                theorem: "Chaudhuri, Monteleoni and Sarwate, JMLR 12 (2011), theorem 9, with a rank-one bound of the determinants",
                linear: noise::gamma_vector(key, 0, set.dimension(), scale)?,
            },
            (Some(delta), _) => {
                let std = sensitivity / largest_ratio(epsilon, delta)? * (1.0 + 1e-12);
                Self {
                    noise: NoiseDistribution::Gaussian { std },
                    theorem: "Kifer, Smith and Thakurta (COLT 2012), algorithm 1, in the form of Redberg, Koskela and Wang, \
                              arXiv 2401.00583, for a replaced record",
                    linear: noise::gaussian_vector(key, 0, set.dimension(), std)?,
                }
            }
        })
    }
}

/// ln(1 + beta / (n lambda)), rounded up: the most by which the logarithms of the determinants differ.
fn curvature_cost(lambda: f64, smoothness: f64, n: f64) -> f64 {
    (smoothness / (n * lambda)).ln_1p() * (1.0 + 1e-12)
}

/// The smallest lambda, not below the given one, whose curvature cost is at most epsilon / 2 (up to rounding).
fn enough_regularized(lambda: f64, smoothness: f64, n: f64, epsilon: f64) -> Result<f64> {
    let needed = smoothness / (n * (0.5 * epsilon).exp_m1());
    let lambda = lambda.max(needed);
    if lambda.is_finite() && curvature_cost(lambda, smoothness, n) < 0.75 * epsilon {
        Ok(lambda)
    } else {
        Err(invalid("epsilon", epsilon, "larger: no regularizer within the range of floats is enough"))
    }
}

/// The largest k = 2 L / s that keeps to `epsilon` and `delta` (module documentation), within r >= 0.
fn largest_ratio(epsilon: f64, delta: f64) -> Result<f64> {
    let target = delta.ln() - 1e-9;
    let holds = |ratio: f64| ln_delta(ratio, epsilon) <= target;
    let mut high = (2.0 * epsilon).sqrt() * (1.0 - 1e-12);
    if holds(high) {
        return Ok(high);
    }
    let mut low = high;
    while !holds(low) {
        low *= 0.5;
        if low < 1e-150 {
            return Err(invalid("delta", delta, "larger: no finite noise reaches it at this epsilon"));
        }
    }
    while high - low > 1e-13 * high {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// ln of the bound of delta in the module's documentation; r >= 0 is the caller's part.
fn ln_delta(ratio: f64, epsilon: f64) -> f64 {
    let r = epsilon / ratio - 0.5 * ratio;
    let x = r + ratio;
    let mills = 4.0 / (3.0 * x + (x * x + 8.0).sqrt());
    ratio.ln() - 0.5 * r * r + mills.ln()
}

#[cfg(test)]
mod tests {
    use statrs::function::erf::erfc;

    use super::*;

    /// E[(1 - e^(epsilon - k^2/2 - k R))_+] for a Rayleigh variable, by Simpson's rule over ten standard deviations.
    fn delta_by_integration(k: f64, epsilon: f64) -> f64 {
        let start = (epsilon / k - 0.5 * k).max(0.0);
        let integrand = |r: f64| r * (-0.5 * r * r).exp() * -(epsilon - 0.5 * k * k - k * r).min(0.0).exp_m1();
        let steps = 20_000;
        let width = 10.0 / f64::from(steps);
        let sum: f64 = (0..=steps)
            .map(|i| {
                let weight = if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                weight * integrand(start + width * f64::from(i))
            })
            .sum();
        sum * width / 3.0
    }

    #[test]
    fn the_bound_of_delta_is_above_the_integral_and_near_it() {
        for epsilon in [0.01, 0.1, 1.0, 4.0, 10.0] {
            for share in [0.02, 0.1, 0.3, 0.7, 1.0] {
                let k = share * f64::sqrt(2.0 * epsilon);
                let (bound, truth) = (ln_delta(k, epsilon).exp(), delta_by_integration(k, epsilon));
                assert!(bound >= truth * (1.0 - 1e-8), "{epsilon} {k}: {bound:e} {truth:e}");
                assert!(bound <= 1.14 * truth + 1e-300, "{epsilon} {k}: {bound:e} {truth:e}");
            }
        }
    }

    #[test]
    fn sampfords_bound_is_above_mills_ratio() {
        for i in 0..600 {
            let x = f64::from(i) / 100.0;
            let mills = (std::f64::consts::PI / 2.0).sqrt() * erfc(x / std::f64::consts::SQRT_2) * (0.5 * x * x).exp();
            assert!(4.0 / (3.0 * x + (x * x + 8.0).sqrt()) >= mills * (1.0 - 1e-9), "{x}");
        }
    }

    #[test]
    fn calibrated_noise_keeps_to_delta_and_beats_the_original() {
        for epsilon in [0.1, 1.0, 4.0] {
            for delta in [1e-9, 1e-5, 1e-3] {
                let k = largest_ratio(epsilon, delta).unwrap();
                let reached = delta_by_integration(k, epsilon);
                assert!(reached <= delta && reached > 0.8 * delta, "{epsilon} {delta}: {reached:e}");
                // Kifer, Smith and Thakurta: s = 2 L sqrt(8 ln(2/delta) + 4 epsilon) / epsilon.
                assert!(1.0 / k < (8.0 * f64::ln(2.0 / delta) + 4.0 * epsilon).sqrt() / epsilon);
            }
        }
    }

    #[test]
    fn regularization_is_raised_where_epsilon_needs_it() {
        assert_eq!(enough_regularized(0.1, 0.25, 1_000.0, 1.0).unwrap(), 0.1);
        let raised = enough_regularized(1e-9, 0.25, 1_000.0, 1.0).unwrap();
        assert!((curvature_cost(raised, 0.25, 1_000.0) - 0.5).abs() < 1e-9);
    }
}
