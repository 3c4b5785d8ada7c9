//! Every mechanism's outputs are distributed as the theorems say.

use burn_privacy_mechanisms::local::{Duchi, IntegerNoise, Piecewise, RandomizedResponse, RealNoise};
use statrs::distribution::{ContinuousCDF, Laplace, Normal};

use crate::draws;

const COUNT: usize = 100_000;

/// Kolmogorov and Smirnov's distance to a continuous distribution is below the bound of Dvoretzky, Kiefer, Wolfowitz
/// and Massart, `P[D > d] <= 2 exp(-2 n d^2)`, for 1e-7; `grid` is the probability of one place of the grid at most.
fn assert_distributed(mut values: Vec<f64>, grid: f64, cdf: impl Fn(f64) -> f64) {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let bound = ((2.0_f64 / 1e-7).ln() / (2.0 * n)).sqrt() + grid;
    for (index, &value) in values.iter().enumerate() {
        let p = cdf(value);
        let distance = (p - index as f64 / n).abs().max((p - (index + 1) as f64 / n).abs());
        assert!(distance < bound, "at {value}: {distance} >= {bound}");
    }
}

/// Every count is within Chernoff's bound, `n KL(count / n, p) <= 24`: exceeded with probability 2 exp(-24) = 8e-11
/// each, for up to 200 cells.
fn assert_counts(counts: &[(u64, f64)]) {
    assert!(counts.len() <= 200);
    let n: u64 = counts.iter().map(|(count, _)| count).sum();
    for (cell, &(count, p)) in counts.iter().enumerate() {
        let share = count as f64 / n as f64;
        let term = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
        let divergence = n as f64 * (term(share, p) + term(1.0 - share, 1.0 - p));
        assert!(divergence < 24.0, "cell {cell}: {count} of {n}, expected {p}");
    }
}

#[test]
fn laplace_noise_is_laplace_distributed() {
    for (seed, value) in [(1, 2.0), (2, 3.7), (3, 9.0)] {
        let mechanism = RealNoise::laplace(2.0, 7.0, 1.0).unwrap();
        let ideal = Laplace::new(f64::min(value, 7.0), 5.0).unwrap();
        assert_distributed(draws(seed, COUNT, |r| mechanism.perturb(value, r)), 2e-6, |x| ideal.cdf(x));
    }
}

#[test]
fn gaussian_noise_is_normally_distributed() {
    let calibrated = RealNoise::gaussian(-1.0, 1.0, 1.0, 1e-5).unwrap();
    let ideal = Normal::new(0.25, 2.0 * 3.730_631_634_815_942).unwrap();
    assert_distributed(draws(4, COUNT, |r| calibrated.perturb(0.25, r)), 1e-5, |x| ideal.cdf(x));
    let given = RealNoise::obfuscation(0.0, 1e5, 2e4, 1e-6).unwrap();
    let ideal = Normal::new(3e4, 2e4).unwrap();
    assert_distributed(draws(5, COUNT, |r| given.perturb(3e4, r)), 1e-5, |x| ideal.cdf(x));
}

#[test]
fn integer_noise_is_two_sided_geometric() {
    let mechanism = IntegerNoise::laplace(0, 4, 2.0).unwrap();
    let r = (-0.5_f64).exp();
    let mut counts = [0_u64; 33];
    for output in draws(6, COUNT, |r| mechanism.perturb(1, r)) {
        // The tails in one cell each.
        counts[usize::try_from((output - 1).clamp(-16, 16) + 16).unwrap()] += 1;
    }
    let expected = |noise: i32| match noise.abs() {
        16 => r.powi(16) / (1.0 + r),
        size => (1.0 - r) / (1.0 + r) * r.powi(size),
    };
    assert_counts(&counts.iter().zip(-16..).map(|(&count, noise)| (count, expected(noise))).collect::<Vec<_>>());
}

