//! Each example's gradient of a convolution's kernel.

use burn_backend::ops::{ConvOptions, ConvTransposeOptions, DeformConvOptions, FloatTensorOps, ModuleOps};
use burn_backend::{Shape, TensorMetadata};
use burn_dispatch::DispatchDevice;
use burn_ir::{
    Conv1dOptionsIr, Conv2dOptionsIr, Conv3dOptionsIr, ConvTranspose1dOptionsIr, ConvTranspose2dOptionsIr,
    ConvTranspose3dOptionsIr, DeformableConv2dOptionsIr,
};

use crate::tensors::{D, T, dims, reshape};

/// Which convolution.
#[derive(Debug, Clone)]
pub(crate) enum Options {
    One(Conv1dOptionsIr),
    Two(Conv2dOptionsIr),
    Three(Conv3dOptionsIr),
    TransposedOne(ConvTranspose1dOptionsIr),
    TransposedTwo(ConvTranspose2dOptionsIr),
    TransposedThree(ConvTranspose3dOptionsIr),
    Deformable { options: DeformableConv2dOptionsIr, offset: T, mask: Option<T> },
}

/// What a kernel's gradients are formed from.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    pub(crate) options: Options,
    /// `[examples * rows, channels_in, ..]`
    pub(crate) input: T,
    /// `[examples * rows, channels_out, ..]`
    pub(crate) output_gradient: T,
    /// The kernel's shape.
    pub(crate) kernel: Vec<usize>,
    /// Rows of each example, next to each other.
    pub(crate) rows: usize,
}

impl Convolution {
    pub(crate) fn examples(&self) -> usize {
        dims(&self.input)[0] / self.rows
    }

    /// `[examples, ..kernel]`: every example is a group of its own.
    pub(crate) fn formed(self, device: &DispatchDevice) -> T {
        let (examples, rows, all) = (self.examples(), self.rows, dims(&self.input)[0]);
        // Rows in the place of channels.
        let merged = |tensor: T| {
            let shape = dims(&tensor);
            let channels = [&[1, shape[0] * shape[1]][..], &shape[2..]].concat();
            reshape(tensor, channels)
        };
        let Self { options, input, output_gradient, kernel, .. } = self;
        let (x, g) = (merged(input), merged(output_gradient));
        let mut of_all = kernel.clone();
        of_all[0] *= all;
        let weight = D::float_zeros(Shape::from(of_all), device, x.dtype().into());
        let gradient = match options {
            Options::One(o) => {
                let options = ConvOptions::new_with_padding(o.stride, o.padding, o.dilation, o.groups * all);
                D::conv1d_weight_backward(x, weight, g, options)
            }
            Options::Two(o) => {
                let options = ConvOptions::new_with_padding(o.stride, o.padding, o.dilation, o.groups * all);
                D::conv2d_weight_backward(x, weight, g, options)
            }
            Options::Three(o) => {
                let options = ConvOptions::new(o.stride, o.padding, o.dilation, o.groups * all);
                D::conv3d_weight_backward(x, weight, g, options)
            }
            Options::TransposedOne(o) => {
                let options = ConvTransposeOptions::new(o.stride, o.padding, o.padding_out, o.dilation, o.groups * all);
                D::conv_transpose1d_weight_backward(x, weight, g, options)
            }
            Options::TransposedTwo(o) => {
                let options = ConvTransposeOptions::new(o.stride, o.padding, o.padding_out, o.dilation, o.groups * all);
                D::conv_transpose2d_weight_backward(x, weight, g, options)
            }
            Options::TransposedThree(o) => {
                let options = ConvTransposeOptions::new(o.stride, o.padding, o.padding_out, o.dilation, o.groups * all);
                D::conv_transpose3d_weight_backward(x, weight, g, options)
            }
            Options::Deformable { options: o, offset, mask } => {
                let options = DeformConvOptions::new(
                    o.stride,
                    o.padding,
                    o.dilation,
                    o.weight_groups * all,
                    o.offset_groups * all,
                );
                D::deform_conv2d_backward(x, merged(offset), weight, mask.map(merged), None, g, options).weight_grad
            }
        };
        let gradient = reshape(gradient, [&[examples, rows][..], &kernel].concat());
        let gradient = if rows == 1 { gradient } else { D::float_sum_dim(gradient, 1) };
        reshape(gradient, [&[examples][..], &kernel].concat())
    }
}
