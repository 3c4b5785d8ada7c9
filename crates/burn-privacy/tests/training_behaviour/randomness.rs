//! Randomness from the operating system differs from run to run; a seed repeats a run and says that it is not private.

use burn::data::dataset::InMemDataset;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, ByPath, Rows, Values, distance, flex, parameters, with_values};

/// Five steps of Poisson batches with noise: the parameters, and the statement.
fn train(entropy: Entropy) -> (ByPath, PrivacyStatement) {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(10, 40))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-3)
        .with_steps(5)
        .build()
        .unwrap();
    let dataset = InMemDataset::new(Values::new(1).examples(40, 30, 20));
    let mut session = plan.start(dataset, Rows, &flex(), entropy).unwrap();
    let mut model: Linear = with_values(LinearConfig::new(30, 20).init(&flex()), 1);
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step().unwrap() {
        let update = step
            .gradients(&model, |model, batch: Batch| Ok(distance(model.forward(batch.input), batch.target)))
            .unwrap();
        model = optimizer.step(0.1, model, update.into());
    }
    (parameters(&model), session.finish().unwrap())
}

#[test]
fn a_seed_repeats_a_run_bit_for_bit_and_is_not_private() {
    let (first, statement) = train(Entropy::seeded(7));
    let (second, _) = train(Entropy::seeded(7));
    assert_eq!(first, second);
    let (other, _) = train(Entropy::seeded(8));
    assert_ne!(first, other);
    assert!(statement.is_void());
    assert!(statement.epsilon_so_far.iter().all(|report| report.epsilon == f64::INFINITY), "{statement}");
    assert!(statement.to_string().contains("NOT PRIVATE: fixed seed"), "{statement}");
}

#[test]
fn two_runs_with_the_operating_systems_entropy_differ() {
    let (first, statement) = train(Entropy::os());
    let (second, _) = train(Entropy::os());
    for (path, values) in &first {
        let same = values.iter().zip(&second[path]).filter(|(x, y)| x == y).count();
        assert!(same < 3, "{path}: {same} values are equal");
    }
    assert!(!statement.is_void());
    assert!(!statement.to_string().contains("NOT PRIVATE"), "{statement}");
}

#[test]
fn sessions_share_neither_noise_nor_coins() {
    // The same step of two sessions of one plan, as of a run that goes on in another process.
    let records = 1_000;
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(records / 2, records))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .with_steps(1)
        .build()
        .unwrap();
    let model = burn::module::Param::from_tensor(Tensor::<1>::zeros([records], &flex()));
    for kind in [Noise::FloatingPoint, Noise::ExactRounded] {
        let [first, second] = std::array::from_fn(|_| {
            let nothing = InMemDataset::<crate::support::Example>::new(Vec::new());
            let mut session = plan.start(nothing, Rows, &flex(), Entropy::os()).unwrap().with_noise(kind);
            let step = session.next_step().unwrap().unwrap();
            let update = step.gradients(&model, |_, _: Batch| unreachable!("an empty batch")).unwrap();
            crate::support::by_path(&model, &update.into(), 1.0).remove("").unwrap()
        });
        // Two floats of some 2^25 likely ones meet by chance: 3e-5 times in a thousand.
        let same = first.iter().zip(&second).filter(|(x, y)| x == y).count();
        assert!(same < 4, "{kind:?}: {same} values of 1,000 are equal");
    }
    let [first, second] = std::array::from_fn(|_| {
        let many = InMemDataset::new(vec![crate::support::Example::new(Vec::new(), Vec::new()); records]);
        let mut drawing = plan.start::<_, Batch, _, _>(many, Rows, &flex(), Entropy::os()).unwrap();
        drawing.take_sampler().unwrap().next_batch().unwrap().unwrap().unprotected_indices().to_vec()
    });
    assert_ne!(first, second);
}

#[test]
fn sampling_and_noise_share_no_randomness_under_one_seed() {
    // Coins at rate 1/2 against the signs of the noise: independent, so they agree half of the time.
    let records = 20_000;
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(records / 2, records))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-9)
        .with_steps(1)
        .build()
        .unwrap();
    let many = InMemDataset::new(vec![crate::support::Example::new(Vec::new(), Vec::new()); records]);
    let mut drawing = plan.start::<_, Batch, _, _>(many, Rows, &flex(), Entropy::seeded(3)).unwrap();
    let drawn = drawing.take_sampler().unwrap().next_batch().unwrap().unwrap();
    let mut heads = vec![false; records];
    drawn.unprotected_indices().iter().for_each(|&index| heads[index] = true);

    let model = burn::module::Param::from_tensor(Tensor::<1>::zeros([records], &flex()));
    let dataset = InMemDataset::<crate::support::Example>::new(Vec::new());
    let mut session = plan.start(dataset, Rows, &flex(), Entropy::seeded(3)).unwrap();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |_, _: Batch| unreachable!("an empty batch")).unwrap();
    let noise = crate::support::by_path(&model, &update.into(), 1.0).remove("").unwrap();
    let agree = noise.iter().zip(&heads).filter(|(noise, heads)| (**noise > 0.0) == **heads).count() as f64;
    assert!((agree - 10_000.0).abs() < 6.0 * (records as f64 / 4.0).sqrt(), "{agree} of {records} agree");
}
