//! A good choice to begin with: from the middle of the lattice and from its top, one level changed at a time. The tail, if
//! there is one, always has its best levels.

use super::classes::Classes;
use super::exploration::{Choice, Search};

/// Lets `search` know the best of what single changes reach.
pub(super) fn descend(search: &mut Search<'_>) {
    let single = &search.problem.attributes[..search.single_depths()];
    if single.is_empty() {
        return;
    }
    let top: Vec<usize> = single.iter().map(|attribute| attribute.levels.len() - 1).collect();
    let middle: Vec<usize> = top.iter().map(|level| level.div_ceil(2)).collect();
    let mut walk = Walk::new(search);
    let mut best = [(walk.value(search, &top), top.clone()), (walk.value(search, &middle), middle)]
        .into_iter()
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .unwrap_or((f64::INFINITY, top.clone()));
    loop {
        let before = best.0;
        // The deepest attribute first: what lies above it need not be grouped anew.
        for depth in (0..top.len()).rev() {
            for level in 0..=top[depth] {
                let mut levels = best.1.clone();
                if levels[depth] == level || search.choices >= search.max_choices {
                    continue;
                }
                levels[depth] = level;
                let value = walk.value(search, &levels);
                if value < best.0 {
                    best = (value, levels);
                }
            }
        }
        if best.0 >= before {
            return;
        }
    }
}

/// The classes along one choice.
struct Walk {
    root: Classes,
    levels: Vec<usize>,
    classes: Vec<Classes>,
    /// Number of depths whose classes are those of `levels`.
    valid: usize,
}

impl Walk {
    fn new(search: &Search<'_>) -> Self {
        let depth = search.single_depths();
        Self {
            root: Classes::root(search.problem),
            levels: vec![0; depth],
            classes: vec![Classes::default(); depth],
            valid: 0,
        }
    }

    /// The value of a choice, infinite if it may not be taken.
    fn value(&mut self, search: &mut Search<'_>, levels: &[usize]) -> f64 {
        let same = self.levels.iter().zip(levels).take_while(|(one, other)| one == other).count();
        self.valid = self.valid.min(same);
        self.levels = levels.to_vec();
        let mut value = f64::INFINITY;
        // The last depth is always computed, for its value.
        for depth in self.valid.min(levels.len() - 1)..levels.len() {
            let (above, rest) = self.classes.split_at_mut(depth);
            let classes = above.last().unwrap_or(&self.root);
            self.valid = depth;
            match search.choose(classes, &levels[..=depth], &mut rest[0]) {
                // A bound above the best value is no value: the walk ends early.
                Choice::Open { bound, .. } if depth + 1 < levels.len() && search.is_cut(bound) => return f64::INFINITY,
                Choice::Open { bound, .. } => value = bound,
                Choice::TooManySuppressed | Choice::Fails { .. } => return f64::INFINITY,
            }
            self.valid = depth + 1;
        }
        match levels.len().checked_sub(1).map(|last| &self.classes[last]) {
            Some(classes) => search.complete(classes, levels).unwrap_or(value),
            None => value,
        }
    }
}
