//! Samples of fixed size, truncated Poisson samples and the best of several runs, against closed forms and against what
//! dp-accounting 0.6.0 proves.

use burn_privacy_accounting::{
    Accountant, AccountingError, Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, RunCount,
    gaussian_delta, gaussian_epsilon,
};
use proptest::prelude::*;

fn gaussian(noise: f64) -> DpEvent {
    DpEvent::gaussian(noise).unwrap()
}

fn fixed_size(records: u64, sample: u64, inner: DpEvent) -> DpEvent {
    DpEvent::sampled_without_replacement(records, sample, inner).unwrap()
}

fn truncated(records: u64, rate: f64, most: u64, noise: f64) -> DpEvent {
    DpEvent::truncated_poisson_sampled(records, rate, most, gaussian(noise)).unwrap()
}

fn best_of(runs: RunCount, inner: DpEvent) -> DpEvent {
    DpEvent::repeat_and_select(runs, inner).unwrap()
}

fn pld(adjacency: Adjacency, event: &DpEvent, count: u64) -> PldAccountant {
    let mut accountant = PldAccountant::new(adjacency);
    accountant.compose(event, count).unwrap();
    accountant
}

fn rdp(adjacency: Adjacency, event: &DpEvent, count: u64) -> RdpAccountant {
    let mut accountant = RdpAccountant::new(adjacency);
    accountant.compose(event, count).unwrap();
    accountant
}

/// delta(ln(1 + q (e^x - 1))) = q times the delta at x without sampling (Balle, Barthe and Gaboardi, arXiv 1807.01647).
#[test]
fn one_sample_of_fixed_size_has_its_closed_form() {
    for (records, sample, noise) in [(1_000, 50, 0.8), (10, 9, 2.0), (60_000, 256, 1.1), (100, 100, 1.5)] {
        let rate = sample as f64 / records as f64;
        let accountant = pld(Adjacency::ReplaceOne, &fixed_size(records, sample, gaussian(noise)), 1);
        for unsampled in [0.1, 0.7, 2.0_f64] {
            let epsilon = (rate * unsampled.exp_m1()).ln_1p();
            let truth = rate * gaussian_delta(noise, unsampled).unwrap();
            let (lower, upper) = accountant.delta_bounds(epsilon).unwrap();
            assert!(lower <= truth * (1.0 + 1e-9) && truth <= upper * (1.0 + 1e-9), "{lower:e} {truth:e} {upper:e}");
            assert!(upper <= truth * 1.02, "{records} {sample} {noise} {unsampled}: {upper:e} {truth:e}");
        }
    }
    // The same for Laplace noise: pure differential privacy of one step.
    let laplace = fixed_size(100, 5, DpEvent::laplace(0.8).unwrap());
    let pure = (0.05 * 1.25_f64.exp_m1()).ln_1p();
    let (lower, upper) = pld(Adjacency::ReplaceOne, &laplace, 1).epsilon_bounds(1e-9).unwrap();
    assert!(lower <= upper && lower > 0.99 * pure && upper <= pure * (1.0 + 1e-9), "{lower} {pure} {upper}");
}

/// The ceilings are dp-accounting's, which bounds the same divergences less tightly (Wang, Balle and Kasiviswanathan).
#[test]
fn divergences_of_fixed_size_samples_are_tight() {
    for (records, sample, noise, steps, ceilings) in [
        (1_000, 50, 2.0, 100, [(2.0, 0.283_622_83), (4.0, 0.593_437_46), (16.0, 2.794_070_29)]),
        (60_000, 256, 1.1, 1_000, [(2.0, 0.083_197_53), (4.0, 0.168_862_38), (12.0, 0.544_920_05)]),
        (100, 30, 5.0, 50, [(2.0, 0.729_249_94), (4.0, 1.515_321_31), (16.0, 4.867_677_40)]),
    ] {
        let event = fixed_size(records, sample, gaussian(noise));
        let accountant = rdp(Adjacency::ReplaceOne, &event, steps);
        let poisson = {
            let rate = sample as f64 / records as f64;
            rdp(Adjacency::AddOrRemoveOne, &DpEvent::poisson_sampled(rate, gaussian(noise)).unwrap(), steps)
        };
        for (order, ceiling) in ceilings {
            let found = accountant.divergence(order).unwrap();
            assert!(found <= ceiling * (1.0 + 1e-7), "{records} {order}: {found} {ceiling}");
            // With the same noise over the sensitivity it is more than one direction of Poisson sampling.
            assert!(found >= poisson.divergence(order).unwrap() * (1.0 - 1e-9), "{records} {order}: {found}");
        }
        let (lower, upper) = pld(Adjacency::ReplaceOne, &event, steps).epsilon_bounds(1e-5).unwrap();
        let by_rdp = accountant.epsilon(1e-5).unwrap();
        assert!(upper <= lower * 1.000_11 && upper <= by_rdp && by_rdp < 1.35 * lower, "{lower} {upper} {by_rdp}");
    }
}

