//! Burn's own learner under a plan: what is charged, what the dashboard's log shows, what is saved and resumed, what is refused.
#![cfg(all(feature = "flex", feature = "train"))]

#[path = "running/line/mod.rs"]
mod line;

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoaderBuilder;
use burn::lr_scheduler::constant::ConstantLr;
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{
    InferenceStep, Learner, LearningResult, MetricEarlyStoppingStrategy, RegressionOutput, StoppingCondition,
    SupervisedTraining, TrainStep, TrainingStrategy,
};
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::Linear;
use burn_privacy::prelude::*;
use burn_privacy_train::TrainError;
use burn_privacy_train::learner::{Private, PrivateLearning, UnreadLoader};
use line::{LineSession, Point, PointBatcher, Points, RECORDS, data, device, model};
use tempfile::TempDir;

#[derive(Module, Debug)]
struct Net {
    line: Linear,
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, points: Points) -> RegressionOutput {
        let output = self.line.forward(points.x);
        RegressionOutput::new((output.clone() - points.y.clone()).square().mean(), output, points.y)
    }
}

fn losses(net: &Private<Net>, points: Points) -> burn_privacy::session::LossResult {
    Ok(mean_squared_error(net.line.forward(points.x), points.y))
}

type Losses = fn(&Private<Net>, Points) -> burn_privacy::session::LossResult;
type Line = PrivateLearning<Point, Points, burn::data::dataset::InMemDataset<Point>, PointBatcher, Losses>;

/// 25 steps, 10 an epoch.
fn session(ledger: Option<&Path>) -> LineSession {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(RECORDS / 10, RECORDS))
        .with_clipping(Clipping::normalized())
        .with_steps(25)
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .build()
        .unwrap();
    let session = plan.start(data(), PointBatcher, &device(), Entropy::os()).unwrap();
    match ledger {
        Some(path) => session.with_ledger(Ledger::open(path, "points").unwrap(), "line").unwrap(),
        None => session,
    }
}

fn strategy(session: LineSession) -> Arc<Line> {
    Arc::new(PrivateLearning::new(session, losses as Losses))
}

fn training(folder: &Path, strategy: &Arc<Line>) -> SupervisedTraining<Private<Net>> {
    let valid = DataLoaderBuilder::new(PointBatcher).batch_size(100).build(data());
    SupervisedTraining::new(folder, UnreadLoader::of(), valid)
        .num_epochs(strategy.epochs())
        .metric_train_numeric(strategy.epsilon_metric())
        .metric_valid_numeric(LossMetric::new())
        .with_application_logger(None)
        .renderer(Box::new(CliMetricsRenderer::new()))
        .with_training_strategy(TrainingStrategy::Custom(strategy.clone()))
}

fn learner() -> Learner<Private<Net>> {
    Learner::new(Private(Net { line: model(&device()) }), SgdConfig::new().init(), ConstantLr::new(0.1))
}

fn error_of(result: &LearningResult<Private<Net>>) -> String {
    result.error.as_ref().map_or(String::new(), |error| error.to_string())
}

