//! The noise: its size, once a step, on every coordinate, and nothing else in the normaliser.
//!
//! Bounds lie six standard errors from the expected value: false failures below 1e-8 each.

use burn::data::dataset::InMemDataset;
use burn::module::Param;
use burn::prelude::*;
use burn_privacy::per_example::per_example;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, by_path, flex, given};

type Vector = Param<Tensor<1>>;

/// The gradient of a parameter of `entries` entries that no example moves, times the expected batch size: the noise.
fn noise(
    kind: Noise,
    config: PrivacyPlanConfig,
    records: usize,
    entries: usize,
    physical_batch: usize,
    steps: usize,
) -> Vec<Vec<f64>> {
    let model: Vector = Param::from_tensor(Tensor::zeros([entries], &flex()));
    let plan = config.with_delta(1e-6).with_steps(steps as u64).build().unwrap();
    let expected = plan.sampling().expected_batch_size() as f64;
    let examples = vec![Example::new(vec![0.0], vec![0.0]); records];
    let mut session = plan
        .start(InMemDataset::new(examples), Rows, &flex(), Entropy::os())
        .unwrap()
        .with_physical_batch(physical_batch)
        .with_noise(kind);
    let mut found = Vec::new();
    while let Some(step) = session.next_step().unwrap() {
        let update = step
            .gradients(&model, |model, batch: Batch| {
                let copies: Tensor<2> = per_example(model, batch.size());
                Ok((copies * 0.0).sum_dim(1).reshape([batch.size()]))
            })
            .unwrap();
        found.push(by_path(&model, &update.into(), expected).remove("").unwrap());
    }
    found
}

/// Mean, variance and fourth moment are those of a Gaussian with this standard deviation.
fn assert_gaussian(noise: &[f64], standard_deviation: f64) {
    let count = noise.len() as f64;
    let moment = |power: i32| noise.iter().map(|x| (x / standard_deviation).powi(power)).sum::<f64>() / count;
    let check = |found: f64, expected: f64, standard_error: f64| {
        assert!((found - expected).abs() < 6.0 * standard_error / count.sqrt(), "{found} instead of {expected}");
    };
    check(moment(1), 0.0, 1.0);
    // The chi-square statistic, as a normal variable: 1.2 million degrees of freedom.
    check(moment(2), 1.0, 2.0_f64.sqrt());
    check(moment(3), 0.0, 15.0_f64.sqrt());
    check(moment(4), 3.0, 96.0_f64.sqrt());
}

const ENTRIES: usize = 1_200_000;

const KINDS: [Noise; 2] = [Noise::FloatingPoint, Noise::ExactRounded];

fn config() -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(3))
        .with_clipping(Clipping::flat(0.7))
        .with_noise(NoiseLevel::multiplier(1.3))
}

#[test]
fn its_standard_deviation_is_multiplier_times_sensitivity() {
    for kind in KINDS {
        // Add/remove: C. Also with fewer records than the nominal size, and with none.
        for records in [0, 1, 3] {
            assert_gaussian(&noise(kind, config(), records, ENTRIES, 256, 1)[0], 1.3 * 0.7);
        }
    }
    let zero_out = config().with_adjacency(Adjacency::ZeroOut);
    assert_gaussian(&noise(Noise::FloatingPoint, zero_out, 3, ENTRIES, 256, 1)[0], 1.3 * 0.7);
    // Replace-one: one vector of norm C becomes another, 2 C.
    let replace_one = config().with_adjacency(Adjacency::ReplaceOne);
    assert_gaussian(&noise(Noise::FloatingPoint, replace_one, 3, ENTRIES, 256, 1)[0], 1.3 * 2.0 * 0.7);
}

#[test]
fn it_does_not_depend_on_the_expected_batch_size() {
    // The sum gets the noise, then the quotient is taken: `noise` multiplied it back.
    for kind in KINDS {
        let config = config().with_sampling(Sampling::poisson(50, 100_000));
        assert_gaussian(&noise(kind, config, 20, ENTRIES, 256, 1)[0], 1.3 * 0.7);
    }
}

#[test]
fn it_is_added_once_a_logical_batch() {
    for (kind, physical_batch) in KINDS.into_iter().flat_map(|kind| [(kind, 1), (kind, 7), (kind, 64)]) {
        let config = config().with_sampling(Sampling::full_batch(64));
        assert_gaussian(&noise(kind, config, 64, 50_000, physical_batch, 1)[0], 1.3 * 0.7);
    }
}

#[test]
fn it_is_new_in_every_step_and_coordinate() {
    for kind in KINDS {
        let steps = noise(kind, config(), 0, 20_000, 256, 3);
        let mut bits: Vec<u64> = steps.iter().flatten().map(|x| x.to_bits()).collect();
        bits.sort_unstable();
        bits.dedup();
        // 60,000 draws of 32-bit floats meet now and then by chance (birthdays in about 2^26 values: 27 pairs).
        assert!(bits.len() > 59_000, "{} different values of 60,000", bits.len());
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let product: f64 = steps[a].iter().zip(&steps[b]).map(|(x, y)| x * y).sum::<f64>() / 20_000.0;
            assert!(product.abs() < 6.0 * 0.91_f64.powi(2) / 20_000_f64.sqrt(), "{product}");
        }
    }
}

#[test]
fn parameters_have_noise_of_their_own() {
    let model: (Vector, Vector) = {
        let vector = || Param::from_tensor(Tensor::zeros([1_000], &flex()));
        (vector(), vector())
    };
    let plan = config().with_delta(1e-6).with_steps(1).build().unwrap();
    let dataset = InMemDataset::<Example>::new(Vec::new());
    let mut session = plan.start(dataset, Rows, &flex(), Entropy::os()).unwrap();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |_, _: Batch| unreachable!("an empty batch")).unwrap();
    let found = by_path(&model, &update.into(), 1.0);
    let same = found["0"].iter().zip(&found["1"]).filter(|(x, y)| x == y).count();
    assert!(same < 5, "{same} of 1,000 values are equal");
}

/// Identical examples: the released gradient times the *expected* size counts the realized batch.
#[test]
fn the_realized_batch_size_is_never_the_normaliser() {
    let model: Vector = Param::from_tensor(Tensor::zeros([3], &flex()));
    let target = Values::new(1).normals(3);
    let plan = config()
        .with_sampling(Sampling::poisson(8, 24))
        .with_clipping(Clipping::flat(1e3))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-3)
        .with_steps(40)
        .build()
        .unwrap();
    let examples = vec![Example::new(vec![0.0], target.clone()); 24];
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let mut session = plan
            .start(InMemDataset::new(examples.clone()), Rows, &flex(), Entropy::os())
            .unwrap()
            .with_per_example(mode)
            .with_physical_batch(5);
        let mut sizes = std::collections::BTreeSet::new();
        while let Some(step) = session.next_step().unwrap() {
            let realized = step.unprotected_batch_size();
            sizes.insert(realized);
            let update = step
                .gradients(&model, |model, batch: Batch| {
                    Ok(given(per_example::<1, 2>(model, batch.size()), batch.target))
                })
                .unwrap();
            for (found, one) in by_path(&model, &update.into(), 8.0)[""].iter().zip(&target) {
                let expected = realized as f64 * f64::from(*one);
                assert!((found - expected).abs() <= 1e-5 * expected.abs(), "{found} instead of {expected}");
            }
        }
        assert!(sizes.len() > 3, "batch sizes don't vary: {sizes:?}");
    }
}
