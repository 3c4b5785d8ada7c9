//! Renyi divergence of the Poisson-sampled Gaussian mechanism, at any real order, without cancellation.
//!
//! The pair is P = (1-q) N(0, s^2) + q N(1, s^2) against Q = N(0, s^2), with likelihood ratio
//! r(x) = 1 + w(x), w(x) = q (exp((2x-1)/(2 s^2)) - 1). The Renyi divergence of order a is ln(A) / (a-1) with
//! A = E_Q[r^a]. Since E_Q[w] = 0,
//!
//! ```text
//! A - 1 = E_Q[ (1+w)^a - 1 - a w ],
//! ```
//!
//! whose integrand is nowhere negative (Bernoulli). It is summed directly, so that a divergence of 1e-20 has as many
//! correct digits as one of 1. The trapezoidal rule converges exponentially here: the integrand is analytic in the
//! strip
//! |Im x| < pi s^2, and with the spacing used its error is below e^-44 relative to the sum of absolute values.
//!
//! The opposite direction, D(Q || P), is never larger (Mironov, Talwar and Zhang, arXiv 1908.10530, theorem 5), so that
//! this one direction covers add-or-remove-one and zero-out. The tests check that inequality, too.
//!
//! *Samples of fixed size*, of which one record is exchanged: the pair that dominates (Zhu, Dong and Wang, arXiv
//! 2106.08567, proposition 30; see the PLD accountant's pairs) has the likelihood ratio r on x > 1/2 and its mirror
//! image, 1/r, below; since f_a(z) = z^a - 1 - a (z-1) has r f_a(1/r) = f_{1-a}(r),
//!
//! ```text
//! A - 1 = E_Q[ f_a(r) + f_{1-a}(r); x > 1/2 ],
//! ```
//!
//! both of which are nowhere negative. A dominating pair has the largest divergence at every order. There is no trapezoidal
//! rule with exponential convergence on a half line; Gauss-Legendre rules of 16 nodes do.

use std::f64::consts::PI;

/// Above this many grid points the plain Gaussian's divergence is used instead, which is an upper bound.
const MOST_POINTS: f64 = 1e5;

/// Rates below this are treated as this one: the squares of smaller ones would underflow. The divergence is increasing
/// in the rate.
const SMALLEST_RATE: f64 = 1e-100;

/// Exponents are kept apart from sums only above this, where `exp` could overflow.
const LARGE_EXPONENT: f64 = 30.0;

/// Evaluates ln E_Q[r^order] for one sampling rate and noise multiplier at many orders; what doesn't depend on the
/// order is computed once for each grid point.
#[derive(Clone, Debug)]
pub(crate) struct SampledGaussian {
    rate: f64,
    noise: f64,
    rule: Rule,
    /// Distance of two points, or length of a piece.
    spacing: f64,
    lowest: f64,
    points: Vec<Point>,
}

/// How to integrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Poisson sampling: the trapezoidal rule on the whole line.
    Trapezoid,
    /// Samples of fixed size: Gauss-Legendre rules on pieces of x > 1/2.
    Pieces,
}

/// Positive half of the nodes of the Gauss-Legendre rule of 16, with weights, on `[-1, 1]`.
const SIXTEEN: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    /// Exponent u = (2x-1)/(2 s^2) of the likelihood ratio of the two Gaussians.
    u: f64,
    /// r - 1; infinite where it would overflow.
    w: f64,
    /// ln r.
    log_ratio: f64,
    /// ln(density of Q x spacing).
    log_weight: f64,
    /// density of Q x spacing.
    weight: f64,
}

impl SampledGaussian {
    /// `0 < rate < 1` and `0 < noise` finite.
    pub(crate) fn new(rate: f64, noise: f64) -> Self {
        let rate = rate.max(SMALLEST_RATE);
        let variance = noise * noise;
        // Distance of the shifted contour that bounds the trapezoidal rule's error: inside the strip of analyticity.
        let shift = (0.9 * PI * variance).min(5.0 * noise);
        let spacing = 2.0 * PI / (44.0 / shift + shift / (2.0 * variance));
        Self { rate, noise, rule: Rule::Trapezoid, spacing, lowest: -11.0 * noise, points: Vec::new() }
    }

    /// The same for samples of fixed size, of which one record is exchanged.
    pub(crate) fn exchanged(rate: f64, noise: f64) -> Self {
        // Within half a standard deviation and a fraction of the distance of ln(r)'s singularities, pi s^2.
        let spacing = (0.5 * noise).min(noise * noise);
        Self { rate: rate.max(SMALLEST_RATE), noise, rule: Rule::Pieces, spacing, lowest: 0.5, points: Vec::new() }
    }

    /// How many grid points an order needs.
    pub(crate) fn cost(&self, order: f64) -> f64 {
        let highest = order + 11.0 * self.noise;
        match self.rule {
            Rule::Trapezoid => ((highest - self.lowest) / self.spacing).ceil() + 1.0,
            Rule::Pieces => 16.0 * (((highest - self.lowest) / self.spacing).ceil() + 1.0),
        }
    }

