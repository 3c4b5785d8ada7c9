//! Tests of phased plans: one epsilon, refusals by name, adjacencies.

use super::*;

fn phase(name: &str, noise: PhaseNoise, steps: u64) -> PhaseConfig {
    let sampling = if steps == 1 { Sampling::full_batch(60_000) } else { Sampling::poisson(4_096, 60_000) };
    PhaseConfig { name: name.into(), sampling, contribution: 0.1, noise, steps }
}

#[test]
fn phases_share_one_epsilon() {
    let statistics = phase("statistics", PhaseNoise::Multiplier(8.0 / 2_f64.sqrt()), 1);
    let head = phase("head", PhaseNoise::Calibrated(1.0), 586);
    let plan = PhasedPlanConfig::new(1e-5).with_phase(statistics).with_phase(head.clone()).with_target(3.0);
    let plan = plan.build().unwrap();
    // dp_accounting's PLD: 2.528 with the statistics, less without.
    let multiplier = plan.phase("head").unwrap().noise_multiplier();
    assert!((multiplier - 2.528).abs() < 2e-3, "{multiplier}");
    assert!(plan.epsilon().unwrap() <= 3.0 && plan.epsilon().unwrap() > 2.999);
    let alone = PhasedPlanConfig::new(1e-5).with_phase(head).with_target(3.0).build().unwrap();
    assert!(alone.phases()[0].noise_multiplier() < multiplier * 0.99);
    assert_eq!((plan.phases()[0].first_step(), plan.phases()[1].first_step()), (0, 1));
    let (start, end) = (plan.epsilon_after(0).unwrap(), plan.epsilon_after(586).unwrap());
    assert!(start > 0.3 && start < 1.0 && end == plan.epsilon().unwrap(), "{start} {end}");
}

#[test]
fn bad_phases_are_refused_by_name() {
    let good = phase("a", PhaseNoise::Multiplier(2.0), 1);
    let refused = |config: PhasedPlanConfig, words: &str| {
        let message = config.build().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    let plan = || PhasedPlanConfig::new(1e-5).with_phase(good.clone());
    refused(PhasedPlanConfig::new(1e-5), "phases");
    refused(PhasedPlanConfig::new(1e-4).with_phase(good.clone()), "delta");
    refused(plan().with_phase(good.clone()), "phase name");
    refused(plan().with_target(1.0), "calibrated");
    refused(plan().with_phase(phase("b", PhaseNoise::Calibrated(1.0), 5)), "with_target");
    refused(plan().with_phase(phase("b", PhaseNoise::Calibrated(0.0), 5)).with_target(1.0), "above 0");
    refused(plan().with_phase(PhaseConfig { contribution: 0.0, ..phase("b", good.noise, 1) }), "contribution");
    refused(plan().with_phase(phase("b", PhaseNoise::Multiplier(1.0), 0)), "steps");
    let other = PhaseConfig { sampling: Sampling::full_batch(10), ..phase("b", good.noise, 1) };
    refused(plan().with_phase(other), "one data set");
    // What a fixed phase spends can't be won back.
    let spent = PhasedPlanConfig::new(1e-5).with_phase(phase("a", PhaseNoise::Multiplier(0.5), 1));
    let message = spent.with_phase(phase("b", PhaseNoise::Calibrated(1.0), 5)).with_target(1.0).build();
    assert!(message.is_err());
}

#[test]
fn a_replaced_record_counts_twice() {
    let plan = PhasedPlanConfig::new(1e-5).with_adjacency(Adjacency::ReplaceOne);
    let plan = plan.with_phase(phase("a", PhaseNoise::Multiplier(2.0), 1)).build().unwrap();
    assert_eq!((plan.phases()[0].contribution(), plan.phases()[0].sensitivity()), (0.1, 0.2));
    assert!(plan.check_population(59_999).is_err());
}
