//! Batches that the plan's sampler did not draw for this step, and data sets of another size than a plan states.

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::prelude::*;
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

const ADVICE: [&str; 3] = ["can't be used here", "Session::next_step", "take_sampler"];

#[test]
fn a_batch_serves_the_session_that_drew_it_and_no_other() {
    // The same plan and the same data: the second session would get the first one's batches for nothing.
    let (mut first, mut second) = (start(&plan(), 40), start(&plan(), 40));
    let mut sampler = first.take_sampler().unwrap();
    let batch = sampler.next_batch().unwrap().unwrap();
    let error = second.step_with(batch).unwrap_err().to_string();
    assert_says(&error, &ADVICE);
    assert_says(&error, &["another session's sampler"]);
    assert_eq!((first.charged_steps(), second.charged_steps()), (1, 0));
    // Not even a session at the address of one that ended.
    let left = {
        let mut gone = start(&plan(), 40);
        gone.take_sampler().unwrap().next_batch().unwrap().unwrap()
    };
    let mut third = start(&plan(), 40);
    assert_says(&third.step_with(left).unwrap_err().to_string(), &["another session's sampler"]);
}

#[test]
fn looking_at_a_batch_costs_its_step() {
    let mut session = start(&plan(), 40);
    let mut sampler = session.take_sampler().unwrap();
    for drawn in 1..=3 {
        assert_eq!(sampler.next_batch().unwrap().unwrap().step(), drawn - 1);
        assert_eq!(session.charged_steps(), drawn);
    }
    assert!(sampler.next_batch().unwrap().is_none());
    let error = session.next_step().unwrap_err().to_string();
    assert_says(&error, &ADVICE);
    assert_says(&error, &["sampler was taken"]);
    let error = session.take_sampler().unwrap_err().to_string();
    assert_says(&error, &["only sampler was taken before"]);
    assert_eq!(session.finish().unwrap().charged_steps, 3);
    assert_says(&sampler.next_batch().unwrap_err().to_string(), &["its session has ended"]);
}

#[test]
fn batches_come_in_order_and_none_is_left_out() {
    let mut session = start(&plan(), 40);
    let mut sampler = session.take_sampler().unwrap();
    let [first, second, third] = [0, 1, 2].map(|_| sampler.next_batch().unwrap().unwrap());
    drop(session.step_with(first).unwrap());
    let error = session.step_with(third).unwrap_err().to_string();
    assert_says(&error, &ADVICE);
    assert_says(&error, &["for step 2", "at step 1"]);
    assert_eq!(session.step_with(second).unwrap().index(), 1);
}

#[test]
fn nothing_that_is_printed_tells_who_was_drawn_or_how_many_there_are() {
    // 7,654 records of which about 1,900 are drawn: four digits never occur by chance in what is printed.
    let mut session = start(&plan(), 7_654);
    let text = format!("{session:?}");
    let step = session.next_step().unwrap().unwrap();
    let size = step.unprotected_batch_size().to_string();
    let step = format!("{step:?}");
    let mut session = start(&plan(), 7_654);
    let mut sampler = session.take_sampler().unwrap();
    let printed = format!("{text} {step} {sampler:?} {:?}", sampler.next_batch().unwrap().unwrap());
    assert!(!printed.contains("7654") && !printed.contains(&size), "{printed}");
    let long = printed.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 3).count();
    assert_eq!(long, 0, "{printed}");
}

/// A data set of which one record can't be read.
struct Damaged(usize);

impl Dataset<Example> for Damaged {
    fn get(&self, index: usize) -> Result<Example, DatasetError> {
        match index == self.0 {
            true => Err(DatasetError::new(std::io::Error::other(format!("record {index} is damaged")))),
            false => Ok(Example::new(vec![0.0; 4], vec![0.0; 2])),
        }
    }

    fn len(&self) -> usize {
        6_000
    }
}

#[test]
fn a_drawn_record_that_cannot_be_read_is_not_named() {
    let plan = config().with_sampling(Sampling::full_batch(100)).build().unwrap();
    let mut session = plan.start(Damaged(5_817), Rows, &flex(), Entropy::os()).unwrap();
    let model: burn_privacy::nn::Linear = LinearConfig::new(4, 2).init(&flex());
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |model, batch| Ok(distance(model.forward(batch.input), batch.target)));
    let error = update.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert_says(&shown, &["could not be read", "once before training"]);
    assert!(!shown.contains("5817"), "{shown}");
    let Error::DrawnRecord { unprotected_source } = error else { panic!("{error}") };
    assert!(unprotected_source.get().to_string().contains("5817"));
}

#[test]
fn a_loss_of_the_wrong_length_does_not_tell_the_batchs_size() {
    let plan =
        config().with_sampling(Sampling::poisson(30, 40)).with_noise(NoiseLevel::multiplier(1.0)).build().unwrap();
    let model: burn_privacy::nn::Linear = LinearConfig::new(4, 2).init(&flex());
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let mut session = start(&plan, 4_000).with_per_example(mode).with_physical_batch(5_000);
        let step = session.next_step().unwrap().unwrap();
        let size = step.unprotected_batch_size().to_string();
        let error = step
            .gradients(&model, |model, batch: Batch| {
                let losses = distance(model.forward(batch.input), batch.target);
                Ok(Tensor::cat(vec![losses.clone(), losses, Tensor::ones([3], &flex())], 0))
            })
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_says(&shown, &["one loss per example"]);
        assert!(shown.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() < 4), "{shown} ({size})");
    }
}

#[test]
fn absurd_numbers_of_views_are_refused_before_anything_is_charged() {
    for views in [65_537, usize::MAX] {
        let mut session = start(&plan(), 40).with_views(views);
        let error = session.next_step().unwrap_err().to_string();
        assert_says(&error, &["views", &views.to_string(), "from 1 to 65536"]);
        assert!(session.take_sampler().is_err());
        assert_eq!(session.charged_steps(), 0);
    }
}

#[test]
fn a_data_set_of_another_size_is_refused_where_the_size_is_public() {
    let refused = |plan: &PrivacyPlan, words: &[&str]| {
        let dataset = InMemDataset::new(Values::new(1).examples(39, 4, 2));
        let error = plan.start::<Example, Batch, _, _>(dataset, Rows, &flex(), Entropy::os()).unwrap_err().to_string();
        assert_says(&error, &["plan states, 40", "state the true size", "add/remove"]);
        assert!(!error.contains("39"), "{error}");
        assert_says(&error, words);
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
