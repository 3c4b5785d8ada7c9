//! A k-d tree of records from which records are taken out: nearest and farthest ones of what is left, exactly as a scan of all
//! would find them, ties by the smaller index.
//!
//! A box's distance bound is computed by the same operations, in the same order, as a record's distance. Each of them is
//! monotone in floats too, so that rounding can't cut a record that a scan would have found.

use super::records::{Records, squared_distance};

/// Records of a leaf at most.
const LEAF: usize = 16;

/// A box of records.
struct Node {
    low: Vec<f64>,
    high: Vec<f64>,
    /// Records that are left below it.
    left: usize,
    parent: usize,
    part: Part,
}

enum Part {
    Leaf(Vec<usize>),
    Inner(usize, usize),
}

/// What is left of some records.
pub(super) struct KdTree<'a> {
    records: &'a Records,
    nodes: Vec<Node>,
    leaf_of: Vec<usize>,
    taken: Vec<bool>,
    sum: Vec<f64>,
    left: usize,
    /// Records that the tree was built of.
    built: usize,
}

impl<'a> KdTree<'a> {
    pub(super) fn new(records: &'a Records) -> Self {
        let all: Vec<usize> = (0..records.len()).collect();
        let mut tree = Self {
            records,
            nodes: Vec::new(),
            leaf_of: vec![0; records.len()],
            taken: vec![false; records.len()],
            sum: Vec::new(),
            left: 0,
            built: 0,
        };
        tree.build_of(all);
        tree
    }

    /// Builds the tree anew over these records.
    fn build_of(&mut self, all: Vec<usize>) {
        self.nodes.clear();
        (self.left, self.built) = (all.len(), all.len());
        self.sum = vec![0.0; self.records.names().len()];
        for &index in &all {
            self.sum.iter_mut().zip(self.records.record(index)).for_each(|(sum, value)| *sum += value);
        }
        if !all.is_empty() {
            self.build(all, usize::MAX);
        }
    }

    fn build(&mut self, mut indices: Vec<usize>, parent: usize) -> usize {
        let columns = self.records.names().len();
        let (mut low, mut high) = (vec![f64::INFINITY; columns], vec![f64::NEG_INFINITY; columns]);
        for &index in &indices {
            for (column, &value) in self.records.record(index).iter().enumerate() {
                low[column] = low[column].min(value);
                high[column] = high[column].max(value);
            }
        }
        let place = self.nodes.len();
        let widest = (0..columns).max_by(|&one, &other| (high[one] - low[one]).total_cmp(&(high[other] - low[other])));
        let left = indices.len();
        self.nodes.push(Node { low, high, left, parent, part: Part::Leaf(Vec::new()) });
        let node = |nodes: &Vec<Node>, column: usize| nodes[place].high[column] > nodes[place].low[column];
        match widest.filter(|&column| left > LEAF && node(&self.nodes, column)) {
            Some(column) => {
                let middle = left / 2;
                let value = |index: usize| self.records.record(index)[column];
                indices.select_nth_unstable_by(middle, |&one, &other| {
                    value(one).total_cmp(&value(other)).then(one.cmp(&other))
                });
                let upper = indices.split_off(middle);
                let one = self.build(indices, place);
                let other = self.build(upper, place);
                self.nodes[place].part = Part::Inner(one, other);
            }
            None => {
                indices.iter().for_each(|&index| self.leaf_of[index] = place);
                self.nodes[place].part = Part::Leaf(indices);
            }
        }
        place
    }

    /// Records that are left.
    pub(super) fn len(&self) -> usize {
        self.left
    }

    /// Indices of the records that are left, in order.
    pub(super) fn indices(&self) -> Vec<usize> {
        (0..self.taken.len()).filter(|&index| !self.taken[index]).collect()
    }

    /// The mean of what is left, from a sum that is renewed whenever half of it is gone.
    pub(super) fn mean(&self) -> Vec<f64> {
        self.sum.iter().map(|sum| sum / self.left as f64).collect()
    }

    /// Takes a record out.
    pub(super) fn take(&mut self, index: usize) {
        if std::mem::replace(&mut self.taken[index], true) {
            return;
        }
        self.left -= 1;
        self.sum.iter_mut().zip(self.records.record(index)).for_each(|(sum, value)| *sum -= value);
        let mut node = self.leaf_of[index];
        while node != usize::MAX {
            self.nodes[node].left -= 1;
            node = self.nodes[node].parent;
        }
        // Boxes of what is gone are wide: half the records, a new tree.
        if self.left > 4 * LEAF && self.left * 2 <= self.built {
            self.build_of(self.indices());
        }
    }

