//! Does the noise have the distribution that it claims?

use crate::bounds::{assert_binomial, assert_chi_square, seeded};
use burn_privacy_mechanisms::{MAX_DEVIATION, fill_gaussian_f32, fill_gaussian_f64};
use statrs::distribution::{ContinuousCDF, Normal};

/// Values drawn: 3.4e7; without optimization 2e6, because a value then takes over a microsecond.
const DRAWS: u64 = if cfg!(debug_assertions) { 1 << 21 } else { 1 << 25 };

/// Values in memory at once.
const BATCH: u64 = 1 << 19;

/// `(two-sided probability beyond k, k)` of a standard normal: `erfc(k / sqrt 2)`.
const TAILS: [(f64, f64); 5] = [
    (0.317_310_507_862_914_1, 1.0),
    (0.045_500_263_896_358_41, 2.0),
    (0.002_699_796_063_260_189, 3.0),
    (6.334_248_366_623_984e-5, 4.0),
    (5.733_031_437_583_878e-7, 5.0),
];

#[test]
fn moments_and_tails() {
    let key = seeded(1);
    let mut batch = vec![0.0_f64; BATCH as usize];
    let mut powers = [0.0_f64; 6];
    let mut beyond = [[0_u64; 2]; TAILS.len()];
    let (mut product, mut square_product) = (0.0, 0.0);
    for start in (0..DRAWS).step_by(BATCH as usize) {
        fill_gaussian_f64(&key, 0, start, &mut batch, 1.0).unwrap();
        for tile in batch.as_chunks::<128>().0 {
            let (cosines, sines) = tile.split_at(64);
            for (x, y) in cosines.iter().zip(sines) {
                product += x * y;
                square_product += (x * x - 1.0) * (y * y - 1.0);
            }
        }
        for &z in &batch {
            assert!(z.abs() < MAX_DEVIATION);
            let mut power = 1.0;
            for sum in &mut powers {
                power *= z;
                *sum += power;
            }
            for (counts, (_, k)) in beyond.iter_mut().zip(TAILS) {
                counts[usize::from(z < 0.0)] += u64::from(z.abs() > k);
            }
        }
    }

    // Each standardized moment is normal up to 1 / sqrt(DRAWS); six of them beyond 6 deviations: 6 · 2e-9 = 1.2e-8.
    let n = DRAWS as f64;
    let means_and_variances = [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0), (0.0, 945.0), (15.0, 10_170.0)];
    for (order, (sum, (mean, variance))) in powers.iter().zip(means_and_variances).enumerate() {
        let deviation = (sum - n * mean) / (n * variance).sqrt();
        assert!(deviation.abs() < 6.0, "moment {}: {deviation:.2} standard deviations off", order + 1);
    }
    // The halves of a pair share a radius, and are uncorrelated all the same, as are their squares (variance 4): 4e-9.
    let pairs = n / 2.0;
    assert!((product / pairs.sqrt()).abs() < 6.0);
    assert!((square_product / (4.0 * pairs).sqrt()).abs() < 6.0);
    // Each count at a rate of 2 exp(-17) = 8.3e-8, ten counts: 8.3e-7. At 5 deviations and 3.4e7 draws 19.2 are
    // expected, and none would fail.
    for ([above, below], (probability, k)) in beyond.into_iter().zip(TAILS) {
        assert_binomial(above + below, DRAWS, probability, 17.0, &format!("beyond {k} deviations"));
        assert_binomial(above, DRAWS, probability / 2.0, 17.0, &format!("above {k} deviations"));
    }
}

#[test]
fn kolmogorov_smirnov_and_equiprobable_cells() {
    const COUNT: usize = if cfg!(debug_assertions) { 1 << 17 } else { 1 << 21 };
    const CELLS: usize = 512;
    let normal = Normal::standard();
    for (std, first) in [(1.0, 0), (0.013, 1)] {
        let mut noise = vec![0.0_f32; COUNT];
        fill_gaussian_f32(&seeded(2), 5, first, &mut noise, std).unwrap();
        noise.sort_by(f32::total_cmp);
        let n = COUNT as f64;
        let mut distance = 0.0_f64;
        let mut cells = [0_u64; CELLS];
        for (rank, &x) in noise.iter().enumerate() {
            let p = normal.cdf(f64::from(x) / std);
            distance = distance.max(p - rank as f64 / n).max((rank + 1) as f64 / n - p);
            cells[((p * CELLS as f64) as usize).min(CELLS - 1)] += 1;
        }
        // Massart (Annals of Probability 18, 1990): sqrt(n) D > x with probability at most 2 exp(-2 x²); 2.8 gives
        // 3.1e-7. The rounding to f32 moves the function by less than 1e-7.
        assert!(distance * n.sqrt() < 2.8, "std {std}: sqrt(n) D = {}", distance * n.sqrt());
        // Rate 2 exp(-16) = 2.3e-7.
        let expected = n / CELLS as f64;
        let statistic = cells.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        assert_chi_square(statistic, (CELLS - 1) as f64, 16.0, "equiprobable cells");
    }
}
