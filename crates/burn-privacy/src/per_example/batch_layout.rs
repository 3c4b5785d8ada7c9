//! How the rows of a batch belong to the records that are protected.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_an_example_are_neighbors_and_every_row_belongs_to_one() {
        for (examples, views) in [(0, 1), (1, 1), (5, 1), (5, 3), (1, 4)] {
            let layout = BatchLayout::new(examples, views);
            assert_eq!((layout.examples(), layout.views(), layout.rows()), (examples, views, examples * views));
            let rows: Vec<usize> = (0..examples).flat_map(|example| layout.rows_of(&(example..example + 1))).collect();
            assert_eq!(rows, (0..layout.rows()).collect::<Vec<_>>());
            assert_eq!(layout.rows_of(&(0..examples)), 0..layout.rows());
        }
    }
}
