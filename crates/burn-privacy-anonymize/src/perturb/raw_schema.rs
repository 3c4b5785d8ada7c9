//! The TOML of a schema, as it is written.

use serde::Deserialize;

/// The whole text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSchema {
    pub(super) epsilon: Option<f64>,
    pub(super) delta: Option<f64>,
    pub(super) readability_epsilon: Option<f64>,
    #[serde(default)]
    pub(super) column: Vec<RawColumn>,
}

/// A `[[column]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawColumn {
    pub(super) name: String,
    pub(super) treatment: RawTreatment,
    pub(super) kind: Option<Kind>,
    pub(super) lo: Option<f64>,
    pub(super) hi: Option<f64>,
    pub(super) default: Option<f64>,
    pub(super) thousands: Option<String>,
    pub(super) decimal: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) values: Option<Vec<String>>,
    pub(super) other: Option<String>,
    pub(super) mechanism: Option<Mechanism>,
    pub(super) epsilon: Option<f64>,
    pub(super) share: Option<f64>,
    pub(super) delta: Option<f64>,
    pub(super) standard_deviation: Option<f64>,
    #[serde(default)]
    pub(super) clamp_output: bool,
    #[serde(default)]
    pub(super) label: bool,
}

/// `treatment`.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawTreatment {
    #[serde(alias = "randomise")]
    Randomize,
    Obfuscate,
    Drop,
    Keep,
}

/// `kind`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Real,
    Integer,
    Category,
}

/// `mechanism`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mechanism {
    Laplace,
    DiscreteLaplace,
    Gaussian,
    Piecewise,
    Duchi,
    #[serde(alias = "randomised-response")]
    RandomizedResponse,
}
