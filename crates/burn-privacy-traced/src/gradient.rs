//! Per-example gradients as they leave this crate: formed, or as what they are formed from.

use burn::tensor::{Int, Tensor};
use burn_dispatch::DispatchDevice;
use burn_ir::{Conv1dOptionsIr, Conv2dOptionsIr};

use crate::convolution::{Convolution, Options};
use crate::per_example::{PerExample, Table};
use crate::tensors::{dims, flat, reshape};

/// The gradients of one parameter, one for each example, the parameter flattened row-major.
#[derive(Debug, Clone)]
pub enum Gradient {
    /// `[examples, entries]`.
    Formed(Tensor<2>),
    /// `sum_t x_t g_t^T` over positions: all uses of a linear layer's weight behind each other.
    Products {
        /// `[examples, positions, rows of the parameter]`.
        input: Tensor<3>,
        /// `[examples, positions, columns of the parameter]`.
        output_gradient: Tensor<3>,
    },
    /// Rows that each example adds into its own copy of a table.
    Table {
        /// `[examples, positions]`.
        tokens: Tensor<2, Int>,
        /// `[examples, positions, row length]`.
        output_gradient: Tensor<3>,
        /// Rows of the table.
        rows: usize,
    },
    /// The gradient of a convolution's kernel.
    Kernel(KernelGradient),
}

/// What the gradients of a 2-d (or 1-d, as one of height 1) convolution's kernel are formed from.
#[derive(Debug, Clone)]
pub struct KernelGradient {
    /// `[examples * views, channels_in, height, width]`.
    pub input: Tensor<4>,
    /// `[examples * views, channels_out, height, width]`.
    pub output_gradient: Tensor<4>,
    /// `[channels_out, channels_in / groups, height, width]`.
    pub kernel: [usize; 4],
    /// Along height and width.
    pub stride: [usize; 2],
    /// Along height and width.
    pub dilation: [usize; 2],
    /// Before and behind, along height and width.
    pub padding: [(usize, usize); 2],
    /// Groups of channels.
    pub groups: usize,
    /// Rows of each example.
    pub views: usize,
}

impl Gradient {
    /// The gradients of the first examples.
    pub fn of_first(self, examples: usize) -> Self {
        match self {
            Self::Formed(values) => Self::Formed(first(values, examples)),
            Self::Products { input, output_gradient } => {
                Self::Products { input: first(input, examples), output_gradient: first(output_gradient, examples) }
            }
            Self::Table { tokens, output_gradient, rows } => {
                let tokens = if tokens.dims()[0] == examples { tokens } else { tokens.slice([0..examples]) };
                Self::Table { tokens, output_gradient: first(output_gradient, examples), rows }
            }
            Self::Kernel(kernel) => {
                let rows = examples * kernel.views;
                Self::Kernel(KernelGradient {
                    input: first(kernel.input, rows),
                    output_gradient: first(kernel.output_gradient, rows),
                    ..kernel
                })
            }
        }
    }
}

fn first<const D: usize>(values: Tensor<D>, rows: usize) -> Tensor<D> {
    if values.dims()[0] == rows { values } else { values.slice([0..rows]) }
}

pub(crate) fn gradient_of(value: PerExample, examples: usize, device: &DispatchDevice) -> Gradient {
    match value {
        PerExample::Products(products) => {
            let (x, g) = products.factors();
            Gradient::Products { input: Tensor::from_dispatch(x), output_gradient: Tensor::from_dispatch(g) }
        }
        PerExample::Table(Table { tokens, rows, length }) => Gradient::Table {
            tokens: Tensor::from_dispatch(tokens),
            output_gradient: Tensor::from_dispatch(rows),
            rows: length,
        },
        PerExample::Convolution(convolution) => match kernel_gradient(&convolution) {
            Some(kernel) => Gradient::Kernel(kernel),
            None => Gradient::Formed(Tensor::from_dispatch(flat(convolution.formed(device)))),
        },
        PerExample::Formed(tensor) => {
            let entries = dims(&tensor).iter().product::<usize>() / examples.max(1);
            Gradient::Formed(Tensor::from_dispatch(reshape(tensor, vec![examples, entries])))
        }
    }
}

fn kernel_gradient(convolution: &Convolution) -> Option<KernelGradient> {
    let Convolution { options, input, output_gradient, kernel, rows } = convolution;
    let (input, output_gradient) = (input.clone(), output_gradient.clone());
    match options {
        Options::Two(Conv2dOptionsIr { stride, padding, dilation, groups }) => Some(KernelGradient {
            input: Tensor::from_dispatch(input),
            output_gradient: Tensor::from_dispatch(output_gradient),
            kernel: kernel.clone().try_into().ok()?,
            stride: *stride,
            dilation: *dilation,
            padding: *padding,
            groups: *groups,
            views: *rows,
        }),
        Options::One(Conv1dOptionsIr { stride, padding, dilation, groups }) => {
            // Of height 1.
            let flat = |tensor| {
                let shape = dims(&tensor);
                Tensor::from_dispatch(reshape(tensor, vec![shape[0], shape[1], 1, shape[2]]))
            };
            Some(KernelGradient {
                input: flat(input),
                output_gradient: flat(output_gradient),
                kernel: [kernel[0], kernel[1], 1, kernel[2]],
                stride: [1, stride[0]],
                dilation: [1, dilation[0]],
                padding: [(0, 0), padding[0]],
                groups: *groups,
                views: *rows,
            })
        }
        _ => None,
    }
}
