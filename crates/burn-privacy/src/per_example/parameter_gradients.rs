//! Gradients of one parameter: of each example, and summed over examples.

use burn::module::ParamId;
use burn::tensor::Tensor;

/// Per-example gradients of one parameter: `[examples, entries]`, `entries` the parameter flattened row-major.
#[derive(Debug, Clone)]
pub struct ParameterGradients {
    /// The parameter.
    pub id: ParamId,
    /// `[examples, entries]`.
    pub values: Tensor<2>,
}

/// A sum over examples of one parameter's gradient: `[entries]`, the parameter flattened row-major.
///
/// Of the examples of one leaf at most ([`ClipFactors::leaves`](super::ClipFactors::leaves)), where it is not in f64.
#[derive(Debug, Clone)]
pub struct ParameterSum {
    /// The parameter.
    pub id: ParamId,
    /// `[entries]`.
    pub values: Tensor<1>,
}
