//! How the drawn records of a step are cut: into physical batches, and those into leaves of a sum.
//!
//! Every part is the drawn records of a range of places that does not depend on who was drawn: places are cut into
//! ranges of one public length, and a range is halved until it holds few enough drawn records. One record more or less then
//! changes one part, or cuts one part in two, and leaves all others as they are.

use std::ops::Range;

use super::exact_sum::{LEAF, MOST_EXAMPLES};

/// The drawn records of a fixed range of places, as positions in the list of drawn places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhysicalBatch {
    pub(crate) drawn: Range<usize>,
    /// Lengths of its leaves, one after the other.
    pub(crate) leaves: Vec<usize>,
}

/// Public lengths by which places are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FixedRanges {
    /// Places of a range before it is halved.
    width: usize,
    most_examples: usize,
}

impl FixedRanges {
    /// Ranges that hold `most_examples` drawn records at most, of which `expected` are drawn of `nominal` places on average.
    pub(crate) fn new(expected: usize, nominal: usize, most_examples: usize) -> Self {
        let most_examples = most_examples.clamp(1, MOST_EXAMPLES);
        Self { width: nominal.div_ceil(expected.div_ceil(most_examples).max(1)).max(1), most_examples }
    }

    /// Cuts the drawn places, which ascend. Empty parts are left out.
    pub(crate) fn cut(&self, places: &[usize]) -> Vec<PhysicalBatch> {
        let mut found = Vec::new();
        let mut start = 0;
        while start < places.len() {
            let range = places[start] / self.width * self.width;
            let length = places[start..].partition_point(|place| place - range < self.width);
            self.halve(places, start..start + length, range, self.width, &mut found);
            start += length;
        }
        found
    }

    fn halve(&self, places: &[usize], drawn: Range<usize>, first: usize, width: usize, found: &mut Vec<PhysicalBatch>) {
        if drawn.is_empty() {
            return;
        }
        if drawn.len() > self.most_examples {
            let [left, right] = halves(places, drawn, first, width);
            self.halve(places, left.drawn, left.first, left.width, found);
            self.halve(places, right.drawn, right.first, right.width, found);
            return;
        }
        let mut leaves = Vec::new();
        cut_into_leaves(places, drawn.clone(), first, width, &mut leaves);
        found.push(PhysicalBatch { drawn, leaves });
    }
}

fn cut_into_leaves(places: &[usize], drawn: Range<usize>, first: usize, width: usize, leaves: &mut Vec<usize>) {
    if drawn.len() > LEAF {
        for half in halves(places, drawn, first, width) {
            cut_into_leaves(places, half.drawn, half.first, half.width, leaves);
        }
    } else if !drawn.is_empty() {
        leaves.push(drawn.len());
    }
}

struct Half {
    drawn: Range<usize>,
    first: usize,
    width: usize,
}

/// The drawn records of the two halves of a range of at least two places.
fn halves(places: &[usize], drawn: Range<usize>, first: usize, width: usize) -> [Half; 2] {
    let left = width.div_ceil(2);
    let middle = drawn.start + places[drawn.clone()].partition_point(|place| place - first < left);
    [
        Half { drawn: drawn.start..middle, first, width: left },
        Half { drawn: middle..drawn.end, first: first + left, width: width - left },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// The places of each physical batch and of each leaf.
    fn parts(of: FixedRanges, places: &[usize]) -> [Vec<Vec<usize>>; 2] {
        let batches = of.cut(places);
        let leaves = batches.iter().flat_map(|batch| {
            assert_eq!(batch.leaves.iter().sum::<usize>(), batch.drawn.len());
            batch.leaves.iter().scan(batch.drawn.start, |start, length| {
                *start += length;
                Some(places[*start - length..*start].to_vec())
            })
        });
        let leaves = leaves.collect();
        [batches.into_iter().map(|batch| places[batch.drawn].to_vec()).collect(), leaves]
    }

    proptest! {
        #[test]
        fn a_record_changes_one_part_and_no_other(
            places in prop::collection::btree_set(0_usize..3_000, 1..900), most in 1_usize..400, expected in 1_usize..900,
            which: prop::sample::Index,
        ) {
            let of = FixedRanges::new(expected, 2_000, most);
            let with: Vec<usize> = places.into_iter().collect();
            let removed = with[which.index(with.len())];
            let without: Vec<usize> = with.iter().copied().filter(|place| *place != removed).collect();
            for (with, without, most) in
                parts(of, &with).into_iter().zip(parts(of, &without)).zip([most, LEAF]).map(|((a, b), most)| (a, b, most))
            {
                prop_assert!(with.iter().all(|part| (1..=most).contains(&part.len())));
                let (with, without): (HashSet<_>, HashSet<_>) = (with.into_iter().collect(), without.into_iter().collect());
                // What is not the same in both is one part less the record, cut in two with it or not.
                let mut new: Vec<usize> = with.difference(&without).flatten().copied().collect();
                let mut old: Vec<usize> = without.difference(&with).flatten().copied().collect();
                new.retain(|place| *place != removed);
                new.sort_unstable();
                old.sort_unstable();
                prop_assert_eq!(new, old);
                prop_assert!(without.difference(&with).count() <= 1);
            }
        }
    }

    #[test]
    fn full_batches_are_cut_evenly() {
        let places: Vec<usize> = (0..1_000).collect();
        let found = FixedRanges::new(1_000, 1_000, 256).cut(&places);
        assert!(found.iter().all(|batch| batch.drawn.len() == 250 && batch.leaves.len() == 8), "{found:?}");
        let found = FixedRanges::new(256, 256, 256).cut(&places[..256]);
        assert_eq!(found, [PhysicalBatch { drawn: 0..256, leaves: vec![32; 8] }]);
    }
}
