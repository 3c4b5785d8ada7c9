//! The functions of one number that have a kernel.

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointwise {
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x Φ(x)`, exactly and not by `tanh`.
    Gelu,
    /// `x` times its sigmoid.
    Silu,
}
