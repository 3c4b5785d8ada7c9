use std::ops::Range;

/// How axis 0 of a recorded tensor maps to protected units: `rows = examples * views`, the views of one
/// example next to each other.
///
/// `views` is the augmentation multiplicity (De et al. 2022, arXiv 2204.13650): an example's views are summed
/// *before* its norm is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLayout {
    examples: usize,
    views: usize,
}

impl BatchLayout {
    /// So many rows an example.
    pub(crate) fn new(examples: usize, views: usize) -> Self {
        Self { examples, views }
    }

    /// The rows of a range of examples.
    pub(crate) fn rows_of(&self, examples: &Range<usize>) -> Range<usize> {
        examples.start * self.views..examples.end * self.views
    }

    /// Number of protected units in the physical batch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Rows per protected unit along axis 0.
    pub fn views(&self) -> usize {
        self.views
    }

    /// Length that axis 0 of every recorded tensor must have.
    pub fn rows(&self) -> usize {
        self.examples * self.views
    }
}
