//! Examples a part at a time.

use std::ops::Range;

use burn::tensor::Tensor;

/// Consecutive ranges that cover `0..examples`, each with at most `at_once` of an example's `entries`, but at least
/// one example.
pub fn chunks_of_examples(examples: usize, entries: usize, at_once: usize) -> impl Iterator<Item = Range<usize>> {
    let length = (at_once / entries.max(1)).clamp(1, examples.max(1));
    (0..examples).step_by(length).map(move |start| start..(start + length).min(examples))
}

/// Rows of axis 0, without a copy where the range is everything.
///
/// # Panics
///
/// As Burn's `slice`: if the range reaches beyond axis 0.
pub fn rows_of<const D: usize>(values: &Tensor<D>, range: Range<usize>) -> Tensor<D> {
    if range == (0..values.dims()[0]) { values.clone() } else { values.clone().slice([range]) }
}

/// The length of axis 0 and the number of entries of one of its rows.
pub fn rows_and_length<const D: usize>(values: &Tensor<D>) -> [usize; 2] {
    let dims = values.dims();
    let length = dims[1..].iter().product::<usize>();
    [dims[0], length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_example_once_and_hold_one_at_least() {
        let chunks = |examples, entries, at_once| chunks_of_examples(examples, entries, at_once).collect::<Vec<_>>();
        assert_eq!(chunks(5, 10, 20), [0..2, 2..4, 4..5]);
        assert_eq!(chunks(2, 10, 1), [0..1, 1..2]);
        assert_eq!(chunks(3, 0, 7), [0..3]);
        assert!(chunks(0, 3, 7).is_empty());
    }
}
