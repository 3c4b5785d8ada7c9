//! The sizes of an attention without a mask, of `[examples, positions, heads * head_width]`.

/// The sizes of an attention without a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    pub heads: usize,
    pub head_width: usize,
    /// Positions that ask.
    pub queries: usize,
    /// Positions that are looked at.
    pub keys: usize,
}

impl Attention {
    pub(super) fn width(&self) -> usize {
        self.heads * self.head_width
    }
}
