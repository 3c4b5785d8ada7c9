//! Inputs of a layer and gradients of its output, row beside row.

/// Rows side by side: row `i` of one belongs to row `i` of the other.
#[derive(Clone, Copy)]
pub(super) struct RowPairs<'a> {
    /// Rows of `d_input` values.
    pub(super) inputs: &'a [f32],
    pub(super) d_input: usize,
    /// Rows of `d_output` values.
    pub(super) gradients: &'a [f32],
    pub(super) d_output: usize,
}
