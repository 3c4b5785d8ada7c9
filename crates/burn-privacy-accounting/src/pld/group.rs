//! Poisson sampling of records of which several belong to one unit: a mixture of Gaussians against one.
//!
//! A unit (a user) has at most K records; each is drawn by its own coin of probability q, and adds a vector of norm at most 1 to a
//! sum with Gaussian noise of standard deviation s. With the unit, the number of its records in the sum is J, binomial in (K, q),
//! and they move the sum by at most J. The worst pair is one-dimensional (Charles et al. 2024, arXiv 2407.07737; mixtures of
//! Gaussians: Choquette-Choo et al. 2023, arXiv 2310.15526):
//!
//! ```text
//! P = sum_j w_j N(j, s^2),  w_j = C(K, j) q^j (1-q)^(K-j),     Q = N(0, s^2).
//! ```
//!
//! *Proof.* Let v_S be the sum of the vectors of a set S of the unit's records, missing ones counted as zero vectors, and p_S the
//! set's probability. With y from N(0, s^2 I) the likelihood ratio is sum_S p_S e^(X_S - Var X_S / 2), X_S = <v_S, y> / s^2, where
//! Cov(X_S, X_R) = <v_S, v_R> / s^2 <= |S| |R| / s^2, which is the covariance where all vectors are one unit vector. By Kahane's
//! convexity inequality (Sur le chaos multiplicatif, 1985, lemma 1) the expectation of any convex function of the ratio is then at
//! most that of the pair above; (r - e^epsilon)+ and (1 - e^epsilon r)+ are convex, so that both directions are covered. The pair is
//! attained by K equal vectors of norm 1.
//!
//! In the coordinate t of a single record's pair, t = ln(N(1, s^2) / N(0, s^2)), with m = 1/s, component j has the ratio
//! e^(j t - j (j-1) m^2 / 2), so that the loss is
//!
//! ```text
//! l(t) = ln sum_j w_j e^(j t - j (j-1) m^2 / 2),
//! ```
//!
//! increasing, convex, and for K = 1 that of Poisson sampling. *Smoothness.* As a polynomial in z = e^t the sum is that of
//! (1-q+qz)^K with its coefficients multiplied by c^(j (j-1)), c = e^(-m^2/2) < 1, which leaves all zeros real (c^(j^2) is a
//! multiplier sequence: Laguerre; Polya and Schur 1914) and, as all coefficients are positive, negative. So l is a sum of K
//! terms ln(1 + z / a_i) with a_i > 0 and a constant: analytic for |Im t| < pi, as for K = 1, with a slope between 0 and K.

/// The loss of a unit with several records.
#[derive(Clone, Debug)]
pub(super) struct GroupLoss {
    /// ln w_j for j from 1 to K.
    log_weights: Vec<f64>,
    /// ln w_0.
    log_none: f64,
    /// m, the reciprocal of the noise.
    mean: f64,
}

/// Newton's steps towards a position; it converges quadratically from where it starts.
const MOST_STEPS: usize = 40;

impl GroupLoss {
    /// At most `size` records, each drawn at `rate`, strictly between 0 and 1.
    pub(super) fn new(noise: f64, rate: f64, size: u64) -> Self {
        let log_none = size as f64 * (-rate).ln_1p();
        let odds = rate.ln() - (-rate).ln_1p();
        let mut log_choices = 0.0;
        let log_weights = (1..=size).map(|j| {
            log_choices += ((size - j + 1) as f64 / j as f64).ln();
            log_choices + log_none + j as f64 * odds
        });
        Self { log_weights: log_weights.collect(), log_none, mean: 1.0 / noise }
    }

    fn size(&self) -> f64 {
        self.log_weights.len() as f64
    }

    /// j, ln w_j and ln(w_j x ratio of component j) at t, for j from 1.
    fn components(&self, t: f64) -> impl Iterator<Item = (f64, f64, f64)> {
        let half_square = 0.5 * self.mean * self.mean;
        self.log_weights.iter().enumerate().map(move |(index, log_weight)| {
            let j = (index + 1) as f64;
            (j, *log_weight, log_weight + j * t - j * (j - 1.0) * half_square)
        })
    }

