//! Layers that the library has kernels for on the CPU, computed by those: faster, and a row has the same bits whatever is beside it.

use burn::tensor::Tensor;
use burn_backend::DType;
use burn_backend::ops::{ActivationOps, ModuleOps};
use burn_ir::{
    ActivationOperationIr as A, Conv2dOptionsIr, FloatOperationIr as F, ModuleOperationIr as M, OperationIr, TensorIr,
};
use burn_privacy_kernels::ops::activation::{activate, softmax};
use burn_privacy_kernels::ops::convolution::Convolution;
use burn_privacy_kernels::ops::pointwise::Pointwise;
use burn_privacy_kernels::ops::recorded;

use super::operands::Operands;
use crate::tensors::{D, DispatchDevice, T, dims, reshape};

/// Whether there are kernels for tensors of a device.
pub(super) fn serves(device: &DispatchDevice) -> bool {
    #[cfg(feature = "flex")]
    return matches!(device, DispatchDevice::Flex(_));
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}

/// The output of an operation that has a kernel; `None`, and nothing taken, for another.
pub(super) fn execute(op: &OperationIr, from: &mut impl Operands) -> Option<T> {
    if !op.inputs().all(|input| input.dtype == DType::F32) {
        return None;
    }
    Some(match op {
        OperationIr::Module(M::Linear(d)) => {
            let (x, weight) = (from.take(&d.x), from.take(&d.weight));
            let bias = from.take_some(d.bias.as_ref());
            let of_bias = bias.clone().map(Tensor::from_dispatch);
            let found = recorded::linear(matrix(&x), &Tensor::from_dispatch(weight.clone()), of_bias.as_ref());
            match found {
                Some(found) => with_last(found, &dims(&x)),
                None => D::linear(x, weight, bias),
            }
        }
        OperationIr::Module(M::LinearXBackward(d)) => {
            let (weight, gradient) = (from.take(&d.weight), from.take(&d.output_grad));
            match recorded::linear_input_gradient(&matrix(&gradient), &Tensor::from_dispatch(weight.clone())) {
                Some(found) => with_last(found, &dims(&gradient)),
                None => D::linear_x_backward(weight, gradient),
            }
        }
        OperationIr::Module(M::Conv2d(d)) => {
            let of = convolution(&d.x, &d.weight, &d.options)?;
            let (x, weight) = (from.take(&d.x), from.take(&d.weight));
            let bias = from.take_some(d.bias.as_ref());
            let of_bias = bias.clone().map(Tensor::from_dispatch);
            let kernel = Tensor::from_dispatch(weight.clone());
            match recorded::convolve(of, Tensor::from_dispatch(x.clone()), &kernel, of_bias.as_ref()) {
                Some(found) => found.into_dispatch(),
                None => D::conv2d(x, weight, bias, d.options.clone().into()),
            }
        }
        OperationIr::Module(M::Conv2dXBackward(d)) => {
            let of = convolution(&d.x, &d.weight, &d.options)?;
            let (x, weight) = (from.take(&d.x), from.take(&d.weight));
            let gradient = from.take(&d.output_grad);
            let kernel = Tensor::from_dispatch(weight.clone());
            match recorded::convolution_input_gradient(&of, &Tensor::from_dispatch(gradient.clone()), &kernel) {
                Some(found) => found.into_dispatch(),
                None => D::conv2d_x_backward(x, weight, gradient, d.options.clone().into()),
            }
        }
        OperationIr::Float(_, F::Tanh(d)) => function(Pointwise::Tanh, &d.input, from),
        OperationIr::Activation(A::Sigmoid(d)) => function(Pointwise::Sigmoid, &d.input, from),
        OperationIr::Activation(A::Gelu(d)) => function(Pointwise::Gelu, &d.input, from),
        OperationIr::Activation(A::GeluBackward(d)) => {
            let (x, gradient) = (from.take(&d.lhs), from.take(&d.rhs));
            let shape = dims(&gradient);
            match recorded::activation_gradient(Pointwise::Gelu, &vector(x.clone()), vector(gradient)) {
                Ok(found) => reshape(found.into_dispatch(), shape),
                Err(gradient) => D::gelu_backward(x, reshape(gradient.into_dispatch(), shape)),
            }
        }
        OperationIr::Activation(A::SigmoidBackward(d)) => {
            let (output, gradient) = (from.take(&d.lhs), from.take(&d.rhs));
            let shape = dims(&gradient);
            match recorded::activation_gradient(Pointwise::Sigmoid, &vector(output.clone()), vector(gradient)) {
                Ok(found) => reshape(found.into_dispatch(), shape),
                Err(gradient) => D::sigmoid_backward(output, reshape(gradient.into_dispatch(), shape)),
            }
        }
        OperationIr::Activation(A::Softmax(d)) => {
            let x = from.take(&d.input);
            let shape = dims(&x);
            // A lifted operation's shapes are not those of its tensors.
            if d.axis + 1 == shape.len() {
                reshape(softmax(matrix_of(x), 1).into_dispatch(), shape)
            } else {
                D::softmax(x, d.axis)
            }
        }
        _ => return None,
    })
}

fn function(of: Pointwise, input: &TensorIr, from: &mut impl Operands) -> T {
    let x = from.take(input);
    let shape = dims(&x);
    reshape(activate(of, vector(x)).into_dispatch(), shape)
}

fn convolution(x: &TensorIr, weight: &TensorIr, options: &Conv2dOptionsIr) -> Option<Convolution> {
    let [channels, height, width] = x.shape.get(1..)?.try_into().ok()?;
    let [channels_out, _, kernel_height, kernel_width] = weight.shape.to_vec().try_into().ok()?;
    Some(Convolution {
        input: [channels, height, width],
        channels_out,
        kernel: [kernel_height, kernel_width],
        stride: options.stride,
        dilation: options.dilation,
        padding: options.padding,
        groups: options.groups,
    })
}

/// All axes but the last as one.
fn matrix(tensor: &T) -> Tensor<2> {
    matrix_of(tensor.clone())
}

fn matrix_of(tensor: T) -> Tensor<2> {
    let shape = dims(&tensor);
    let (rows, last) = shape.split_at(shape.len().saturating_sub(1));
    let to = vec![rows.iter().product(), last.iter().product()];
    Tensor::from_dispatch(reshape(tensor, to))
}

fn vector(tensor: T) -> Tensor<1> {
    let entries = dims(&tensor).iter().product();
    Tensor::from_dispatch(reshape(tensor, vec![entries]))
}

/// Rows as they were, with another last axis.
fn with_last(rows: Tensor<2>, like: &[usize]) -> T {
    let (leading, last) = (&like[..like.len().saturating_sub(1)], rows.dims()[1]);
    reshape(rows.into_dispatch(), [leading, &[last]].concat())
}
