//! Memory for results: written first by the threads that fill it, each part just before it is needed.
//!
//! `vec![0.0; n]` is written by one thread while the others wait, and has left the caches when it is filled.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// How new vectors are cut: part `i` of each holds its values from `i * part` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) total: usize,
    pub(super) part: usize,
}

impl Cut {
    /// So many parts of equal length.
    pub(super) fn parts(count: usize, part: usize) -> Self {
        Self { total: count * part, part }
    }
}

/// New vectors. `write` is called once for each item of `beside`, on any thread, with that item and the part of its number
/// of every vector, all zeros (the default of their type).
///
/// Values that no part covers are zero too. `scratch` makes what a thread uses again, `least` items go to a thread at
/// least.
pub(super) fn written_in_parts<const N: usize, T: Copy + Default + Send, Item: Send, Scratch>(
    cuts: [Cut; N],
    beside: impl IndexedParallelIterator<Item = Item>,
    least: usize,
    scratch: impl Fn() -> Scratch + Send + Sync,
    write: impl Fn(&mut Scratch, Item, [&mut [T]; N]) + Send + Sync,
) -> [Vec<T>; N] {
    let mut vectors = cuts.map(|cut| Vec::with_capacity(cut.total));
    let mut rests = [const { None }; N];
    for ((rest, vector), cut) in rests.iter_mut().zip(&mut vectors).zip(cuts) {
        *rest = Some(&mut vector.spare_capacity_mut()[..cut.total]);
    }
    let parts: Vec<[&mut [MaybeUninit<T>]; N]> = (0..beside.len())
        .map(|_| {
            let mut number = 0;
            rests.each_mut().map(|rest| {
                let whole = rest.take().unwrap_or_default();
                let (part, later) = whole.split_at_mut(cuts[number].part.min(whole.len()));
                *rest = Some(later);
                number += 1;
                part
            })
        })
        .collect();
    parts.into_par_iter().zip(beside).with_min_len(least).for_each_init(scratch, |scratch, (parts, item)| {
        write(scratch, item, parts.map(zeroed));
    });
    for rest in rests.into_iter().flatten() {
        zeroed(rest);
    }
    for (vector, cut) in vectors.iter_mut().zip(cuts) {
        // SAFETY: the capacity is at least `total`; every part, and what lay behind the last, was zeroed above, or a panic has
        // left this function.
        #[allow(unsafe_code)]
        unsafe {
            vector.set_len(cut.total);
        }
    }
    vectors
}

fn zeroed<T: Copy + Default>(part: &mut [MaybeUninit<T>]) -> &mut [T] {
    part.fill(MaybeUninit::new(T::default()));
    // SAFETY: every value has just been written.
    #[allow(unsafe_code)]
    unsafe {
        part.assume_init_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_written_and_what_no_part_covers_is_zero() {
        let cuts = [Cut { total: 10, part: 4 }, Cut::parts(3, 1), Cut { total: 5, part: 1 }, Cut::parts(3, 0)];
        let items = vec![1.0, 2.0, 3.0];
        let [long, short, uncovered, empty] = written_in_parts(
            cuts,
            items.into_par_iter(),
            1,
            || (),
            |(), item, [long, short, uncovered, _]| {
                assert!(long.iter().chain(&*short).all(|&value| value == 0.0));
                long.fill(item);
                short[0] = -item;
                uncovered.fill(item);
            },
        );
        assert_eq!(long, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(short, [-1.0, -2.0, -3.0]);
        assert_eq!(uncovered, [1.0, 2.0, 3.0, 0.0, 0.0]);
        assert!(empty.is_empty());
    }
}
