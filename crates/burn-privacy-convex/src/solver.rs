//! The regularized minimizer, with a certificate of how far it can be from the true one.

use crate::error::finite_above_zero;
use crate::linear_algebra::{add_scaled, dot, norm};
use crate::training_set::Objective;
use crate::{ConvexError, Loss, Result, TrainingSet};

/// Newton steps before giving up; ten are usual.
const MAX_STEPS: usize = 2_000;

/// Newton steps for a wider corner, which only gives a start.
const STAGE_STEPS: usize = 50;

/// Weights and a certified bound of their distance to the minimum.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The weights, one for each feature. **Not private**.
    pub weights: Vec<f64>,
    /// The true minimizer is at most this far away, in Euclidean norm. **Not private**.
    pub distance: f64,
}

/// Minimizes (1/n) sum of losses + (lambda/2) ||w||^2 **without any privacy**: for comparison, and for tests.
///
/// # Errors
///
/// If `lambda` is not a finite number above 0, or the minimum could not be certified.
pub fn solve_without_privacy(set: &TrainingSet, lambda: f64) -> Result<Minimum> {
    let lambda = finite_above_zero("lambda", lambda)?;
    minimize(&Objective::new(set, lambda, None))
}

/// The public distance to the minimum that every solution of this crate keeps: a function of the number of records,
/// the loss and lambda alone, about 5e-7 of the minimum's sensitivity.
///
/// The optimizer works until it certifies it, and otherwise fails, so that it can be added to a sensitivity.
pub fn optimizer_error(set: &TrainingSet, lambda: f64) -> f64 {
    gradient_tolerance(set) / lambda
}

/// The norm of the gradient to reach: 1e-6 of what one record can change, and what roundings leave to many records.
fn gradient_tolerance(set: &TrainingSet) -> f64 {
    set.loss().lipschitz() * (1e-6 / set.rows() as f64).max(1e-11)
}

/// The minimizer of an objective, certified to [`optimizer_error`].
///
/// Certificate: J is lambda-strongly convex, so (w - w*).(grad J(w) - grad J(w*)) >= lambda ||w - w*||^2. Without a
/// ball grad J(w*) = 0, and ||w - w*|| <= ||grad J(w)|| / lambda follows. In a ball of radius R, w* satisfies
/// grad J(w*).(w - w*) >= 0 for all w of the ball; with grad J(w) = r - mu w this gives
///
/// ```text
/// lambda e^2 <= (r - mu w).(w - w*) <= ||r|| e + mu ||w|| (R - ||w||)   for e = ||w - w*||,
/// ```
///
/// as w.(w - w*) >= ||w||^2 - ||w|| R. So e <= (||r|| + sqrt(||r||^2 + 4 lambda mu ||w|| (R - ||w||))) / (2 lambda).
pub(crate) fn minimize(objective: &Objective<'_>) -> Result<Minimum> {
    let needed = optimizer_error(objective.set, objective.lambda);
    let found = match objective.loss.radius() {
        None => newton(objective, needed),
        Some(radius) => in_ball(objective, radius),
    };
    found.filter(|minimum| minimum.distance <= needed).ok_or(ConvexError::NotConverged { needed })
}

/// Newton's method. For a loss with a narrow corner it starts from the minima of ever narrower ones, as the second
/// derivative is a poor guide where it is zero almost everywhere.
fn newton(objective: &Objective<'_>, needed: f64) -> Option<Minimum> {
    let mut start = vec![0.0; objective.set.dimension()];
    if let Loss::HuberSvm { h } = objective.loss {
        let mut wide = 0.5;
        while wide > h {
            let stage = Objective { loss: Loss::HuberSvm { h: wide }, ..*objective };
            start = descend(&stage, start, needed, STAGE_STEPS)?.weights;
            wide *= 0.5;
        }
    }
    descend(objective, start, needed, MAX_STEPS)
}

/// Newton steps, halved until they lower J. Its curvature lies between lambda and lambda + beta, so that this converges
/// from everywhere, also where the second derivative jumps.
fn descend(objective: &Objective<'_>, start: Vec<f64>, needed: f64, steps: usize) -> Option<Minimum> {
    let lambda = objective.lambda;
    let certify = |w: &[f64], gradient: &[f64]| (norm(gradient) + objective.gradient_rounding(w)) / lambda;
    let mut w = start;
    let (mut value, mut gradient) = objective.value_and_gradient(&w);
    for _ in 0..steps {
        if certify(&w, &gradient) <= needed {
            break;
        }
        let step = objective.curvature(&w).solve(lambda, &gradient)?;
        let slope = dot(&gradient, &step);
        let mut length = 1.0;
        let next = loop {
            let mut next = w.clone();
            add_scaled(&mut next, -length, &step);
            let (next_value, next_gradient) = objective.value_and_gradient(&next);
            let lower = next_value <= value - 1e-4 * length * slope;
            // Near the minimum the values are equal up to rounding, and the gradients decide.
            let level = next_value <= value + 1e-12 * value.abs();
            if lower || (level && norm(&next_gradient) <= (1.0 - 0.25 * length) * norm(&gradient)) {
                break Some((next, next_value, next_gradient));
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        let Some(next) = next else { break };
        (w, value, gradient) = next;
    }
    Some(Minimum { distance: certify(&w, &gradient), weights: w })
}

/// The squared loss in a ball: one linear system, or a bisection for the multiplier that brings w into the ball.
fn in_ball(objective: &Objective<'_>, radius: f64) -> Option<Minimum> {
    let lambda = objective.lambda;
    let zero = vec![0.0; objective.set.dimension()];
    let curvature = objective.curvature(&zero);
    let (_, mut right) = objective.value_and_gradient(&zero);
    for x in &mut right {
        *x = -*x;
    }
    let solve = |mu: f64| curvature.solve(lambda + mu, &right);

    let (mut mu, mut w) = (0.0, solve(0.0)?);
    if norm(&w) > radius {
        // ||w(mu)|| <= ||right|| / (lambda + mu), so this is enough; it is the end that stays in the ball.
        let (mut low, mut high) = (0.0, norm(&right) / radius);
        w = solve(high)?;
        while high - low > 4.0 * f64::EPSILON * high {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            let candidate = solve(middle)?;
            if norm(&candidate) > radius {
                low = middle;
            } else {
                high = middle;
                w = candidate;
            }
        }
        mu = high;
    }
    let (_, mut rest) = objective.value_and_gradient(&w);
    add_scaled(&mut rest, mu, &w);
    let length = norm(&w);
    let rounding = objective.gradient_rounding(&w) + 8.0 * f64::EPSILON * mu * length;
    let r = norm(&rest) + rounding;
    let gap = mu * length * (radius * (1.0 + 4.0 * f64::EPSILON) - length).max(0.0);
    Some(Minimum { distance: (r + (r * r + 4.0 * lambda * gap).sqrt()) / (2.0 * lambda), weights: w })
}
