//! Whether a layer's weights take part in autodiff.

use burn::module::Param;
use burn::tensor::Tensor;

/// What autodiff sees of a layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// As the layer has them. The kernels take weights without autodiff only: those of a model in evaluation.
    AsTheyAre,
    /// Constants: the output is the same, and the backward pass computes no gradient for them. For layers on a device with
    /// autodiff.
    Constant,
}

impl Weights {
    /// What a kernel is given.
    #[cfg(feature = "flex")]
    pub(crate) fn values<const D: usize>(self, param: &Param<Tensor<D>>) -> Tensor<D> {
        match self {
            Self::AsTheyAre => param.val(),
            Self::Constant => param.val().inner(),
        }
    }

    /// What a layer of Burn's is given.
    pub(crate) fn param<const D: usize>(self, param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self {
            Self::Constant if param.val().is_require_grad() => untracked(param),
            _ => param.clone(),
        }
    }
}

/// A copy of `param` whose value takes no part in autodiff: the layer's output is the same, and the backward
/// pass computes no gradient for it.
pub fn untracked<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    // Not `detach`, which keeps the gradient requirement of a leaf: the backward pass would form every weight's gradient.
    Param::initialized(param.id, param.val().set_require_grad(false))
}
