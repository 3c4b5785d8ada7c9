//! Randomness from the operating system differs from run to run; a seed repeats a run and says that it is not private.

use burn::data::dataset::InMemDataset;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, ByPath, Example, Rows, Values, by_path, distance, flex, parameters, with_values};

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

/// One step that draws half of the records.
fn half_of(records: usize, delta: f64) -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(records / 2, records))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(delta)
        .with_steps(1)
        .build()
        .unwrap()
}

/// The noise of a session's first step, as many entries as the plan has records.
fn first_noise(plan: &PrivacyPlan, entropy: Entropy, kind: Noise) -> Vec<f64> {
    let entries = plan.sampling().nominal_size();
    let model = burn::module::Param::from_tensor(Tensor::<1>::zeros([entries], &flex()));
    let nothing = InMemDataset::<Example>::new(Vec::new());
    let mut session = plan.start(nothing, Rows, &flex(), entropy).unwrap().with_noise(kind);
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |_, _: Batch| unreachable!("an empty batch")).unwrap();
    by_path(&model, &update.into(), 1.0).remove("").unwrap()
}

/// What a session's first step draws.
fn first_drawn(plan: &PrivacyPlan, entropy: Entropy) -> Vec<usize> {
    let many = InMemDataset::new(vec![Example::new(Vec::new(), Vec::new()); plan.sampling().nominal_size()]);
    let mut drawing = plan.start::<_, Batch, _, _>(many, Rows, &flex(), entropy).unwrap();
    drawing.take_sampler().unwrap().next_batch().unwrap().unwrap().unprotected_indices().to_vec()
}

#[test]
fn sessions_share_neither_noise_nor_coins() {
    // The same step of two sessions of one plan, as of a run that goes on in another process.
    let plan = half_of(1_000, 1e-4);
    for kind in [Noise::FloatingPoint, Noise::ExactRounded] {
        let [first, second] = std::array::from_fn(|_| first_noise(&plan, Entropy::os(), kind));
        // Two floats of some 2^25 likely ones meet by chance: 3e-5 times in a thousand.
        let same = first.iter().zip(&second).filter(|(x, y)| x == y).count();
        assert!(same < 4, "{kind:?}: {same} values of 1,000 are equal");
    }
    assert_ne!(first_drawn(&plan, Entropy::os()), first_drawn(&plan, Entropy::os()));
}

#[test]
fn sampling_and_noise_share_no_randomness_under_one_seed() {
    // Coins at rate 1/2 against the signs of the noise: independent, so they agree half of the time.
    let records = 20_000;
    let plan = half_of(records, 1e-9);
    let mut heads = vec![false; records];
    first_drawn(&plan, Entropy::seeded(3)).into_iter().for_each(|index| heads[index] = true);
    let noise = first_noise(&plan, Entropy::seeded(3), Noise::FloatingPoint);
    let agree = noise.iter().zip(&heads).filter(|(noise, heads)| (**noise > 0.0) == **heads).count() as f64;
    assert!((agree - 10_000.0).abs() < 6.0 * (records as f64 / 4.0).sqrt(), "{agree} of {records} agree");
}
