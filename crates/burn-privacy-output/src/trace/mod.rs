//! What [`DurableLog`](crate::DurableLog) and [`AtomicFile`](crate::AtomicFile) ask of the file system, recorded, and everything that a
//! power cut may leave of it: for tests.
//!
//! The idea is that of ALICE (Pillai et al., "All file systems are not created equal", OSDI 2014): a program's own operations are
//! replayed under all that a file system may legally have done with them when the power went.
//!
//! ```
//! use burn_privacy_output::{trace, write_atomically};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("table.csv");
//! let ((), operations) = trace::record(folder.path(), || {
//!     for contents in ["old", "new"] {
//!         write_atomically(&path, contents).unwrap();
//!         trace::mark(contents);
//!     }
//! });
//! let cuts = trace::power_cuts(&operations);
//! assert!(cuts.iter().any(|cut| cut.marks.is_empty()));
//! for cut in cuts {
//!     let found = cut.files.get(std::path::Path::new("table.csv")).map(Vec::as_slice);
//!     match cut.marks.len() {
//!         0 => assert!([None, Some(&b"old"[..])].contains(&found)),
//!         1 => assert!([Some(&b"old"[..]), Some(b"new")].contains(&found)),
//!         _ => assert_eq!(found, Some(&b"new"[..])),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fault;
mod operation;
mod power_cut;
mod recording;

pub use fault::{fail_after, stop_failing};
pub use operation::Operation;
pub use power_cut::{PowerCut, power_cuts};
pub use recording::{mark, record};

pub(crate) use fault::{failing_write, injected};
pub(crate) use recording::{note, stand_in};