    /// Computes what the orders up to this one share, unless that is too dear.
    pub(crate) fn prepare(&mut self, order: f64) {
        let count = self.cost(order);
        if count <= MOST_POINTS {
            self.extend_to(count as usize);
        }
    }

    /// An upper bound of (order - 1) x Renyi divergence at a finite order above 1: exact up to a rounding error of a
    /// few 1e-13, which is added. Above the prepared orders it is the plain Gaussian's, which is looser.
    pub(crate) fn log_moment(&self, order: f64) -> f64 {
        let unsampled = order * (order - 1.0) / (2.0 * self.noise * self.noise) * (1.0 + 1e-15);
        let count = self.cost(order);
        // A spacing that underflowed makes the count infinite or NaN.
        if count.is_nan() || count > self.points.len() as f64 {
            return unsampled;
        }
        let points = &self.points[..count as usize];
        let largest = if unsampled < 600.0 {
            0.0 // the moment itself can't overflow
        } else {
            points.iter().map(|p| p.log_weight + order * p.log_ratio).fold(0.0, f64::max)
        };
        let upper = match self.rule {
            Rule::Trapezoid if largest > LARGE_EXPONENT => large_log_moment(points, order, self.noise, largest),
            Rule::Trapezoid => excess_moment(points, order, self.noise).ln_1p(),
            // Where r is below 1, its power adds at most 1.
            Rule::Pieces if largest > LARGE_EXPONENT => {
                let moment = large_log_moment(points, order, self.noise, largest);
                moment + (-moment).exp()
            }
            Rule::Pieces => {
                (excess_moment(points, order, self.noise) + excess_moment(points, 1.0 - order, self.noise)).ln_1p()
            }
        };
        (upper * (1.0 + 1e-15)).min(unsampled)
    }

    fn extend_to(&mut self, count: usize) {
        let variance = self.noise * self.noise;
        let log_rate = self.rate.ln();
        while self.points.len() < count {
            let (x, weight) = self.node(self.points.len());
            let log_scale = weight.ln() - self.noise.ln() - 0.5 * (2.0 * PI).ln();
            let u = (2.0 * x - 1.0) / (2.0 * variance);
            let (w, log_ratio) = if u > LARGE_EXPONENT {
                let log_ratio = u + log_rate + ((1.0 - self.rate) / self.rate * (-u).exp()).ln_1p();
                (self.rate * u.exp_m1(), log_ratio)
            } else {
                let w = self.rate * u.exp_m1();
                (w, w.ln_1p())
            };
            let log_weight = log_scale - x * x / (2.0 * variance);
            self.points.push(Point { x, u, w, log_ratio, log_weight, weight: log_weight.exp() });
        }
    }
}

impl SampledGaussian {
    /// A point of the rule, and its weight.
    fn node(&self, index: usize) -> (f64, f64) {
        match self.rule {
            Rule::Trapezoid => (self.lowest + self.spacing * index as f64, self.spacing),
            Rule::Pieces => {
                let (place, weight) = SIXTEEN[index % 8];
                let half = 0.5 * self.spacing;
                let center = self.lowest + half * (2.0 * (index / 16) as f64 + 1.0);
                let side = if index % 16 < 8 { -1.0 } else { 1.0 };
                (center + side * half * place, half * weight)
            }
        }
    }
}

