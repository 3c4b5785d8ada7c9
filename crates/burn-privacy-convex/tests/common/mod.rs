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
