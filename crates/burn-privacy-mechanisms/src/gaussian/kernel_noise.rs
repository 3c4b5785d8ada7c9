//! A step's noise as a kernel on an accelerator is told of it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::tile::TILE;

/// A part of a step's noise as a kernel on an accelerator is told of it: enough to draw it, and nothing of other steps.
///
/// Secret: whoever knows it subtracts the noise. It is wiped when dropped; what a driver copies to its device is not, but
/// the device's memory holds the noise itself as well.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KernelNoise {
    /// The key of the step's noise, as the words 4 to 11 of ChaCha20's state.
    pub key: [u32; 8],
    /// Which [`TILE`](Self::TILE) elements the first value belongs to.
    pub first_tile: u64,
    /// How many elements of that tile come before the first value.
    pub skipped: u32,
    /// The standard deviation, rounded up.
    pub std: f32,
}

impl KernelNoise {
    /// Elements of a tile: those of 16 blocks of the stream.
    pub const TILE: usize = TILE;
}

impl fmt::Debug for KernelNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelNoise").finish_non_exhaustive()
    }
}
