//! Tests of the lattices: a true curve lies between the two, both errors are of second order, and a NaN proves nothing.

use proptest::prelude::*;

use super::base::{Base, Direction};
use super::lattice::*;
use super::pair::Pair;
use super::quadrature::moments;

fn stick(sparse: &Sparse, spacing: f64, epsilon: f64) -> f64 {
    sparse.infinite.1
        + sparse
            .indices
            .iter()
            .zip(&sparse.log_masses)
            .map(|(&k, m)| m.exp() * -((epsilon - k as f64 * spacing).min(0.0)).exp_m1())
            .sum::<f64>()
}

/// The pair's own hockey-stick, by fine summation.
fn true_stick(pair: &Pair, epsilon: f64) -> f64 {
    let mut sum = pair.infinite_mass().1;
    for atom in pair.atoms() {
        sum += atom.mass * -((epsilon - atom.loss).min(0.0)).exp_m1();
    }
    if let Some(range) = pair.range(-80.0) {
        let steps = 40_000;
        let width = (range.high - range.low) / f64::from(steps);
        for step in 0..steps {
            let t = range.low + (f64::from(step) + 0.5) * width;
            sum += pair.log_density(t).exp() * width * -((epsilon - pair.loss(t)).min(0.0)).exp_m1();
        }
    }
    sum
}

#[test]
fn the_true_curve_lies_between_the_two_lattices() {
    for base in [
        Base::Gaussian { noise: 0.8 },
        Base::Gaussian { noise: 4.0 },
        Base::Laplace { inverse_scale: 1.3 },
        Base::DiscreteLaplace { inverse_scale: 0.4, sensitivity: 5 },
        Base::DiscreteGaussian { sigma: 1.7 },
        Base::RandomizedResponse { truth: 1.0 / (1.0 + 3.0 * (-1.2_f64).exp()), loss: 1.2, categories: 4 },
        Base::EpsilonDelta { epsilon: 0.7, delta: 0.01 },
        Base::BoundedRange { epsilon: 1.1 },
    ] {
        for rate in [0.02, 0.3, 1.0] {
            for direction in [Direction::Remove, Direction::Add, Direction::Exchange] {
                let pair = Pair::new(base, rate, direction);
                for spacing in [0.0037, 0.031, 0.27] {
                    let layout = Layout { spacing, tilt: 3.0, log_tail: -60.0 };
                    let lattice = Lattice::new(&pair, layout, &[(3.0, 0.0)]);
                    for epsilon in [-0.5, -0.013, 0.0, 0.004, 0.05, 0.41, 1.0, 2.2] {
                        let truth = true_stick(&pair, epsilon);
                        let (upper, lower) =
                            (stick(&lattice.upper, spacing, epsilon), stick(&lattice.lower, spacing, epsilon));
                        // The truth itself is summed to about 1e-7.
                        assert!(upper >= truth - 1e-7, "{base:?} {rate} {direction:?} {spacing} {epsilon}");
                        assert!(
                            lower <= truth + 1e-7,
                            "{base:?} {rate} {direction:?} {spacing} {epsilon}: {lower} {truth}"
                        );
                        // Grids that are coarse against the losses themselves leave no lower bound.
                        let fine = spacing < 0.2 * rate;
                        assert!(
                            !fine || upper - lower <= 0.5 * spacing,
                            "{base:?} {rate} {direction:?} {spacing} {epsilon}: {lower} {upper}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn both_errors_are_of_second_order() {
    let pair = Pair::new(Base::Gaussian { noise: 2.0 }, 0.1, Direction::Remove);
    let gap = |spacing: f64| {
        let lattice = Lattice::new(&pair, Layout { spacing, tilt: 2.0, log_tail: -60.0 }, &[(2.0, 0.0)]);
        let [upper, lower] = [&lattice.upper, &lattice.lower].map(|sparse| sparse.log_mean(spacing, 2.0));
        upper - lower
    };
    let (coarse, fine) = (gap(4e-3), gap(1e-3));
    assert!((coarse / fine - 16.0).abs() < 3.0, "{coarse:e} {fine:e}");
    // tilt (tilt + 1) / 2 x spacing^2 x (1/6 + 1/12), and a little for the wider segments.
    assert!((0.7..1.6).contains(&(fine / (3.0 * 1e-6 * 0.25))), "{fine:e}");
}

/// A NaN was taken for a chance of 0, a mass of 0 and an empty piece.
#[test]
fn what_is_no_number_proves_nothing() {
    let nan = f64::NAN;
    for chances in [vec![((nan, nan), 1.0)], vec![((0.1, 0.2), 1.0), ((nan, nan), 3.0)]] {
        assert_eq!(at_least_once(chances.into_iter()), (0.0, 1.0));
    }
    let (low, high) = at_least_once([((0.1, 0.2), 2.0)].into_iter());
    assert!((low - 0.19).abs() < 1e-14 && (high - 0.36).abs() < 1e-14);
    assert!(Sparse::new(&[0, 1], &[nan, nan], (0.0, 0.0)).log_mean(0.1, 1.0).is_nan());
    assert_eq!(Sparse::new(&[0], &[0.0], (0.0, 0.0)).log_mean(0.1, 1.0), f64::NEG_INFINITY);
    let pair = Pair::new(Base::Gaussian { noise: 1.0 }, 0.5, Direction::Remove);
    assert!(moments(&pair, nan, 1.0, 0.0).mass.is_nan() && moments(&pair, 0.0, nan, 0.0).mass.is_nan());
}

fn base() -> impl Strategy<Value = Base> {
    let factor = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(f64::exp);
    prop_oneof![
        factor(0.03, 100.0).prop_map(|noise| Base::Gaussian { noise }),
        factor(0.03, 100.0).prop_map(|noise| Base::Gaussian { noise }),
        factor(1e-3, 1e3).prop_map(|inverse_scale| Base::Laplace { inverse_scale }),
        factor(1e-3, 1e3).prop_map(|epsilon| Base::BoundedRange { epsilon }),
        (factor(1e-3, 30.0), 1..40_u64)
            .prop_map(|(inverse_scale, sensitivity)| Base::DiscreteLaplace { inverse_scale, sensitivity }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A lattice without a part of P's mass is no bound from above, wherever that lay.
    #[test]
    fn the_upper_lattice_has_all_of_the_mass(
        base in base(),
        log_rate in -20.0..0.0_f64,
        direction in prop_oneof![Just(Direction::Remove), Just(Direction::Add), Just(Direction::Exchange)],
        cells in prop_oneof![(1..40_u32).prop_map(f64::from), 0.3..400.0_f64],
        tilt in 1e-3..30.0_f64,
    ) {
        let pair = Pair::new(base, log_rate.exp(), direction);
        // With the end of the losses on a grid point, as the bracket lays its grid.
        let end = pair.anchor().map_or(0.05, |(loss, _)| loss);
        let layout = Layout { spacing: end / cells, tilt, log_tail: -60.0 };
        let Sparse { indices, log_masses, infinite } = Lattice::new(&pair, layout, &[(tilt, 0.0)]).upper;
        let p = infinite.1 + log_masses.iter().map(|log| log.exp()).sum::<f64>();
        prop_assert!(p >= 1.0 - 1e-12, "P {:e} {:?} {:?}", p - 1.0, pair.range(-60.0), indices.first());
    }
}
