//! Why the computed sum of a step has the stated sensitivity, rounding included.
//!
//! A sum in f32 rounds differently after one more addition, so that a record changes more than its own contribution: with
//! 65 536 records by tens of clipping norms (Casacuberta et al. 2022, arXiv 2207.10635). Here it does not.
//!
//! # Model
//!
//! Neighbors differ by a record that is present or absent at its place while all others keep theirs, and the drawn places are
//! the same but for that one. For a record `i` let `v_i` be what the backward pass and its clip factor make of it: a
//! function of the record, the parameters and public things. In [`PerExample::Loop`](super::PerExample::Loop) it is that by
//! construction, for a record is alone in its batch. In one backward pass it is computed beside the records of its physical
//! batch. That batch is a fixed range of places (see [`fixed_ranges`](super::fixed_ranges)), so that a neighbor leaves every
//! other physical batch as it is, bit for bit; in its own, the other records' forward and backward passes must not
//! depend on the number of rows beside them. That is an assumption, and it does not hold to the last bit: the general matrix
//! product of a dense layer (784 x 1024, say) rounds a row otherwise beside one row than beside none. What this adds within
//! the one physical batch is not part of the bound below; who needs a proof trains one example at a time.
//!
//! # Theorem
//!
//! `|v_i| <= C (1 - kappa)` for every record, with kappa = [`MARGIN`], and the sums of two neighbors differ by at most `C` in
//! norm. Under replace-one, which is one removal and one addition, by at most `2 C`.
//!
//! Proof. The records of a physical batch are cut into *leaves*, ranges of places of the same tree with at most
//! `K = `[`LEAF`] records. A neighbor changes one leaf, or cuts it in two; all other leaves hold the same records.
//!
//! 1. Where a sum over records is taken in f32, it is taken within a leaf, of values `y_i` that are each a function of
//!    its record. Where partial sums have at most `k` terms, each addition errs by at most `u = 2^-24` times its partial sum, in
//!    norm at most `u k C`: together `u C K (K + 1) / 2` in whichever order, over all parameters at once by Minkowski's
//!    inequality. Values of one record that cancel (positions of a sequence or image, views, uses of a shared layer) are summed
//!    before those of others are added, so that `|y_i| <= C (1 - kappa)` holds for what is added.
//! 2. Leaves are added in f64 on the CPU. A physical batch of at most `n = `[`MOST_EXAMPLES`] records errs by at most
//!    `2^-53 C n (n + 1) / 2`. On other devices a leaf is rounded to a grid (3).
//! 3. Physical batches are added as whole multiples of a fixed spacing, exactly and in any order. No sum runs over: a step of
//!    more records than fit is refused. Rounding to the grid errs by half a spacing an entry, and in one physical batch (or
//!    leaf) only, or three times where a batch is cut in two.
//!
//! Two sums thus differ by `C (1 - kappa)`, twice the error of one leaf and of one physical batch's addition in f64, and three
//! roundings to the grid: at most `u C (K (K + 1) + 1)`, `2^-53 C n (n + 1)` and `3/2 spacing sqrt(entries)`, in units of
//! `C`: 6.3e-5, 4.8e-7, and for 2^26 parameters 2.3e-5 (2.3e-8 on the CPU). Their sum is below kappa.
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
        let in_leaf = unit * (leaf * (leaf + 1.0) + 1.0);
        let in_f64 = 2_f64.powi(-53) * examples * (examples + 1.0);
        // The scale is below twice the clipping norm, a step has fewer than 2^26 parameters in pairs of f32, and three parts are
        // rounded where a batch is cut in two.
        let on_grid = 1.5 * 2.0 * UPPER_SPACING / LOWER_STEPS * 2_f64.powi(13);
        assert!(in_leaf + in_f64 + on_grid < MARGIN, "{in_leaf:e} + {in_f64:e} + {on_grid:e}");
    }

    #[test]
    fn scales_are_the_next_powers_of_two() {
        for (norm, expected) in [(1.0, 1.0), (1.1, 2.0), (0.3, 0.5), (4.0, 4.0), (1e-12, 2_f64.powi(-39))] {
            assert_eq!(scale(norm), expected);
        }
    }
}
