//! How a layer gives per-example gradients, `[examples, entries]` for each parameter, and bounds of their errors.

use std::ops::Range;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::factors::ClipFactors;
use super::parameter_gradients::{ParameterGradients, ParameterSum};
use burn_privacy_kernels::Rounding;

/// How one use of a layer turns the gradient of its output into per-example gradients of its parameters.
///
/// Implement this for a layer of your own and hand it to [`record`](super::record) in the layer's forward
/// pass; see `CONTRIBUTING.md` for a walk-through. `O` is the rank of the layer's output; axis 0 of the output
/// and of everything the rule keeps is the example axis.
///
/// [`gradients`](Self::gradients) and [`squared_error`](Self::squared_error) define the rule. The two shortcuts
/// exist for speed: where one returns a value, it must be the value that the definition gives.
///
/// # Formal guarantee asked of an implementation
///
/// * The gradients of example `i` depend on row `i` of the recorded tensors and of the output gradient only.
/// * [`squared_error`](Self::squared_error) and [`squared_norm_shortcut`](Self::squared_norm_shortcut) are upper
///   bounds, whatever the recorded values are.
/// * [`select_finite`](Self::select_finite) sets every recorded row of an excluded example to zero.
pub trait PerExampleRule<const O: usize>: 'static {
    /// The *trainable* parameters this use contributes to, each once.
    fn parameters(&self) -> Vec<ParamId>;

    /// Length of axis 0 of the recorded input. The recording scope refuses anything but one row an example (or one for each
    /// of its views, which the scope then adds up).
    fn rows(&self) -> usize;

    /// Whether this rule adds up the views of an example itself: then its rows are examples, and only the output and its
    /// gradient have one row for each view. For this crate's own layers.
    #[doc(hidden)]
    fn adds_up_views(&self) -> bool {
        false
    }

    /// Entries of one example's gradient, summed over [`parameters`](Self::parameters).
    fn entries(&self) -> usize;

    /// Gradients of the examples in `range`, one element per parameter, in the order of
    /// [`parameters`](Self::parameters). `output_gradient` holds those examples' rows only.
    fn gradients(&self, output_gradient: Tensor<O>, range: Range<usize>) -> Vec<ParameterGradients>;

    /// Upper bound `[examples]` of the squared norm of the rounding error that [`gradients`](Self::gradients)
    /// makes. `output_gradient` holds every row.
    fn squared_error(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Tensor<1>;

    /// Replaces the recorded rows of excluded examples by zeros ([`ClipFactors::select`]).
    fn select_finite(&mut self, factors: &ClipFactors);

    /// Upper bound `[examples]` of the squared norm of each example's gradient over all parameters, where there
    /// is a cheaper way than forming the gradients (a ghost norm).
    fn squared_norm_shortcut(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Option<Tensor<1>> {
        let _ = (output_gradient, rounding);
        None
    }

    /// Whether the shortcut of the norm is worth taking where the gradients, once formed for the norm, could be kept for
    /// the sum.
    fn prefers_norm_shortcut(&self) -> bool {
        true
    }

    /// `sum_i c_i g_i` for each parameter, where there is a cheaper way than forming the gradients: one sum a parameter for each
    /// of [`ClipFactors::leaves`], or finer ones. Called after [`select_finite`](Self::select_finite), with the excluded rows
    /// of `output_gradient` already zero; not for rows that are views.
    ///
    /// A sum must be that of vectors `c_i g_i` which are each rounded once: what may cancel within an example is added up
    /// before other examples are. See the module `exact_sum` for what hangs on it.
    fn weighted_sum_shortcut(&self, output_gradient: &Tensor<O>, factors: &ClipFactors) -> Option<Vec<ParameterSum>> {
        let _ = (output_gradient, factors);
        None
    }
}

/// Per-example gradients are formed for so many entries at a time (64 MiB of f32): a bound on memory, not on
/// results, which do not depend on it beyond the order of a sum.
pub(crate) const ENTRIES_AT_ONCE: usize = 1 << 24;

/// Consecutive examples whose gradients are formed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) range: Range<usize>,
    /// Whether the first of them belong to the leaf with which the chunk before ended.
    pub(crate) continues: bool,
}

/// Chunks that cover all examples, cut between leaves unless a leaf is too long: a record more or less cuts no other record's
/// leaf elsewhere.
pub(crate) fn chunks_of_leaves(factors: &ClipFactors, entries: usize) -> Vec<Chunk> {
    let most = (ENTRIES_AT_ONCE / entries.max(1)).max(1);
    let mut chunks: Vec<Chunk> = Vec::new();
    for leaf in factors.leaves() {
        match chunks.last_mut() {
            Some(last) if leaf.end - last.range.start <= most => last.range.end = leaf.end,
            _ => chunks.extend(
                leaf.clone()
                    .step_by(most)
                    .map(|start| Chunk { range: start..(start + most).min(leaf.end), continues: start > leaf.start }),
            ),
        }
    }
    chunks
}
