//! Is the noise of different steps, tensors and keys unrelated, and the same whatever computes it?

use crate::bounds::seeded;
use burn_privacy_mechanisms::{
    Entropy, PrivacyKey, Purpose, fill_gaussian_f32, fill_gaussian_f64, fill_uniform, poisson_sample,
};

const COUNT: usize = if cfg!(debug_assertions) { 1 << 16 } else { 1 << 20 };

fn noise(key: &PrivacyKey, step: u64, first: u64) -> Vec<f64> {
    let mut noise = vec![0.0; COUNT];
    fill_gaussian_f64(key, step, first, &mut noise, 1.0).unwrap();
    noise
}

/// The correlation of two noise vectors and that of their squares, in standard deviations.
fn correlations(a: &[f64], b: &[f64]) -> [f64; 2] {
    let n = a.len() as f64;
    let product: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let squares: f64 = a.iter().zip(b).map(|(x, y)| (x * x - 1.0) * (y * y - 1.0)).sum();
    [product / n.sqrt(), squares / (2.0 * n.sqrt())]
}

// Each comparison fails beyond 6 standard deviations: 2e-9 for a normal value; the tests make 30 at most, 6e-8.
fn assert_unrelated(a: &[f64], b: &[f64], what: &str) {
    for (kind, deviation) in ["values", "squares"].iter().zip(correlations(a, b)) {
        assert!(deviation.abs() < 6.0, "{what}: {kind} correlated at {deviation:.1} standard deviations");
    }
}

#[test]
fn steps_are_unrelated() {
    let key = seeded(3);
    let first = noise(&key, 0, 0);
    for step in [1, 2, 3, 1_000, 1 << 32, (1 << 56) - 1] {
        assert_unrelated(&first, &noise(&key, step, 0), &format!("steps 0 and {step}"));
    }
}

#[test]
fn tensors_of_a_step_are_unrelated() {
    let key = seeded(3);
    let first = noise(&key, 7, 0);
    for start in [COUNT as u64, 5 * COUNT as u64 + 1, 1 << 32, 1 << 60] {
        assert_unrelated(&first, &noise(&key, 7, start), &format!("tensors at 0 and {start}"));
    }
}

#[test]
fn neighbors_are_unrelated() {
    let values = noise(&seeded(3), 8, 0);
    for lag in [1, 2, 16, 63, 64, 65, 127, 128, 16_384] {
        assert_unrelated(&values[lag..], &values[..COUNT - lag], &format!("lag {lag}"));
    }
}

#[test]
fn keys_are_unrelated() {
    let first = noise(&seeded(3), 0, 0);
    assert_unrelated(&first, &noise(&seeded(4), 0, 0), "seeds 3 and 4");
    // Keys of the operating system change from run to run: 8e-9 a run.
    let mine = noise(&PrivacyKey::draw(Entropy::os()).unwrap(), 0, 0);
    let theirs = noise(&PrivacyKey::draw(Entropy::os()).unwrap(), 0, 0);
    assert_ne!(mine, theirs);
    assert_unrelated(&mine, &theirs, "two keys of the operating system");
}

#[test]
fn noise_and_coins_are_unrelated() {
    // Noise of the records that a step's coins include: its mean, at 2e-9.
    let key = seeded(5);
    let values = noise(&key, 0, 0);
    let included = poisson_sample(&key, 0, COUNT as u64, 0.25).unwrap();
    let sum: f64 = included.iter().map(|&i| values[i]).sum();
    assert!((sum / (included.len() as f64).sqrt()).abs() < 6.0);
}

#[test]
fn uniform_numbers_fill_the_interval() {
    let mut numbers = vec![0.0; COUNT];
    fill_uniform(&seeded(6), Purpose::Testing, 0, 0, &mut numbers).unwrap();
    let n = COUNT as f64;
    let (mut cells, expected) = ([0.0_f64; 1_024], n / 1_024.0);
    for &x in &numbers {
        assert!(0.0 < x && x < 1.0);
        cells[(x * 1_024.0) as usize] += 1.0;
    }
    let statistic = cells.iter().map(|c| (c - expected).powi(2) / expected).sum();
    crate::bounds::assert_chi_square(statistic, 1_023.0, 16.0, "uniform cells"); // 2.3e-7
}

#[test]
fn a_seed_reproduces_bit_for_bit_with_any_number_of_threads() {
    let draw = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let key = seeded(7);
            let mut single = vec![0.0_f32; COUNT + 3];
            fill_gaussian_f32(&key, 2, 1, &mut single, 1.5).unwrap();
            let bits: Vec<u32> = single.iter().map(|x| x.to_bits()).collect();
            (bits, poisson_sample(&key, 2, 300_001, 0.02).unwrap())
        })
    };
    let one = draw(1);
    for threads in [2, 3, 7] {
        assert!(draw(threads) == one, "{threads} threads");
    }
}
