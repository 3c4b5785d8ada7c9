//! What can go wrong while a model is trained.

/// Any error of a caller's closure.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// The crate's result.
pub type Result<T> = std::result::Result<T, TrainError>;

/// Why a training run failed. Steps that were charged stay charged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The privacy session, its ledger or its plan refused.
    #[error(transparent)]
    Privacy(#[from] burn_privacy::Error),

    /// A checkpoint was not written, or not gone on from.
    #[error(transparent)]
    Checkpoint(#[from] crate::CheckpointError),

    /// Burn's learner was asked for something that private training has not.
    #[cfg(feature = "train")]
    #[error("refused: {0}")]
    Learner(String),

    /// A batch or an item could not be loaded.
    #[error("the data could not be loaded: {0}; check the data set")]
    Data(#[source] BoxedError),

    /// The device failed while results were awaited.
    #[error("the device failed: {0}; run on another one, or in smaller batches")]
    Device(#[source] BoxedError),

    /// The closure that computes a loss or a score, or that watches the run, failed.
    #[error(transparent)]
    Closure(BoxedError),

    /// The system lets nobody listen for Ctrl-C, or somebody listens already.
    #[error("Ctrl-C cannot be listened for: {0}; listen once in a process")]
    Interrupt(#[source] ctrlc::Error),
}
