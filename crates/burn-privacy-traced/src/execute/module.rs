//! Layers as operations: linear, convolutions, pooling, normalization, attention, and their backward passes.

use burn_backend::ops::{ModuleOps, UnfoldOptions};
use burn_ir::ModuleOperationIr as M;

use super::operands::Operands;
use crate::tensors::{D, T, dims, within};

pub(super) fn execute(op: &M, from: &mut impl Operands) -> Option<Vec<T>> {
    /// Input, weight and bias, and the options.
    macro_rules! forward {
        ($d:expr, $function:ident) => {{
            let (x, weight) = (from.take(&$d.x), from.take(&$d.weight));
            let bias = from.take_some($d.bias.as_ref());
            D::$function(x, weight, bias, $d.options.clone().into())
        }};
    }
    macro_rules! backward_of_input {
        ($d:expr, $function:ident) => {{
            let (x, weight) = (from.take(&$d.x), from.take(&$d.weight));
            D::$function(x, weight, from.take(&$d.output_grad), $d.options.clone().into())
        }};
    }
    Some(vec![match op {
        M::BatchNorm(d) => {
            let (x, gamma, beta) = (from.take(&d.x), from.take(&d.gamma), from.take(&d.beta));
            let (mean, variance) = (from.take(&d.mean), from.take(&d.variance));
            D::batch_norm(x, gamma, beta, mean, variance, d.epsilon.elem())
        }
        M::LayerNorm(d) => {
            let (input, gamma) = (from.take(&d.input), from.take(&d.gamma));
            let beta = from.take_some(d.beta.as_ref());
            D::layer_norm(input, gamma, beta, d.epsilon.elem())
        }
        M::Embedding(d) => {
            let weights = from.take(&d.weights);
            let indices = within(from.take(&d.indices), dims(&weights)[0]);
            D::embedding(weights, indices)
        }
        M::Linear(d) => {
            let (x, weight) = (from.take(&d.x), from.take(&d.weight));
            let bias = from.take_some(d.bias.as_ref());
            D::linear(x, weight, bias)
        }
        M::LinearXBackward(d) => {
            let weight = from.take(&d.weight);
            D::linear_x_backward(weight, from.take(&d.output_grad))
        }
        M::Conv1d(d) => forward!(d, conv1d),
        M::Conv2d(d) => forward!(d, conv2d),
        M::Conv3d(d) => forward!(d, conv3d),
        M::ConvTranspose1d(d) => forward!(d, conv_transpose1d),
        M::ConvTranspose2d(d) => forward!(d, conv_transpose2d),
        M::ConvTranspose3d(d) => forward!(d, conv_transpose3d),
        M::Conv1dXBackward(d) => backward_of_input!(d, conv1d_x_backward),
        M::Conv2dXBackward(d) => backward_of_input!(d, conv2d_x_backward),
        M::Conv3dXBackward(d) => backward_of_input!(d, conv3d_x_backward),
        M::DeformableConv2d(d) => {
            let (x, offset, weight) = (from.take(&d.x), from.take(&d.offset), from.take(&d.weight));
            let (mask, bias) = (from.take_some(d.mask.as_ref()), from.take_some(d.bias.as_ref()));
            D::deform_conv2d(x, offset, weight, mask, bias, d.options.clone().into())
        }
        M::AvgPool1d(d) => {
            D::avg_pool1d(from.take(&d.x), d.kernel_size, d.stride, d.padding, d.count_include_pad, d.ceil_mode)
        }
        M::AvgPool2d(d) => {
            D::avg_pool2d(from.take(&d.x), d.kernel_size, d.stride, d.padding, d.count_include_pad, d.ceil_mode)
        }
        M::AvgPool1dBackward(d) => {
            let (x, grad) = (from.take(&d.x), from.take(&d.grad));
            D::avg_pool1d_backward(x, grad, d.kernel_size, d.stride, d.padding, d.count_include_pad, d.ceil_mode)
        }
        M::AvgPool2dBackward(d) => {
            let (x, grad) = (from.take(&d.x), from.take(&d.grad));
            D::avg_pool2d_backward(x, grad, d.kernel_size, d.stride, d.padding, d.count_include_pad, d.ceil_mode)
        }
        M::AdaptiveAvgPool1d(d) => D::adaptive_avg_pool1d(from.take(&d.x), d.output_size),
        M::AdaptiveAvgPool2d(d) => D::adaptive_avg_pool2d(from.take(&d.x), d.output_size),
        M::AdaptiveAvgPool3d(d) => D::adaptive_avg_pool3d(from.take(&d.x), d.output_size),
        M::AdaptiveAvgPool1dBackward(d) => {
            let x = from.take(&d.x);
            D::adaptive_avg_pool1d_backward(x, from.take(&d.grad))
        }
        M::AdaptiveAvgPool2dBackward(d) => {
            let x = from.take(&d.x);
            D::adaptive_avg_pool2d_backward(x, from.take(&d.grad))
        }
        M::AdaptiveAvgPool3dBackward(d) => {
            let x = from.take(&d.x);
            D::adaptive_avg_pool3d_backward(x, from.take(&d.grad))
        }
        M::MaxPool1d(d) => D::max_pool1d(from.take(&d.x), d.kernel_size, d.stride, d.padding, d.dilation, d.ceil_mode),
        M::MaxPool2d(d) => D::max_pool2d(from.take(&d.x), d.kernel_size, d.stride, d.padding, d.dilation, d.ceil_mode),
        M::MaxPool1dWithIndices(d) => {
            let x = from.take(&d.x);
            let dtype = d.out_indices.dtype.into();
            let found =
                D::max_pool1d_with_indices(x, d.kernel_size, d.stride, d.padding, d.dilation, d.ceil_mode, dtype);
            return Some(vec![found.output, found.indices]);
        }
        M::MaxPool2dWithIndices(d) => {
            let x = from.take(&d.x);
            let dtype = d.out_indices.dtype.into();
            let found =
                D::max_pool2d_with_indices(x, d.kernel_size, d.stride, d.padding, d.dilation, d.ceil_mode, dtype);
            return Some(vec![found.output, found.indices]);
        }
        M::MaxPool1dWithIndicesBackward(d) => {
            let (x, grad, indices) = (from.take(&d.x), from.take(&d.grad), from.take(&d.indices));
            let (kernel, stride, padding) = (d.kernel_size, d.stride, d.padding);
            D::max_pool1d_with_indices_backward(x, kernel, stride, padding, d.dilation, d.ceil_mode, grad, indices)
                .x_grad
        }
        M::MaxPool2dWithIndicesBackward(d) => {
            let (x, grad, indices) = (from.take(&d.x), from.take(&d.grad), from.take(&d.indices));
            let (kernel, stride, padding) = (d.kernel_size, d.stride, d.padding);
            D::max_pool2d_with_indices_backward(x, kernel, stride, padding, d.dilation, d.ceil_mode, grad, indices)
                .x_grad
        }
        M::Interpolate(d) => D::interpolate(from.take(&d.x), d.output_size, d.options.clone().into()),
        M::InterpolateBackward(d) => {
            let x = from.take(&d.x);
            D::interpolate_backward(x, from.take(&d.grad), d.output_size, d.options.clone().into())
        }
        M::Attention(d) => {
            let (query, key, value) = (from.take(&d.query), from.take(&d.key), from.take(&d.value));
            let (mask, bias) = (from.take_some(d.mask.as_ref()), from.take_some(d.attn_bias.as_ref()));
            D::attention(query, key, value, mask, bias, d.options.clone().into())
        }
        M::Unfold4d(d) => {
            let options = UnfoldOptions::new(d.options.stride, d.options.padding, d.options.dilation);
            D::unfold4d(from.take(&d.x), d.kernel_size, options)
        }
        // Sums over the batch, which `contract` keeps apart.
        M::EmbeddingBackward(_)
        | M::LinearWeightBackward(_)
        | M::LinearBiasBackward(_)
        | M::Conv1dWeightBackward(_)
        | M::Conv2dWeightBackward(_)
        | M::Conv3dWeightBackward(_)
        | M::Conv1dBiasBackward(_)
        | M::Conv2dBiasBackward(_)
        | M::Conv3dBiasBackward(_)
        | M::ConvTranspose1dWeightBackward(_)
        | M::ConvTranspose2dWeightBackward(_)
        | M::ConvTranspose3dWeightBackward(_)
        | M::ConvTranspose1dBiasBackward(_)
        | M::ConvTranspose2dBiasBackward(_)
        | M::ConvTranspose3dBiasBackward(_)
        | M::DeformableConv2dBackward(_) => return None,
        M::CtcLoss(_) | M::CtcLossBackward(_) => return None,
    }])
}
