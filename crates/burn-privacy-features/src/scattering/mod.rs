//! The scattering transform of square images: wavelets, moduli and averages, which nothing of anybody's data is learned for.
//!
//! # Definition
//!
//! J = 2 octaves, L = 8 angles, order 2, as Kymatio 0.3.0's `Scattering2D` has it (Andreux et al., JMLR 21, 2020), on a
//! square image whose side n is a multiple of 4. The image is reflected by 4 pixels on each side (the edge is not repeated);
//! with M = n + 8, filters are the real parts of M x M Fourier transforms of Morlet wavelets psi and of a Gaussian phi
//! (`filters.rs`). Then, with `*` a circular convolution,
//!
//! - S0 = x * phi, 1 channel;
//! - S1 = |x * psi_1| * phi, 16 channels: the octave of psi_1 first, then its angle;
//! - S2 = ||x * psi_1| * psi_2| * phi, 64 channels, psi_1 of octave 0 and psi_2 of octave 1: the angle of psi_1 first;
//!
//! each at every fourth pixel, without the outermost ring: 81 channels of n/4 x n/4. Moduli of octave 1 are taken at every
//! second pixel, as Kymatio does.
//!
//! Colors are transformed one by one; their channels follow one another.

mod filters;
mod low_pass;
mod transform;

pub use transform::{CHANNELS, Scattering};
