//! What a run says of itself, for machines.

use burn_privacy_budget::statement::{PhasedStatement, PrivacyStatement, Statement};
use serde::{Deserialize, Serialize};

use super::{CurvePoint, ReportError};
use burn_privacy_budget::plan::PrivacyPlan;

/// What [`RunReport::schema`] says.
pub const REPORT_SCHEMA: &str = "burn-privacy/run-report";

/// The version of the report's JSON that this crate writes and reads.
pub const REPORT_VERSION: u32 = 1;

/// The version of Burn that the workspace asks for, exactly this one; a test compares the two.
const BURN_VERSION: &str = "0.22.1";

/// The record of one training run, private or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// [`REPORT_SCHEMA`].
    pub schema: String,
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// The program that ran, such as `"cifar_dp"`.
    pub program: String,
    /// Name of the run, the one in the ledger if there is one.
    pub run: String,
    /// Whether the run ended before its planned steps.
    pub interrupted: bool,
    /// Epsilon that this run spent, in nats; infinite (`"inf"`) without privacy, which includes runs from a fixed
    /// seed.
    #[serde(with = "burn_privacy_accounting::json::number_or_inf")]
    pub epsilon: f64,
    /// Accuracy on the test images at the end, from 0 to 1.
    pub test_accuracy: Option<f64>,
    /// Accuracy on the validation images at the end, from 0 to 1, where there are any.
    pub validation_accuracy: Option<f64>,
    /// Every setting as it was in effect, so that the run can be repeated.
    pub settings: serde_json::Value,
    /// What was trained and evaluated on.
    pub data: DataDescription,
    /// What was trained.
    pub model: ModelDescription,
    /// Such as `"cpu (flex)"`.
    pub device: String,
    /// How the training data were protected.
    pub protection: Protection,
    /// What had been spent and reached, evaluation by evaluation.
    pub curve: Vec<CurvePoint>,
    /// How long it took.
    pub timing: Timing,
    /// What it was built from.
    pub versions: Versions,
}

/// What a run was trained and evaluated on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDescription {
    /// In words, such as `"CIFAR-10 from datasets/cifar10"`.
    pub name: String,
    /// Number of training records, taken to be public.
    pub train: usize,
    /// Number of validation records; 0 if there are none.
    pub validation: usize,
    /// Number of test records.
    pub test: usize,
    /// What the accuracies of the curve were measured on.
    pub monitored: EvaluationPart,
    /// Where the evaluation records come from and why their accuracies may be shown.
    pub evaluation: String,
}

/// A part of the data that is evaluated on, and not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationPart {
    /// For choosing settings.
    Validation,
    /// For the figure at the end.
    Test,
}

impl EvaluationPart {
    /// `"validation"` or `"test"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// What was trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// In words.
    pub name: String,
    /// Number of trained numbers.
    pub parameters: usize,
}

/// How the training data were protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Protection {
    /// Not at all: the model was trained as if nobody minded.
    NotPrivate,
    /// By a plan of differential privacy.
    DifferentialPrivacy {
        /// What was planned.
        plan: Box<PrivacyPlan>,
        /// What can be said in the end.
        statement: Box<PrivacyStatement>,
    },
    /// By a plan of several phases, such as normalization and training, in one epsilon.
    PhasedDifferentialPrivacy {
        /// What can be said in the end.
        statement: Box<PhasedStatement>,
    },
}

/// How long a run took, in seconds of wall time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// In universal time, such as `2026-11-22T06:44:32Z`.
    pub started: String,
    /// From the start of the program to the report.
    pub total_seconds: f64,
    /// In training steps.
    pub training_seconds: f64,
    /// In evaluations.
    pub evaluation_seconds: f64,
    /// Expected (public) batch size times steps by training seconds.
    #[serde(alias = "images_per_second")]
    pub examples_per_second: f64,
}

/// What a run was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// This crate's.
    pub burn_privacy: String,
    /// Burn's.
    pub burn: String,
    /// Operating system and processor, such as `"linux x86_64"`.
    pub platform: String,
}

impl Versions {
    /// Those of this build.
    pub fn current() -> Self {
        Self {
            burn_privacy: env!("CARGO_PKG_VERSION").into(),
            burn: BURN_VERSION.into(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

impl Protection {
    /// Epsilon spent so far; infinite without privacy and with a fixed seed.
    pub fn epsilon(&self) -> f64 {
        match self {
            Self::NotPrivate => f64::INFINITY,
            Self::DifferentialPrivacy { statement, .. } if statement.is_void() => f64::INFINITY,
            Self::DifferentialPrivacy { statement, .. } => {
                statement.epsilon_so_far.first().map_or(f64::INFINITY, |report| report.epsilon)
            }
            Self::PhasedDifferentialPrivacy { statement } if statement.is_void() => f64::INFINITY,
            Self::PhasedDifferentialPrivacy { statement } => statement.epsilon_so_far.epsilon,
        }
    }

    /// Why nothing is guaranteed, if so.
    pub fn why_not_private(&self) -> Option<&'static str> {
        match self {
            Self::NotPrivate => Some("NOT PRIVATE: trained without differential privacy"),
            Self::DifferentialPrivacy { statement, .. } if statement.is_void() => Some("NOT PRIVATE: fixed seed"),
            Self::PhasedDifferentialPrivacy { statement } if statement.is_void() => Some("NOT PRIVATE: fixed seed"),
            _ if self.epsilon() == f64::INFINITY => Some("NOT PRIVATE: no finite epsilon"),
            Self::DifferentialPrivacy { .. } | Self::PhasedDifferentialPrivacy { .. } => None,
        }
    }
}

impl RunReport {
    /// The report as JSON, with all numbers at full precision.
    ///
    /// # Errors
    ///
    /// None for settings that are JSON already; the type is serde_json's.
    pub fn to_json(&self) -> Result<String, ReportError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Reads a report from JSON. Its plan is checked as if it were new.
    ///
    /// # Errors
    ///
    /// [`ReportError::Json`] for anything but a report, [`ReportError::Schema`] for one of another version.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
            version: u32,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != REPORT_SCHEMA || head.version != REPORT_VERSION {
            return Err(ReportError::Schema {
                found: format!("{} version {}", head.schema, head.version),
                known: format!("{REPORT_SCHEMA} version {REPORT_VERSION}"),
            });
        }
        Ok(serde_json::from_str(text)?)
    }
}

#[cfg(test)]
#[path = "run_report_tests.rs"]
pub(super) mod tests;
