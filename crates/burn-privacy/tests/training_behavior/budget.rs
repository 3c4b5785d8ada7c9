//! Steps are charged when drawn, never more than planned.

use burn::data::dataset::InMemDataset;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, distance, flex};

fn start(steps: u64) -> Session<Example, Batch, InMemDataset<Example>, Rows> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(5, 20))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-3)
        .with_steps(steps)
        .build()
        .unwrap();
    plan.start(InMemDataset::new(Values::new(1).examples(20, 3, 2)), Rows, &flex(), Entropy::os()).unwrap()
}

#[test]
fn steps_end_with_the_plan() {
    let mut session = start(3);
    for index in 0..3 {
        assert_eq!(session.next_step().unwrap().unwrap().index(), index);
    }
    for _ in 0..3 {
        assert!(session.next_step().unwrap().is_none());
    }
    assert_eq!(session.charged_steps(), 3);
    let planned = session.plan().epsilon(1e-3).unwrap();
    let spent = session.epsilon_so_far().unwrap();
    assert_eq!(spent, planned);
}

#[test]
fn a_dropped_step_stays_charged() {
    let mut session = start(2);
    assert_eq!(session.epsilon_so_far().unwrap(), 0.0);
    drop(session.next_step().unwrap());
    assert_eq!(session.charged_steps(), 1);
    let once = session.epsilon_so_far().unwrap();
    assert!(once > 0.0);
    drop(session.next_step().unwrap());
    assert!(session.epsilon_so_far().unwrap() > once);
    let statement = session.finish().unwrap();
    assert_eq!((statement.planned_steps, statement.charged_steps), (2, 2));
}

#[test]
fn a_refused_step_stays_charged() {
    let mut session = start(2);
    let model: Linear = LinearConfig::new(3, 2).init(&flex());
    while let Some(step) = session.next_step().unwrap() {
        if step.unprotected_batch_size() == 0 {
            continue;
        }
        let refused = step.gradients(&model, |model, batch| {
            Ok(distance(model.forward(batch.input), batch.target).reshape([1, -1]).expand([2, -1]).reshape([-1]))
        });
        assert!(refused.is_err());
    }
    assert_eq!(session.charged_steps(), 2);
}

#[test]
fn a_shorter_run_costs_less_and_the_plan_stays_the_headline() {
    let mut session = start(100);
    drop(session.next_step().unwrap());
    let planned = session.plan().epsilon(1e-3).unwrap();
    let statement = session.finish().unwrap();
    assert!(statement.epsilon_so_far[0].epsilon < statement.planned_epsilon[0].epsilon);
    assert_eq!(statement.planned_epsilon[0].epsilon, planned);
}
