//! Bolt-on SGD: noise on the last iterate of ordinary mini-batch SGD.
//!
//! # The proof
//!
//! Wu et al., "Bolt-on differential privacy for scalable stochastic gradient descent-based analytics" (SIGMOD 2017, arXiv
//! 1606.04722), for steps w <- w - eta (G + lambda w), followed by a projection if the loss has a ball, with G the sum of a
//! batch's gradients over the nominal batch size b. Two runs on neighbors use the same order; let d be the distance of
//! their iterates.
//!
//! - A batch without the replaced record moves both by the same map, whose derivative I - eta (H + lambda I), 0 <= H <= beta,
//!   has norm at most 1 - eta lambda if eta <= 2 / (beta + 2 lambda). So d <- (1 - eta lambda) d.
//! - A batch with it: apply the first run's map to both, then correct by the difference of one record's gradients over b.
//!   So d <- (1 - eta lambda) d + 2 eta L / b, with L the loss's constant alone: the regularizer is the same in both.
//! - Projections do not enlarge d.
//!
//! The record is in one batch of each of the k passes, of m = ceil(n / b) steps each; a short last batch is divided by b,
//! too. *Constant step*: with q = (1 - eta lambda)^m the worst place is the end of each pass, and
//! d <= (2 eta L / b) (1 + q + .. + q^(k-1)), which is 2 k L eta / b for lambda = 0 (their algorithm 1).
//!
//! *Steps min(1/(beta + lambda), 1/(lambda t))*, t = 1, 2, .., T = k m: where the step is 1/(lambda t), a change at t
//! shrinks by the product of (1 - 1/i) for i = t+1 .. T, which is t/T, and (1/(lambda t)) (t/T) = 1/(lambda T). An earlier
//! change has entered with eta = 1/(beta + lambda) <= 1/(lambda t0), t0 = floor((beta + lambda)/lambda), and shrinks by t0/T at
//! least from then on; if T < t0, 1/(lambda t0) is below 1/(lambda T) as it is. So each pass adds at most 2 L / (b lambda T), and d <= 2 L / (b lambda m) <= 2 L / (n lambda) (their
//! algorithm 2): **not** divided by the batch size once more.

use burn_privacy_accounting::Adjacency;
use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_secret_uniform};

use crate::error::{finite_above_zero, invalid};
use crate::linear_algebra::{add_scaled, dot, project};
use crate::noise::DrawnNoise;
use crate::release::{LinearModel, Release, ReleaseStatement};
use crate::{Loss, PrivacyBudget, Result, TrainingSet, noise};

/// Relative excess of the sensitivity over that of real numbers, for the roundings of the steps.
const ROUNDING: f64 = 1.0 + 1e-6;

/// The steps' sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum StepSize {
    /// The same in every step, at most 2 / (beta + 2 lambda); lambda 0 is allowed.
    Constant(f64),
    /// min(1 / (beta + lambda), 1 / (lambda t)) in step t; needs lambda above 0.
    Decreasing,
}

/// How SGD runs. All of it is public.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdPlan {
    /// Passes over the data, k.
    pub passes: u32,
    /// Records in a batch, b.
    pub batch_size: usize,
    /// Strength of the regularizer.
    pub lambda: f64,
    /// The steps' sizes.
    pub step: StepSize,
}

impl SgdPlan {
    /// L2 sensitivity of the last iterate when one of `records` records is replaced (module documentation).
    ///
    /// # Errors
    ///
    /// If there are no records or passes, the batch size is 0 or above the number of records, `lambda` negative or not
    /// finite, or the step outside of what the theorem allows.
    pub fn sensitivity(&self, records: usize, loss: &Loss) -> Result<f64> {
        let loss = loss.checked()?;
        if self.passes == 0 {
            return Err(invalid("passes", 0, "at least 1"));
        }
        if self.batch_size == 0 || self.batch_size > records {
            return Err(invalid("batch_size", self.batch_size, format!("from 1 to the number of records, {records}")));
        }
        if !(self.lambda.is_finite() && self.lambda >= 0.0) {
            return Err(invalid("lambda", self.lambda, "a finite number of at least 0"));
        }
        let (batch, steps_a_pass) = (self.batch_size as f64, records.div_ceil(self.batch_size) as f64);
        let sensitivity = match self.step {
            StepSize::Constant(step) => {
                let limit = 2.0 / (loss.smoothness() + 2.0 * self.lambda);
                finite_above_zero("the step size", step)?;
                if step > limit {
                    return Err(invalid("the step size", step, format!("at most 2 / (beta + 2 lambda) = {limit}")));
                }
                let shrink = (-step * self.lambda).ln_1p() * steps_a_pass;
                let passes: f64 = (0..self.passes).map(|pass| (shrink * f64::from(pass)).exp()).sum();
                2.0 * loss.lipschitz() * step / batch * passes
            }
            StepSize::Decreasing => {
                let lambda = finite_above_zero("lambda, for decreasing steps,", self.lambda)?;
                2.0 * loss.lipschitz() / (batch * lambda * steps_a_pass)
            }
        };
        Ok(sensitivity * ROUNDING)
    }

