//! What can go wrong while a model is trained.

use std::path::PathBuf;

use burn_privacy_output::OutputError;

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

/// Why a checkpoint was not written, or not gone on from. Steps that were charged stay charged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// There is none.
    #[error("{} has no checkpoint to go on from; start without resuming, or name the folder of the run", folder.display())]
    None {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// All that there are were changed or cut off.
    #[error(
        "none of the {count} checkpoints in {} is whole (each was cut off or changed since it was written); start without \
         resuming: what was charged stays charged",
        folder.display()
    )]
    AllDamaged {
        /// Where they are.
        folder: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// It was written by another version.
    #[error("{} has format version {found}, this program reads version {read}; go on with the version that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it names.
        found: String,
        /// The version that this program reads.
        read: u32,
    },
    /// It belongs to another run.
    #[error("{} was made with another {field}: {recorded}, here it is {given}; go on with what it was made with, or start anew", path.display())]
    Another {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: String,
        /// As the file has it.
        recorded: String,
        /// As the program has it.
        given: String,
    },
    /// The model is not the one that was saved.
    #[error("{} does not fit the model: {reason}; build the model that it was made with", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What Burn says.
        reason: String,
    },
    /// Resuming needs a durable count.
    #[error(
        "a run without a ledger cannot be resumed: steps between the last checkpoint and the end would not be counted; give \
         the session a ledger (Session::with_ledger)"
    )]
    NoLedger,
    /// Nothing says where checkpoints are.
    #[error("resuming needs the folder of the checkpoints: Trainer::with_checkpoints")]
    NoFolder,
    /// The file system refused.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The file system refused to read.
    #[error("{} could not be read: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something could not be put into the file.
    #[error("the checkpoint could not be put together: {0}")]
    Encode(String),
}
