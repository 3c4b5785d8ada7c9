//! Training under differential privacy: the loop that Burn users know, with a session in the place of a data loader.

use burn_privacy::datasets::ImageBatch;
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy::report::Protection;

use crate::Result;
use crate::models::Classifier;
use crate::monitor::Monitor;
use crate::run::{Job, Trained};
use crate::settings::PrivacySettings;

/// Trains until the plan is spent or somebody presses Ctrl-C.
pub fn train<M: Classifier>(
    mut model: M,
    job: &Job<'_>,
    privacy: &PrivacySettings,
    plan: &PrivacyPlan,
    ledger: Ledger,
) -> Result<Trained<M>> {
    let mut session = plan
        .start(job.data.train.clone(), job.batcher, &job.device, job.settings.entropy())?
        .with_physical_batch(privacy.physical_batch)
        .with_ledger(ledger, &job.name)?;
    let mut optimizer = job.settings.optimizer();
    let mut monitor = Monitor::start(job, plan.steps(), 1.0 / plan.sampling().rate(), true);

    while !job.interrupt.is_pressed() {
        monitor.step_begins();
        let Some(step) = session.next_step()? else { break };
        let update = step.gradients(&model, |model, batch: ImageBatch| {
            Ok(cross_entropy(model.forward(batch.images), batch.labels))
        })?;
        model = optimizer.step(job.settings.learning_rate, model, update.into());
        monitor.step_ends(&model, session.epsilon_so_far()?)?;
    }

    // Closes the ledger with the number of steps that were really made.
    let statement = session.finish()?;
    let results = monitor.finish(&model)?;
    let protection = Protection::DifferentialPrivacy { plan: Box::new(plan.clone()), statement: Box::new(statement) };
    Ok(Trained { model, results, protection })
}
