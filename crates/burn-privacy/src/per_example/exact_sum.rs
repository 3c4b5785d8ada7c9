//! Why the computed sum of a step has the stated sensitivity, rounding included.
//!
//! A sum in f32 rounds differently after one more addition, so that a record changes more than its own contribution: with
//! 65 536 records by tens of clipping norms (Casacuberta et al. 2022, arXiv 2207.10635). Here it does not.
//!
//! # Model
//!
//! Neighbors differ by a record that is present or absent at its place while all others keep theirs, and the drawn places are
//! the same but for that one. A place is what the data set calls the record by: where a removed row of a list moves all later
//! rows up, they change their places, and their physical batches and leaves with them. Then the bound below does not hold (the
//! sums of 65 536 records may differ by some 0.13 C more); give such a list places that stay, or train under replace-one,
//! where a record is exchanged where it is.
//!
//! For a record `i` let `v_i` be what the backward pass and its clip factor make of it: a function of the record, the
//! parameters and public things, to the last bit. In [`PerExample::Loop`](super::PerExample::Loop) it is that by construction,
//! for a record is alone in its batch. In one backward pass it is computed beside the records of its physical batch. That batch
//! is a fixed range of places (see [`fixed_ranges`](super::fixed_ranges)), so that a neighbor leaves every other physical batch
//! as it is, bit for bit; in its own, the number of rows and the place of a record among them change. What must not depend on
//! either is
//!
//! - the forward and backward pass of the layers of [`nn`](crate::nn), activations and attention. On the CPU they do not: products
//!   of rows with a weight are cut so that no way of computing them depends on the number of rows (`row_product.rs` of
//!   `burn-privacy-kernels` says how, from the sources of `gemm`); convolutions, attention and sequences are computed example
//!   by example; all else row by row or value by value in IEEE arithmetic without contraction, which is the same in a vector
//!   and beside one. The tests in `row_bits.rs` compare every row of every layer bit by bit, for all numbers of
//!   rows to 300;
//! - norms and clip factors: they are computed row by row, and which way they are computed depends on sizes of one example alone;
//! - what the closure does besides. Burn's own operations on the CPU work value by value or row by row, with one exception: its
//!   matrix products (and layers without a trainable parameter, which use them) round a row by the number of rows. A session
//!   compares a record alone with the same record in a batch at each validation, bit by bit, and its statement says what it
//!   found: a check on a sample.
//!
//! On a GPU none of this is known: which kernel multiplies is chosen by the shape, and timed. Who needs the proof there trains one
//! example at a time.
//!
//! # Theorem
//!
//! `|v_i| <= C (1 - kappa)` for every record, with kappa = [`MARGIN`], and the sums of two neighbors differ by at most `C` in
//! norm. Under replace-one, which is one removal and one addition, by at most `2 C`; where neighbors differ by a user of whom `j`
//! records were drawn, which are removed one after another, by at most `j C`.
//!
//! Proof. The records of a physical batch are cut into *leaves*, ranges of places of the same tree with at most
//! `K = `[`LEAF`] records. A neighbor changes one leaf, or cuts it in two; all other leaves hold the same records.
//!
//! 1. Where a sum over records is taken in f32, it is taken within a leaf, of values `y_i` that are each a function of
//!    its record, or products that are rounded once more, by `u |y_i|` with `u = 2^-24`, or not, as the number of terms has it.
//!    Where partial sums have at most `k` terms, each addition errs by at most `u` times its partial sum, in norm at most
//!    `u k C`: together `u C K (K + 3) / 2` in whichever order, over all parameters at once by Minkowski's
//!    inequality. Values of one record that cancel (positions of a sequence or image, views, uses of a shared layer) are summed
//!    before those of others are added, so that `|y_i| <= C (1 - kappa)` holds for what is added.
//! 2. Leaves are added in f64 on the CPU. A physical batch of at most `n = `[`MOST_EXAMPLES`] records errs by at most
//!    `2^-53 C n (n + 1) / 2`. Gradients of a kernel before it was standardized may be 6e5 times as long: they are added within a
//!    leaf only, which adds `2^-53 6e5 C K (K + 1) / 2` for each. On other devices a leaf is rounded to a grid (3).
//! 3. Physical batches are added as whole multiples of a fixed spacing, exactly and in any order. No sum runs over: a step of
//!    more records than fit is refused. Rounding to the grid errs by half a spacing an entry, and in one physical batch (or
//!    leaf) only, or three times where a batch is cut in two. The total is converted to f64 on the CPU, which errs by `2^-53` of
//!    its norm, at most `C n'` with `n' = 2^23`.
//!
//! Two sums thus differ by `C (1 - kappa)`, twice the error of one leaf and of one physical batch's addition in f64 (three times
//! where one is cut in two, but the two halves have fewer terms), and three
//! roundings to the grid: at most `u C (K (K + 3) + 2)`, `2^-53 C n (n + 1)`, `2^-53 6e5 C K (K + 1)`, `3/2 spacing
//! sqrt(entries)` and `2^-53 C 2 n'`, in units of `C`: 6.7e-5, 4.8e-7, 7.1e-8, for 2^26 parameters 2.3e-5 (2.3e-8 on the CPU,
//! which may have more) and 1.9e-9. Their sum is below kappa. A step on a device with a coarser grid that trains more
//! parameters is refused.
//!
//! Noise is added before the sum is rounded to f32: what happens afterwards is post-processing.
//!
//! The sums of physical batches are integers, so that discrete noise can be added to them in place of a Gaussian.

