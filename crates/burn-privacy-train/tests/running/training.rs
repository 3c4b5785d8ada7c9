//! The trainers on a line with noise, against loops written out by hand.
#![cfg(feature = "flex")]

use burn::data::dataset::InMemDataset;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::WeightAverage;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy_train::{OrdinaryTrainer, TrainError, Trainer, correct_predictions};

use crate::line::{Point, PointBatcher, Points, RECORDS, data, losses, weights};

fn device() -> Device {
    select_device(DeviceChoice::Cpu).unwrap().device.autodiff()
}

fn model(device: &Device) -> Linear {
    LinearConfig::new(1, 1).init(device)
}

fn plan(steps: u64) -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(40, RECORDS))
        .with_clipping(Clipping::flat(1.0))
        .with_steps(steps)
        .with_noise(NoiseLevel::multiplier(0.5))
        .with_delta(1e-4)
        .build()
        .unwrap()
}

#[test]
fn it_is_the_loop_that_one_writes_by_hand() {
    let device = device();
    let start = || plan(25).start(data(), PointBatcher, &device, Entropy::seeded(7)).unwrap();
    let rate = |step: u64| 0.5 / (1.0 + step as f64);

    let initial = model(&device);
    let mut by_hand = initial.clone();
    let mut average = WeightAverage::new(0.8).unwrap();
    let mut optimizer = SgdConfig::new().init();
    let mut session = start();
    let mut epsilons = vec![session.epsilon_so_far().unwrap()];
    while let Some(step) = session.next_step().unwrap() {
        let rate = rate(step.index());
        let update = step.gradients(&by_hand, losses).unwrap();
        by_hand = optimizer.step(rate, by_hand, update.into());
        average.add(&by_hand);
        epsilons.push(session.epsilon_so_far().unwrap());
    }

    for averaged in [false, true] {
        let trainer = Trainer::new(start(), 9.0).with_learning_rate_schedule(rate);
        let trainer = if averaged { trainer.with_weight_average(0.8).unwrap() } else { trainer };
        let mut shown = Vec::new();
        let (trained, statement) = trainer
            .train(initial.clone(), SgdConfig::new().init(), losses, |_, epsilon| {
                shown.push(epsilon);
                Ok(true)
            })
            .unwrap();
        let expected = if averaged { average.average(by_hand.clone()) } else { by_hand.clone() };
        assert_eq!(weights(&trained), weights(&expected));
        assert_eq!(shown, epsilons);
        assert_eq!((statement.charged_steps, statement.planned_steps), (25, 25));
    }
}

#[test]
fn a_run_that_is_stopped_says_what_it_did_and_errors_are_passed_on() {
    let device = device();
    let start = || plan(25).start(data(), PointBatcher, &device, Entropy::os()).unwrap();
    let mut asked = 0;
    let (_, statement) = Trainer::new(start(), 0.1)
        .train(model(&device), SgdConfig::new().init(), losses, |_, _| {
            asked += 1;
            Ok(asked <= 3)
        })
        .unwrap();
    assert_eq!((asked, statement.charged_steps), (4, 3));

    let error = Trainer::new(start(), 0.1)
        .train(model(&device), SgdConfig::new().init(), losses, |_, _| Err("the disk is full".into()))
        .unwrap_err();
    assert!(matches!(&error, TrainError::Closure(source) if source.to_string() == "the disk is full"), "{error}");
    let error = Trainer::new(start(), 0.1)
        .train(model(&device), SgdConfig::new().init(), |_: &Linear, _| Err("no loss".into()), |_, _| Ok(true))
        .unwrap_err();
    assert!(matches!(error, TrainError::Privacy(_)) && error.to_string().contains("no loss"), "{error}");
    assert!(Trainer::new(start(), 0.1).with_weight_average(1.0).is_err());
}

#[test]
fn without_privacy_the_line_is_found() {
    let device = device();
    let trainer = OrdinaryTrainer::new(data(), PointBatcher, &device, 50, 400);
    let mut asked = 0;
    let trained = trainer
        .with_learning_rate(0.5)
        .with_seed(Some(3))
        .train(
            model(&device),
            SgdConfig::new().init(),
            |model: &Linear, points: Points| losses(model, points).map(Tensor::mean),
            |_| {
                asked += 1;
                Ok(true)
            },
        )
        .unwrap();
    let found = weights(&trained);
    assert!((found[0] - 2.0).abs() < 0.01 && (found[1] + 1.0).abs() < 0.01, "{found:?}");
    assert_eq!(asked, 401);
    let empty = OrdinaryTrainer::new(InMemDataset::<Point>::new(Vec::new()), PointBatcher, &device, 50, 4);
    let error = empty
        .train(
            model(&device),
            SgdConfig::new().init(),
            |model: &Linear, points: Points| losses(model, points).map(Tensor::mean),
            |_| Ok(true),
        )
        .unwrap_err();
    assert!(matches!(error, TrainError::Data(_)), "{error}");
}

#[test]
fn correct_predictions_are_counted_in_batches_of_any_size() {
    let device = select_device(DeviceChoice::Cpu).unwrap().device;
    // A point is in class 1 if y is above 0; the scores say so for x above 0.2512: a quarter of the points is wrong.
    let scores = |points: Points| {
        let [count, _] = points.x.dims();
        let logits = Tensor::cat(vec![points.x.zeros_like() + 0.2512, points.x], 1);
        (logits, points.y.greater_elem(0.0).int().reshape([count]))
    };
    let right = (0..RECORDS).filter(|index| (*index > RECORDS / 4) == (*index > RECORDS / 2)).count() as i64;
    for batch_size in [1, 7, 400, 1_000] {
        let found = correct_predictions(&data(), &PointBatcher, &device, batch_size, scores).unwrap();
        assert_eq!(found, right, "{batch_size}");
    }
}