/// The divergence of the pair itself, by fine summation.
#[test]
fn divergence_of_a_fixed_size_sample_is_that_of_its_pair() {
    let (rate, noise) = (0.2_f64, 0.9_f64);
    let accountant = rdp(Adjacency::ReplaceOne, &fixed_size(10, 2, gaussian(noise)), 1);
    for order in [1.3, 2.0, 7.5, 20.0_f64] {
        let steps = 2_000_000;
        let (low, high) = (-12.0 * noise, order + 12.0 * noise);
        let width = (high - low) / f64::from(steps);
        let mut moment = 0.0;
        let mut mass = 0.0;
        for step in 0..steps {
            let x = low + (f64::from(step) + 0.5) * width;
            let log_without = -0.5 * (x / noise).powi(2) - (noise * (2.0 * std::f64::consts::PI).sqrt()).ln();
            let t = (2.0 * x - 1.0) / (2.0 * noise * noise);
            // Logarithms of Q's density and of the ratio, on both sides of the middle.
            let (log_density, log_ratio) = if x > 0.5 {
                (log_without, (rate * t.exp_m1()).ln_1p())
            } else {
                let log_mixed = t + (rate * (-t).exp_m1()).ln_1p();
                (log_without + log_mixed, t - log_mixed)
            };
            moment += (log_density + order * log_ratio).exp() * width;
            mass += log_density.exp() * width;
        }
        // The rest has no loss.
        moment += 1.0 - mass;
        let truth = moment.ln() / (order - 1.0);
        let found = accountant.divergence(order).unwrap();
        assert!((found / truth - 1.0).abs() < 1e-6, "{order}: {found} {truth}");
    }
}

#[test]
fn cut_samples_cost_at_most_a_little_more() {
    let plain = DpEvent::poisson_sampled(0.005, gaussian(1.1)).unwrap();
    let without = pld(Adjacency::AddOrRemoveOne, &plain, 2_000).epsilon_bounds(1e-5).unwrap();
    let mut before = f64::INFINITY;
    // dp-accounting's epsilons.
    for (most, theirs) in [(300, Some(1.764_561_48)), (340, Some(1.007_711_64)), (400, None), (60_000, None)] {
        let event = truncated(50_000, 0.005, most, 1.1);
        let found = pld(Adjacency::AddOrRemoveOne, &event, 2_000).epsilon(1e-5).unwrap();
        assert!(found >= without.0 && found <= before * (1.0 + 1e-4), "{most}: {found} {without:?}");
        assert!(theirs.is_none_or(|theirs| found <= theirs * 1.002), "{most}: {found}");
        before = found;
        let zeroed = pld(Adjacency::ZeroOut, &event, 2_000).epsilon(1e-5).unwrap();
        assert!(zeroed >= without.0 && zeroed <= found * 1.02 + 1e-4, "{most}: {zeroed} {found}");
    }
    assert!(before <= without.1 * (1.0 + 1e-9));
    // All records in every sample, cut to a fifth: drawn at that rate, displacing another one.
    let all = pld(Adjacency::AddOrRemoveOne, &truncated(9, 1.0, 2, 2.0), 1);
    let epsilon = (0.2 * 0.5_f64.exp_m1()).ln_1p();
    let truth = 0.2 * gaussian_delta(1.0, 0.5).unwrap();
    let found = all.delta(epsilon).unwrap();
    assert!(found >= truth * (1.0 - 1e-9) && found <= 1.02 * truth, "{found} {truth}");
    assert_eq!(all.delta_bounds(epsilon).unwrap().0, 0.0, "an upper bound only");
}

#[test]
fn schemes_are_refused_where_they_have_no_theorem() {
    let fixed = fixed_size(10, 2, gaussian(1.0));
    let cut = truncated(100, 0.1, 20, 1.0);
    let inside = fixed_size(10, 2, fixed.clone());
    for (event, adjacency) in [
        (&fixed, Adjacency::AddOrRemoveOne),
        (&fixed, Adjacency::ZeroOut),
        (&cut, Adjacency::ReplaceOne),
        (&inside, Adjacency::ReplaceOne),
    ] {
        let refused = |error: AccountingError| matches!(error, AccountingError::Unsupported { .. });
        assert!(refused(PldAccountant::new(adjacency).compose(event, 1).unwrap_err()), "{event:?} {adjacency}");
        assert!(refused(RdpAccountant::new(adjacency).compose(event, 1).unwrap_err()), "{event:?} {adjacency}");
    }
    assert!(ContourEstimator::new(Adjacency::ReplaceOne).compose(&fixed, 1).is_err());
    assert!(ContourEstimator::new(Adjacency::ZeroOut).compose(&cut, 1).is_err());
}

