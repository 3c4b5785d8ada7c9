//! An attack's scores of examples that were in the training set, and of examples that were not.

use crate::error::{AuditError, Result};

/// Scores of members and of non-members; the higher one is, the more the attack believes in membership.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Descending.
    members: Vec<f64>,
    /// Descending.
    others: Vec<f64>,
}

impl Scores {
    /// Scores of `members` and of `non_members`, in any order. Infinite ones are allowed.
    ///
    /// # Errors
    ///
    /// [`AuditError::TooFew`] if a part is empty, [`AuditError::Score`] for a score that is not a number.
    pub fn new(members: Vec<f64>, non_members: Vec<f64>) -> Result<Self> {
        Ok(Self { members: checked(members, "members")?, others: checked(non_members, "non-members")? })
    }

    /// Scores of members, the highest first.
    pub fn members(&self) -> &[f64] {
        &self.members
    }

    /// Scores of non-members, the highest first.
    pub fn non_members(&self) -> &[f64] {
        &self.others
    }
}

fn checked(mut scores: Vec<f64>, part: &'static str) -> Result<Vec<f64>> {
    if scores.is_empty() {
        return Err(AuditError::TooFew { part, given: 0, least: 1 });
    }
    if let Some((index, &given)) = scores.iter().enumerate().find(|(_, score)| score.is_nan()) {
        return Err(AuditError::Score { part, index, given });
    }
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    Ok(scores)
}

/// How many of descending `scores` lie above `threshold`.
pub(crate) fn above(scores: &[f64], threshold: f64) -> usize {
    scores.partition_point(|&score| score > threshold)
}

/// How many of descending `scores` lie at or above `threshold`.
pub(crate) fn at_or_above(scores: &[f64], threshold: f64) -> usize {
    scores.partition_point(|&score| score >= threshold)
}
