//! Result files that are complete or not there at all, and plots for print.
//!
//! [`write_atomically`] writes a file so that nobody ever finds half of it. With the feature `plot`, [`plot::LineChart`]
//! draws curves, with error bars if there are any, as PNG and SVG; the font is built in, so that the same data gives the
//! same picture everywhere.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("new/folder/summary.csv");
//! burn_privacy_output::write_atomically(&path, "epsilon,accuracy\n")?;
//! assert_eq!(std::fs::read_to_string(&path)?, "epsilon,accuracy\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod atomic_file;
mod digits;
mod error;
mod fingerprint;
#[cfg(feature = "plot")]
pub mod plot;

pub use atomic_file::write_atomically;
pub use digits::grouped;
pub use error::OutputError;
pub use fingerprint::fingerprint;
