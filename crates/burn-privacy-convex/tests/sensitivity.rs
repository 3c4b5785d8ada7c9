//! No pair of neighbors is further apart than the sensitivity says; and what a smaller one would miss.

mod support;

use burn_privacy_convex::{
    Loss, RowScale, SgdPlan, StepSize, TrainingSet, minimizer_sensitivity, sgd_without_privacy, solve_without_privacy,
};
use burn_privacy_mechanisms::Entropy;
use proptest::prelude::*;
use support::{Numbers, distance, random_rows, set};

const LOSSES: [Loss; 4] = [
    Loss::Logistic,
    Loss::HuberSvm { h: 0.5 },
    Loss::HuberSvm { h: 0.05 },
    Loss::Ridge { label_bound: 1.0, radius: 0.7 },
];

/// A data set and its neighbor, which has a long row of the other label in place of one record.
fn neighbors(seed: u64, n: usize, d: usize, place: usize, loss: Loss, far: bool) -> (TrainingSet, TrainingSet) {
    let mut numbers = Numbers(seed);
    let (mut rows, mut labels) = random_rows(&mut numbers, n, d);
    let place = place % n;
    let record = place * d..(place + 1) * d;
    if far {
        // The record that pulls hardest in one direction; its neighbor pulls the other way.
        rows[record.clone()].fill(100.0);
        labels[place] = 1.0;
    }
    let one = set(&rows, d, &labels, RowScale::Clip(1.0), loss);
    labels[place] = -labels[place];
    if !far {
        rows[record].fill_with(|| 3.0 * numbers.next());
    }
    (one, set(&rows, d, &labels, RowScale::Clip(1.0), loss))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn minimizers_of_neighbors_are_near(
        seed in any::<u64>(), n in 1_usize..40, d in 1_usize..6, place in any::<usize>(),
        ln_lambda in -9.0_f64..1.0, which in 0_usize..4, far in any::<bool>(),
    ) {
        let lambda = ln_lambda.exp();
        let (one, other) = neighbors(seed, n, d, place, LOSSES[which], far);
        let bound = minimizer_sensitivity(&one, lambda).unwrap();
        let (a, b) = (solve_without_privacy(&one, lambda).unwrap(), solve_without_privacy(&other, lambda).unwrap());
        prop_assert!(distance(&a.weights, &b.weights) <= bound);
    }

    #[test]
    fn iterates_of_neighbors_are_near(
        seed in any::<u64>(), n in 1_usize..40, d in 1_usize..6, place in any::<usize>(),
        passes in 1_u32..5, batch in 1_usize..12, which in 0_usize..4, far in any::<bool>(),
        kind in 0_usize..3, lambda in 0.001_f64..2.0, share in 0.05_f64..1.0,
    ) {
        let (one, other) = neighbors(seed, n, d, place, LOSSES[which], far);
        let lambda = if kind == 0 { 0.0 } else { lambda };
        let limit = 2.0 / (LOSSES[which].smoothness() + 2.0 * lambda);
        let step = if kind == 2 { StepSize::Decreasing } else { StepSize::Constant(share * limit) };
        let plan = SgdPlan { passes, batch_size: batch.min(n), lambda, step };
        let bound = plan.sensitivity(n, &LOSSES[which]).unwrap();
        let run = |set: &TrainingSet| sgd_without_privacy(set, &plan, Entropy::seeded(seed)).unwrap();
        prop_assert!(distance(&run(&one), &run(&other)) <= bound);
    }
}

/// A hinge loss that never leaves its straight part gives the largest difference there is.
fn worst_case(n: usize) -> (TrainingSet, TrainingSet, Loss) {
    let loss = Loss::HuberSvm { h: 1e-3 };
    let rows = vec![0.0; n - 1].into_iter().chain([1.0]).collect::<Vec<f64>>();
    let mut labels = vec![1.0; n];
    let one = set(&rows, 1, &labels, RowScale::Clip(1.0), loss);
    labels[n - 1] = -1.0;
    (one, set(&rows, 1, &labels, RowScale::Clip(1.0), loss), loss)
}

#[test]
fn minimizers_can_be_as_far_apart_as_the_sensitivity_says() {
    let (one, other, _) = worst_case(100);
    let lambda = 0.5;
    let (a, b) = (solve_without_privacy(&one, lambda).unwrap(), solve_without_privacy(&other, lambda).unwrap());
    let bound = minimizer_sensitivity(&one, lambda).unwrap();
    assert!(distance(&a.weights, &b.weights) > 0.9999 * bound);
}

/// One known implementation of bolt-on SGD takes 2 L / (gamma n b) for decreasing steps, dividing by the batch size b
/// although n records in batches of b already did. The distance here is above that, and within 2 L / (gamma n).
#[test]
fn dividing_by_the_batch_size_once_more_is_too_little() {
    let (n, batch_size, lambda) = (120, 10, 0.5);
    let (one, other, loss) = worst_case(n);
    // With the smoothness of 500 the first steps are short; 300 passes make up for that.
    let plan = SgdPlan { passes: 300, batch_size, lambda, step: StepSize::Decreasing };
    let run = |set: &TrainingSet| sgd_without_privacy(set, &plan, Entropy::seeded(3)).unwrap();
    let apart = distance(&run(&one), &run(&other));
    let ours = plan.sensitivity(n, &loss).unwrap();
    let too_small = 2.0 / (lambda * n as f64 * batch_size as f64);
    assert!(apart <= ours && apart > 0.5 * ours, "{apart} {ours}");
    assert!(apart > 5.0 * too_small, "{apart} {too_small}");

    // Likewise with constant steps: 2 k L eta / b holds, divided by b again it does not.
    let plan = SgdPlan { passes: 3, batch_size, lambda: 0.0, step: StepSize::Constant(2e-3) };
    let run = |set: &TrainingSet| sgd_without_privacy(set, &plan, Entropy::seeded(3)).unwrap();
    let apart = distance(&run(&one), &run(&other));
    let ours = plan.sensitivity(n, &loss).unwrap();
    assert!(apart <= ours && apart > 0.999 * ours, "{apart} {ours}");
    assert!(apart > 9.0 * ours / batch_size as f64);
}
