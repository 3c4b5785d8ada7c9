//! Small data sets, and distances.

#![allow(dead_code)] // each test file uses some of it

use burn_privacy_convex::{FeatureMap, Features, Loss, RowScale, TrainingSet};

/// A generator that needs no seed from outside: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// Uniform in [-1, 1).
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// A training set without an intercept.
pub fn set(rows: &[f64], columns: usize, labels: &[f64], scale: RowScale, loss: Loss) -> TrainingSet {
    let features = Features::new(rows, FeatureMap::new(columns, scale).unwrap()).unwrap();
    TrainingSet::new(features, labels.to_vec(), loss).unwrap()
}

/// Random rows, and labels of a random line.
pub fn random_rows(numbers: &mut Numbers, n: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let line: Vec<f64> = (0..d).map(|_| numbers.next()).collect();
    let rows: Vec<f64> = (0..n * d).map(|_| numbers.next()).collect();
    let labels = rows
        .chunks_exact(d)
        .map(|row| row.iter().zip(&line).map(|(x, w)| x * w).sum::<f64>())
        .map(|score| if score + 0.3 * numbers.next() > 0.0 { 1.0 } else { -1.0 })
        .collect();
    (rows, labels)
}

pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

/// (point estimate, lower bound) of the epsilon that tells two equally long lists of an attacker's numbers apart.
///
/// For each of 200 thresholds the attacker counts the numbers above it; Hoeffding's inequality turns counts into bounds, and
/// epsilon is at least ln((p - delta) / q). With two sides and two counts each, a false alarm has probability 1e-7.
pub fn attacked(mut a: Vec<f64>, mut b: Vec<f64>, delta: f64) -> (f64, f64) {
    const THRESHOLDS: usize = 200;
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let n = a.len() as f64;
    let margin = (f64::ln(4.0 * THRESHOLDS as f64 / 1e-7) / (2.0 * n)).sqrt();
    let above =
        |sorted: &[f64], threshold: f64| (sorted.len() - sorted.partition_point(|&x| x <= threshold)) as f64 / n;
    let (mut estimate, mut lower) = (0.0_f64, 0.0_f64);
    for i in 1..THRESHOLDS {
        // Thresholds at quantiles of the second list; far tails say nothing with these counts.
        let threshold = b[i * b.len() / THRESHOLDS];
        let (p, q) = (above(&a, threshold), above(&b, threshold));
        for (p, q) in [(p, q), (1.0 - q, 1.0 - p)] {
            if q > 0.02 {
                estimate = estimate.max(((p - delta) / q).ln());
            }
            lower = lower.max(((p - margin - delta).max(0.0) / (q + margin)).ln());
        }
    }
    (estimate, lower)
}
