//! What a recorded tensor is to the examples of a batch.

use crate::shapes::Lengths;

/// What a tensor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Parameters and constants: the same whatever the batch.
    Shared,
    /// One part for each example along one axis, each made of its example and of what is shared.
    Data(Layout),
    /// In the recording one sum over the examples; in the replay the terms, each made of its example and of what is shared.
    PerExample,
}

/// Where the examples' parts lie: the axis has `outer * examples * inner` entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) axis: usize,
    pub(crate) outer: usize,
    pub(crate) inner: usize,
    /// All entries along the axis are alike (zeros, ones; not draws, of which each is one example's): then they lie anyhow.
    pub(crate) uniform: bool,
}

impl Layout {
    /// Rows of each example next to each other along the growing axis.
    pub(crate) fn of(lengths: &Lengths, uniform: bool) -> Option<Self> {
        let (axis, inner) = lengths.growing()?;
        Some(Self { axis, outer: 1, inner, uniform })
    }

    /// The same, along another axis.
    pub(crate) fn at(self, axis: usize) -> Self {
        Self { axis, ..self }
    }

    /// The same entries, no longer alike.
    pub(crate) fn varied(self) -> Self {
        Self { uniform: false, ..self }
    }

    /// The layout of what is computed entry by entry from two tensors, if they agree.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        if self.axis != other.axis || self.outer * self.inner != other.outer * other.inner {
            return None;
        }
        if self.uniform {
            return Some(other);
        }
        let agree = other.uniform || (self.outer, self.inner) == (other.outer, other.inner);
        agree.then_some(self)
    }

    /// Where the parts lie after a reshape from one shape to another.
    pub(crate) fn reshaped(self, from: &Lengths, to: &Lengths) -> Option<Self> {
        let (axis, times) = to.growing()?;
        let all = self.outer * self.inner;
        let outers: Vec<usize> = match self.uniform {
            true => (1..=all).filter(|outer| all.is_multiple_of(*outer)).collect(),
            false => vec![self.outer],
        };
        outers.into_iter().find_map(|outer| {
            // Entries before and behind the examples' index, in the order of memory.
            let before = from.before(self.axis) * outer;
            let behind = from.behind(self.axis) * (all / outer);
            let (outer, inner) = (before / to.before(axis).max(1), behind / to.behind(axis).max(1));
            let fits = outer * to.before(axis) == before && inner * to.behind(axis) == behind && outer * inner == times;
            // Alike still, if the entries along the new axis are entries along the old one: each step is a number of whole old
            // steps, and a whole run along the new axis lies in one along the old.
            let within = |new: usize, old: usize| new.is_multiple_of(old.max(1));
            let uniform = self.uniform
                && within(to.before(axis), from.before(self.axis))
                && within(to.behind(axis), from.behind(self.axis));
            fits.then_some(Self { axis, outer, inner, uniform })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::Length::{self, Fixed, Growing};

    fn lengths(of: &[Length]) -> Lengths {
        Lengths(of.to_vec())
    }

    #[test]
    fn reshapes_keep_track_of_where_an_example_lies() {
        let data = Layout { axis: 0, outer: 1, inner: 1, uniform: false };
        let [btd, flat] = [&[Growing(1), Fixed(7), Fixed(4)][..], &[Growing(7), Fixed(4)]].map(lengths);
        let rows = data.reshaped(&btd, &flat).unwrap();
        assert_eq!(rows, Layout { axis: 0, outer: 1, inner: 7, uniform: false });
        assert_eq!(rows.reshaped(&flat, &btd), Some(data));
        // Time-major: the examples' index is the inner one.
        let tbd = lengths(&[Fixed(7), Growing(1), Fixed(4)]);
        let inner = data.at(1).reshaped(&tbd, &flat).unwrap();
        assert_eq!(inner, Layout { axis: 0, outer: 7, inner: 1, uniform: false });
        assert_eq!(inner.reshaped(&flat, &tbd), Some(data.at(1)));
        // An example's entries would be torn apart in any other order.
        assert_eq!(inner.reshaped(&flat, &btd), None);
        assert_eq!(data.reshaped(&btd, &lengths(&[Fixed(4), Growing(7)])), None);
    }

    #[test]
    fn entries_that_are_alike_lie_anyhow() {
        let zeros = Layout { axis: 0, outer: 1, inner: 7, uniform: true };
        let flat = lengths(&[Growing(7), Fixed(4)]);
        let tbd = lengths(&[Fixed(7), Growing(1), Fixed(4)]);
        assert_eq!(zeros.reshaped(&flat, &tbd), Some(Layout { axis: 1, outer: 1, inner: 1, uniform: true }));
        let merged = lengths(&[Growing(28)]);
        assert_eq!(zeros.reshaped(&flat, &merged).map(|layout| layout.uniform), Some(false));
        // Two rows of 3 B, each alike, in rows of 2 B: the second has entries of both.
        let alike = Layout { axis: 1, outer: 1, inner: 3, uniform: true };
        let [rows, others] = [[Fixed(2), Growing(3)], [Fixed(3), Growing(2)]].map(|of| lengths(&of));
        assert!(alike.reshaped(&rows, &others).is_none_or(|layout| !layout.uniform));
        let [columns, others] = [[Growing(3), Fixed(2)], [Growing(2), Fixed(3)]].map(|of| lengths(&of));
        assert!(alike.at(0).reshaped(&columns, &others).is_none_or(|layout| !layout.uniform));
        let four = Layout { axis: 1, outer: 1, inner: 4, uniform: true };
        let parts = lengths(&[Fixed(4), Growing(1), Fixed(2)]);
        let [rows, columns] = [[Fixed(2), Growing(4)], [Growing(4), Fixed(2)]].map(|of| lengths(&of));
        assert_eq!(four.reshaped(&rows, &parts).map(|layout| layout.uniform), Some(true));
        assert_eq!(four.at(0).reshaped(&columns, &parts).map(|layout| layout.uniform), Some(true));
        let data = Layout { axis: 0, outer: 7, inner: 1, uniform: false };
        assert_eq!(zeros.with(data), Some(data));
        assert_eq!(data.with(Layout { outer: 1, inner: 7, ..data }), None);
        assert_eq!(data.with(data.at(1)), None);
    }
}
