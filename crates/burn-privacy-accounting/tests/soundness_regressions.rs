//! Inputs on which a bound was once wrong, too loose or too slow.

use std::time::{Duration, Instant};

use burn_privacy_accounting::{
    Accountant, Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, gaussian_delta,
};

const ADD: Adjacency = Adjacency::AddOrRemoveOne;

fn pure(epsilon: f64) -> DpEvent {
    DpEvent::epsilon_delta(epsilon, 0.0).unwrap()
}

fn sampled(rate: f64, inner: DpEvent) -> DpEvent {
    DpEvent::poisson_sampled(rate, inner).unwrap()
}

fn pld(accuracy: f64, parts: &[(DpEvent, u64)]) -> PldAccountant {
    let mut accountant = PldAccountant::with_accuracy(ADD, accuracy).unwrap();
    for (event, count) in parts {
        accountant.compose(event, *count).unwrap();
    }
    accountant
}

/// Next to the largest loss delta is steep: atoms that were moved onto the grid made it too small.
#[test]
fn deltas_next_to_the_largest_loss_are_sound() {
    let cases = [
        (0.1, vec![(pure(0.01), 1), (pure(0.010_000_000_000_02), 20)], 0.210_000_000_000_127, 1.445_5e-19),
        (
            1e-4,
            vec![(pure(0.010_678_085_535_908_932), 1), (pure(0.010_678_085_535_910_884), 1)],
            0.021_356_171_071_730_313,
            2.261_53e-14,
        ),
    ];
    for (accuracy, parts, epsilon, truth) in cases {
        let (lower, upper) = pld(accuracy, &parts).delta_bounds(epsilon).unwrap();
        assert!(lower <= truth * 1.001 && upper >= truth * 0.999, "{epsilon}: {lower:e} {truth:e} {upper:e}");
    }
    // A single step: P(l) (1 - e^(epsilon - l)) at the largest loss l.
    let (scale, rate, epsilon) = (2.934_184_150_525_764_4, 0.5, 0.184_854_344_249_200_58_f64);
    let largest = (rate * (1.0_f64 / scale).exp_m1()).ln_1p();
    let mass = 0.5 * rate + 0.5 * (1.0 - rate) * (-1.0_f64 / scale).exp();
    let laplace = DpEvent::laplace(scale).unwrap();
    let (lower, upper) = pld(1e-4, &[(sampled(rate, laplace), 1)]).delta_bounds(epsilon).unwrap();
    let most = mass * -(epsilon - largest).exp_m1() * (1.0 + 1e-6);
    assert!(lower <= most && upper >= 0.0, "{lower:e} {most:e} {upper:e}");
}

/// An optimal adaptive composition of exponential mechanisms (Dong, Durfee and Rogers) costs less than that of the pair
/// which dominates each.
#[test]
fn composed_exponential_mechanisms_have_no_false_lower_bound() {
    let event = DpEvent::exponential_mechanism(1.0).unwrap();
    for (count, epsilon, optimum) in [(2, 0.0, 0.303_365), (2, 0.8, 0.089_676), (3, 1.0, 0.099_79)] {
        let (lower, upper) = pld(1e-4, &[(event.clone(), count)]).delta_bounds(epsilon).unwrap();
        assert!(lower <= optimum && optimum <= upper, "{count} {epsilon}: {lower} {upper}");
    }
    let (lower, upper) = pld(1e-4, &[(event, 1)]).delta_bounds(0.4).unwrap();
    assert!(lower > 0.99 * upper, "alone it is tight: {lower} {upper}");
}

#[test]
fn large_pure_epsilons_are_not_infinite() {
    for (event, epsilon) in [
        (pure(800.0), 800.0),
        (DpEvent::laplace(1e-3).unwrap(), 1_000.0),
        (DpEvent::discrete_laplace(1.0, 800).unwrap(), 800.0),
        (sampled(0.1, pure(800.0)), 800.0 + 0.1_f64.ln()),
    ] {
        let (lower, upper) = pld(1e-4, &[(event, 1)]).epsilon_bounds(1e-5).unwrap();
        assert!(lower <= epsilon * 1.001 && upper <= epsilon * 1.001 && upper > 0.9 * epsilon, "{lower} {upper}");
    }
    let narrow = DpEvent::discrete_gaussian(0.021, 1.0).unwrap();
    let upper = pld(1e-4, &[(narrow, 1)]).epsilon(1e-5).unwrap();
    assert!(upper > 1_000.0 && upper < 1_200.0, "{upper}");
    let nothing_left = pld(1e-4, &[(DpEvent::discrete_gaussian(1.7, 1.0).unwrap(), 1)]).delta_bounds(1e6).unwrap();
    assert_eq!(nothing_left.0, 0.0);
}