/// The most records whose values are added in f32: fewer cost time (each leaf is one more pass over the parameters), more a
/// larger [`MARGIN`].
pub(crate) const LEAF: usize = 32;

/// The most records of a physical batch.
pub(crate) const MOST_EXAMPLES: usize = 1 << 16;

/// The part of the clipping norm that is kept back for the rounding of the sum: 9.2e-5.
pub(crate) const MARGIN: f64 = 24.0 / (1 << 18) as f64;

/// The most trainable parameters on a device that adds leaves in pairs of f32.
pub(crate) const MOST_ENTRIES_ON_GRID_OF_FLOATS: usize = 1 << 26;

/// The largest expected number of records of a step on a device that adds leaves in pairs of f32. Twice as many fit.
pub(crate) const MOST_EXPECTED_ON_GRID_OF_FLOATS: usize = 1 << 16;

/// The largest expected number of records of a step on the CPU, which adds 64-bit integers. Twice as many fit.
pub(crate) const MOST_EXPECTED_ON_GRID_OF_INTEGERS: usize = 1 << 22;

/// The smallest power of two that is not below the clipping norm.
pub(crate) fn scale(clipping_norm: f64) -> f64 {
    let power = clipping_norm.log2().ceil();
    // The logarithm may round down next to a power of two.
    let scale = power.exp2();
    if scale < clipping_norm { 2.0 * scale } else { scale }
}

/// Spacing of the grid of 64-bit integers, in units of [`scale`]: sums of up to 2^23 records don't run over.
pub(crate) const INTEGER_SPACING: f64 = 1.0 / (1_u64 << 40) as f64;

/// Spacing of the upper of two f32, in units of [`scale`]: whole numbers up to 2^24 are exact, which 2^17 records reach.
pub(crate) const UPPER_SPACING: f64 = 1.0 / (1 << 7) as f64;

/// What the lower of two f32 divides the spacing of the upper by.
pub(crate) const LOWER_STEPS: f64 = (1 << 23) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_covers_what_the_proof_adds_up() {
        let (unit, leaf, examples) = (2_f64.powi(-24), LEAF as f64, MOST_EXAMPLES as f64);
        let in_leaf = unit * (leaf * (leaf + 3.0) + 2.0);
        let f64_unit = 2_f64.powi(-53);
        let in_f64 = f64_unit * (examples * (examples + 1.0) + 6e5 * leaf * (leaf + 1.0));
        // The scale is below twice the clipping norm, and three parts are rounded where a batch is cut in two.
        let roundings = |spacing: f64, entries: usize| 1.5 * 2.0 * spacing * (entries as f64).sqrt();
        let on_grid_of_floats = roundings(UPPER_SPACING / LOWER_STEPS, MOST_ENTRIES_ON_GRID_OF_FLOATS);
        // As many parameters as no memory holds.
        let on_grid_of_integers =
            roundings(INTEGER_SPACING, 1 << 40) + f64_unit * 4.0 * MOST_EXPECTED_ON_GRID_OF_INTEGERS as f64;
        for on_grid in [on_grid_of_floats, on_grid_of_integers] {
            assert!(in_leaf + in_f64 + on_grid < MARGIN, "{in_leaf:e} + {in_f64:e} + {on_grid:e}");
        }
    }

    #[test]
    fn scales_are_the_next_powers_of_two() {
        for (norm, expected) in [(1.0, 1.0), (1.1, 2.0), (0.3, 0.5), (4.0, 4.0), (1e-12, 2_f64.powi(-39))] {
            assert_eq!(scale(norm), expected);
        }
    }
}
