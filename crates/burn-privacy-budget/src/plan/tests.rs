//! Tests of plans: the oracle's epsilon, the sensitivity of each adjacency, refusals by name, and the JSON form.

use super::*;

fn config() -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(250, 50_000))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::multiplier(1.1))
        .with_delta(1e-5)
        .with_steps(2_000)
}

#[test]
fn epsilon_is_the_oracles() {
    // The exact value for q = 0.005, sigma = 1.1, T = 2000, from the accounting crate's fixtures.
    let exact = 1.007_673_204;
    let epsilon = config().build().unwrap().epsilon(1e-5).unwrap();
    assert!(epsilon >= exact && epsilon <= exact * (1.0 + 1e-4), "{epsilon}");
}

#[test]
fn sensitivity_follows_the_adjacency() {
    let plan = config().build().unwrap();
    assert_eq!((plan.sensitivity(), plan.noise_standard_deviation()), (0.5, 0.5 * 1.1));
    let replace =
        config().with_adjacency(Adjacency::ReplaceOne).with_sampling(Sampling::full_batch(50_000)).build().unwrap();
    assert_eq!((replace.sensitivity(), replace.noise_standard_deviation()), (1.0, 1.1));
}

#[test]
fn calibration_lands_on_the_safe_side() {
    let plan = config().with_noise(NoiseLevel::target(3.0, 1e-5)).build().unwrap();
    let epsilon = plan.epsilon(1e-5).unwrap();
    assert!(epsilon <= 3.0 && epsilon > 2.999, "{epsilon}");
}

#[test]
fn epochs_are_whole_steps_rounded_up() {
    let steps = |epochs, batch, size| {
        config().with_sampling(Sampling::poisson(batch, size)).with_epochs(epochs).build().unwrap().steps()
    };
    assert_eq!(steps(10.0, 250, 45_000), 1_800);
    assert_eq!(steps(1.0, 256, 45_000), 176);
    // int(1 / (1 / n)) is n - 1 for n = 93: steps are not computed that way.
    assert_eq!(steps(1.0, 1, 93), 93);
    // What floats add to a quotient is no step: as in a sweep and on the command line.
    assert_eq!((steps(9.0, 30, 50_000), steps(1.1, 10, 50_000)), (15_000, 5_500));
}

#[test]
fn bad_values_are_refused_by_name() {
    let refused = |config: PrivacyPlanConfig, words: &str| {
        let message = config.build().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    refused(PrivacyPlanConfig::new(), "sampling");
    refused(config().with_clipping(Clipping::flat(f64::NAN)), "clipping norm");
    refused(config().with_clipping(Clipping::flat(0.0)), "clipping norm");
    refused(config().with_noise(NoiseLevel::multiplier(-1.0)), "noise multiplier");
    refused(config().with_noise(NoiseLevel::multiplier(f64::NAN)), "noise multiplier");
    refused(config().with_noise(NoiseLevel::target(3.0, 1e-6)), "delta");
    refused(config().with_delta(1.0 / 50_000.0), "below 1 / nominal size");
    refused(config().with_delta(f64::NAN), "delta");
    refused(config().with_steps(0), "steps");
    refused(config().with_epochs(f64::INFINITY), "epochs");
    refused(config().with_epochs(1e30), "epochs");
    refused(config().with_sampling(Sampling::poisson(0, 50_000)), "expected batch size");
    refused(config().with_sampling(Sampling::poisson(50_001, 50_000)), "expected batch size");
    refused(config().with_adjacency(Adjacency::ReplaceOne), "adjacency = replace-one");
}

#[test]
fn the_unit_is_part_of_the_plan_and_of_what_it_says() {
    let plan = config().with_protected_unit(ProtectedUnit::User).build().unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains("\"protected_unit\":\"user\""), "{json}");
    assert_eq!(serde_json::from_str::<PrivacyPlan>(&json).unwrap(), plan);
    let last_bits = crate::statement::LastBits::OfTheRecordAlone;
    let noise = crate::statement::Noise::ExactRounded;
    let statement = crate::statement::statement(&plan, "letters", 0, true, last_bits, noise).unwrap();
    let of_floats = crate::statement::Noise::FloatingPoint;
    let floating = crate::statement::statement(&plan, "letters", 0, true, last_bits, of_floats).unwrap();
    let says_lowest_bits = |assumptions: &[String]| assumptions.iter().any(|sentence| sentence.contains("lowest bits"));
    assert!(says_lowest_bits(&floating.assumptions) && !says_lowest_bits(&statement.assumptions));
    assert!(statement.protected_unit.contains("one user"), "{}", statement.protected_unit);
}