/// What the metric's log of an epoch says.
fn logged(folder: &Path, epoch: usize) -> Vec<f64> {
    let path = folder.join("train").join(format!("epoch-{epoch}")).join("Epsilon.log");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Each line begins with the value.
    text.lines().filter_map(|line| line.split([',', ' ']).next()?.parse().ok()).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_plan_runs_in_the_learner_and_the_log_has_its_epsilons() {
    let folder = folder();
    let strategy = strategy(session(None));
    assert_eq!(strategy.epochs(), 3);
    let schedule = session(None).plan().schedule().unwrap();
    let result = training(folder.path(), &strategy).launch(learner());
    assert_eq!(error_of(&result), "");
    let statement = strategy.take_outcome().unwrap().unwrap();
    assert_eq!((statement.charged_steps, statement.planned_steps), (25, 25));
    for (epoch, steps) in [(1, 10), (2, 20), (3, 25)] {
        let expected = schedule.epsilon_after(steps).unwrap();
        let shown = logged(folder.path(), epoch);
        assert!(!shown.is_empty() && shown.iter().all(|epsilon| *epsilon == expected), "{shown:?} {expected}");
    }
    // The dashboard's last epsilon is the session's.
    assert_eq!(strategy.epsilon_metric().epsilon(), schedule.epsilon_after(25).unwrap());
    assert_eq!(statement.epsilon_so_far[0].epsilon, schedule.epsilon_after(25).unwrap());
    // It learned: y = 2 x - 1 from a slope of 0.25.
    let slope = result.model.line.weight.val().into_data().iter::<f32>().next().unwrap();
    assert!((slope - 0.25).abs() > 0.01, "{slope}");
    // The session is spent.
    let again = training(folder.path(), &strategy).launch(learner());
    assert!(error_of(&again).contains("second launch"), "{}", error_of(&again));
}

#[test]
fn checkpoints_are_the_bare_models_and_a_resumed_learner_has_what_is_left() {
    let folder = folder();
    let ledger = folder.path().join("ledger.jsonl");
    let first = strategy(session(Some(&ledger)));
    let result = training(folder.path(), &first).num_epochs(2).with_default_checkpointers().launch(learner());
    assert_eq!(error_of(&result), "");
    assert_eq!(first.take_outcome().unwrap().unwrap().charged_steps, 20);
    // A record of Private<Net> is one of Net.
    let saved = folder.path().join("checkpoint").join("model-2.bpk");
    let net = Net { line: model(&Device::flex()) }.load_file(&saved);
    assert_eq!(
        net.line.weight.val().into_data().iter::<f32>().collect::<Vec<_>>(),
        result.model.line.weight.val().into_data().iter::<f32>().collect::<Vec<_>>()
    );

    let second = strategy(session(Some(&ledger)));
    let resumed = training(folder.path(), &second).with_default_checkpointers().checkpoint(2).launch(learner());
    assert_eq!(error_of(&resumed), "");
    assert_eq!(second.take_outcome().unwrap().unwrap().charged_steps, 25);

    // Without a ledger the steps since the checkpoint are nowhere.
    let third = strategy(session(None));
    let refused = training(folder.path(), &third).with_default_checkpointers().checkpoint(2).launch(learner());
    assert!(error_of(&refused).contains("ledger"), "{}", error_of(&refused));
    assert!(matches!(third.take_outcome(), Some(Err(TrainError::Checkpoint(_)))));
}

#[test]
fn early_stopping_and_interruption_end_the_run_and_the_charges() {
    let folder = folder();
    let strategy_of_early = strategy(session(None));
    // Epsilon is to fall, and never does: no improvement since epoch 1.
    let early = MetricEarlyStoppingStrategy::new(
        &strategy_of_early.epsilon_metric(),
        Aggregate::Mean,
        Direction::Lowest,
        Split::Train,
        StoppingCondition::NoImprovementSince { n_epochs: 1 },
    );
    let result = training(folder.path(), &strategy_of_early).early_stopping(early).launch(learner());
    assert_eq!(error_of(&result), "");
    assert_eq!(strategy_of_early.take_outcome().unwrap().unwrap().charged_steps, 20);

    let interrupted = strategy(session(None));
    let training = training(folder.path(), &interrupted);
    training.interrupter().stop(Some("enough"));
    let result = training.launch(learner());
    assert_eq!(result.interrupted.unwrap().reason.as_deref(), Some("enough"));
    // One step was taken before anybody looked.
    assert_eq!(interrupted.take_outcome().unwrap().unwrap().charged_steps, 1);
}

#[test]
fn accumulation_and_strategies_without_privacy_are_refused_with_the_reason() {
    let folder = folder();
    let accumulating = strategy(session(None));
    let result = training(folder.path(), &accumulating).grads_accumulation(4).launch(learner());
    let error = error_of(&result);
    assert!(error.contains("gradient accumulation over 4") && error.contains("expected batch size"), "{error}");
    let outcome = accumulating.take_outcome().unwrap().unwrap_err().to_string();
    assert!(outcome.contains("gradient accumulation"), "{outcome}");

    // What Burn's own strategies call, on one device or several.
    let net = Private(Net { line: model(&device()) });
    let batch =
        burn::data::dataloader::batcher::Batcher::batch(&PointBatcher, vec![Point { x: 1.0, y: 1.0 }], &device());
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| TrainStep::step(&net, batch)));
    let Err(panic) = refused else { panic!("a step without noise was taken") };
    let message = panic.downcast_ref::<&str>().copied().map(str::to_owned).or(panic.downcast_ref::<String>().cloned());
    let message = message.unwrap();
    assert!(message.contains("without privacy") && message.contains("several"), "{message}");
}
