//! Rare steps with large losses at tiny deltas, where a block of steps once lost its masses: the bound was below the truth.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant, gaussian_epsilon};
use proptest::prelude::*;

/// By PLD, by PLD as a search asks for it, and by RDP.
fn bounds(rate: f64, noise: f64, steps: u64, delta: f64) -> ((f64, f64), f64, f64) {
    let step = DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise).unwrap()).unwrap();
    let mut pld = PldAccountant::new(Adjacency::AddOrRemoveOne);
    let mut rdp = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    pld.compose(&step, steps).unwrap();
    rdp.compose(&step, steps).unwrap();
    (pld.epsilon_bounds(delta).unwrap(), pld.epsilon(delta).unwrap(), rdp.epsilon(delta).unwrap())
}

/// One step's epsilon, in closed form: delta is q delta_Gaussian(e') with e^e' = 1 + (e^epsilon - 1)/q. More steps cost more.
fn of_one_step(rate: f64, noise: f64, delta: f64) -> f64 {
    if delta >= rate {
        return 0.0;
    }
    let inner = gaussian_epsilon(noise, delta / rate).unwrap() * (1.0 - 1e-10);
    let epsilon = if inner > 600.0 { inner + rate.ln() } else { (rate * inner.exp_m1()).ln_1p() };
    epsilon * (1.0 - 1e-10)
}

/// Blocks whose tilted masses were beyond a float: 0.0072 and 0.0117 were answered.
#[test]
fn steps_in_blocks_with_rare_large_losses_are_not_free() {
    for (rate, noise, steps, delta) in [
        (1.713_289_274_691_980_8e-6, 0.322_348_141_730_974_87, 4_213, 1.470_292_283_188_253_2e-28),
        (6.234_687_856_467_363e-6, 0.563_832_818_309_286_8, 7_077, 2.019_547_985_376_973_7e-16),
    ] {
        let ((_, upper), searched, rdp) = bounds(rate, noise, steps, delta);
        let least = of_one_step(rate, noise, delta);
        assert!(least > 1.0 && upper >= least && searched >= least, "{rate}: {upper} {searched} {least}");
        assert!(upper <= rdp && searched <= rdp, "{rate}: {upper} {searched} {rdp}");
    }
}

/// The saddle point's guess is far above where the mean jumps from no large loss to many; RDP's 7.382 was answered.
#[test]
fn few_steps_at_a_tiny_delta_are_tight() {
    let ((lower, upper), searched, rdp) = bounds(4.6e-4, 0.511, 9, 1.8e-13);
    assert!(upper - lower <= 1e-4 * upper && searched <= upper * (1.0 + 1e-4), "{lower} {upper} {searched}");
    assert!(upper < 0.9 * rdp && lower > of_one_step(4.6e-4, 0.511, 1.8e-13), "{lower} {upper} {rdp}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_are_never_below_one_step_nor_above_renyi(
        log_rate in -14.0..-0.7_f64, log_noise in -1.3..1.5_f64, log_steps in 0.0..11.0_f64, log_delta in -69.0..-20.0_f64,
    ) {
        let (rate, noise, steps, delta) = (log_rate.exp(), log_noise.exp(), log_steps.exp() as u64, log_delta.exp());
        let ((lower, upper), searched, rdp) = bounds(rate, noise, steps.max(1), delta);
        let least = of_one_step(rate, noise, delta);
        prop_assert!(lower <= upper && least <= upper && least <= searched && lower <= searched, "{lower} {upper} {searched} {least}");
        prop_assert!(upper <= rdp && searched <= rdp, "{upper} {searched} {rdp}");
    }
}

/// Divergences that underflow are not those of a mechanism that reveals nothing: delta at 0 was 0 there.
#[test]
fn mechanisms_that_reveal_less_than_a_float_squared_reveal_something() {
    let little = 1e-170;
    let add = Adjacency::AddOrRemoveOne;
    for (event, variation) in [
        (DpEvent::laplace(1.0 / little), little / 2.0),
        (DpEvent::epsilon_delta(little, 0.0), little / 2.0),
        (DpEvent::discrete_laplace(1.0 / little, 1), little / 2.0),
        (DpEvent::exponential_mechanism(little), little / 4.0),
        (DpEvent::gaussian(1.0 / little), 0.39 * little),
        (DpEvent::zcdp(1e-320), 1e-161),
    ] {
        let event = event.unwrap();
        let mut renyi = RdpAccountant::new(add);
        renyi.compose(&event, 1).unwrap();
        assert!(renyi.delta(0.0).unwrap() >= variation, "{}", event.name());
        let mut tight = PldAccountant::new(add);
        if tight.compose(&event, 1).is_ok() {
            assert!(tight.delta(0.0).unwrap() >= variation, "{}", event.name());
        }
    }
    let mut silent = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    silent.compose(&DpEvent::epsilon_delta(0.0, 0.0).unwrap(), 5).unwrap();
    assert_eq!((silent.delta(0.0).unwrap(), silent.epsilon(1e-300).unwrap()), (0.0, 0.0));
}