/// An upper bound of E_Q[(1+w)^a - 1 - a w], where that is moderate; the order may be negative.
fn excess_moment(points: &[Point], order: f64, noise: f64) -> f64 {
    let above = order - 1.0;
    let size = order.abs();
    let inverse_variance = 1.0 / (noise * noise);
    let (mut sum, mut compensation, mut error) = (0.0_f64, 0.0_f64, 0.0_f64);
    for p in points {
        let value = if p.w.abs() * size.max(1.0) < 0.02 {
            p.weight * bernoulli_excess_series(p.w, order)
        } else if above * p.log_ratio > LARGE_EXPONENT || p.w > 1e150 {
            let power = (p.log_weight + order * p.log_ratio).exp();
            power - order * (p.log_weight + p.log_ratio).exp() + above * p.weight
        } else {
            // (1+w)^a - 1 - a w, written so that orders next to 1 don't cancel.
            let power = (1.0 + p.w) * (above * p.log_ratio).exp_m1();
            let line = above * p.w;
            error += p.weight * (power.abs() + line.abs());
            p.weight * (power - line)
        };
        // What rounding can have changed in the exponents, relative to the value.
        let exponents = size * (p.u.abs() + p.log_ratio.abs() + 2.0) + p.x * p.x * inverse_variance;
        error += value.abs() * exponents;
        // Neumaier's compensated sum.
        let next = sum + value;
        compensation += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    let upper = sum + compensation + f64::EPSILON * (error + 4.0 * sum) + f64::MIN_POSITIVE;
    // The integrand is nowhere negative. Were its sum below 0 by more than rounding, it would be no bound: the caller then
    // takes that without sampling.
    if upper >= 0.0 { upper } else { f64::INFINITY }
}

/// Upper bound of ln A where A is large; `largest` is the largest exponent.
fn large_log_moment(points: &[Point], order: f64, noise: f64, largest: f64) -> f64 {
    let inverse_variance = 1.0 / (noise * noise);
    let (mut sum, mut error) = (0.0, 0.0);
    for p in points {
        let exponent = p.log_weight + order * p.log_ratio - largest;
        if exponent > -60.0 {
            let value = exponent.exp();
            sum += value;
            error += value * (order * (p.u.abs() + p.log_ratio.abs() + 2.0) + p.x * p.x * inverse_variance + largest);
        }
    }
    // The points that were skipped weigh less than e^-60 of the largest one each, which is far less than the rounding
    // error.
    let rounding = f64::EPSILON * error / sum + points.len() as f64 * 1e-17;
    largest + sum.ln() + rounding
}

/// (1+w)^a - 1 - a w for |a w| < 0.02, by its binomial series.
fn bernoulli_excess_series(w: f64, order: f64) -> f64 {
    // Factors of the binomial coefficients, from the last to the first (Horner): the k-th term is the previous one
    // times w (a - k + 1) / k.
    let mut tail = 0.0;
    for k in (3..=12).rev() {
        let k = f64::from(k);
        tail = (1.0 + tail) * w * (order - k + 1.0) / k;
    }
    0.5 * order * (order - 1.0) * w * w * (1.0 + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(rate: f64, noise: f64, highest_order: f64) -> SampledGaussian {
        let mut curve = SampledGaussian::new(rate, noise);
        curve.prepare(highest_order);
        curve
    }

    /// A - 1 at integer orders: sum_k C(a,k) (1-q)^(a-k) q^k (exp((k^2-k)/(2 s^2)) - 1), all terms of one sign.
    fn excess_at_integer(rate: f64, noise: f64, order: u32) -> f64 {
        let a = f64::from(order);
        let mut log_binomial = a * (-rate).ln_1p();
        let mut sum = 0.0;
        for k in 0..=order {
            let k = f64::from(k);
            sum += log_binomial.exp() * (k * (k - 1.0) / (2.0 * noise * noise)).exp_m1();
            log_binomial += ((a - k) / (k + 1.0)).ln() + rate.ln() - (-rate).ln_1p();
        }
        sum
    }

    #[test]
    fn agrees_with_the_finite_sum_at_integer_orders() {
        for rate in [1e-9, 1e-5, 1e-3, 0.02, 0.3, 0.9, 0.999] {
            for noise in [0.2, 0.5, 1.0, 3.0, 20.0, 1000.0] {
                let curve = prepared(rate, noise, 40.0);
                for order in [2, 3, 5, 16, 40] {
                    let truth = excess_at_integer(rate, noise, order).ln_1p();
                    if !truth.is_finite() {
                        continue;
                    }
                    let found = curve.log_moment(f64::from(order));
                    let relative = found / truth - 1.0;
                    assert!(relative.abs() < 2e-11, "q {rate} s {noise} a {order}: {relative}");
                }
            }
        }
    }

    #[test]
    fn stays_accurate_next_to_order_one() {
        // ln A is convex in the order and 0 at order 1, so the divergence tends to a limit from above.
        let curve = prepared(0.01, 1.0, 2.0);
        let limit = curve.log_moment(1.0 + 1e-7) / 1e-7;
        for above in [1e-6, 1e-5, 1e-4, 1e-3] {
            let divergence = curve.log_moment(1.0 + above) / above;
            assert!((divergence / limit - 1.0).abs() < 5.0 * above, "{above}: {divergence} {limit}");
            assert!(divergence > limit * (1.0 - 1e-8));
        }
    }

    #[test]
    fn fractional_orders_are_convex_between_integer_ones() {
        for rate in [1e-9, 1e-4, 0.03, 0.6] {
            for noise in [0.2, 1.0, 10.0, 1000.0] {
                let curve = prepared(rate, noise, 67.0);
                for order in [2.0, 3.0, 7.0, 64.0] {
                    let [before, at, after, beyond] = [-1.0_f64, 0.0, 1.0, 2.0]
                        .map(|k| if order + k == 1.0 { 0.0 } else { curve.log_moment(order + k) });
                    for part in [0.01, 0.5, 0.9] {
                        let found = curve.log_moment(order + part);
                        let chord = at + part * (after - at);
                        let extended = (at + part * (at - before)).max(after - (1.0 - part) * (beyond - after));
                        let slack = 1e-11 * after;
                        assert!(found <= chord + slack && found >= extended - slack, "{rate} {noise} {order} {part}");
                    }
                }
            }
        }
    }

    #[test]
    fn extreme_parameters_give_finite_positive_bounds() {
        for rate in [5e-324, 1e-200, 1e-9, 0.5, 1.0 - 1e-16] {
            for noise in [1e-150, 1e-3, 0.2, 1e3, 1e150] {
                for order in [1.0 + 1e-6, 1.5, 64.0, 1e6] {
                    let value = prepared(rate, noise, order).log_moment(order);
                    let gaussian = order * (order - 1.0) / (2.0 * noise * noise);
                    assert!(value >= 0.0 && value <= gaussian * (1.0 + 1e-14), "{rate} {noise} {order} {value}");
                }
            }
        }
    }
}
