//! Tests of noise for single numbers: exact ratios of probabilities, claimed tails, and measured deviations.

use super::*;
use crate::{Entropy, PrivacyKey};

const EPSILONS: [f64; 8] = [1e-4, 0.01, 0.5, 1.0, 2.0, 8.0, 20.0, 32.0];

/// Probability of every amount of noise, from the parameters that are drawn with.
fn mass(noise: &TwoSidedGeometric, steps: i64) -> f64 {
    let scale = (1_u64 << 63) as f64;
    if steps == 0 {
        return noise.zero as f64 / scale;
    }
    let noisy = ((1 << 63) - noise.zero) as f64 / scale;
    let size = steps.unsigned_abs() as f64;
    0.5 * noisy * -(-noise.per_step).exp_m1() * (-noise.per_step * (size - 1.0)).exp()
}

#[test]
fn one_step_changes_a_probability_by_no_more_than_its_share() {
    for epsilon in EPSILONS {
        for last in [1, 2, 100, TwoSidedGeometric::most_places(epsilon)] {
            let noise = TwoSidedGeometric::new(epsilon, last);
            // All ratios of neighbors beyond these are r exactly.
            for (a, b) in [(0, 1), (1, 2)] {
                let ratio = (mass(&noise, a) / mass(&noise, b)).ln();
                let excess = ratio - noise.per_step;
                assert!(excess <= 1e-11 && excess > -1e-5, "{epsilon} {last}: {ratio}");
            }
            let total = noise.per_step * last as f64;
            assert!(total <= epsilon - 0.999 * EPSILON_SLACK, "{epsilon} {last}: {total}");
        }
    }
}

#[test]
fn every_output_is_within_the_claimed_ratio_the_cut_ones_included() {
    for (epsilon, last) in [(0.5, 4), (1.0, 1), (3.0, 7), (32.0, 2)] {
        let noise = TwoSidedGeometric::new(epsilon, last);
        let probability = |place: i64, output: i64| {
            // At the ends, the whole tail: the mass of its first step over 1 - r.
            let cut = output == -noise.margin || output == last + noise.margin;
            mass(&noise, output - place) / if cut { -(-noise.per_step).exp_m1() } else { 1.0 }
        };
        for output in -noise.margin..=last + noise.margin {
            let loss = (probability(0, output) / probability(last, output)).ln().abs();
            assert!(loss <= epsilon, "{epsilon} {last}, output {output}: {loss}");
        }
        let total: f64 = (-noise.margin..=last + noise.margin).map(|output| probability(0, output)).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }
}

#[test]
fn rounded_gaussian_noise_is_within_the_claimed_delta() {
    use statrs::distribution::{ContinuousCDF, Normal};
    for (epsilon, delta) in [(0.5, 1e-3), (1.0, 1e-5), (4.0, 1e-6)] {
        let mechanism = IntegerNoise::gaussian(0, 10, epsilon, delta).unwrap();
        let Noise::Gaussian(deviation) = mechanism.noise else { panic!("Gaussian noise is Gaussian") };
        let ideal = Normal::new(0.0, deviation).unwrap();
        // By the upper tails, which keep their relative accuracy.
        let probability = |place: i64, output: i64| {
            let noise = (output - place) as f64;
            ideal.sf(noise - 0.5) - ideal.sf(noise + 0.5)
        };
        let excess: f64 = (0..(14.0 * deviation) as i64)
            .map(|output| (probability(10, output) - epsilon.exp() * probability(0, output)).max(0.0))
            .sum();
        assert!(excess <= delta && excess > 0.9 * delta, "{epsilon} {delta:e}: {excess:e}");
    }
}

