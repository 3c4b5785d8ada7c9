//! An attacker who knows everything but one record, against many releases of one weight.
//!
//! The data sets are the worst neighbors there are: the record that differs pulls with its whole weight in opposite
//! directions. For each threshold the attacker counts the releases above it; Hoeffding's inequality turns counts into
//! bounds, and epsilon is at least ln((p - delta) / q).

mod support;

use burn_privacy_convex::{
    Loss, PrivacyBudget, RowScale, SgdPlan, StepSize, TrainingSet, bolt_on_sgd, objective_perturbation,
    output_perturbation,
};
use burn_privacy_mechanisms::Entropy;
use support::{attacked, set};

fn worst_neighbors() -> (TrainingSet, TrainingSet) {
    let loss = Loss::HuberSvm { h: 0.1 };
    let rows = [0.0, 0.0, 0.0, 1.0];
    (
        set(&rows, 1, &[1.0, 1.0, 1.0, 1.0], RowScale::Clip(1.0), loss),
        set(&rows, 1, &[1.0, 1.0, 1.0, -1.0], RowScale::Clip(1.0), loss),
    )
}

/// (point estimate, lower bound) of epsilon, as `support::attacked`.
fn attack(releases: u64, release: impl Fn(&TrainingSet, Entropy) -> f64, delta: f64) -> (f64, f64) {
    let (one, other) = worst_neighbors();
    let draw = |set: &TrainingSet, from: u64| {
        (from..from + releases).map(|seed| release(set, Entropy::seeded(seed))).collect()
    };
    attacked(draw(&one, 0), draw(&other, releases), delta)
}

fn weight(release: burn_privacy_convex::Result<burn_privacy_convex::Release>) -> f64 {
    release.unwrap().model.weights()[0]
}

type Mechanism<'a> = &'a dyn Fn(&TrainingSet, Entropy) -> f64;

/// The attack must find a good part of epsilon where the mechanism spends all of it, or it would prove nothing.
fn finds_at_most_epsilon(name: &str, releases: u64, delta: f64, found: f64, mechanism: Mechanism<'_>) {
    let (estimate, lower) = attack(releases, mechanism, delta);
    println!("{name}: epsilon 1 claimed, {estimate:.3} estimated, at least {lower:.3}");
    assert!(lower <= 1.0, "{name}: at least {lower}");
    assert!(estimate < 1.2, "{name}: {estimate}");
    assert!(lower > found, "{name}: the attack is weak, {lower}");
}

#[test]
fn no_attack_finds_more_than_a_pure_epsilon() {
    let pure = PrivacyBudget::pure(1.0).unwrap();
    let plan = SgdPlan { passes: 2, batch_size: 2, lambda: 0.0, step: StepSize::Constant(0.1) };
    let cases: [(&str, f64, Mechanism<'_>); 3] = [
        ("output", 0.9, &|s, e| weight(output_perturbation(s, 0.5, &pure, e))),
        ("objective", 0.6, &|s, e| weight(objective_perturbation(s, 10.0, &pure, e))),
        ("bolt-on", 0.9, &|s, e| weight(bolt_on_sgd(s, &plan, &pure, e))),
    ];
    for (name, found, mechanism) in cases {
        finds_at_most_epsilon(name, 100_000, 0.0, found, mechanism);
    }
}

// Calibrating takes most of a release's time, so there are fewer of them, and a test each.

#[test]
fn no_attack_finds_more_than_epsilon_in_weights_with_gaussian_noise() {
    let approximate = PrivacyBudget::approximate(1.0, 0.01).unwrap();
    let output = |s: &TrainingSet, e: Entropy| weight(output_perturbation(s, 0.5, &approximate, e));
    finds_at_most_epsilon("output", 20_000, 0.01, 0.4, &output);
}

#[test]
fn no_attack_finds_more_than_epsilon_in_objectives_with_gaussian_noise() {
    let approximate = PrivacyBudget::approximate(1.0, 0.01).unwrap();
    let objective = |s: &TrainingSet, e: Entropy| weight(objective_perturbation(s, 10.0, &approximate, e));
    finds_at_most_epsilon("objective", 20_000, 0.01, 0.2, &objective);
}