/// With little noise epsilon/m and m/2 nearly cancel. References with 60 digits.
#[test]
fn gaussian_deltas_without_much_noise_are_rounded_up() {
    for (noise, epsilon, truth) in [(1e-5, 5.000_5e9, 3.671_000_1e-7), (1e-5, 5.000_01e9, 0.158_653_865_3)] {
        let found = gaussian_delta(noise, epsilon).unwrap();
        assert!(found > 0.0 && (found / truth - 1.0).abs() < 10.0, "{noise} {epsilon}: {found:e}");
        let (lower, upper) = pld(1e-4, &[(DpEvent::gaussian(noise).unwrap(), 1)]).delta_bounds(epsilon).unwrap();
        // The bracket is wider than the rounding of the input's square.
        assert!(upper / lower - 1.0 > 1e-10, "{lower:e} {upper:e}");
    }
}

/// A discrete Laplace of large sensitivity is counted by its pure epsilon: no lower bound, also inside of a sample.
#[test]
fn replaced_steps_have_no_lower_bound_in_samples() {
    let wide = DpEvent::discrete_laplace(1e5, 30_000).unwrap();
    let (lower, upper) = pld(1e-4, &[(sampled(0.1, wide), 1)]).delta_bounds(0.0).unwrap();
    assert!(lower == 0.0 && upper >= 0.013_929, "{lower} {upper}");
}

#[test]
fn rounded_infinite_losses_stay_on_their_side() {
    let (rate, delta) = (0.001_193_491_089_148_565_5, 1.69e-8);
    let event = sampled(rate, DpEvent::epsilon_delta(2.173_12, delta).unwrap());
    let (lower, upper) = pld(1e-4, &[(event, 1)]).delta_bounds(0.5).unwrap();
    assert!(lower < upper && lower <= rate * delta && rate * delta <= upper, "{lower:e} {upper:e}");
}

#[test]
fn estimates_beyond_chernoffs_bound_are_refused() {
    for (rate, noise, steps, epsilon, truth) in [
        (0.001_999_861_869_632_744_6, 2.172_207_207_546_71, 100, 0.033_637_539_955_318_28, 2.12e-6),
        (0.054, 5.86, 1, 0.046_6, 3.46e-7),
    ] {
        let mut estimator = ContourEstimator::new(ADD);
        estimator.compose(&sampled(rate, DpEvent::gaussian(noise).unwrap()), steps).unwrap();
        if let Ok(found) = estimator.delta(epsilon) {
            assert!((found / truth - 1.0).abs() < 0.05, "{found:e} {truth:e}");
        }
    }
}

#[test]
fn hard_deltas_are_bracketed_in_time() {
    let cases = [
        // Many steps with much noise, whose grid had too many points.
        (sampled(0.252_81, DpEvent::gaussian(89.663_852_408_795_8).unwrap()), 1_541_289, 2.016_955e-3, (0.9, 0.93)),
        // Rare losses of a discrete noise.
        (sampled(1e-3, DpEvent::discrete_gaussian(1.7, 1.0).unwrap()), 1, 0.5, (0.0, 1e-29)),
        // A delta that is smaller than was expected.
        (sampled(4.768e-4, DpEvent::gaussian(1.086_357_417_638_631_3).unwrap()), 1, 0.0, (1.69e-4, 1.692e-4)),
    ];
    for (event, count, epsilon, (least, most)) in cases {
        let start = Instant::now();
        let (lower, upper) = pld(1e-4, &[(event.clone(), count)]).delta_bounds(epsilon).unwrap();
        let took = start.elapsed();
        println!("{took:?} [{lower:e}, {upper:e}] {event:?}");
        assert!(lower <= most && upper >= least && upper <= most, "{event:?}: {lower:e} {upper:e}");
        assert!(took < Duration::from_secs(120), "{took:?}");
    }
    let start = Instant::now();
    let mixed = pld(
        1e-4,
        &[(DpEvent::gaussian(5.047_7).unwrap(), 259_481_743), (sampled(0.01, DpEvent::gaussian(1.0).unwrap()), 3)],
    );
    let (lower, upper) = mixed.epsilon_bounds(1e-5).unwrap();
    let mut renyi = RdpAccountant::new(ADD);
    renyi.compose(&DpEvent::gaussian(5.047_7).unwrap(), 259_481_743).unwrap();
    println!("{:?} [{lower}, {upper}]", start.elapsed());
    assert!(upper >= 0.99 * renyi.epsilon(1e-5).unwrap() && start.elapsed() < Duration::from_secs(120));
}

