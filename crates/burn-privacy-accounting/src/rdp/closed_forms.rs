//! Renyi divergences that have a closed form, as upper bounds of the log moment (order - 1) x divergence.
//!
//! Each is convex in the order and written without cancellation, or with the rounding error added.

/// exp(x) - 1 - x, never negative, without cancellation.
pub(crate) fn exp_m1_minus(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.exp_m1() - x;
    }
    // x^2/2 (1 + x/3 (1 + x/4 (1 + ...)))
    let mut tail = 1.0;
    for k in (3..=18).rev() {
        tail = 1.0 + x / f64::from(k) * tail;
    }
    0.5 * x * x * tail
}

/// ln(1 + exp(log_value)), for any size of the exponent.
fn ln_1p_exp(log_value: f64) -> f64 {
    if log_value > 700.0 { log_value + (-log_value).exp() } else { log_value.exp().ln_1p() }
}

/// Laplace mechanism whose noise has scale 1/`inverse_scale` times the sensitivity (Mironov, arXiv 1702.07476,
/// proposition 6): ln( a/(2a-1) exp((a-1) m) + (a-1)/(2a-1) exp(-a m) ).
pub(crate) fn laplace(inverse_scale: f64, order: f64) -> f64 {
    let m = inverse_scale;
    let above = order - 1.0;
    let both = order + above;
    let exponent = above * m;
    if exponent > 600.0 {
        // The second term is below exp(-600) of the first.
        return exponent + (order / both).ln() + 1e-200;
    }
    // The linear parts of the two exponentials cancel exactly, so only the rest is added.
    ((order * exp_m1_minus(exponent) + above * exp_m1_minus(-order * m)) / both).ln_1p() * (1.0 + 8.0 * f64::EPSILON)
}

/// Randomized response: each record answers with its true category with probability `truth`, and with each other one
/// with probability `truth` x e^-`loss`. With T = `truth` and L = `loss`, two terms of the definition combine to
///
/// A - 1 = T (e^((a-1) L) - 1) (1 - e^(-a L)), a product of positive factors.
pub(crate) fn randomized_response(truth: f64, loss: f64, order: f64) -> f64 {
    let above = order - 1.0;
    let exponent = above * loss;
    let rest = -(-order * loss).exp_m1();
    let log_moment = if exponent > 600.0 {
        ln_1p_exp(truth.ln() + exponent + rest.ln())
    } else {
        (truth * exponent.exp_m1() * rest).ln_1p()
    };
    log_moment * (1.0 + 8.0 * f64::EPSILON)
}

/// Any mechanism with pure epsilon: it can't be worse than binary randomized response (Kairouz, Oh and Viswanath,
/// arXiv 1311.0776: a pure mechanism is post-processing of it), whose divergence this is.
pub(crate) fn pure(epsilon: f64, order: f64) -> f64 {
    let truth = 1.0 / (1.0 + (-epsilon).exp());
    randomized_response(truth, epsilon, order)
}

/// Any mechanism whose privacy loss lies in a range of width epsilon, so in `[t - epsilon, t]` for some t.
///
/// A likelihood ratio Y in `[e^(t-epsilon), e^t]` of mean 1 has the largest E[Y^a] if it takes only the two ends (Y^a
/// is convex). The worst t has a closed form; with E = e^(-a epsilon) and B = (1-E)/(1-e^-epsilon), ln E[Y^a] = (a-1)
/// t + ln B - ln a,  t = epsilon + ln(1-E) + ln((a-1)/a) - ln(1 - e^(-(a-1) epsilon)). It is at most epsilon^2/8 x a
/// (a-1) (Cesar and Rogers, arXiv 2004.07223), which is the better bound where the closed form cancels.
pub(crate) fn bounded_range(epsilon: f64, order: f64) -> f64 {
    if epsilon == 0.0 {
        return 0.0;
    }
    let above = order - 1.0;
    let zcdp = epsilon * epsilon / 8.0 * order * above;
    let tail = -(-order * epsilon).exp_m1();
    let shift = epsilon + tail.ln() + (above / order).ln() - (-(-above * epsilon).exp_m1()).ln();
    let log_b = tail.ln() - (-(-epsilon).exp_m1()).ln();
    let exact = above * shift + log_b - order.ln();
    let terms = epsilon + tail.ln().abs() + (above / order).ln().abs() + ((-above * epsilon).exp_m1().abs()).ln().abs();
    let rounding = 4.0 * f64::EPSILON * (above * terms + log_b.abs() + order.ln() + 1.0);
    let exact = exact + rounding;
    // What rounding made negative or NaN is no bound; the other one always is.
    let bound = if exact >= 0.0 { exact.min(zcdp) } else { zcdp };
    bound.min(above * epsilon) * (1.0 + 4.0 * f64::EPSILON)
}

