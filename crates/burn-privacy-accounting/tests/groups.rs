//! Poisson samples in which several records are one unit's: against the closed form of one step, against what dp-accounting
//! 0.6.0 proves of many, and against what is known without either.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant, gaussian_epsilon};
use proptest::prelude::*;
use statrs::function::erf::erfc;

fn step(rate: f64, size: u64, noise: f64) -> DpEvent {
    DpEvent::group_poisson_sampled(rate, size, DpEvent::gaussian(noise).unwrap()).unwrap()
}

fn pld(event: &DpEvent, count: u64) -> PldAccountant {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    accountant.compose(event, count).unwrap();
    accountant
}

/// Delta of one step in both directions, from the distributions themselves: the likelihood ratio rises in the outcome x, so that
/// each is a difference of two tails.
fn delta_by_tails(rate: f64, size: u64, noise: f64, epsilon: f64) -> f64 {
    let weights: Vec<f64> = (0..=size)
        .map(|j| {
            let choices: f64 = (0..j).map(|i| (size - i) as f64 / (i + 1) as f64).product();
            choices * rate.powi(j as i32) * (1.0 - rate).powi((size - j) as i32)
        })
        .collect();
    let ratio = |x: f64| -> f64 {
        let component =
            |(j, weight): (usize, &f64)| weight * ((x * j as f64 - 0.5 * (j * j) as f64) / noise / noise).exp();
        weights.iter().enumerate().map(component).sum()
    };
    let above = |z: f64| 0.5 * erfc(z / std::f64::consts::SQRT_2);
    let threshold = |goal: f64| {
        let (mut low, mut high) = (-60.0 * noise - 60.0, 60.0 * noise + 60.0 * size as f64);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if ratio(middle) < goal { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let of_mixture = |tail: &dyn Fn(f64) -> f64, x: f64| -> f64 {
        weights.iter().enumerate().map(|(j, weight)| weight * tail((x - j as f64) / noise)).sum()
    };
    let removed = threshold(epsilon.exp());
    let remove = of_mixture(&above, removed) - epsilon.exp() * above(removed / noise);
    let added = threshold((-epsilon).exp());
    let below = |z: f64| above(-z);
    let add = if ratio(-60.0 * noise - 60.0) > (-epsilon).exp() {
        0.0
    } else {
        below(added / noise) - epsilon.exp() * of_mixture(&below, added)
    };
    remove.max(add)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn one_step_has_its_closed_form(noise in 0.4_f64..6.0, rate in 0.002_f64..0.6, size in 1_u64..13, part in 0.0_f64..1.0) {
        let epsilon = part * (2.0 * size as f64 * rate / noise + 0.5);
        let truth = delta_by_tails(rate, size, noise, epsilon);
        prop_assume!(truth > 1e-9);
        let (lower, upper) = pld(&step(rate, size, noise), 1).delta_bounds(epsilon).unwrap();
        // statrs' tails are good to some 1e-11.
        let unsure = 1e-10 + 1e-9 * truth;
        prop_assert!(lower <= truth + unsure && truth <= upper + unsure, "{} {} {}", lower, truth, upper);
        prop_assert!(upper <= truth * 1.01 + 1e-9, "{} {}", truth, upper);
    }
}

/// dp-accounting's pessimistic bounds lie above the truth, by up to its grid.
#[test]
fn many_steps_agree_with_another_library() {
    for (rate, size, noise, steps, theirs) in REFERENCE {
        let (lower, upper) = pld(&step(rate, size, noise), steps).epsilon_bounds(1e-5).unwrap();
        assert!(upper <= lower * (1.0 + 3e-4), "{rate} {size} {noise} {steps}: {lower} {upper}");
        assert!(lower <= theirs * (1.0 + 1e-6), "{rate} {size} {noise} {steps}: {lower} {theirs}");
        assert!((upper / theirs - 1.0).abs() < 4e-3, "{rate} {size} {noise} {steps}: {upper} {theirs}");
    }
}

/// Rate, records of a unit, noise, steps, and epsilon at delta 1e-5 by dp-accounting 0.6.0 (add or remove).
const REFERENCE: [(f64, u64, f64, u64, f64); 5] = [
    (0.01, 1, 1.0, 1000, 1.82824),
    (0.01, 2, 1.0, 1000, 3.97909),
    (0.1, 3, 2.0, 10, 2.734_106_9),
    (0.05, 4, 1.5, 1, 1.702_190_6),
    (0.02, 8, 4.0, 20, 0.728_605_98),
];

#[test]
fn a_unit_with_one_record_is_a_record_and_more_records_cost_more() {
    let poisson = DpEvent::poisson_sampled(0.02, DpEvent::gaussian(1.1).unwrap()).unwrap();
    let one = pld(&step(0.02, 1, 1.1), 300).epsilon(1e-6).unwrap();
    assert_eq!(one, pld(&poisson, 300).epsilon(1e-6).unwrap());
    let mut before = one;
    for size in [2, 3, 5, 8, 16, 40] {
        let (lower, upper) = pld(&step(0.02, size, 1.1), 300).epsilon_bounds(1e-6).unwrap();
        assert!(lower > before && upper <= lower * 1.001, "{size}: {lower} {upper} {before}");
        // Never worse than if all of them were in every batch.
        let all = gaussian_epsilon(1.1 / size as f64 / 300_f64.sqrt(), 1e-6).unwrap();
        assert!(upper < all, "{size}: {upper} {all}");
        before = upper;
    }
}

/// Drawing a unit's records one by one reveals less than drawing all of them by one coin at the same rate and clipping each.
#[test]
fn separate_coins_reveal_no_more_than_one() {
    let apart = pld(&step(0.05, 4, 2.0), 100).epsilon(1e-5).unwrap();
    let together = DpEvent::poisson_sampled(0.05, DpEvent::gaussian(0.5).unwrap()).unwrap();
    assert!(apart < pld(&together, 100).epsilon(1e-5).unwrap());
}

#[test]
fn its_edges_are_exact_or_refused() {
    let all = pld(&step(1.0, 5, 3.0), 10).epsilon(1e-5).unwrap();
    let gaussian = gaussian_epsilon(3.0 / 5.0 / 10_f64.sqrt(), 1e-5).unwrap();
    assert!((all / gaussian - 1.0).abs() < 1e-9, "{all} {gaussian}");
    assert_eq!(pld(&step(0.0, 5, 3.0), 10).epsilon(1e-5).unwrap(), 0.0);
    assert_eq!(pld(&step(0.1, 5, 0.0), 1).epsilon(1e-5).unwrap(), f64::INFINITY);
    assert!(pld(&step(1e-3, 256, 30.0), 100).epsilon(1e-5).unwrap() > 0.0);
    let message = |result: burn_privacy_accounting::Result<()>| result.unwrap_err().to_string();
    let mut tight = PldAccountant::new(Adjacency::AddOrRemoveOne);
    assert!(message(tight.compose(&step(0.1, 257, 30.0), 1)).contains("256 records"));
    let laplace = DpEvent::laplace(1.0).unwrap();
    assert!(message(tight.compose(&DpEvent::group_poisson_sampled(0.1, 2, laplace).unwrap(), 1)).contains("Gaussian"));
    assert!(message(PldAccountant::new(Adjacency::ReplaceOne).compose(&step(0.1, 2, 1.0), 1)).contains("replace-one"));
    let mut renyi = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    assert!(message(renyi.compose(&step(0.1, 2, 1.0), 1)).contains("PLD"));
    assert!(DpEvent::group_poisson_sampled(0.1, 0, DpEvent::gaussian(1.0).unwrap()).is_err());
    assert!(DpEvent::group_poisson_sampled(1.1, 2, DpEvent::gaussian(1.0).unwrap()).is_err());
}