/// Many steps with much noise, for which the grid had too many points: the bracket was 12 % wide, or RDP's.
#[test]
fn many_steps_are_tight() {
    for (noise, count, width) in [
        (100.0, 1_000_000_000, 2e-4),
        (1_000.0, 10_000_000_000, 1e-3),
        (3_000.0, 10_000_000_000, 1.5e-3),
        (1e4, 100_000_000_000, 1.5e-3),
        (1e6, 1_000_000_000_000_000, 2e-5),
    ] {
        let accountant = pld(1e-4, &[(sampled(0.005, DpEvent::gaussian(noise).unwrap()), count)]);
        let (lower, upper) = accountant.epsilon_bounds(1e-5).unwrap();
        assert!(upper / lower - 1.0 < width, "{noise}: {lower} {upper}");
        assert_eq!(accountant.epsilon_and_method(1e-5).unwrap(), (upper, "PLD"));
        // A Gaussian of the same variance is nearly the same, from below, with little noise per step.
        let limit = burn_privacy_accounting::gdp_clt_epsilon_not_a_bound(0.005, noise, count, 1e-5).unwrap();
        assert!(limit > 0.99 * lower && limit < 1.01 * upper, "{noise}: {lower} {limit} {upper}");
    }
}

/// Whoever proved the number is named.
#[test]
fn a_renyi_bound_is_not_called_pld() {
    let event = DpEvent::gaussian(5.0).unwrap();
    let mut accountant = pld(1e-4, &[(sampled(0.1, event), 100)]);
    let (epsilon, method) = accountant.epsilon_and_method(1e-290).unwrap();
    let mut renyi = RdpAccountant::new(ADD);
    renyi.compose(&sampled(0.1, DpEvent::gaussian(5.0).unwrap()), 100).unwrap();
    assert_eq!((epsilon, method), (renyi.epsilon(1e-290).unwrap(), "RDP"));
    accountant.compose(&DpEvent::laplace(10.0).unwrap(), 1).unwrap();
    assert_eq!(accountant.epsilon_and_method(1e-5).unwrap().1, "PLD");
}

#[test]
fn the_estimate_converges_with_heavy_tails() {
    let event = sampled(1e-4, DpEvent::gaussian(0.8).unwrap());
    let mut estimator = ContourEstimator::new(ADD);
    estimator.compose(&event, 1_000_000).unwrap();
    let estimate = estimator.epsilon(1e-6).unwrap();
    let (lower, upper) = pld(1e-4, &[(event, 1_000_000)]).epsilon_bounds(1e-6).unwrap();
    assert!(lower <= estimate && estimate <= upper && upper < 1.001 * lower, "{lower} {estimate} {upper}");
}

/// An accountant that counts what it is asked: epsilons, and guesses.
#[derive(Clone)]
struct Counted<'a> {
    inner: PldAccountant,
    asked: &'a std::cell::Cell<(u32, u32)>,
}

impl Accountant for Counted<'_> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn adjacency(&self) -> Adjacency {
        self.inner.adjacency()
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> burn_privacy_accounting::Result<()> {
        self.inner.compose(event, count)
    }

    fn epsilon(&self, delta: f64) -> burn_privacy_accounting::Result<f64> {
        let (epsilons, guesses) = self.asked.get();
        self.asked.set((epsilons + 1, guesses));
        self.inner.epsilon(delta)
    }

    fn epsilon_guess(&self, delta: f64) -> Option<f64> {
        let (epsilons, guesses) = self.asked.get();
        self.asked.set((epsilons, guesses + 1));
        self.inner.epsilon_guess(delta)
    }

    fn rough_epsilon(&self, delta: f64) -> Option<f64> {
        self.inner.rough_epsilon(delta)
    }

    fn delta(&self, epsilon: f64) -> burn_privacy_accounting::Result<f64> {
        let (epsilons, guesses) = self.asked.get();
        self.asked.set((epsilons + 1, guesses));
        self.inner.delta(epsilon)
    }

    fn delta_guess(&self, epsilon: f64) -> Option<f64> {
        let (epsilons, guesses) = self.asked.get();
        self.asked.set((epsilons, guesses + 1));
        self.inner.delta_guess(epsilon)
    }
}

