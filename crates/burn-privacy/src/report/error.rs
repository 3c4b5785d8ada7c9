use std::path::PathBuf;

/// Why a report could not be written, read or drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The system refused a file.
    #[error("{}: {source}; choose another folder or make room, the files that were there are untouched", path.display())]
    File {
        /// The file that was to be written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
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
    /// The plot could not be drawn.
    #[error("the plot could not be drawn: {0}")]
    Plot(String),
}
