//! Batches that are put together from records which were loaded one at a time: then no row can depend on another record.

use std::collections::BTreeMap;

use burn_backend::TensorData;
use burn_ir::TensorId;

use crate::error::TraceError;
use crate::graph::{Graph, Source};
use crate::proof::Proof;

/// The constants that the loading of each record alone made, in their order.
pub struct RowsOfRecords(Vec<Vec<TensorData>>);

impl std::fmt::Debug for RowsOfRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowsOfRecords").finish_non_exhaustive()
    }
}

impl RowsOfRecords {
    /// Of values of which those before each of `ends` are the next record's.
    pub(crate) fn new(values: BTreeMap<TensorId, TensorData>, ends: &[TensorId]) -> Self {
        let mut values = values.into_iter().peekable();
        let of_record = |end: &TensorId| {
            let mut constants = Vec::new();
            while let Some((_, data)) = values.next_if(|(id, _)| id < end) {
                constants.push(data);
            }
            constants
        };
        Self(ends.iter().map(of_record).collect())
    }
}

impl Graph {
    /// The recording with rows that were loaded one record at a time in the place of those that were loaded together, for a
    /// recording that `proof` admits, of the same records in the same order.
    ///
    /// # Errors
    ///
    /// [`TraceError::FollowsRecords`] if a record alone makes other constants than a batch, and
    /// [`TraceError::ChangingConstant`] if one without rows is another one.
    pub fn with_rows(mut self, proof: &Proof, rows: &RowsOfRecords) -> Result<Self, TraceError> {
        if rows.0.len() != self.examples || rows.0.iter().any(|constants| constants.len() != self.loaded_in_all) {
            return Err(TraceError::FollowsRecords);
        }
        for (number, index) in &self.loaded {
            let Source::Constant(of_batch) = &self.sources[*number] else { continue };
            let lengths = &proof.certified.lengths[*number];
            let parts: Vec<&TensorData> = rows.0.iter().map(|constants| &constants[*index]).collect();
            let fits = |part: &&TensorData| lengths.fits(part.shape(), 1) && part.dtype() == of_batch.dtype();
            if !parts.iter().all(fits) {
                return Err(TraceError::FollowsRecords);
            }
            let Some((axis, inner)) = lengths.growing() else {
                if parts.iter().any(|part| part.as_bytes() != of_batch.as_bytes()) {
                    return Err(TraceError::ChangingConstant { shape: of_batch.shape().to_vec() });
                }
                continue;
            };
            let part = inner * lengths.behind(axis) * of_batch.dtype().size();
            let mut bytes = Vec::with_capacity(of_batch.as_bytes().len());
            for before in 0..lengths.before(axis) {
                parts.iter().for_each(|rows| bytes.extend(&rows.as_bytes()[before * part..(before + 1) * part]));
            }
            let joined = TensorData::from_bytes_vec(bytes, of_batch.shape().clone(), of_batch.dtype());
            self.sources[*number] = Source::Constant(joined);
        }
        Ok(self)
    }
}