#[test]
fn a_seeded_run_has_no_finite_epsilon() {
    use crate::statement::{LastBits, Noise, statement};
    let plan = config().build().unwrap();
    let so_far = |private| {
        let found = statement(&plan, "letters", 10, private, LastBits::OfTheRecordAlone, Noise::FloatingPoint).unwrap();
        found.epsilon_so_far.into_iter().map(|report| report.epsilon).collect::<Vec<_>>()
    };
    assert!(so_far(true).iter().all(|epsilon| epsilon.is_finite() && *epsilon > 0.0));
    assert!(so_far(false).iter().all(|epsilon| *epsilon == f64::INFINITY));
}

#[test]
fn a_public_size_must_be_the_stated_one() {
    let plan = config().with_adjacency(Adjacency::ZeroOut).build().unwrap();
    let stated = plan.sampling().nominal_size();
    plan.check_population(stated).unwrap();
    for other in [0, stated - 1, stated + 1] {
        assert!(plan.check_population(other).is_err(), "{other}");
    }
    // Under add-or-remove-one the number is private.
    config().build().unwrap().check_population(stated + 1).unwrap();
}

#[test]
fn a_plan_survives_json_and_a_forged_one_does_not() {
    let plan = config().with_noise(NoiseLevel::target(3.0, 1e-5)).build().unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<PrivacyPlan>(&json).unwrap(), plan);

    let forged = json.replace("\"steps\":2000", "\"steps\":200000");
    assert!(serde_json::from_str::<PrivacyPlan>(&forged).unwrap_err().to_string().contains("target epsilon"));
    let unknown = json.replace("\"version\":1", "\"version\":2");
    assert!(serde_json::from_str::<PrivacyPlan>(&unknown).is_err());
}

#[test]
fn every_style_survives_json_and_is_named() {
    let styles = [
        (Clipping::normalized(), "AUTO-S"),
        (Clipping::psac(0.5), "per-sample adaptive"),
        (Clipping::per_layer(0.5), "layer by layer"),
        (Clipping::per_group([("conv", 0.1), ("", 0.2)]), "0.2 elsewhere"),
        (Clipping::quantile(0.1, 0.5, 12.5), "0.5-quantile"),
    ];
    for (clipping, words) in styles {
        let plan = config().with_clipping(clipping.clone()).build().unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<PrivacyPlan>(&json).unwrap(), plan);
        assert!(plan.mechanism().contains(words), "{}", plan.mechanism());
        assert!((plan.sensitivity() - clipping.norm()).abs() < 1e-15);
        // The style costs nothing: the same noise multiplier gives the same epsilon.
        let (epsilon, flat) = (plan.epsilon(1e-5).unwrap(), config().build().unwrap().epsilon(1e-5).unwrap());
        assert!((epsilon / flat - 1.0).abs() < 2e-4, "{clipping}: {epsilon} {flat}");
    }
}

#[test]
fn a_count_of_clipped_gradients_takes_its_share_of_the_noise() {
    let plan = config().with_clipping(Clipping::quantile(0.1, 0.5, 1.0)).build().unwrap();
    // 1.1^-2 - 2^-2 = 0.5764...
    assert!((plan.gradient_noise_multiplier() - (1.1_f64.powi(-2) - 0.25).sqrt().recip()).abs() < 1e-12);
    assert!((plan.noise_standard_deviation() - 0.1 * plan.gradient_noise_multiplier()).abs() < 1e-15);
    assert_eq!(plan.noise_standard_deviation_in(0, 0.3), 0.3 * plan.gradient_noise_multiplier());
    assert_eq!(plan.count_noise_standard_deviation(), Some(1.0));
    let event = serde_json::to_string(&plan.step_event().unwrap()).unwrap();
    assert!(event.contains("composed"), "{event}");
    // All that a step may say is said by the count: refused, with what would do.
    let error = config().with_clipping(Clipping::quantile(0.1, 0.5, 0.5)).build().unwrap_err().to_string();
    assert!(error.contains("above 0.55") && error.contains("count"), "{error}");
    // A target is met with the count paid for.
    let plan = config()
        .with_clipping(Clipping::quantile(0.1, 0.5, 1.0))
        .with_noise(NoiseLevel::target(3.0, 1e-5))
        .build()
        .unwrap();
    let epsilon = plan.epsilon(1e-5).unwrap();
    assert!(epsilon <= 3.0 && epsilon > 2.99, "{epsilon}");
}
