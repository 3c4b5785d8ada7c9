//! The sizes of an attention without a mask, of `[examples, positions, heads * head_width]`.

/// The sizes of an attention without a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attention {
    /// Heads.
    pub(crate) heads: usize,
    /// Values of a position in one head.
    pub(crate) head_width: usize,
    /// Number of query positions.
    pub(crate) queries: usize,
    /// Number of key positions.
    pub(crate) keys: usize,
}

impl Attention {
    pub(super) fn width(&self) -> usize {
        self.heads * self.head_width
    }
}