#[test]
fn rounded_gaussian_noise_has_the_masses_of_the_normal_distribution() {
    let mechanism = IntegerNoise::obfuscation(0, 10, 3.0, 1e-5).unwrap();
    let ideal = Normal::new(0.0, 3.0).unwrap();
    let mut counts = [0_u64; 21];
    for output in draws(7, COUNT, |r| mechanism.perturb(4, r)) {
        counts[usize::try_from((output - 4).clamp(-10, 10) + 10).unwrap()] += 1;
    }
    let expected = |noise: f64| {
        let low = if noise <= -10.0 { 0.0 } else { ideal.cdf(noise - 0.5) };
        let high = if noise >= 10.0 { 1.0 } else { ideal.cdf(noise + 0.5) };
        high - low
    };
    let cells: Vec<_> = counts.iter().zip(-10..).map(|(&count, noise)| (count, expected(f64::from(noise)))).collect();
    assert_counts(&cells);
}

#[test]
fn randomized_response_keeps_and_lies_as_often_as_stated() {
    for (seed, categories, epsilon) in [(8, 2, 1.0), (9, 5, 2.0), (10, 100, 1.0)] {
        let response = RandomizedResponse::new(categories, epsilon).unwrap();
        let truth = categories as u32 / 2;
        let mut counts = vec![0_u64; categories];
        for output in draws(seed, COUNT, |r| response.perturb(truth, r)) {
            counts[output as usize] += 1;
        }
        let weight = epsilon.exp() + categories as f64 - 1.0;
        let expected = |category: usize| if category as u32 == truth { epsilon.exp() / weight } else { 1.0 / weight };
        assert_counts(&counts.iter().enumerate().map(|(c, &count)| (count, expected(c))).collect::<Vec<_>>());
    }
}

#[test]
fn counts_are_debiased() {
    let response = RandomizedResponse::new(3, 1.5).unwrap();
    let truth = [60_000_u64, 30_000, 10_000];
    let mut counts = [0_u64; 3];
    let outputs = draws(11, 100_000, |r| [0, 1, 2].map(|category| response.perturb(category, r)));
    for (record, released) in (0..).zip(outputs) {
        let category = if record < truth[0] { 0 } else { usize::from(record >= truth[0] + truth[1]) + 1 };
        counts[released[category] as usize] += 1;
    }
    // Hoeffding: each count is within 5.1 sqrt(n / 2) but with probability 2 exp(-26) ; divided by p - q.
    let slack = 5.1 * (100_000.0_f64 / 2.0).sqrt() / (response.keep_probability() - response.other_probability());
    for (estimate, truth) in response.debias_counts(&counts).unwrap().into_iter().zip(truth) {
        assert!((estimate - truth as f64).abs() < slack, "{estimate} {truth}");
    }
}

#[test]
fn the_piecewise_mechanism_has_the_density_of_the_source() {
    for (seed, epsilon, x) in [(12, 1.0_f64, -1.0), (13, 2.0, 0.3), (14, 4.0, 1.0)] {
        let mechanism = Piecewise::new(-1.0, 1.0, epsilon).unwrap();
        let t = (0.5 * epsilon).exp();
        let c = (t + 1.0) / (t - 1.0);
        let l = 0.5 * (c + 1.0) * x - 0.5 * (c - 1.0);
        let r = l + c - 1.0;
        let cdf = |y: f64| {
            let inside = (y.clamp(l, r) - l) / (r - l);
            let outside = ((y.clamp(-c, c) + c) - (r - l) * inside) / (c + 1.0);
            t / (t + 1.0) * inside + outside / (t + 1.0)
        };
        assert_distributed(draws(seed, COUNT, |r| mechanism.perturb(x, r)), 1e-4, cdf);
    }
}

#[test]
fn duchis_mechanism_has_the_probabilities_of_the_source() {
    for (seed, epsilon, x) in [(15, 0.5_f64, -1.0), (16, 1.0, 0.4), (17, 3.0, 1.0)] {
        let mechanism = Duchi::new(-1.0, 1.0, epsilon).unwrap();
        let (small, large) = mechanism.outputs();
        let outputs = draws(seed, COUNT, |r| mechanism.perturb(x, r));
        assert!(outputs.iter().all(|&output| output == small || output == large));
        let positive = outputs.iter().filter(|&&output| output == large).count();
        let e = epsilon.exp();
        let p = ((e - 1.0) * x + e + 1.0) / (2.0 * (e + 1.0));
        assert_counts(&[(positive as u64, p), ((COUNT - positive) as u64, 1.0 - p)]);
    }
}
