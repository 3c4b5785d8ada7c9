//! Are the coins independent, with the right probability?

use crate::bounds::{assert_binomial, assert_chi_square, seeded};
use burn_privacy_mechanisms::poisson_sample;

const POPULATION: usize = 20_000;
const STEPS: u64 = 200;
const RATE: f64 = 0.05;

fn samples() -> Vec<Vec<usize>> {
    let key = seeded(11);
    (0..STEPS).map(|step| poisson_sample(&key, step, POPULATION as u64, RATE).unwrap()).collect()
}

#[test]
fn sizes_and_records_are_binomial() {
    let samples = samples();
    let n = POPULATION as u64;
    // All coins, and each step's: 201 bounds at 2 exp(-21) = 1.5e-9, 3.1e-7 together.
    let total: usize = samples.iter().map(Vec::len).sum();
    assert_binomial(total as u64, n * STEPS, RATE, 21.0, "all coins");
    for (step, sample) in samples.iter().enumerate() {
        assert_binomial(sample.len() as u64, n, RATE, 21.0, &format!("step {step}"));
    }
    // Sizes vary as a binomial does, neither less nor more: chi-square of 200 degrees, and each record's count over the
    // steps, 20,000 degrees; 2 · 2 exp(-16) = 4.5e-7.
    let variance = |trials: f64| trials * RATE * (1.0 - RATE);
    let sizes = samples.iter().map(|s| (s.len() as f64 - RATE * n as f64).powi(2) / variance(n as f64)).sum();
    assert_chi_square(sizes, STEPS as f64, 16.0, "sizes");
    let mut counts = vec![0.0_f64; POPULATION];
    samples.iter().flatten().for_each(|&record| counts[record] += 1.0);
    let records = counts.iter().map(|c| (c - RATE * STEPS as f64).powi(2) / variance(STEPS as f64)).sum();
    assert_chi_square(records, POPULATION as f64, 16.0, "records");
}

#[test]
fn steps_are_pairwise_independent() {
    // Records in both of two steps: probability RATE² each. 398 bounds at 2 exp(-21): 6e-7.
    let samples = samples();
    let shared = |a: &[usize], b: &[usize]| a.iter().filter(|record| b.binary_search(record).is_ok()).count() as u64;
    for step in 1..samples.len() {
        let both = shared(&samples[step], &samples[step - 1]);
        assert_binomial(both, POPULATION as u64, RATE * RATE, 21.0, &format!("steps {} and {step}", step - 1));
        let both = shared(&samples[step], &samples[0]);
        assert_binomial(both, POPULATION as u64, RATE * RATE, 21.0, &format!("steps 0 and {step}"));
    }
}

#[test]
fn neighboring_records_are_independent() {
    // Pairs (2i, 2i + 1) with both included: 2e6 pairs, probability RATE²; 2 exp(-16) = 2.3e-7.
    let both: usize =
        samples().iter().map(|sample| sample.windows(2).filter(|w| w[0] % 2 == 0 && w[1] == w[0] + 1).count()).sum();
    assert_binomial(both as u64, STEPS * POPULATION as u64 / 2, RATE * RATE, 16.0, "pairs of records");
}

#[test]
fn small_and_large_rates_are_met() {
    // Four bounds at 2 exp(-17): 3.3e-7.
    let key = seeded(12);
    let population = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 23 };
    for (step, rate) in [1e-5, 1e-3, 0.5, 0.999].into_iter().enumerate() {
        let sample = poisson_sample(&key, step as u64, population, rate).unwrap();
        assert_binomial(sample.len() as u64, population, rate, 17.0, &format!("rate {rate}"));
        assert!(sample.windows(2).all(|w| w[0] < w[1]));
    }
}
