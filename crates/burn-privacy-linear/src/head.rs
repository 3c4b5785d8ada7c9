//! A linear head: scores of classes.

use std::path::Path;

use burn_privacy_output::write_atomically;

use crate::{LinearError, Records, Result};

/// Weights of a linear classifier: `[classes, dimension + 1]`, the constant feature last.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    classes: usize,
    dimension: usize,
    weights: Vec<f64>,
}

impl LinearHead {
    /// All weights zero: what training starts from. The problem is convex, so that nothing random is needed.
    pub fn zeros(classes: usize, dimension: usize) -> Self {
        Self { classes, dimension, weights: vec![0.0; classes * (dimension + 1)] }
    }

    /// A head of these weights, `[classes, dimension + 1]`.
    ///
    /// # Errors
    ///
    /// [`LinearError::Length`] for another number of weights.
    pub fn new(classes: usize, dimension: usize, weights: Vec<f64>) -> Result<Self> {
        let expected = classes * (dimension + 1);
        if weights.len() != expected {
            return Err(LinearError::Length { what: "weights", given: weights.len(), expected });
        }
        Ok(Self { classes, dimension, weights })
    }

    /// The number of classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Features of a row, without the constant.
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// `[classes, dimension + 1]`, the constant feature last.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    pub(crate) fn weights_mut(&mut self) -> &mut [f64] {
        &mut self.weights
    }

    pub(crate) fn check_shape(&self, records: &Records) -> Result<()> {
        for (what, given, expected) in
            [("features a row", records.dimension(), self.dimension), ("classes", records.classes(), self.classes)]
        {
            if given != expected {
                return Err(LinearError::Length { what, given, expected });
            }
        }
        Ok(())
    }

    /// Writes the weights as a NumPy array of `f64`, atomically.
    ///
    /// # Errors
    ///
    /// [`LinearError::Output`].
    pub fn write_npy(&self, path: &Path) -> Result<()> {
        // NEP 1, version 1.0: the header ends at a multiple of 64 bytes.
        let shape = format!("({}, {})", self.classes, self.dimension + 1);
        let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
        header.push_str(&" ".repeat(length - header.len() - 1));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(self.weights.iter().flat_map(|weight| weight.to_le_bytes()));
        Ok(write_atomically(path, bytes)?)
    }
}
