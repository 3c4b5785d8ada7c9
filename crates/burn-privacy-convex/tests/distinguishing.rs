//! An attacker who knows everything but one record, against many releases of one weight.
//!
//! The data sets are the worst neighbours there are: the record that differs pulls with its whole weight in opposite
//! directions. For each threshold the attacker counts the releases above it; Hoeffding's inequality turns counts into
//! bounds, and epsilon is at least ln((p - delta) / q).

mod common;

use burn_privacy_convex::{
    Loss, Privacy, RowScale, SgdPlan, StepSize, TrainingSet, bolt_on_sgd, objective_perturbation, output_perturbation,
};
use burn_privacy_mechanisms::Entropy;
use common::set;

const THRESHOLDS: usize = 200;

fn worst_neighbours() -> (TrainingSet, TrainingSet) {
    let loss = Loss::HuberSvm { h: 0.1 };
    let rows = [0.0, 0.0, 0.0, 1.0];
    (
        set(&rows, 1, &[1.0, 1.0, 1.0, 1.0], RowScale::Clip(1.0), loss),
        set(&rows, 1, &[1.0, 1.0, 1.0, -1.0], RowScale::Clip(1.0), loss),
    )
}

/// (point estimate, lower bound) of epsilon. With 200 thresholds, two sides and two counts each, a false alarm has
/// probability 1e-7.
fn attacked(releases: u64, release: impl Fn(&TrainingSet, &Entropy) -> f64, delta: f64) -> (f64, f64) {
    let (one, other) = worst_neighbours();
    let draw = |set: &TrainingSet, from: u64| -> Vec<f64> {
        let mut weights: Vec<f64> = (from..from + releases).map(|seed| release(set, &Entropy::seeded(seed))).collect();
        weights.sort_by(f64::total_cmp);
        weights
    };
    let (a, b) = (draw(&one, 0), draw(&other, releases));
    let n = releases as f64;
    let margin = (f64::ln(4.0 * THRESHOLDS as f64 / 1e-7) / (2.0 * n)).sqrt();
    let above =
        |sorted: &[f64], threshold: f64| (sorted.len() - sorted.partition_point(|&x| x <= threshold)) as f64 / n;
    let (mut estimate, mut lower) = (0.0_f64, 0.0_f64);
    for i in 1..THRESHOLDS {
        // Thresholds at quantiles of the other set's releases; far tails say nothing with these counts.
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

fn weight(release: burn_privacy_convex::Result<burn_privacy_convex::Release>) -> f64 {
    release.unwrap().model.weights()[0]
}

/// Calibrating Gaussian noise takes most of a release's time, so there are fewer of those.
///
/// The attack must find a good part of epsilon where the mechanism spends all of it, or it would prove nothing.
#[test]
fn no_attack_finds_more_than_epsilon() {
    let pure = Privacy::pure(1.0).unwrap();
    let approximate = Privacy::approximate(1.0, 0.01).unwrap();
    let plan = SgdPlan { passes: 2, batch_size: 2, lambda: 0.0, step: StepSize::Constant(0.1) };
    type Mechanism<'a> = Box<dyn Fn(&TrainingSet, &Entropy) -> f64 + 'a>;
    let cases: [(&str, u64, f64, f64, Mechanism<'_>); 5] = [
        ("output, pure", 100_000, 0.0, 0.9, Box::new(|s, e| weight(output_perturbation(s, 0.5, &pure, e)))),
        ("output, Gaussian", 20_000, 0.01, 0.4, Box::new(|s, e| weight(output_perturbation(s, 0.5, &approximate, e)))),
        ("objective, pure", 100_000, 0.0, 0.6, Box::new(|s, e| weight(objective_perturbation(s, 10.0, &pure, e)))),
        (
            "objective, Gaussian",
            20_000,
            0.01,
            0.2,
            Box::new(|s, e| weight(objective_perturbation(s, 10.0, &approximate, e))),
        ),
        ("bolt-on, pure", 100_000, 0.0, 0.9, Box::new(|s, e| weight(bolt_on_sgd(s, &plan, &pure, e)))),
    ];
    for (name, releases, delta, found, mechanism) in cases {
        let (estimate, lower) = attacked(releases, mechanism, delta);
        println!("{name}: epsilon 1 claimed, {estimate:.3} estimated, at least {lower:.3}");
        assert!(lower <= 1.0, "{name}: at least {lower}");
        assert!(estimate < 1.2, "{name}: {estimate}");
        assert!(lower > found, "{name}: the attack is weak, {lower}");
    }
}
