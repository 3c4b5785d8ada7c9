//! The best of a random number of runs (Papernot and Steinke, arXiv 2110.03620).
//!
//! With run divergences R, and only the best run released:
//!
//! - *Truncated negative binomial* with shape e and stopping probability g (theorem 2): for every order b > 1,
//!
//!   ```text
//!   R'(a) <= R(a) + (1 + e) ((1 - 1/b) R(b) + ln(1/g) / b) + ln(E[K]) / (a - 1).
//!   ```
//!
//! - *Poisson* with mean m (theorem 6): with the delta d of a run at epsilon ln(1 + 1/(a-1)),
//!
//!   ```text
//!   R'(a) <= R(a) + m d + ln(m) / (a - 1).
//!   ```

use super::Curve;
use super::terms::Terms;
use crate::RunCount;
use crate::conversion::best_delta;
use crate::search::minimise;

/// Range of ln(b - 1) that is searched, and where from.
const SEARCHED: (f64, f64) = (-11.5, 23.0);
const START: f64 = 1.4;

/// Rounding is counted with this relative error.
const ROUNDING: f64 = 1e-13;

/// The divergence of a selection.
#[derive(Clone, Debug)]
pub(super) struct SelectionCurve {
    runs: RunCount,
    run: Curve,
    /// What the choice among the runs adds at every order, once it is known.
    choice: f64,
}

impl SelectionCurve {
    pub(super) fn new(runs: RunCount, run: &Terms) -> Self {
        let mut run = Curve::new(run);
        let choice = match runs {
            RunCount::Poisson { .. } => 0.0,
            RunCount::TruncatedNegativeBinomial { shape, gamma } => {
                let stop = -gamma.ln();
                let bound = |order: f64, divergence: f64| (1.0 - 1.0 / order) * divergence + stop / order;
                let at = |log_above: f64| {
                    let order = 1.0 + log_above.exp();
                    bound(order, run.divergence(order))
                };
                // Order 1 needs no divergence.
                (1.0 + shape) * minimise(at, START, SEARCHED, 1e-6).1.min(stop) * (1.0 + ROUNDING)
            }
        };
        Self { runs, run, choice }
    }

    /// Computes what the orders up to this one share.
    pub(super) fn prepare(&mut self, order: f64) {
        self.run.divergence(order);
        if let RunCount::Poisson { .. } = self.runs {
            let run = &mut self.run;
            best_delta(|order| run.divergence(order), (1.0 / (order - 1.0)).ln_1p());
        }
    }

    /// Upper bound of the divergence at a prepared order; a looser one above.
    pub(super) fn divergence(&self, order: f64) -> f64 {
        let of_run = self.run.prepared_divergence(order);
        let (choice, log_mean) = match self.runs {
            // No run at all releases nothing.
            RunCount::Poisson { mean: 0.0 } => return 0.0,
            RunCount::Poisson { mean } => {
                let epsilon = (1.0 / (order - 1.0)).ln_1p();
                (mean * best_delta(|order| self.run.prepared_divergence(order), epsilon), mean.ln())
            }
            RunCount::TruncatedNegativeBinomial { shape, gamma } => (self.choice, log_mean(shape, gamma)),
        };
        let tail = log_mean / (order - 1.0);
        let rounding = ROUNDING * (of_run + choice + tail.abs());
        (of_run + choice + tail + rounding).max(0.0)
    }

    pub(super) fn cost(&self, order: f64) -> f64 {
        match self.runs {
            // Each order searches for a delta.
            RunCount::Poisson { .. } => 50.0 * self.run.cost(order),
            RunCount::TruncatedNegativeBinomial { .. } => self.run.cost(order),
        }
    }
}

/// ln of the mean of the truncated negative binomial distribution: e (1-g) / (g (1 - g^e)), and its limit for e = 0.
fn log_mean(shape: f64, gamma: f64) -> f64 {
    let stop = -gamma.ln();
    // e / (1 - g^e), and its limit.
    let part = if shape * stop == 0.0 { 1.0 / stop } else { shape / -(-shape * stop).exp_m1() };
    (part * (1.0 - gamma) / gamma).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let gamma = 0.03_f64;
        // Geometric, and logarithmic.
        assert!((log_mean(1.0, gamma) - (1.0 / gamma).ln()).abs() < 1e-14);
        let logarithmic = ((1.0 - gamma) / gamma / (1.0 / gamma).ln()).ln();
        for shape in [0.0, 1e-12, -1e-12, 1e-8] {
            assert!((log_mean(shape, gamma) - logarithmic).abs() < 1e-7, "{shape}");
        }
        // P(K = k) is proportional to (1-g)^k/k! times e (e+1) .. (e+k-1).
        for shape in [-0.5, 0.5, 2.0, 5.5] {
            let (mut weight, mut total, mut first) = (1.0, 0.0, 0.0);
            for k in 1..20_000 {
                let k = f64::from(k);
                weight *= (1.0 - gamma) * (shape + k - 1.0) / k;
                total += weight;
                first += weight * k;
            }
            assert!((log_mean(shape, gamma) - (first / total).ln()).abs() < 1e-10, "{shape}");
        }
    }
}