    /// ln of the sum over the components from 1 on, and its slope in t.
    fn with_records(&self, t: f64) -> (f64, f64) {
        let largest = self.components(t).map(|(_, _, log)| log).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut slope) = (0.0, 0.0);
        for (j, _, log) in self.components(t) {
            let term = (log - largest).exp();
            sum += term;
            slope += j * term;
        }
        (largest + sum.ln(), slope / sum)
    }

    /// The loss at t.
    pub(super) fn loss(&self, t: f64) -> f64 {
        // 1 + sum of w_j (ratio_j - 1), whose digits near 0 are kept.
        let half_square = 0.5 * self.mean * self.mean;
        let mut change = 0.0;
        for (j, log_weight, log) in self.components(t) {
            if log > 30.0 {
                let (with, _) = self.with_records(t);
                return with + (self.log_none - with).exp().ln_1p();
            }
            let exponent = j * t - j * (j - 1.0) * half_square;
            // A weight may be too small for a float where its product with the ratio is not.
            change += if exponent > 1.0 { log.exp() - log_weight.exp() } else { log_weight.exp() * exponent.exp_m1() };
        }
        if change > -0.5 {
            change.ln_1p()
        } else {
            let (with, _) = self.with_records(t);
            // Both are below 1, and none cancels another.
            self.log_none.max(with) + (-(self.log_none - with).abs()).exp().ln_1p()
        }
    }

    /// ln of the loss's slope at t, where the loss is known.
    pub(super) fn log_slope(&self, t: f64, loss: f64) -> f64 {
        let (with, slope) = self.with_records(t);
        slope.ln() + with - loss
    }

    /// The inverse of [`Self::loss`]; negative infinity at and below ln w_0.
    pub(super) fn position(&self, loss: f64) -> f64 {
        // The components from 1 on: ln(e^loss - w_0), whose digits near the least loss are those of the difference.
        let above = loss - self.log_none;
        let goal = if above > 30.0 {
            loss + (-(-above).exp()).ln_1p()
        } else if above > 0.0 {
            self.log_none + above.exp_m1().ln()
        } else {
            return f64::NEG_INFINITY;
        };
        // Each component alone says where t lies at most, and the sum is convex: Newton's method comes down from there.
        let half_square = 0.5 * self.mean * self.mean;
        let start = self.components(0.0).map(|(j, log_weight, _)| (goal - log_weight) / j + (j - 1.0) * half_square);
        let mut t = start.fold(f64::INFINITY, f64::min);
        for _ in 0..MOST_STEPS {
            let (value, slope) = self.with_records(t);
            let step = (value - goal) / slope;
            t -= step;
            if step.abs() <= 4e-15 * (1.0 + t.abs()) {
                break;
            }
        }
        t
    }

    /// The largest slope of the loss.
    pub(super) fn steepest(&self) -> f64 {
        self.size()
    }

    /// ln w_0, the least loss.
    pub(super) fn least_loss(&self) -> f64 {
        self.log_none
    }

    /// In standard deviations above Q's mean, where no more than about e^`log_tail` of P is left for each component, and P's mass
    /// beyond it.
    pub(super) fn upper_tail(&self, log_tail: f64) -> (f64, f64) {
        // Phi(-z) <= e^(-z^2/2) / 2.
        let quantile = |log_tail: f64| (-2.0 * log_tail).max(1.0).sqrt();
        let weights = || std::iter::once((0.0, self.log_none)).chain(self.components(0.0).map(|(j, log, _)| (j, log)));
        let ends =
            weights().filter(|(_, log)| *log > log_tail).map(|(j, log)| j * self.mean + quantile(log_tail - log));
        let end = ends.fold(quantile(log_tail), f64::max);
        let beyond = weights().map(|(j, log)| log.exp() * upper_probability(end - j * self.mean)).sum();
        (end, beyond)
    }

    /// Relative rounding error of a mass, from the weights and from the exponents of components.
    pub(super) fn rounding(&self) -> f64 {
        let weights = self.log_weights.iter().fold(self.log_none.abs(), |most, log| most.max(log.abs()));
        4.0 * f64::EPSILON * (self.size() + 2.0) * (weights + 4.0)
            + 4.0 * f64::EPSILON * (self.size() * self.mean + 12.0).powi(2)
    }
}

/// P(N(0,1) > z) for any z.
fn upper_probability(z: f64) -> f64 {
    use crate::mills::tail_probability;
    if z >= 0.0 { tail_probability(z) } else { 1.0 - tail_probability(-z) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_are_binomial_and_a_group_of_one_is_poisson_sampling() {
        for (rate, size) in [(0.01, 1), (0.3, 7), (0.9, 40), (1e-6, 256)] {
            let group = GroupLoss::new(1.3, rate, size);
            let total = group.log_none.exp() + group.log_weights.iter().map(|log| log.exp()).sum::<f64>();
            assert!((total - 1.0).abs() < 1e-12, "{rate} {size}: {total}");
            let mean: f64 = group.components(0.0).map(|(j, log, _)| j * log.exp()).sum();
            assert!((mean / (rate * size as f64) - 1.0).abs() < 1e-12);
        }
        let one = GroupLoss::new(0.7, 0.02, 1);
        for t in [-40.0_f64, -1.0, -1e-9, 0.0, 0.3, 5.0, 200.0] {
            let poisson = if t > 100.0 { t + 0.02_f64.ln() } else { (0.02 * t.exp_m1()).ln_1p() };
            assert!((one.loss(t) - poisson).abs() <= 1e-14 * (poisson.abs() + 1e-3), "{t}");
        }
    }

    proptest! {
        #[test]
        fn positions_invert_losses_which_rise(noise in 0.2_f64..20.0, rate in 1e-6_f64..0.99, size in 1_u64..60, z in -12.0_f64..12.0) {
            let group = GroupLoss::new(noise, rate, size);
            let t = z / noise - 0.5 / noise / noise;
            let loss = group.loss(t);
            let back = group.position(loss);
            let slope = group.log_slope(t, loss).exp();
            prop_assert!(slope > 0.0 && slope <= size as f64 * (1.0 + 1e-12));
            if back == f64::NEG_INFINITY {
                // Far to the left the loss is the least one to its last bits.
                let least = group.least_loss();
                prop_assert!(loss - least <= 4.0 * f64::EPSILON * (least.abs() + slope), "{t} {loss} {least} {slope}");
            } else {
                // A loss is known to its own rounding, which a small slope magnifies.
                let unsure = 1e-13 * (1.0 + t.abs() + (loss.abs() + rate * size as f64) / slope);
                prop_assert!((back - t).abs() <= unsure, "{t} {back} {loss} {slope}");
            }
            let ahead = group.loss(t + 1e-3);
            prop_assert!(ahead >= loss);
            let middle = group.loss(t + 5e-4);
            prop_assert!(middle <= 0.5 * (loss + ahead) + 1e-13 * (1.0 + loss.abs()), "convex");
        }
    }
}
