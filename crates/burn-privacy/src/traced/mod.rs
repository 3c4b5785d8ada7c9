//! Training on a model's own operation graph: recordings, their proofs, and what becomes of the gradients.

mod independence;
mod layer_uses;
mod proofs;

pub(crate) use independence::Independence;
pub(crate) use layer_uses::layer_use;
pub(crate) use proofs::Proofs;

use burn_privacy_traced::{RecordError, TraceError};

use crate::error::Error;
use crate::per_example::TrainableParameters;

/// What is said of a recording that failed or was refused.
pub(crate) fn explained(error: TraceError, trainable: &TrainableParameters) -> Error {
    match error {
        TraceError::Coupled { how, operation, shapes, near } => {
            let near = near.map(|id| format!(", near `{}`", trainable.path_of(id))).unwrap_or_default();
            Error::CoupledExamples {
                seen: format!("on the operation graph: {how}; operation {operation} of {shapes}{near}"),
            }
        }
        error @ TraceError::NumbersExamples => Error::CoupledExamples { seen: error.to_string() },
        TraceError::LossCount { found } => Error::LossPerExample { found },
        TraceError::Untracked => Error::UntrackedLoss,
        TraceError::Nested => Error::NestedRecording,
        error => Error::Traced { error, near: String::new() },
    }
}

/// The same of a recording whose forward pass may have failed by itself.
pub(crate) fn explained_recording(error: RecordError<Error>, trainable: &TrainableParameters) -> Error {
    match error {
        RecordError::Forward(error) => error,
        RecordError::Trace(error) => explained(error, trainable),
    }
}
