//! Models with their settings, and the choice of settings by rows that no test looks at.

use std::fmt;

use rayon::prelude::*;

use super::models::{ForestSettings, VectorSettings, accuracy, forest, logistic_without_privacy, support_vectors};
use super::{Encoding, Examples, neighbors};
use crate::AnonymizeError;

/// A model that is not private, and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// A random forest.
    Forest(ForestSettings),
    /// So many nearest rows.
    Neighbors(usize),
    /// A support vector machine.
    Vectors(VectorSettings),
    /// Logistic regression.
    Logistic,
}

impl Model {
    /// Answers to `test` after `training`.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Model`] if it can't be trained.
    pub fn answers(
        &self,
        training: &Examples,
        test: &Examples,
        encoding: &Encoding,
        seed: u64,
    ) -> Result<Vec<i32>, AnonymizeError> {
        match *self {
            Self::Forest(settings) => forest(training, test, settings, seed),
            Self::Neighbors(k) => neighbors(training, test, k),
            Self::Vectors(settings) => support_vectors(training, test, settings, seed),
            Self::Logistic => logistic_without_privacy(training, test, encoding),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forest(ForestSettings { trees, depth, leaf, .. }) => {
                write!(f, "{trees} trees, {depth} deep, leaves of {leaf} rows or more")
            }
            Self::Neighbors(k) => write!(f, "{k} neighbors"),
            Self::Vectors(VectorSettings { rows, cost, gamma }) => write!(f, "{rows} rows, cost {cost}, gamma {gamma}"),
            Self::Logistic => write!(f, "no settings"),
        }
    }
}

/// The candidate that answers best for a quarter of the training rows after the others; the first of those that are equal, and a
/// single one without looking. Test rows have no say.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] without candidates; [`AnonymizeError::Model`] if one can't be trained.
pub fn tuned(
    candidates: &[Model],
    training: &Examples,
    encoding: &Encoding,
    seed: u64,
) -> Result<Model, AnonymizeError> {
    let first =
        *candidates.first().ok_or_else(|| AnonymizeError::parameter("the number of models", 0, "at least 1"))?;
    if candidates.len() == 1 {
        return Ok(first);
    }
    let (judged, rest) = training.divided(training.len() / 4);
    let accuracies = candidates
        .par_iter()
        .map(|model| Ok(accuracy(&model.answers(&rest, &judged, encoding, seed)?, &judged)))
        .collect::<Result<Vec<f64>, AnonymizeError>>()?;
    let best = accuracies.iter().copied().fold(0.0, f64::max);
    Ok(candidates.iter().zip(&accuracies).find(|(_, accuracy)| **accuracy >= best).map_or(first, |(model, _)| *model))
}
