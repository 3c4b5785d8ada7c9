//! The best of a random number of runs: never below the exact privacy curve of finite mechanisms, nor below known truths.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant, RunCount};
use proptest::prelude::*;

fn selected(adjacency: Adjacency, runs: RunCount, run: DpEvent) -> RdpAccountant {
    let mut accountant = RdpAccountant::new(adjacency);
    accountant.compose(&DpEvent::repeat_and_select(runs, run).unwrap(), 1).unwrap();
    accountant
}

fn poisson(mean: f64) -> RunCount {
    RunCount::Poisson { mean }
}

/// Without the outcome that no run was made, these were 0 (arXiv 2110.03620, theorem 6 as it is stated).
#[test]
fn few_expected_runs_are_not_free() {
    let narrow = DpEvent::gaussian(0.3).unwrap();
    let epsilon = selected(Adjacency::AddOrRemoveOne, poisson(0.1), narrow).epsilon(1e-5).unwrap();
    assert!(epsilon >= 17.0, "{epsilon}");
    let training =
        DpEvent::self_composed(DpEvent::poisson_sampled(0.01, DpEvent::gaussian(1.0).unwrap()).unwrap(), 1_000)
            .unwrap();
    let epsilon = selected(Adjacency::AddOrRemoveOne, poisson(0.99), training.clone()).epsilon(1e-5).unwrap();
    assert!(epsilon > 1.829, "{epsilon}");
    // More runs cost more, in small steps too, and next to no run costs next to nothing.
    let mut before = 0.0;
    for mean in [1e-12, 1e-6, 0.01, 0.1, 0.5, 0.9, 0.999, 1.0, 1.001, 2.0, 10.0, 50.0] {
        let found = selected(Adjacency::AddOrRemoveOne, poisson(mean), training.clone()).epsilon(1e-5).unwrap();
        assert!(found >= before, "{mean}: {found} {before}");
        assert!(mean > 1e-12 || found == 0.0, "{mean}: {found}");
        before = found;
    }
}

/// Releasing nothing at all with a probability can't hide more than that probability.
#[test]
fn a_single_expected_run_shows_the_run() {
    for mean in [0.01, 0.1, 0.5, 0.99, 3.0] {
        // An outcome that tells the neighbors apart is released unless there is no run.
        let run = DpEvent::epsilon_delta(40.0, 0.0).unwrap();
        let delta = selected(Adjacency::ReplaceOne, poisson(mean), run).delta(1.0).unwrap();
        assert!(delta >= -(-mean).exp_m1() * (1.0 - 1e-12), "{mean}: {delta}");
    }
}

/// Exact curves of the best of several answers of randomized response, `better` being the one that is chosen.
fn exact_delta(truth: f64, epsilon: f64, better_is_true: bool, generating: impl Fn(f64) -> f64) -> f64 {
    // Outcomes: no run, only the worse answer, the better answer at least once.
    let law = |better: f64| {
        let none = generating(0.0);
        let worse = generating(1.0 - better);
        [none, worse - none, 1.0 - worse]
    };
    let (p, q) = if better_is_true { (law(truth), law(1.0 - truth)) } else { (law(1.0 - truth), law(truth)) };
    let stick =
        |p: [f64; 3], q: [f64; 3]| -> f64 { p.iter().zip(q).map(|(p, q)| (p - epsilon.exp() * q).max(0.0)).sum() };
    stick(p, q).max(stick(q, p))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deltas_are_never_below_the_exact_curve(
        noise in 0.01..0.95_f64, log_mean in -4.7..4.0_f64, epsilon in 0.0..6.0_f64, better_is_true: bool,
    ) {
        let mean = log_mean.exp();
        let event = DpEvent::randomized_response(noise, 2).unwrap();
        let found = selected(Adjacency::ReplaceOne, poisson(mean), event).delta(epsilon).unwrap();
        let truth = exact_delta(1.0 - 0.5 * noise, epsilon, better_is_true, |x| (mean * (x - 1.0)).exp());
        prop_assert!(found >= truth - 1e-13, "{mean} {noise} {epsilon}: {found} {truth}");
    }

    #[test]
    fn deltas_of_other_run_counts_are_never_below_the_exact_curve(
        noise in 0.01..0.95_f64, shape in -0.95..4.0_f64, log_gamma in -5.0..-0.02_f64, epsilon in 0.0..6.0_f64,
        better_is_true: bool,
    ) {
        prop_assume!(shape.abs() > 1e-3);
        let gamma = log_gamma.exp();
        let event = DpEvent::randomized_response(noise, 2).unwrap();
        let runs = RunCount::TruncatedNegativeBinomial { shape, gamma };
        let found = selected(Adjacency::ReplaceOne, runs, event).delta(epsilon).unwrap();
        let generating = |x: f64| ((1.0 - (1.0 - gamma) * x).powf(-shape) - 1.0) / (gamma.powf(-shape) - 1.0);
        let truth = exact_delta(1.0 - 0.5 * noise, epsilon, better_is_true, generating);
        prop_assert!(found >= truth - 1e-13, "{shape} {gamma} {noise} {epsilon}: {found} {truth}");
    }
}