/// The largest sensitivity of the discrete Laplace mechanism whose losses are summed one by one.
const MOST_LOSSES: u64 = 2_048;

/// Discrete Laplace mechanism: integer noise P(x) proportional to t^|x|, t = e^(-1/scale), integer sensitivity.
///
/// The loss is constant on either side of the two centers and linear between, so that the moment is a finite sum:
/// A - 1 = sum_x Q(x) (r^a - 1 - a (r - 1)), every term of which is at least 0.
pub(crate) fn discrete_laplace(inverse_scale: f64, sensitivity: u64, order: f64) -> f64 {
    let m = inverse_scale;
    let largest_loss = m * sensitivity as f64;
    let worst = pure(largest_loss, order);
    if sensitivity > MOST_LOSSES || order * largest_loss > 600.0 {
        let bound = discrete_laplace_by_exponents(m, sensitivity, order);
        return if bound >= 0.0 { bound.min(worst) } else { worst };
    }
    // (1+w)^a - 1 - a w with 1+w = e^loss, the linear parts canceled.
    let excess = |loss: f64| exp_m1_minus(order * loss) - order * exp_m1_minus(loss);
    let slack = |loss: f64| exp_m1_minus(order * loss) + order * exp_m1_minus(loss);
    let t = (-m).exp();
    let one_minus_t = -(-m).exp_m1();
    let center = one_minus_t / (1.0 + t);
    // Q is centered at 0, P at `sensitivity`: the loss at x is m (2x - s) between, -m s below and m s above.
    let below = 1.0 / (1.0 + t); // sum of Q over x <= 0
    let beyond = (-largest_loss).exp() / (1.0 + t); // sum of Q over x >= s
    let mut sum = below * excess(-largest_loss) + beyond * excess(largest_loss);
    let mut error = below * slack(-largest_loss) + beyond * slack(largest_loss);
    for x in 1..sensitivity {
        let weight = center * (-m * x as f64).exp();
        let loss = m * (2.0 * x as f64 - sensitivity as f64);
        sum += weight * excess(loss);
        error += weight * slack(loss);
    }
    let rounding = f64::EPSILON * (error * (8.0 + order * largest_loss) + sum * sensitivity as f64);
    let excess = sum + rounding;
    // Nothing below 0 is a bound, since the true sum is at least 0.
    if excess >= 0.0 { (excess.ln_1p() * (1.0 + 4.0 * f64::EPSILON)).min(worst) } else { worst }
}

