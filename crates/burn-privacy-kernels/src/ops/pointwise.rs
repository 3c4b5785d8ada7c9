//! The functions of one number that have a kernel.

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointwise {
    /// `max(x, 0)`, with gradient 0 at 0.
    Relu,
    /// `tanh x`
    Tanh,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `x Φ(x)`, exactly and not by `tanh`.
    Gelu,
    /// `x` times its sigmoid.
    Silu,
}
