//! A bare parameter as one copy an example: `[...]` to `[examples, ...]`, whose gradient is the per-example gradient.

use std::ops::Range;

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;

use super::factors::ClipFactors;
use super::parameter_gradients::ParameterGradients;
use super::rule::PerExampleRule;
use super::tape::{is_recording, record};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::weights::untracked;

/// A bare parameter, one copy an example: how a class token, a position table, a learned scale or any other
/// [`Param`] of a module of your own takes part in per-example clipping.
///
/// # Shapes
///
/// - param: `[...]` of rank `D`
/// - returns: `[examples, ...]` of rank `O = D + 1` (another `O` does not compile)
///
/// `examples` is the length of axis 0 of the batch that the forward pass was given. Outside a recording scope
/// this is a plain broadcast of the parameter.
///
/// ```
/// use burn::module::Param;
/// use burn::tensor::{Device, Tensor};
/// use burn_privacy::per_example::per_example;
///
/// let device = Device::flex();
/// let positions = Param::from_tensor(Tensor::<2>::ones([7, 16], &device));
/// let tokens = Tensor::<3>::zeros([4, 7, 16], &device);
/// let tokens = tokens + per_example(&positions, 4);
/// assert_eq!(tokens.dims(), [4, 7, 16]);
/// ```
pub fn per_example<const D: usize, const O: usize>(param: &Param<Tensor<D>>, examples: usize) -> Tensor<O> {
    const { assert!(O == D + 1, "per_example adds one axis: annotate the result as Tensor<D + 1>") };
    let recorded = is_recording() && param.val().is_require_grad();
    let value = if recorded { untracked(param).val() } else { param.val() };
    let entries = value.shape().num_elements();
    let mut dims = [examples; O];
    dims[1..].copy_from_slice(&value.dims());
    let copies = value.unsqueeze_dim::<O>(0).expand(dims);
    if recorded { record(copies, ParamRule { id: param.id, examples, entries }) } else { copies }
}

/// The id of a parameter if it requires a gradient.
pub(crate) fn trainable<const D: usize>(param: &Param<Tensor<D>>) -> Option<ParamId> {
    param.val().is_require_grad().then_some(param.id)
}

/// The gradient of a per-example copy *is* the per-example gradient.
pub(crate) struct ParamRule {
    pub(crate) id: ParamId,
    pub(crate) examples: usize,
    pub(crate) entries: usize,
}

impl<const O: usize> PerExampleRule<O> for ParamRule {
    fn parameters(&self) -> Vec<ParamId> {
        vec![self.id]
    }

    fn rows(&self) -> usize {
        self.examples
    }

    fn entries(&self) -> usize {
        self.entries
    }

    fn gradients(&self, output_gradient: Tensor<O>, range: Range<usize>) -> Vec<ParameterGradients> {
        let values = output_gradient.reshape([range.len(), self.entries]);
        vec![ParameterGradients { id: self.id, values }]
    }

    fn squared_error(&self, output_gradient: &Tensor<O>, _rounding: Rounding) -> Tensor<1> {
        Tensor::zeros([self.examples], &output_gradient.device())
    }

    fn select_finite(&mut self, _factors: &ClipFactors) {}
}