fn training(rate: f64, noise: f64, steps: u64) -> burn_privacy_accounting::Result<DpEvent> {
    DpEvent::self_composed(sampled(rate, DpEvent::gaussian(noise)?), steps)
}

/// Searches asked for an epsilon up to a hundred times where their guesses led nowhere.
fn noise_is_found_with_few_questions(cases: &[(f64, u64, f64, f64)]) {
    use burn_privacy_accounting::calibrate_noise_multiplier;
    let asked = std::cell::Cell::new((0, 0));
    let new = || Counted { inner: PldAccountant::new(ADD), asked: &asked };
    for &(rate, steps, target, delta) in cases {
        asked.set((0, 0));
        let make = |noise| training(rate, noise, steps);
        let found = calibrate_noise_multiplier(make, target, delta, new).unwrap();
        let (epsilons, guesses) = asked.get();
        println!("{rate} {steps} {target} {delta}: {found}, {epsilons} epsilons, {guesses} guesses");
        // Most need 4; more where an epsilon is small beside the loss's deviation, so that its bracket is wide.
        assert!(epsilons <= 30 && guesses <= 16, "{rate} {steps} {target}: {epsilons} epsilons, {guesses} guesses");
        let epsilon = |noise| pld(1e-4, &[(training(rate, noise, steps).unwrap(), 1)]).epsilon(delta).unwrap();
        assert!(epsilon(found) <= target, "{rate} {steps} {target}: {found}");
        assert!(found == 0.01 || epsilon(found * (1.0 - 1e-6)) > target, "{rate} {steps} {target}: {found}");
    }
}

#[test]
fn extreme_epsilons_need_few_questions() {
    let targets = [1_000.0, 100.0, 0.001, 0.0];
    noise_is_found_with_few_questions(&targets.map(|target| (0.005, 2_000, target, 1e-5)));
}

/// Hardly any sampling, one step, and a delta at which no noise is needed.
#[test]
fn extreme_mechanisms_need_few_questions() {
    noise_is_found_with_few_questions(&[
        (1.26e-5, 2, 0.0028, 5.2e-7),
        (2.9e-4, 1, 0.079, 1.3e-4),
        (2.9e-5, 432, 849.0, 6.2e-9),
        (1.39e-4, 1, 1.77, 2.8e-4),
        (1.0, 1, 1_000.0, 1e-12),
    ]);
}

#[test]
fn extreme_steps_need_few_questions() {
    use burn_privacy_accounting::calibrate_steps;
    let asked = std::cell::Cell::new((0, 0));
    let new = || Counted { inner: PldAccountant::new(ADD), asked: &asked };
    for (rate, noise, target, delta) in [(0.005, 100.0, 3.0, 1e-5), (0.005, 1e6, 3.0, 1e-5), (1.2e-4, 1.6, 2.18, 6e-7)]
    {
        asked.set((0, 0));
        let found = calibrate_steps(|steps| training(rate, noise, steps), target, delta, new).unwrap();
        let (epsilons, guesses) = asked.get();
        println!("{rate} {noise} {target} {delta}: {found}, {epsilons} epsilons, {guesses} guesses");
        assert!(epsilons <= 12 && guesses <= 16, "{rate} {noise} {target}: {epsilons} epsilons, {guesses} guesses");
        assert!(found > 1_000_000, "{rate} {noise} {target}: {found}");
    }
}

/// With so little noise, who was drawn is plain: delta is nearly the probability of having been drawn at all. Where the grid's end
/// was rounded to inside of the losses, the grid had lost the mass of not being drawn, and so all courses but those of a record
/// that was drawn in every step: at a rate of 0.25, delta was 0.0157 in place of 0.578.
#[test]
fn steps_with_hardly_any_noise_keep_the_mass_of_records_that_were_not_drawn() {
    for rate in [0.25, 0.271, 0.5, 0.7] {
        let accountant = pld(1e-4, &[(sampled(rate, DpEvent::gaussian(0.08).unwrap()), 3)]);
        let drawn = 1.0 - (1.0 - rate).powi(3);
        let (_, delta) = accountant.delta_bounds(2.0).unwrap();
        assert!(delta >= drawn * (1.0 - 1e-6), "{rate}: {delta} {drawn}");
        assert!(accountant.delta(2.0).unwrap() >= drawn * (1.0 - 1e-6), "{rate}");
    }
}