    /// The `k` nearest to a point, nearest first.
    pub(super) fn nearest(&self, to: &[f64], k: usize) -> Vec<usize> {
        let mut best: Vec<(f64, usize)> = Vec::with_capacity(k + 1);
        if k > 0 && !self.nodes.is_empty() {
            self.visit_nearest(0, to, k, &mut best);
        }
        best.into_iter().map(|(_, index)| index).collect()
    }

    fn visit_nearest(&self, place: usize, to: &[f64], k: usize, best: &mut Vec<(f64, usize)>) {
        let node = &self.nodes[place];
        let beyond = |place: usize, best: &[(f64, usize)]| {
            best.len() == k && best.last().is_some_and(|last| self.least(place, to) > last.0)
        };
        if node.left == 0 || beyond(place, best) {
            return;
        }
        match &node.part {
            Part::Leaf(indices) => {
                for &index in indices.iter().filter(|&&index| !self.taken[index]) {
                    let found = (squared_distance(self.records.record(index), to), index);
                    let place = best.partition_point(|known| *known < found);
                    if place < k {
                        best.insert(place, found);
                        best.truncate(k);
                    }
                }
            }
            &Part::Inner(one, other) => {
                let (first, second) =
                    if self.least(one, to) <= self.least(other, to) { (one, other) } else { (other, one) };
                self.visit_nearest(first, to, k, best);
                self.visit_nearest(second, to, k, best);
            }
        }
    }

    /// The farthest from a point; `None` if nothing is left.
    pub(super) fn farthest(&self, from: &[f64]) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        if !self.nodes.is_empty() {
            self.visit_farthest(0, from, &mut best);
        }
        best.map(|(_, index)| index)
    }

    fn visit_farthest(&self, place: usize, from: &[f64], best: &mut Option<(f64, usize)>) {
        let node = &self.nodes[place];
        if node.left == 0 || best.is_some_and(|(known, _)| self.most(place, from) < known) {
            return;
        }
        match &node.part {
            Part::Leaf(indices) => {
                for &index in indices.iter().filter(|&&index| !self.taken[index]) {
                    let distance = squared_distance(self.records.record(index), from);
                    if best.is_none_or(|(known, other)| distance > known || (distance == known && index < other)) {
                        *best = Some((distance, index));
                    }
                }
            }
            &Part::Inner(one, other) => {
                let (first, second) =
                    if self.most(one, from) >= self.most(other, from) { (one, other) } else { (other, one) };
                self.visit_farthest(first, from, best);
                self.visit_farthest(second, from, best);
            }
        }
    }

    /// No record of a box is nearer than this, squared.
    fn least(&self, place: usize, to: &[f64]) -> f64 {
        let node = &self.nodes[place];
        let sides = node.low.iter().zip(&node.high).zip(to);
        let gap = |((low, high), value): ((&f64, &f64), &f64)| (low - value).max(value - high).max(0.0);
        sides.map(gap).map(|gap| gap * gap).sum()
    }

    /// No record of a box is farther than this, squared.
    fn most(&self, place: usize, from: &[f64]) -> f64 {
        let node = &self.nodes[place];
        let sides = node.low.iter().zip(&node.high).zip(from);
        sides.map(|((low, high), value)| (value - low).max(high - value)).map(|gap| gap * gap).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::microaggregation::mdav::farthest;

    proptest! {
        #[test]
        fn what_is_left_is_found_as_a_scan_finds_it(
            rows in prop::collection::vec(prop::collection::vec(-9_i32..9, 2), 1..120),
            point in prop::collection::vec(-9_i32..9, 2),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
            k in 1_usize..6,
        ) {
            let numbers = |row: &[i32]| row.iter().map(|&value| f64::from(value) * 0.1).collect::<Vec<f64>>();
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| numbers(row)).collect();
            let point = numbers(&point);
            let records = Records::new(vec!["x".to_owned(), "y".to_owned()], &rows).unwrap();
            let mut tree = KdTree::new(&records);
            for index in gone {
                tree.take(index.index(rows.len()));
            }
            let left = tree.indices();
            prop_assert_eq!(left.len(), tree.len());
            let mut by_distance: Vec<(f64, usize)> =
                left.iter().map(|&index| (squared_distance(records.record(index), &point), index)).collect();
            by_distance.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            let nearest: Vec<usize> = by_distance.iter().take(k).map(|(_, index)| *index).collect();
            prop_assert_eq!(tree.nearest(&point, k), nearest);
            prop_assert_eq!(tree.farthest(&point), (!left.is_empty()).then(|| farthest(&records, &left, &point)));
        }
    }
}
