//! The error type of the crate.

use burn_privacy_output::OutputError;

/// Why a report could not be written, read or drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file could not be written, or the plot not be drawn.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A text is not a report.
    #[error("this is not a run report: {0}")]
    Json(#[from] serde_json::Error),
    /// A report of a kind that this version does not know.
    #[error("a report of schema {found} can't be read: this version reads {known}")]
    Schema {
        /// Schema and version of the text.
        found: String,
        /// Schema and version that are known.
        known: String,
    },
}
