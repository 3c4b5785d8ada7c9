//! What a run leaves behind: a report for machines, a statement for people, a curve for papers.
//!
//! [`RunReport::write`] puts these files into a folder, each complete or not there at all:
//!
//! | file | what it holds |
//! |---|---|
//! | `report.json` | everything: settings, data, plan, statement, curve, times, versions |
//! | `statement.md` | the result and the privacy statement |
//! | `curve.csv` | step, epoch, epsilon and accuracy at each evaluation |
//! | `curve.png`, `curve.svg` | the same, drawn (feature `plot`) |
//!
//! Nothing in a report is computed from training data, but for the epsilon that was paid for: accuracies are of
//! evaluation images that are declared public, and rates are in terms of the public expected batch size.

mod curve;
mod error;
mod files;
mod markdown;
#[cfg(feature = "plot")]
mod plot;
mod run_report;
mod timestamp;

pub use burn_privacy_output::{OutputError, write_atomically};
pub use curve::{CurvePoint, curve_csv};
pub use error::ReportError;
#[cfg(feature = "plot")]
pub use plot::{plot_png, plot_svg};
pub use run_report::{
    DataDescription, EvaluationPart, ModelDescription, Protection, REPORT_SCHEMA, REPORT_VERSION, RunReport, Timing,
    Versions,
};
pub use timestamp::utc_timestamp;