    /// The size of step t, from 1.
    fn step_size(&self, loss: &Loss, t: f64) -> f64 {
        match self.step {
            StepSize::Constant(step) => step,
            StepSize::Decreasing => (1.0 / (loss.smoothness() + self.lambda)).min(1.0 / (self.lambda * t)),
        }
    }
}

/// Releases the last iterate of mini-batch SGD plus noise for its sensitivity (Wu et al., arXiv 1606.04722, algorithms 1
/// and 2).
///
/// One random order of the records is used in all passes. The guarantee holds for any order, so it need not be secret.
///
/// # Errors
///
/// As [`SgdPlan::sensitivity`], and if no randomness is available.
pub fn bolt_on_sgd(set: &TrainingSet, plan: &SgdPlan, privacy: &PrivacyBudget, entropy: Entropy) -> Result<Release> {
    let sensitivity = plan.sensitivity(set.rows(), set.loss())?;
    let (key, stated) = noise::key(entropy)?;
    let DrawnNoise { noise, event, vector } = noise::draw(sensitivity, privacy, &key, 0, set.dimension())?;
    let mut weights = run(set, plan, &key)?;
    add_scaled(&mut weights, 1.0, &vector);
    Ok(Release {
        model: LinearModel::new(set.features().map().clone(), weights),
        statement: ReleaseStatement {
            mechanism: format!("bolt-on SGD ({} passes, batches of {})", plan.passes, plan.batch_size),
            theorem: "Wu et al. (SIGMOD 2017), arXiv 1606.04722, algorithms 1 and 2",
            adjacency: Adjacency::ReplaceOne,
            epsilon: privacy.epsilon(),
            delta: privacy.delta().unwrap_or(0.0),
            sensitivity,
            noise,
            optimizer_error: 0.0,
            output_noise: None,
            lambda: plan.lambda,
            records: set.rows(),
            loss: set.loss().name(),
            entropy: stated,
        },
        event,
    })
}

/// The same iterate **without any privacy**: for comparison, and for tests. Equal seeds give equal orders.
///
/// # Errors
///
/// As [`bolt_on_sgd`].
pub fn sgd_without_privacy(set: &TrainingSet, plan: &SgdPlan, entropy: Entropy) -> Result<Vec<f64>> {
    plan.sensitivity(set.rows(), set.loss())?;
    run(set, plan, &noise::key(entropy)?.0)
}

/// All passes, from zero.
fn run(set: &TrainingSet, plan: &SgdPlan, key: &PrivacyKey) -> Result<Vec<f64>> {
    let order = random_order(key, set.rows())?;
    let loss = set.loss();
    let mut weights = vec![0.0; set.dimension()];
    let mut gradient = vec![0.0; set.dimension()];
    let mut t = 0.0;
    for _ in 0..plan.passes {
        for batch in order.chunks(plan.batch_size) {
            t += 1.0;
            gradient.fill(0.0);
            for &row in batch {
                let (x, label) = set.record(row);
                add_scaled(&mut gradient, loss.slope(dot(x, &weights), label), x);
            }
            let step = plan.step_size(loss, t);
            for w in &mut weights {
                *w *= 1.0 - step * plan.lambda;
            }
            add_scaled(&mut weights, -step / plan.batch_size as f64, &gradient);
            project(&mut weights, loss.radius());
        }
    }
    Ok(weights)
}

/// A random order of the rows, by Fisher and Yates. It need not be exactly uniform for privacy.
fn random_order(key: &PrivacyKey, rows: usize) -> Result<Vec<usize>> {
    let mut uniforms = vec![0.0; rows];
    fill_secret_uniform(key, Purpose::OutputPerturbation, 2, 0, &mut uniforms)?;
    let mut order: Vec<usize> = (0..rows).collect();
    for (i, uniform) in uniforms.iter().enumerate().skip(1).rev() {
        let j = ((i + 1) as f64 * uniform) as usize;
        order.swap(i, j.min(i));
    }
    Ok(order)
}
