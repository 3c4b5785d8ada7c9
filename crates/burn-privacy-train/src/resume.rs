//! What a resumed run begins with: the checkpoint of rank 0, at all ranks.

use std::cell::OnceCell;
use std::path::PathBuf;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn_privacy::exchange::ExchangeError;
use burn_privacy::session::Session;
use burn_privacy::{Error, WeightAverage};

use crate::checkpoint::Reading;
use crate::optimizer_trace::OptimizerTrace;
use crate::{Checkpoint, CheckpointError, Checkpoints, Result, TrainError};

/// What a run begins with: anew, or from a checkpoint.
pub(crate) struct Beginning<M> {
    pub(crate) model: M,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) average: Option<WeightAverage>,
}

impl<M: Module> Beginning<M> {
    /// The same as the newest whole checkpoint of the session's run has it.
    ///
    /// Rank 0 has the ledger, by which the run is named, and finds the file. The other ranks get it from there.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`] for none and for one of something else; [`TrainError::Privacy`] if another rank is lost or can not
    /// go on from it.
    pub(crate) fn resumed<I, O, D: Dataset<I>, B: Batcher<I, O>>(
        self,
        session: &mut Session<I, O, D, B>,
        folder: Option<&Checkpoints>,
        trace: &OptimizerTrace,
    ) -> Result<(Self, Checkpoint)> {
        let path = OnceCell::new();
        session.resume(
            |session| {
                let folder = folder.ok_or(CheckpointError::NoFolder)?;
                let (Some(dataset), Some(run)) = (session.dataset_name(), session.run_name()) else {
                    return Err(CheckpointError::NoLedger.into());
                };
                let found = folder.newest_of(dataset, run)?;
                let file = found.to_bytes()?;
                path.get_or_init(|| found.path().to_owned());
                Ok(file)
            },
            |session, file| {
                let path = path.get().cloned().unwrap_or_else(|| PathBuf::from("the checkpoint of rank 0"));
                let Reading::Whole(found) = Checkpoint::decode(&path, file)? else {
                    let changed = "the checkpoint of rank 0 arrived cut off or changed; start all ranks anew";
                    return Err(TrainError::Privacy(Error::Exchange(ExchangeError::Transport(changed.into()))));
                };
                // Ranks without a ledger know neither name.
                let dataset = session.dataset_name().unwrap_or(found.dataset());
                let run = session.run_name().unwrap_or(found.run());
                found.require(dataset, run, session.plan(), session.charged_steps())?;
                let model = found.model(self.model)?;
                found.require_updates(trace, self.average.as_ref())?;
                let optimizer = found.optimizer(self.optimizer)?;
                let average = found.average(&model)?;
                Ok((Self { model, optimizer, average }, *found))
            },
        )
    }
}