/// The same by the geometric sums in logarithms, for large exponents where nothing cancels.
fn discrete_laplace_by_exponents(m: f64, sensitivity: u64, order: f64) -> f64 {
    let s = sensitivity as f64;
    let above = order - 1.0;
    let log_norm = (-(-m).exp_m1()).ln() - (-m).exp().ln_1p();
    // Both outer sums, over Q's weights: e^(-a m s)/(1+t) and e^((a-1) m s)/(1+t).
    let outer = -(-m).exp().ln_1p();
    let terms = [
        outer - order * m * s,
        outer + above * m * s,
        // Between: sum_{x=1}^{s-1} norm e^(-m x + a m (2x - s)), geometric with ratio e^(m (2a-1)), summed from the
        // top.
        if sensitivity > 1 {
            let ratio = m * (2.0 * order - 1.0);
            let top = -m * (s - 1.0) + order * m * (s - 2.0);
            log_norm + top + (-(-ratio * (s - 1.0)).exp_m1()).ln() - (-(-ratio).exp_m1()).ln()
        } else {
            f64::NEG_INFINITY
        },
    ];
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
    let size = order * m * s + log_norm.abs() + 2.0;
    largest + sum.ln() + 16.0 * f64::EPSILON * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(found: f64, truth: f64, relative: f64) {
        assert!((found - truth).abs() <= relative * truth.abs(), "found {found}, truth {truth}");
    }

    #[test]
    fn remainder_of_the_exponential() {
        assert_close(exp_m1_minus(1e-8), 0.5e-16 * (1.0 + 1e-8 / 3.0), 1e-15);
        assert_close(exp_m1_minus(0.499_999), exp_m1_minus(0.500_001), 1e-5);
        assert_close(exp_m1_minus(-2.0), (-2.0_f64).exp() + 1.0, 1e-15);
    }

    #[test]
    fn laplace_is_the_papers_formula() {
        for (m, a) in [(1.0_f64, 2.0_f64), (0.1, 10.0), (3.0, 1.5), (10.0, 100.0)] {
            let paper =
                (a / (2.0 * a - 1.0) * ((a - 1.0) * m).exp() + (a - 1.0) / (2.0 * a - 1.0) * (-a * m).exp()).ln();
            assert_close(laplace(m, a), paper, 1e-12);
        }
        // Small losses: the second-order term a (a-1) m^2 / 2.
        assert_close(laplace(1e-9, 3.0), 3.0e-18, 1e-8);
    }

    #[test]
    fn randomized_response_is_the_definition() {
        for (p, k, a) in [(0.5, 2.0, 3.0), (0.1, 10.0, 1.5), (0.9, 3.0, 20.0)] {
            let (truth, other): (f64, f64) = (1.0 - p + p / k, p / k);
            let definition =
                (truth.powf(a) * other.powf(1.0 - a) + other.powf(a) * truth.powf(1.0 - a) + (k - 2.0) * other).ln();
            assert_close(randomized_response(truth, (truth / other).ln(), a), definition, 1e-12);
        }
    }

    #[test]
    fn bounded_range_is_the_worst_two_point_law() {
        for (epsilon, a) in [(1.0_f64, 2.0_f64), (0.1, 1.5), (3.0, 10.0), (0.01, 64.0)] {
            let mut worst = 0.0_f64;
            for step in 0..=20_000 {
                let t = epsilon * f64::from(step) / 20_000.0;
                let high = (1.0 - (t - epsilon).exp()) / (t.exp() - (t - epsilon).exp());
                worst = worst.max((high * (a * t).exp() + (1.0 - high) * (a * (t - epsilon)).exp()).ln());
            }
            let found = bounded_range(epsilon, a);
            assert!(found >= worst - 1e-15, "{epsilon} {a}");
            assert_close(found, worst, 1e-7);
            assert!(found <= pure(epsilon, a));
        }
    }

    #[test]
    fn discrete_laplace_is_the_definition() {
        for (scale, s, a) in [(1.0_f64, 1_u64, 2.0_f64), (2.0, 3, 1.5), (5.0, 10, 8.0), (0.5, 2, 30.0), (9.0, 1, 3.0)] {
            let t = (-1.0 / scale).exp();
            let norm = (1.0 - t) / (1.0 + t);
            let density = |x: i64| norm * t.powf(x.unsigned_abs() as f64);
            let moment: f64 = (-300..300)
                .map(|x| {
                    let (p, q) = (density(x - s as i64), density(x));
                    if p == 0.0 || q == 0.0 { 0.0 } else { (a * p.ln() + (1.0 - a) * q.ln()).exp() }
                })
                .sum();
            assert_close(discrete_laplace(1.0 / scale, s, a), moment.ln(), 1e-9);
            assert_close(discrete_laplace_by_exponents(1.0 / scale, s, a), moment.ln(), 1e-9);
            assert!(discrete_laplace(1.0 / scale, s, a) <= pure(s as f64 / scale, a));
        }
    }

    #[test]
    fn huge_exponents_do_not_overflow() {
        for value in [
            laplace(1e6, 1e6),
            pure(1e6, 1e6),
            bounded_range(1e6, 1e6),
            discrete_laplace(1e3, 1_000, 1e6),
            discrete_laplace(1e-9, 1 << 53, 1e6),
        ] {
            assert!(value.is_finite() && value > 0.0, "{value}");
        }
    }
}
