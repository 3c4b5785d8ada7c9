//! Noise rounded to a grid: its distribution, its lowest bits, its tails, and what it costs.
#![allow(missing_docs)]

use std::time::Instant;

use burn_privacy_mechanisms::{Entropy, PrivacyKey, RoundedStepNoise, StepNoise};
use statrs::distribution::{ContinuousCDF, Normal};

const CELLS: usize = 1_024;

/// Laurent and Massart (2000): a chi-square of so many degrees of freedom lies outside with a probability of at most 2 exp(-16.5),
/// 1.4e-7.
fn assert_chi_square(counts: &[u64], what: &str) {
    let draws: u64 = counts.iter().sum();
    let expected = draws as f64 / counts.len() as f64;
    let found: f64 = counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    let spread = 2.0 * (freedom * 16.5).sqrt();
    println!("{what}: chi-square {found:.1} of {freedom} degrees of freedom, {draws} draws");
    assert!(found > freedom - spread && found < freedom + spread + 33.0, "{what}: {found}");
}

/// As many as a number of draws of probability `p` may be: outside with a probability below 1e-7 (Bernstein's inequality).
fn assert_share(count: u64, draws: u64, p: f64, what: &str) {
    let mean = draws as f64 * p;
    let deviation = (2.0 * mean * 17.0).sqrt() + 17.0;
    println!("{what}: {count}, {mean:.1} expected");
    assert!((count as f64 - mean).abs() <= deviation, "{what}: {count} of {mean}");
}

fn check(draws: u64, seed: u64) {
    let key = PrivacyKey::draw(Entropy::seeded(seed)).unwrap();
    let normal = Normal::new(0.0, 1.0).unwrap();
    let std = 1.3 * 2.0_f64.powi(40);
    let (mut quantiles, mut low, mut middle) = (vec![0_u64; CELLS], vec![0_u64; 256], vec![0_u64; 256]);
    let mut beyond = [0_u64; 6];
    let mut values = vec![0_i128; 1 << 18];
    let (mut drawn, mut step) = (0, 0);
    while drawn < draws {
        values.fill(0);
        RoundedStepNoise::new(&key, step).unwrap().add(0, &mut values, std).unwrap();
        step += 1;
        drawn += values.len() as u64;
        for value in &values {
            let z = *value as f64 / std;
            quantiles[((normal.cdf(z) * CELLS as f64) as usize).min(CELLS - 1)] += 1;
            low[(*value & 255) as usize] += 1;
            middle[(*value >> 20 & 255) as usize] += 1;
            for (deviations, count) in beyond.iter_mut().enumerate().skip(1) {
                *count += u64::from(z.abs() > deviations as f64);
            }
        }
    }
    assert_chi_square(&quantiles, "quantiles");
    // The density is constant over 2^28 multiples of the spacing but for a part in 10,000: far below what a test sees in so small
    // a part of its period.
    assert_chi_square(&low, "bits 0 to 7");
    assert_chi_square(&middle, "bits 20 to 27");
    for (deviations, count) in beyond.into_iter().enumerate().skip(1) {
        let tail = 2.0 * normal.cdf(-(deviations as f64));
        assert_share(count, drawn, tail, &format!("beyond {deviations} standard deviations"));
    }
}

#[test]
fn a_million_values_are_normal_to_their_lowest_bits_and_in_their_tails() {
    check(1_000_000, 11);
}

#[test]
#[ignore = "half a minute: cargo test --release -p burn-privacy-mechanisms --test exact_noise -- --ignored --nocapture"]
fn fifty_million_values_are_normal_to_their_lowest_bits_and_in_their_tails() {
    check(50_000_000, 12);
}

#[test]
#[ignore = "prints times: cargo test --release -p burn-privacy-mechanisms --test exact_noise -- --ignored --nocapture what_it_costs"]
fn what_it_costs() {
    let key = PrivacyKey::draw(Entropy::seeded(13)).unwrap();
    for (name, threads) in [("one core", 1), ("all cores", 0)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut whole, mut floats) = (vec![0_i128; 2_000_000], vec![0.0_f64; 2_000_000]);
            let mut best = [f64::INFINITY; 2];
            for step in 0..5 {
                let start = Instant::now();
                RoundedStepNoise::new(&key, step).unwrap().add(0, &mut whole, 1e12).unwrap();
                best[0] = best[0].min(start.elapsed().as_secs_f64());
                let start = Instant::now();
                StepNoise::new(&key, step).unwrap().add_f64(0, &mut floats, 1e12, 1.0).unwrap();
                best[1] = best[1].min(start.elapsed().as_secs_f64());
            }
            let [exact, floating] = best.map(|seconds| seconds / 2e6 * 1e9);
            println!("{name}: {exact:.1} ns a value exactly, {floating:.1} ns in floating point");
        });
    }
}
