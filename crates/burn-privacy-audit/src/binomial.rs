//! The binomial distribution: its tails, and exact confidence limits for its probability.

use statrs::function::beta::beta_reg;

/// Binomial probabilities of `count` trials, from the most probable value outwards, so that no logarithm of a factorial
/// loses digits.
pub struct Binomial {
    probabilities: Vec<f64>,
}

impl Binomial {
    /// Of `count` trials that succeed with probability `success` and fail with probability `failure` = 1 - `success`,
    /// which is a parameter of its own because 1 - `success` loses its digits near 1.
    pub fn new(count: usize, success: f64, failure: f64) -> Self {
        let mode = (((count + 1) as f64 * success) as usize).min(count);
        let mut probabilities = vec![0.0; count + 1];
        probabilities[mode] = 1.0;
        for k in mode..count {
            probabilities[k + 1] = probabilities[k] * ((count - k) as f64 / (k + 1) as f64 * (success / failure));
        }
        for k in (0..mode).rev() {
            probabilities[k] = probabilities[k + 1] * ((k + 1) as f64 / (count - k) as f64 * (failure / success));
        }
        // Smallest first: the ends lie on both sides of the mode.
        let low: f64 = probabilities[..mode].iter().sum();
        let high: f64 = probabilities[mode..].iter().rev().sum();
        let total = low + high;
        for probability in &mut probabilities {
            *probability /= total;
        }
        Self { probabilities }
    }

    /// P[X = k].
    pub fn probability(&self, k: usize) -> f64 {
        self.probabilities[k]
    }

    /// P[X >= k].
    pub fn at_least(&self, k: usize) -> f64 {
        self.probabilities.iter().skip(k).rev().sum::<f64>().min(1.0)
    }
}

/// The upper Clopper-Pearson limit: the largest probability under which at most `successes` of `trials` is no less likely
/// than `significance` (Clopper and Pearson 1934). Rounded up.
pub fn upper_limit(successes: usize, trials: usize, significance: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    // P[Bin(n, p) <= k] = I_{1-p}(n - k, k + 1), falling in p.
    let tail = |p: f64| beta_reg((trials - successes) as f64, (successes + 1) as f64, 1.0 - p);
    let (mut low, mut high) = (successes as f64 / trials as f64, 1.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if tail(middle) > significance { low = middle } else { high = middle }
    }
    // The incomplete beta function's own error.
    (high * (1.0 + 1e-12)).min(1.0)
}

/// The lower Clopper-Pearson limit. Rounded down.
pub fn lower_limit(successes: usize, trials: usize, significance: f64) -> f64 {
    // At least k successes are at most n - k failures. The difference is taken where it is exact enough: the limit's
    // relative error matters where it is small, and there the sum below would cancel.
    if successes == 0 {
        return 0.0;
    }
    // P[Bin(n, p) >= k] = I_p(k, n - k + 1), rising in p.
    let tail = |p: f64| beta_reg(successes as f64, (trials - successes + 1) as f64, p);
    let (mut low, mut high) = (0.0, successes as f64 / trials as f64);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if tail(middle) < significance { low = middle } else { high = middle }
    }
    low * (1.0 - 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_add_up_and_equal_the_incomplete_beta_function() {
        for (count, p) in [(1, 0.5), (10, 0.3), (1_000, 0.731_058_578_630_004_9), (5_000, 0.999)] {
            let binomial = Binomial::new(count, p, 1.0 - p);
            assert!((binomial.at_least(0) - 1.0).abs() < 1e-13);
            for k in [1, count / 3 + 1, count / 2 + 1, count] {
                let beta = beta_reg(k as f64, (count - k + 1) as f64, p);
                let tail = binomial.at_least(k);
                assert!((tail - beta).abs() <= 1e-11 * beta + 1e-300, "{count} {p} {k}: {tail} {beta}");
            }
        }
    }

    #[test]
    fn limits_are_those_of_tables() {
        // scipy.stats.beta.ppf(0.025, k, n - k + 1) and ppf(0.975, k + 1, n - k).
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.308_497_107_818_760_83),
            (1, 10, 0.002_528_578_544_461_752_5, 0.445_016_117_028_195_03),
            (5, 10, 0.187_086_028_447_391_67, 0.812_913_971_552_608_4),
            (10, 10, 0.691_502_892_181_239_2, 1.0),
        ] {
            assert!((lower_limit(k, n, 0.025) - low).abs() < 1e-10, "{k}: {}", lower_limit(k, n, 0.025));
            assert!((upper_limit(k, n, 0.025) - high).abs() < 1e-10, "{k}: {}", upper_limit(k, n, 0.025));
        }
    }
}
