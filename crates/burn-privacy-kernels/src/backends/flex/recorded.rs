//! Backward passes by themselves, without autodiff.

use burn::tensor::Tensor;

use super::convolution;
use super::matrix_product::Matrix;
use super::row_product::row_product;
use super::slices::{Values, owned, tensor};
use crate::ops::convolution::shape::Convolution;
use crate::ops::pointwise::Pointwise;

/// `gradient weight^T`
pub(crate) fn linear_input_gradient(gradient: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([rows, columns], [d_input, d_output]) = (gradient.dims(), weight.dims());
    if columns != d_output || rows * d_input * d_output == 0 {
        return None;
    }
    let (gradient, weight) = (Values::of(gradient)?, Values::of(weight)?);
    let transposed = Matrix::new(weight.slice(), d_input, d_output).transposed();
    Some(tensor(row_product(gradient.slice(), transposed, None), [rows, d_input]))
}

/// The gradient of a convolution's input.
pub(crate) fn convolution_input_gradient(
    of: &Convolution,
    gradient: &Tensor<4>,
    kernel: &Tensor<4>,
) -> Option<Tensor<4>> {
    let rows = gradient.dims()[0];
    if !of.fits(kernel.shape().num_elements()) || gradient.dims() != of.output_dims(rows) {
        return None;
    }
    let (gradient, kernel) = (Values::of(gradient)?, Values::of(kernel)?);
    Some(tensor(convolution::input_gradient(of, gradient.slice(), kernel.slice()), of.input_dims(rows)))
}

/// The gradient of a function's input, written over that of its output where nothing else holds it.
pub(crate) fn activation_gradient(
    of: Pointwise,
    kept: &Tensor<1>,
    gradient: Tensor<1>,
) -> Result<Tensor<1>, Tensor<1>> {
    if kept.dims() != gradient.dims() {
        return Err(gradient);
    }
    let (Some(kept), Some(Values(values))) = (Values::of(kept), Values::of(&gradient)) else { return Err(gradient) };
    drop(gradient);
    let mut gradient = owned(values);
    of.pull_back(gradient.storage_mut(), kept.slice());
    Ok(Tensor::from_primitive::<burn::backend::Flex>(gradient))
}
