//! What a head makes of records.

use crate::gradient::scores;
use crate::{LinearHead, Records, Result};

impl LinearHead {
    /// The class of the highest score of each record.
    ///
    /// # Errors
    ///
    /// [`crate::LinearError::Length`] if the records have another shape; [`crate::LinearError::Diverged`] for weights that are too long.
    pub fn classify(&self, records: &Records) -> Result<Vec<usize>> {
        let scores = scores(records, self)?;
        let best = |scores: &[f64]| {
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0, |(class, _)| class)
        };
        Ok(scores.chunks_exact(self.classes()).map(best).collect())
    }

    /// The share of records that are classified right; nothing without records. **Not protected**: show it of records only
    /// that are public.
    ///
    /// # Errors
    ///
    /// As [`classify`](Self::classify).
    pub fn accuracy(&self, records: &Records) -> Result<Option<f64>> {
        let classes = self.classify(records)?;
        let right = classes.iter().enumerate().filter(|&(record, &class)| class == records.label(record)).count();
        Ok((!records.is_empty()).then(|| right as f64 / records.len() as f64))
    }
}
