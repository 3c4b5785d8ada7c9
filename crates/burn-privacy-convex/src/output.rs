//! Output perturbation: the minimizer plus noise.

use burn_privacy_accounting::Adjacency;
use burn_privacy_mechanisms::Entropy;

use crate::error::finite_above_zero;
use crate::linear_algebra::add_scaled;
use crate::noise::DrawnNoise;
use crate::release::{LinearModel, Release, ReleaseStatement};
use crate::solver::{minimize, optimizer_error};
use crate::training_set::Objective;
use crate::{PrivacyBudget, Result, TrainingSet, noise};

/// L2 sensitivity of the computed minimizer of (1/n) sum of losses + (lambda/2) ||w||^2 when one record is replaced:
/// 2 L / (n lambda), plus twice the [distance to the minimum](optimizer_error) that the optimizer keeps.
///
/// With J, J' the neighbors' objectives and w, w' their minimizers (in a ball, if the loss has one), optimality says
/// grad J(w).(w' - w) >= 0 and grad J'(w').(w - w') >= 0, and strong convexity of J
///
/// ```text
/// lambda ||w' - w||^2 <= (grad J(w') - grad J(w)).(w' - w) <= (grad J(w') - grad J'(w')).(w' - w),
/// ```
///
/// where the gradients of J and J' differ in one record's, by at most 2 L / n (Chaudhuri, Monteleoni and Sarwate, JMLR 12,
/// 2011, corollary 8).
///
/// # Errors
///
/// If `lambda` is not a finite number above 0.
pub fn minimizer_sensitivity(set: &TrainingSet, lambda: f64) -> Result<f64> {
    let lambda = finite_above_zero("lambda", lambda)?;
    let exact = 2.0 * set.loss().lipschitz() / (set.rows() as f64 * lambda);
    Ok((exact + 2.0 * optimizer_error(set, lambda)) * (1.0 + 8.0 * f64::EPSILON))
}

/// Releases the minimizer of (1/n) sum of losses + (lambda/2) ||w||^2 plus noise.
///
/// Pure epsilon takes noise of density proportional to e^(-epsilon ||b|| / sensitivity) (Chaudhuri, Monteleoni and
/// Sarwate 2011, algorithm 1 and theorem 6); (epsilon, delta) the analytic Gaussian mechanism (Balle and Wang, arXiv
/// 1805.06530). `lambda` must not depend on the records.
///
/// # Errors
///
/// If `lambda` is not a finite number above 0, the minimum could not be certified, or no randomness is available.
pub fn output_perturbation(
    set: &TrainingSet,
    lambda: f64,
    privacy: &PrivacyBudget,
    entropy: Entropy,
) -> Result<Release> {
    let sensitivity = minimizer_sensitivity(set, lambda)?;
    let (key, stated) = noise::key(entropy)?;
    let DrawnNoise { noise, event, vector } = noise::draw(sensitivity, privacy, &key, 0, set.dimension())?;
    let mut weights = minimize(&Objective::new(set, lambda, None))?.weights;
    add_scaled(&mut weights, 1.0, &vector);
    Ok(Release {
        model: LinearModel::new(set.features().map().clone(), weights),
        statement: ReleaseStatement {
            mechanism: "output perturbation".to_owned(),
            theorem: if privacy.delta().is_none() {
                "Chaudhuri, Monteleoni and Sarwate, JMLR 12 (2011), theorem 6 and corollary 8"
            } else {
                "Chaudhuri, Monteleoni and Sarwate, JMLR 12 (2011), corollary 8; Balle and Wang, arXiv 1805.06530, theorem 8"
            },
            adjacency: Adjacency::ReplaceOne,
            epsilon: privacy.epsilon(),
            delta: privacy.delta().unwrap_or(0.0),
            sensitivity,
            noise,
            optimizer_error: optimizer_error(set, lambda),
            output_noise: None,
            lambda,
            records: set.rows(),
            loss: set.loss().name(),
            entropy: stated,
        },
        event,
    })
}
