//! Files that are complete or not there at all, logs that lose nothing, and plots for print.
//!
//! [`AtomicFile`] and [`write_atomically`] write a file so that nobody ever finds half of it. A [`DurableLog`] appends
//! lines that are on the disk when it returns, under a lock, and notices if its file is replaced. An [`InvalidValue`]
//! says what was given and what is allowed; [`printable`] text has no control characters; a [`SilentThread`] prints no panics; a
//! [`fingerprint`] tells settings apart. Without the default feature `files` there are no files, no logs and no fingerprints, for
//! crates that write nothing. With the feature `plot`, [`plot::LineChart`]
//! draws curves, with error bars if there are any, as PNG and SVG; the font is built in, so that the same data gives the
//! same picture everywhere. The feature `trace` is for tests: it records what is asked of the file system, and replays power cuts.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("new/folder/summary.csv");
//! burn_privacy_output::write_atomically(&path, "epsilon,accuracy\n")?;
//! assert_eq!(std::fs::read_to_string(&path)?, "epsilon,accuracy\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// Notes an operation on the file system, where those are recorded.
#[cfg(feature = "files")]
macro_rules! traced {
    ($operation:expr) => {
        #[cfg(feature = "trace")]
        crate::trace::note($operation);
    };
}

#[cfg(feature = "files")]
mod atomic_file;
mod digits;
#[cfg(feature = "files")]
mod durable_log;
mod error;
#[cfg(feature = "files")]
mod file_identity;
#[cfg(feature = "files")]
mod fingerprint;
mod invalid_value;
#[cfg(feature = "plot")]
pub mod plot;
mod printable;
mod silent_panics;
#[cfg(feature = "trace")]
pub mod trace;

#[cfg(feature = "files")]
pub use atomic_file::{AtomicFile, write_atomically};
pub use digits::grouped;
#[cfg(feature = "files")]
pub use durable_log::{DurableLog, DurableLogError};
pub use error::OutputError;
#[cfg(feature = "files")]
pub use fingerprint::fingerprint;
pub use invalid_value::InvalidValue;
pub use printable::{printable, printable_lines, printable_markdown};
pub use silent_panics::{SilentProcess, SilentThread};
