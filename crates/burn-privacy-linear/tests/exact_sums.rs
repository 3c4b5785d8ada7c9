//! The sum of a step is exact, and no record moves it by more than the clipping norm.

use burn_privacy_linear::exact::{FEATURE_UNIT, WEIGHT_UNIT};
use burn_privacy_linear::{HeadLoss, LinearHead, Records, clipped_sum};
use proptest::prelude::*;

/// Numbers from -1 to 1 that any two seeds have in no relation.
fn number(seed: usize, at: usize) -> f64 {
    let mixed =
        (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (seed as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Rows longer than 1, which are shortened, and short ones.
fn fill(seed: usize, dimension: usize) -> impl Fn(usize, &mut [f32]) + Sync {
    move |record, row| {
        let size = if record.is_multiple_of(3) { 3.0 } else { 0.4 };
        let spread = size / (dimension as f64).sqrt();
        for (at, x) in row.iter_mut().enumerate() {
            *x = (number(seed + record * 7_919, at) * spread) as f32;
        }
    }
}

fn records(seed: usize, count: usize, dimension: usize, classes: usize) -> Records {
    let labels = (0..count).map(|record| ((record * 31 + seed) % classes) as u8).collect();
    Records::new(dimension, classes, labels, fill(seed, dimension)).unwrap()
}

fn head(seed: usize, dimension: usize, classes: usize, size: f64) -> LinearHead {
    let weights = (0..classes * (dimension + 1)).map(|at| number(seed + 99, at) * size).collect();
    LinearHead::new(classes, dimension, weights).unwrap()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neighbors_differ_by_one_bounded_contribution(
        seed in 0_usize..1_000,
        count in 1_usize..400,
        dimension in prop::sample::select(vec![1, 7, 64, 1_023, 1_024, 1_300]),
        classes in 2_usize..6,
        clip in prop::sample::select(vec![1e-3, 0.1, 0.7, 1.0, 30.0]),
        least_squares in any::<bool>(),
    ) {
        let loss = if least_squares { HeadLoss::LeastSquares } else { HeadLoss::CrossEntropy };
        let records = records(seed, count, dimension, classes);
        let head = head(seed, dimension, classes, 3.0);
        let all: Vec<usize> = (0..count).collect();
        let sum = clipped_sum(&records, &all, &head, loss, clip).unwrap();
        let absent = seed % count;
        let others: Vec<usize> = all.iter().copied().filter(|&record| record != absent).collect();
        let without = clipped_sum(&records, &others, &head, loss, clip).unwrap();
        let alone = clipped_sum(&records, &[absent], &head, loss, clip).unwrap();
        // Bit for bit, whatever blocks and threads the others were in.
        for ((all, others), alone) in sum.iter().zip(&without).zip(&alone) {
            prop_assert_eq!(all - others, *alone);
        }
        prop_assert!(norm(&alone) <= clip);
        // In another order, too.
        let backwards: Vec<usize> = all.iter().rev().copied().collect();
        prop_assert_eq!(clipped_sum(&records, &backwards, &head, loss, clip).unwrap(), sum);
    }
}

/// The gradient of one record by its definition, in plain loops.
fn by_definition(row: &[f64], label: usize, head: &LinearHead, loss: HeadLoss, clip: f64) -> Vec<f64> {
    let width = row.len();
    let rounded = |weight: f64| (weight / WEIGHT_UNIT).round() * WEIGHT_UNIT;
    let mut residual: Vec<f64> = (0..head.classes())
        .map(|class| row.iter().zip(&head.weights()[class * width..]).map(|(x, w)| x * rounded(*w)).sum())
        .collect();
    if loss == HeadLoss::CrossEntropy {
        let total: f64 = residual.iter().map(|score: &f64| score.exp()).sum();
        residual.iter_mut().for_each(|score| *score = score.exp() / total);
    }
    residual[label] -= 1.0;
    let length = norm(&residual) * norm(row);
    let factor = if length > clip { clip / length } else { 1.0 };
    residual.iter().flat_map(|r| row.iter().map(move |x| r * factor * x)).collect()
}

#[test]
fn gradients_are_those_of_the_loss_up_to_the_grid() {
    let (dimension, classes, count) = (130, 4, 90);
    let records = records(5, count, dimension, classes);
    for (loss, clip, size) in
        [(HeadLoss::CrossEntropy, 0.1, 1.0), (HeadLoss::CrossEntropy, 50.0, 1.0), (HeadLoss::LeastSquares, 0.4, 0.2)]
    {
        let head = head(8, dimension, classes, size);
        let mut expected = vec![0.0; classes * (dimension + 1)];
        for record in 0..count {
            // As `Records` keeps it.
            let mut raw = vec![0.0_f32; dimension];
            fill(5, dimension)(record, &mut raw);
            let length = raw.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1.0);
            let mut row: Vec<f64> =
                raw.iter().map(|&x| (f64::from(x) / length / FEATURE_UNIT).trunc() * FEATURE_UNIT).collect();
            row.push(1.0);
            let label = (record * 31 + 5) % classes;
            let gradient = by_definition(&row, label, &head, loss, clip);
            expected.iter_mut().zip(gradient).for_each(|(sum, entry)| *sum += entry);
        }
        let all: Vec<usize> = (0..count).collect();
        let sum = clipped_sum(&records, &all, &head, loss, clip).unwrap();
        for (found, expected) in sum.iter().zip(&expected) {
            // Each residual is truncated by less than clip 2^-19, and a feature may be cut at another place.
            let allowed = count as f64 * (clip * 2_f64.powi(-19) + 3e-5 * clip.min(1.5));
            assert!((found - expected).abs() < allowed, "{found} {expected}");
        }
    }
}

#[test]
fn what_would_not_be_exact_is_refused() {
    let records = records(1, 10, 3, 2);
    let message = |head: &LinearHead, clip| {
        clipped_sum(&records, &[0, 1], head, HeadLoss::CrossEntropy, clip).unwrap_err().to_string()
    };
    let diverged = LinearHead::new(2, 3, vec![1e5; 8]).unwrap();
    assert!(message(&diverged, 1.0).contains("diverged"));
    let broken = LinearHead::new(2, 3, vec![f64::NAN; 8]).unwrap();
    assert!(message(&broken, 1.0).contains("diverged"));
    assert!(message(&LinearHead::zeros(2, 3), f64::INFINITY).contains("clipping norm"));
    assert!(message(&LinearHead::zeros(2, 4), 1.0).contains("features a row"));
    let empty = clipped_sum(&records, &[], &LinearHead::zeros(2, 3), HeadLoss::CrossEntropy, 1.0).unwrap();
    assert_eq!(empty, [0.0; 8]);
}
