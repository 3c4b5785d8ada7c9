//! Batches that the plan's sampler did not draw for this step, and data sets of another size than a plan states.

use burn::data::dataset::InMemDataset;
use burn_privacy::Error;
use burn_privacy::nn::LinearConfig;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, assert_says, distance, flex};

fn config() -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(10, 40))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-3)
        .with_steps(3)
}

fn plan() -> PrivacyPlan {
    config().build().unwrap()
}

fn start(plan: &PrivacyPlan, records: usize) -> Session<Example, Batch, InMemDataset<Example>, Rows> {
    let dataset = InMemDataset::new(Values::new(1).examples(records, 4, 2));
    plan.start(dataset, Rows, &flex(), Entropy::os()).unwrap()
}

const ADVICE: [&str; 2] = ["a sampler that is not the plan's", "Session::next_step"];

#[test]
fn of_another_plan() {
    let others = [
        config().with_sampling(Sampling::poisson(11, 40)),
        config().with_steps(4),
        config().with_noise(NoiseLevel::multiplier(1.1)),
        config().with_clipping(Clipping::flat(2.0)),
        config().with_adjacency(Adjacency::ZeroOut),
    ];
    for other in others {
        let mut session = start(&plan(), 40);
        let batch = other.build().unwrap().sampler(40, Entropy::os()).unwrap().next_batch().unwrap().unwrap();
        let error = session.step_with(batch).unwrap_err();
        assert_says(&error.to_string(), &ADVICE);
        assert_says(&error.to_string(), &["another plan"]);
        assert_eq!(session.charged_steps(), 0);
    }
}

#[test]
fn out_of_order_or_twice() {
    let mut session = start(&plan(), 40);
    let mut sampler = plan().sampler(40, Entropy::os()).unwrap();
    let [first, second, third] = [0, 1, 2].map(|_| sampler.next_batch().unwrap().unwrap());
    assert!(sampler.next_batch().unwrap().is_none());

    let error = session.step_with(second.clone()).unwrap_err().to_string();
    assert_says(&error, &ADVICE);
    assert_says(&error, &["for step 1", "at step 0"]);
    drop(session.step_with(first.clone()).unwrap());
    let error = session.step_with(first).unwrap_err().to_string();
    assert_says(&error, &["for step 0", "at step 1"]);
    drop(session.step_with(second).unwrap());
    // The session's own sampler continues where the other one left off.
    assert_eq!(session.next_step().unwrap().unwrap().index(), 2);

    let error = session.step_with(third).unwrap_err();
    assert!(matches!(error, Error::BudgetSpent { steps: 3 }));
    assert_says(&error.to_string(), &["3 steps are spent", "new plan"]);
    assert!(session.next_step().unwrap().is_none());
    assert_eq!(session.charged_steps(), 3);
}

#[test]
fn of_a_larger_data_set() {
    let mut session = start(&plan(), 2);
    // 40 records: the last one drawn is beyond the second with all but the smallest probability.
    let batch = plan().sampler(4_000, Entropy::os()).unwrap().next_batch().unwrap().unwrap();
    let error = session.step_with(batch).unwrap_err().to_string();
    assert_says(&error, &ADVICE);
    assert_says(&error, &["larger data set"]);
}

#[test]
fn a_data_set_of_another_size_is_refused_where_the_size_is_public() {
    let refused = |plan: &PrivacyPlan, words: &[&str]| {
        let dataset = InMemDataset::new(Values::new(1).examples(39, 4, 2));
        let error = plan.start::<Example, Batch, _, _>(dataset, Rows, &flex(), Entropy::os()).unwrap_err().to_string();
        assert_says(&error, &["39 records", "states 40", "state the true size", "add/remove"]);
        assert_says(&error, words);
        assert!(plan.sampler(39, Entropy::os()).is_err());
    };
    refused(&config().with_adjacency(Adjacency::ZeroOut).build().unwrap(), &["zero-out"]);
    let replace = config().with_adjacency(Adjacency::ReplaceOne).with_sampling(Sampling::full_batch(40));
    refused(&replace.build().unwrap(), &["replace-one"]);
}

#[test]
fn and_never_an_error_where_it_is_private() {
    for records in [0, 1, 39, 41, 400] {
        let mut session = start(&plan(), records);
        let model: burn_privacy::nn::Linear = LinearConfig::new(4, 2).init(&flex());
        while let Some(step) = session.next_step().unwrap() {
            assert!(step.unprotected_batch_size() <= records);
            let update = step.gradients(&model, |model, batch| Ok(distance(model.forward(batch.input), batch.target)));
            assert!(update.is_ok());
        }
        assert_eq!(session.finish().unwrap().nominal_dataset_size, 40);
    }
}
