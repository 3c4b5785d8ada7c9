//! One trial of each task.

use burn::prelude::*;
use burn_privacy::datasets::ImageDataset;
use burn_privacy::prelude::*;
use burn_privacy::sweep::{Trial, TrialOutcome, TrialResult};
use burn_privacy_examples::affordability::{self, Network, closeness, r_squared};
use burn_privacy_examples::image_training::{
    Classifier, PlainTraining, PrivateTraining, right_guesses, train_plain, train_private,
};
use burn_privacy_examples::{cifar, mnist, noisy_share};
use burn_privacy_train::TrainingHistory;

use crate::task::{HouseholdTask, ImageTask, Kind, Model, NO_SWEEP, Scoring, Task};

/// Most images at once.
const PHYSICAL_BATCH: usize = 256;

impl Task {
    /// Trains once, under a plan or without privacy.
    pub fn run(&self, plan: Option<&PrivacyPlan>, trial: &Trial) -> TrialResult {
        let learning_rate = trial.setting().map(|setting| setting.learning_rate);
        let under = plan.zip(learning_rate);
        let device = &self.device;
        match &self.kind {
            Kind::Households(task) => self.households_trial(task, under, trial),
            Kind::Images(task) => match task.model {
                Model::Cifar(cifar::ModelName::Quick) => {
                    self.image_trial(task, under, trial, || cifar::QuickCnn::new(device))
                }
                Model::Cifar(cifar::ModelName::Tanh) => {
                    self.image_trial(task, under, trial, || cifar::TanhCnn::new(device))
                }
                Model::Cifar(cifar::ModelName::Handout) => {
                    self.image_trial(task, under, trial, || cifar::HandoutCnn::new(device))
                }
                Model::Cifar(cifar::ModelName::Wrn) => {
                    self.image_trial(task, under, trial, || cifar::WideResNet::new(device))
                }
                Model::Cifar(cifar::ModelName::Linear) => {
                    self.image_trial(task, under, trial, || cifar::LinearModel::new(device))
                }
                Model::Cifar(
                    cifar::ModelName::ScatterLinear
                    | cifar::ModelName::ScatterPatches
                    | cifar::ModelName::ScatterCnn
                    | cifar::ModelName::PublicLinear,
                )
                | Model::Mnist(mnist::ModelName::ScatterLinear) => Err(NO_SWEEP.into()),
                Model::Mnist(name) => self.image_trial(task, under, trial, || mnist::MnistCnn::new(name, device)),
            },
        }
    }

    fn households_trial(&self, task: &HouseholdTask, under: Option<(&PrivacyPlan, f64)>, trial: &Trial) -> TrialResult {
        let (train, device) = (task.train.clone(), &self.device);
        let network = trial.initialize(device, || Network::new(device));
        let network = match under {
            None => {
                // The same training with nothing clipped and no noise.
                let plan = task.plan_without_privacy(&self.defaults)?;
                let rate = self.defaults.learning_rate;
                affordability::train_private(network, train, device, &plan, rate, trial.entropy(), None)?.0
            }
            Some((plan, rate)) => {
                affordability::train_private(network, train, device, plan, rate, trial.entropy(), None)?.0
            }
        };
        let score = match self.scoring {
            Scoring::Public => {
                let (batch, targets) = task.data.test_batch(device);
                r_squared(&network.predict(&batch), &targets)
            }
            Scoring::Paid(noise) => {
                noisy_share(closeness(&network, &task.held_out, device), task.nominal_held_out, noise)?
            }
        };
        Ok(TrialOutcome { score, model: network.into_record().into_bytes()?.to_vec() })
    }

    fn image_trial<M: Classifier>(
        &self,
        task: &ImageTask,
        under: Option<(&PrivacyPlan, f64)>,
        trial: &Trial,
        build: impl Fn() -> M,
    ) -> TrialResult {
        let (images, batcher, device, momentum) = (task.train.clone(), task.batcher, &self.device, task.momentum);
        let model = trial.initialize(device, build);
        let model = match under {
            None => {
                let batch_size = self.defaults.batch_size;
                let steps = task.plain_epochs * images.len().div_ceil(batch_size) as u64;
                let (learning_rate, seed) = (task.plain_learning_rate, trial.seed());
                let training =
                    PlainTraining { images, batcher, device, batch_size, steps, learning_rate, momentum, seed };
                train_plain(model, training, |_| Ok(true))?
            }
            Some((plan, learning_rate)) => {
                let training = PrivateTraining {
                    plan,
                    images,
                    batcher,
                    device,
                    entropy: trial.entropy(),
                    ledger: None, // the sweep has charged it
                    users: None,
                    physical_batch: PHYSICAL_BATCH,
                    views: task.views,
                    learning_rate,
                    momentum,
                    average: task.average,
                    checkpoints: None,
                    history: TrainingHistory::default(),
                };
                train_private(model, training, |_, _| Ok(true))?.0
            }
        };
        let right = |images: &ImageDataset| right_guesses(&model, images, &batcher, device);
        let score = match self.scoring {
            Scoring::Public => 100.0 * right(&task.test)? as f64 / task.test.len() as f64,
            Scoring::Paid(noise) => 100.0 * noisy_share(right(&task.held_out)? as f64, task.nominal_held_out, noise)?,
        };
        Ok(TrialOutcome { score, model: model.into_record().into_bytes()?.to_vec() })
    }
}
