//! Why a file or a plot was not made.

use std::path::PathBuf;

/// Why a file could not be written or a plot not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The system refused a file.
    #[error("{}: {source}; choose another folder or make room, the files that were there are untouched", path.display())]
    File {
        /// The file that was to be written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The plot could not be drawn.
    #[error("the plot could not be drawn: {0}")]
    Plot(String),
}
