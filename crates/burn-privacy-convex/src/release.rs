//! What is released: a model, and a statement of what it cost.

use std::fmt;

use burn_privacy_accounting::{Adjacency, DpEvent};
use burn_privacy_budget::statement::{Caveats, Fact, Guarantee, RandomnessSource, Statement, text};

use crate::linear_algebra::dot;
use crate::{ConvexError, FeatureMap, Result};

/// A linear model: weights, and the public map from raw rows to features.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel {
    map: FeatureMap,
    weights: Vec<f64>,
}

impl LinearModel {
    pub(crate) fn new(map: FeatureMap, weights: Vec<f64>) -> Self {
        Self { map, weights }
    }

    /// The weights of the scaled features; the intercept's, if any, is the last.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The public map from raw rows to features.
    pub const fn map(&self) -> &FeatureMap {
        &self.map
    }

    /// The score w.x of a raw row: its sign is the class, or it is the predicted value. The row is scaled as those of
    /// the training set were.
    ///
    /// # Errors
    ///
    /// If the row has the wrong length, or a number that is not finite.
    pub fn score(&self, row: &[f64]) -> Result<f64> {
        if row.len() != self.map.columns() {
            let (given, expected) = (row.len(), self.map.columns());
            return Err(ConvexError::WrongLength { what: "the row", given, expected });
        }
        let mut vector = Vec::with_capacity(self.weights.len());
        self.map.append(row, &mut vector).map_err(|column| ConvexError::NotFinite { row: 0, column })?;
        Ok(dot(&vector, &self.weights))
    }

    /// The class of a raw row: -1 or 1.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn classify(&self, row: &[f64]) -> Result<f64> {
        Ok(if self.score(row)? >= 0.0 { 1.0 } else { -1.0 })
    }
}

/// The distribution of a noise vector.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum NoiseDistribution {
    /// Density proportional to e^(-||b|| / scale): the norm is Gamma of shape d, the direction uniform.
    Gamma {
        /// The scale.
        scale: f64,
    },
    /// Density proportional to e^(-||b|| / scale) in the norm of the [sensitivity hull](crate::sensitivity_hull).
    KNorm {
        /// The scale.
        scale: f64,
    },
    /// Independent Gaussians.
    Gaussian {
        /// Their standard deviation.
        std: f64,
    },
}

impl fmt::Display for NoiseDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gamma { scale } => write!(f, "density proportional to exp(-norm / {scale})"),
            Self::KNorm { scale } => {
                write!(f, "density proportional to exp(-norm / {scale}), in the norm of the rows' sensitivity hull")
            }
            Self::Gaussian { std } => write!(f, "Gaussian of standard deviation {std}"),
        }
    }
}

/// What a release protects, how, and how well.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[must_use = "a statement says what the release is worth: publish it beside it"]
pub struct ReleaseStatement {
    /// The mechanism in words.
    pub mechanism: String,
    /// The theorem that the guarantee rests on.
    pub theorem: &'static str,
    /// Which data sets are neighbors: always one record replaced, with a public number of records.
    pub adjacency: Adjacency,
    /// Epsilon, in nats.
    pub epsilon: f64,
    /// Delta; 0 for pure epsilon.
    pub delta: f64,
    /// Sensitivity of what the noise is added to, with the optimizer's error: of the weights, or of the sum of gradients for
    /// objective perturbation. It is in the norm of the noise: L2, or that of the sensitivity hull.
    pub sensitivity: f64,
    /// The noise on it.
    pub noise: NoiseDistribution,
    /// Bound of the distance between the weights before noise and the true minimizer; 0 if the theorem does not speak of
    /// a minimizer.
    pub optimizer_error: f64,
    /// Noise added to the weights for the optimizer's error alone (objective perturbation).
    pub output_noise: Option<NoiseDistribution>,
    /// Strength of the regularizer that was used; at least that asked for.
    pub lambda: f64,
    /// The public number of records.
    pub records: usize,
    /// The loss.
    pub loss: &'static str,
    /// Where the randomness came from.
    pub entropy: RandomnessSource,
}

impl Statement for ReleaseStatement {
    fn kind(&self) -> &'static str {
        "Privacy statement"
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::DifferentialPrivacy {
            mechanism: self.mechanism.clone(),
            epsilon: self.epsilon,
            delta: self.delta,
            is_bound: true,
            of: format!("one record under {} adjacency", self.adjacency),
            accountant: String::new(),
            local: false,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![
            Fact::new("Adjacency", format!("{}: {}", self.adjacency, self.adjacency.explanation())),
            Fact::new("Theorem", self.theorem),
            Fact::new("Loss", self.loss),
            Fact::new("Records (public)", self.records),
            Fact::new("Lambda", self.lambda),
            Fact::new("Sensitivity", self.sensitivity),
            Fact::new("Noise", self.noise),
            Fact::new("Optimizer error", self.optimizer_error),
        ];
        facts.extend(self.output_noise.map(|noise| Fact::new("Noise for it", noise)));
        facts.push(Fact::new("Randomness", self.entropy));
        facts
    }

    fn caveats(&self) -> Vec<Caveats> {
        let sentences = [
            "the choice of lambda, scale and loss if it looked at the records",
            "accuracies measured on the records",
            "noise and weights are floats, and the theorems speak of real numbers",
        ];
        vec![Caveats { title: "Not covered", sentences: sentences.map(str::to_owned).to_vec() }]
    }

    fn is_void(&self) -> bool {
        self.entropy == RandomnessSource::Seeded
    }
}

impl fmt::Display for ReleaseStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}

/// A private model, with its statement and its cost.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Release {
    /// The model. Only this was computed from the records with noise; statement and event hold public numbers.
    pub model: LinearModel,
    /// What it protects, and how.
    pub statement: ReleaseStatement,
    /// What to charge an accountant of replace-one adjacency.
    pub event: DpEvent,
}