#[test]
fn floats_place_every_reachable_step() {
    for epsilon in EPSILONS {
        let last = TwoSidedGeometric::most_places(epsilon);
        let noise = TwoSidedGeometric::new(epsilon, last);
        let reach = (last + noise.margin) as f64;
        // Both ends of a step move by at most reach · 2^-48 of its width, for either value: the budget is the slack.
        assert!(4.0 * reach * 2.0_f64.powi(-48) <= EPSILON_SLACK, "{epsilon}: {reach}");
        // What is cut off is still drawn with 30 bits to spare of the radius' 128.
        let rarest = noise.per_step * reach - noise.per_step.ln();
        assert!(rarest < 98.0 * std::f64::consts::LN_2, "{epsilon}: {rarest}");
    }
    for plan in [1e-5, 1e-3, 1.0, 1e3, 1e5].map(|ratio| (ratio, GaussianPlan::most_places(ratio))) {
        assert!(plan.1 == 1 || plan.0 * plan.1 as f64 * crate::MAX_DEVIATION <= REACH);
    }
}

#[test]
fn gaussian_noise_has_the_calibrated_deviation() {
    let real = RealNoise::gaussian(-1.0, 1.0, 1.0, 1e-5).unwrap();
    assert!((real.standard_deviation() / (2.0 * 3.730_631_634_815_942) - 1.0).abs() < 1e-5);
    assert!(real.standard_deviation() > 2.0 * 3.730_631_634_815_942);
    assert_eq!((real.epsilon(), real.delta()), (1.0, 1e-5));
    // A given deviation is worth what the calibration says, the slack apart.
    let given = RealNoise::obfuscation(-1.0, 1.0, 2.0 * 3.730_631_634_815_942, 1e-5).unwrap();
    assert!(given.epsilon() > 1.0 && given.epsilon() < 1.0 + 3e-6, "{}", given.epsilon());
}

#[test]
fn laplace_noise_has_the_scale_of_the_theorem() {
    for epsilon in [0.5, 1.0, 4.0] {
        let noise = RealNoise::laplace(3.0, 8.0, epsilon).unwrap();
        let expected = 2.0_f64.sqrt() * 5.0 / epsilon;
        assert!((noise.standard_deviation() / expected - 1.0).abs() < 1e-5);
    }
}

#[test]
fn outputs_lie_on_the_grid_and_within_the_tail() {
    let key = PrivacyKey::draw(Entropy::seeded(11)).unwrap();
    let integer = IntegerNoise::laplace(0, 10, 0.5).unwrap();
    let wide = IntegerNoise::laplace(-(1 << 53), 1 << 53, 0.5).unwrap();
    let real = RealNoise::laplace(0.0, 1.0, 32.0).unwrap();
    for record in 0..2_000 {
        let randomness = CellRandomness::draw(&key, record, 0).unwrap();
        assert!(integer.perturb(3, &randomness).abs() < 500);
        assert_eq!((wide.perturb(0, &randomness) + (1 << 53)) % i128::from(wide.step()), 0);
        assert!((real.perturb(0.5, &randomness) - 0.5).abs() < 1.3);
        assert!(real.perturb(f64::NAN, &randomness).is_finite());
    }
}

#[test]
fn bad_arguments_are_refused() {
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY, 33.0, 1e-5] {
        assert!(matches!(RealNoise::laplace(0.0, 1.0, epsilon), Err(LocalError::Epsilon { .. })));
        assert!(RealNoise::gaussian(0.0, 1.0, epsilon, 1e-5).is_err());
    }
    for delta in [0.0, -1.0, f64::NAN, 1.0, 1e-40] {
        assert!(matches!(IntegerNoise::gaussian(0, 1, 1.0, delta), Err(LocalError::Delta { .. })));
    }
    for deviation in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1e9] {
        let error = RealNoise::obfuscation(0.0, 1.0, deviation, 1e-5);
        assert!(matches!(error, Err(LocalError::StandardDeviation { .. })), "{deviation}");
    }
    assert!(RealNoise::laplace(1.0, 1.0, 1.0).is_err());
    assert!(IntegerNoise::obfuscation(5, 4, 1.0, 1e-5).is_err());
}