/// dp-accounting's divergences of the best of several runs of three Gaussians, on its list of orders.
#[test]
fn the_best_of_several_runs_costs_what_the_theorems_say() {
    let orders = [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 128.0, 256.0, 512.0];
    let negative = |shape, gamma| RunCount::TruncatedNegativeBinomial { shape, gamma };
    let run = DpEvent::self_composed(gaussian(4.0), 3).unwrap();
    for (runs, theirs) in [
        (RunCount::Poisson { mean: 5.0 }, [(8.0, 1.975_263_2), (24.0, 3.513_936_36), (512.0, 49.298_116_75)]),
        (negative(1.0, 0.1), [(8.0, 2.783_969_09), (24.0, 4.055_140_76), (512.0, 49.709_534_41)]),
        (negative(0.0, 0.096_649_622_195_400_3), [(8.0, 1.806_235_98), (24.0, 3.168_467_5), (512.0, 48.860_906_74)]),
        (negative(3.0, 0.277_009_565_383_195_9), [(8.0, 3.455_766_32), (24.0, 4.749_113_74), (512.0, 50.412_772_6)]),
    ] {
        let event = best_of(runs, run.clone());
        let mut listed = RdpAccountant::with_orders(Adjacency::ReplaceOne, &orders).unwrap();
        listed.compose(&event, 1).unwrap();
        for (order, theirs) in theirs {
            let found = listed.divergence(order).unwrap();
            // Their second order comes from the list; ours is any real one.
            assert!(found <= theirs * (1.0 + 1e-8) && found >= 0.98 * theirs, "{runs:?} {order}: {found} {theirs}");
        }
        let best = rdp(Adjacency::ReplaceOne, &event, 1).epsilon(1e-5).unwrap();
        assert!(best <= listed.epsilon(1e-5).unwrap(), "{runs:?}");
        assert!(best > gaussian_epsilon(4.0 / 3.0_f64.sqrt(), 1e-5).unwrap(), "{runs:?}: {best}");
    }
}

#[test]
fn selections_have_their_limits() {
    // Pure differential privacy: epsilon + (1 + shape) epsilon at infinite orders, so 3 epsilon for a geometric count.
    let pure = DpEvent::epsilon_delta(0.2, 0.0).unwrap();
    let geometric = RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 0.01 };
    let accountant = rdp(Adjacency::ReplaceOne, &best_of(geometric, pure), 1);
    assert!((accountant.divergence(1e9).unwrap() - 0.6).abs() < 1e-6);
    // No runs, or runs that release nothing.
    let none = best_of(RunCount::Poisson { mean: 0.0 }, gaussian(1.0));
    assert_eq!(rdp(Adjacency::ReplaceOne, &none, 5).epsilon(1e-5).unwrap(), 0.0);
    let nothing = best_of(geometric, DpEvent::no_op());
    assert_eq!(rdp(Adjacency::ReplaceOne, &nothing, 5).epsilon(1e-5).unwrap(), 0.0);
    let all = best_of(geometric, DpEvent::non_private());
    assert_eq!(rdp(Adjacency::ReplaceOne, &all, 1).epsilon(1e-5).unwrap(), f64::INFINITY);
    assert!(PldAccountant::new(Adjacency::ReplaceOne).compose(&all, 1).is_err());
    // Two equal selections are one with count two; a different one is not the same.
    let event = best_of(geometric, gaussian(2.0));
    let other = best_of(geometric, gaussian(3.0));
    let mut one_by_one = RdpAccountant::new(Adjacency::ReplaceOne);
    for event in [&event, &other, &event] {
        one_by_one.compose(event, 1).unwrap();
    }
    let mut at_once = rdp(Adjacency::ReplaceOne, &event, 2);
    at_once.compose(&other, 1).unwrap();
    assert_eq!(one_by_one.epsilon(1e-5).unwrap(), at_once.epsilon(1e-5).unwrap());
    assert!(at_once.epsilon(1e-5).unwrap() > rdp(Adjacency::ReplaceOne, &event, 2).epsilon(1e-5).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accountants_agree_about_fixed_sizes(
        records in 10..100_000_u64, share in 0.001..1.0_f64, noise in 0.5..6.0_f64, steps in 1..1_000_u64,
        log_delta in -25.0..-3.0_f64,
    ) {
        let sample = ((records as f64 * share) as u64).max(1);
        let event = fixed_size(records, sample, gaussian(noise));
        let delta = log_delta.exp();
        let (lower, upper) = pld(Adjacency::ReplaceOne, &event, steps).epsilon_bounds(delta).unwrap();
        let by_rdp = rdp(Adjacency::ReplaceOne, &event, steps).epsilon(delta).unwrap();
        prop_assert!(lower <= upper && lower <= by_rdp && upper <= by_rdp * 1.000_2 + 1e-3, "{lower} {upper} {by_rdp}");
        let unsampled = gaussian_epsilon(noise / (steps as f64).sqrt(), delta).unwrap();
        prop_assert!(lower <= unsampled && upper <= unsampled * 1.000_2 + 1e-3, "{lower} {upper} {unsampled}");
    }
}
