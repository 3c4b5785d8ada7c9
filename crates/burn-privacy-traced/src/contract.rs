//! Sums over the batch, with the batch's axis kept: from examples' data to per-example values.

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::IndexingUpdateOp;
use burn_dispatch::DispatchDevice;
use burn_ir::{
    BaseOperationIr as B, FloatOperationIr as F, MatmulOpIr, ModuleOperationIr as M, NumericOperationIr as N,
    OperationIr, TensorIr,
};

use crate::convolution::{Convolution, Options};
use crate::execute::Operands;
use crate::kinds::Layout;
use crate::per_example::{PerExample, Products, Table, examples_first};
use crate::tensors::{D, T, dims, reshape, swap, within};

/// The batch that is summed over.
pub(crate) struct Batch<'a> {
    pub(crate) examples: usize,
    /// Where the examples lie in an input, if it has a part for each.
    pub(crate) layout: &'a dyn Fn(&TensorIr) -> Option<Layout>,
    /// Whether an input is known to hold nothing but zeros.
    pub(crate) is_zero: &'a dyn Fn(&TensorIr) -> bool,
    pub(crate) device: &'a DispatchDevice,
}

impl Batch<'_> {
    /// `[.., n]` as `[examples, positions, n]`.
    fn rows(&self, from: &mut impl Operands, tensor: &TensorIr) -> Option<T> {
        let layout = (self.layout)(tensor)?;
        let value = examples_first(from.take(tensor), layout, self.examples);
        let shape = dims(&value);
        let last = shape[shape.len() - 1];
        let positions = shape[1..shape.len() - 1].iter().product();
        Some(reshape(value, vec![self.examples, positions, last]))
    }

    /// Rows of a table of so many, as `[examples, positions]`.
    fn tokens(&self, from: &mut impl Operands, tensor: &TensorIr, length: usize) -> Option<T> {
        let layout = (self.layout)(tensor)?;
        let value = examples_first(within(from.take(tensor), length), layout, self.examples);
        let positions = dims(&value)[1..].iter().product();
        Some(reshape(value, vec![self.examples, positions]))
    }

    /// The sum over some axes, which stay with length 1.
    fn sum(&self, from: &mut impl Operands, tensor: &TensorIr, axes: &[usize]) -> Option<PerExample> {
        let layout = (self.layout)(tensor)?;
        let shape = tensor.shape.to_vec();
        let value = examples_first(from.take(tensor), layout, self.examples);
        // `[examples, ..before, outer, inner, ..behind]`: outer and inner stand for the axis.
        let (before, behind) = (&shape[..layout.axis], &shape[layout.axis + 1..]);
        let merged = [&[self.examples][..], before, &[layout.outer * layout.inner], behind].concat();
        let mut value = reshape(value, merged.clone());
        let reduced: Vec<usize> = axes.iter().map(|axis| axis + 1).filter(|axis| merged[*axis] != 1).collect();
        if !reduced.is_empty() {
            value = D::float_sum_dims(value, &reduced);
        }
        Some(PerExample::Formed(value))
    }

    /// Each example's output gradients, summed over everything but the channels.
    fn bias(&self, from: &mut impl Operands, output_gradient: &TensorIr) -> Option<PerExample> {
        let channels = output_gradient.shape.to_vec()[1];
        let value = examples_first(from.take(output_gradient), (self.layout)(output_gradient)?, self.examples);
        let shape = dims(&value);
        let rows = shape[1] * shape[2];
        let positions: usize = shape[4..].iter().product();
        let value = D::float_sum_dim(reshape(value, vec![self.examples, rows, channels, positions]), 3);
        let value = if rows == 1 { value } else { D::float_sum_dim(value, 1) };
        Some(PerExample::Formed(reshape(value, vec![self.examples, channels])))
    }

    fn kernel(
        &self,
        from: &mut impl Operands,
        x: &TensorIr,
        g: &TensorIr,
        w: &TensorIr,
        options: Options,
    ) -> Option<PerExample> {
        // Both must lie example by example, in the same number of rows: one tensor's order says nothing of the other's.
        let (layout, of_gradient) = ((self.layout)(x)?, (self.layout)(g)?);
        let kernel = w.shape.to_vec();
        let (input, output_gradient) = (from.take(x), from.take(g));
        if layout.outer != 1 || (of_gradient.outer, of_gradient.inner) != (1, layout.inner) {
            return None;
        }
        Some(PerExample::Convolution(Convolution { options, input, output_gradient, kernel, rows: layout.inner }))
    }

    fn matrix_product(&self, from: &mut impl Operands, d: &MatmulOpIr) -> Option<PerExample> {
        let shape = d.out.shape.to_vec();
        let rank = shape.len();
        let (left, right) = ((self.layout)(&d.lhs)?, (self.layout)(&d.rhs)?);
        let x = swap(from.take(&d.lhs), rank - 2, rank - 1);
        let [x, g] = [(x, left.at(rank - 2)), (from.take(&d.rhs), right)].map(|(value, layout)| {
            let value = examples_first(value, layout, self.examples);
            // `[examples, ..leading, outer, inner, n]`
            let parts = dims(&value);
            let positions = parts[rank - 1] * parts[rank];
            reshape(value, [&parts[..rank - 1], &[positions, parts[rank + 1]]].concat())
        });
        let leading = |value: &T| dims(value)[1..rank - 1].iter().product::<usize>();
        if leading(&x) == 1 && leading(&g) == 1 {
            let matrix = |value: T| {
                let parts = dims(&value);
                reshape(value, vec![self.examples, parts[rank - 1], parts[rank]])
            };
            let (inputs, output_gradients) = (vec![matrix(x)], vec![matrix(g)]);
            return Some(PerExample::Products(Products { inputs, output_gradients, dims: shape }));
        }
        Some(PerExample::Formed(D::float_matmul(swap(x, rank - 1, rank), g)))
    }
}

/// Forms what an operation sums over the batch, for each example.
pub(crate) fn contract(op: &OperationIr, batch: &Batch<'_>, from: &mut impl Operands) -> Option<PerExample> {
    match op {
        OperationIr::NumericFloat(_, N::Sum(d)) => {
            let axes: Vec<usize> = (0..d.input.shape.to_vec().len()).collect();
            match batch.sum(from, &d.input, &axes)? {
                PerExample::Formed(sum) => Some(PerExample::Formed(reshape(sum, vec![batch.examples, 1]))),
                other => Some(other),
            }
        }
        OperationIr::NumericFloat(_, N::SumDim(d)) => batch.sum(from, &d.input, &[d.axis]),
        OperationIr::NumericFloat(_, N::SumDims(d)) => batch.sum(from, &d.input, &d.axes),
        OperationIr::Float(_, F::Matmul(d)) => batch.matrix_product(from, d),
        OperationIr::BaseFloat(B::SelectAssign(d)) if d.dim == 0 && d.update == IndexingUpdateOp::Add => {
            let shape = d.out.shape.to_vec();
            let (layout, width) = ((batch.layout)(&d.value)?, shape[1..].iter().product());
            let tokens = batch.tokens(from, &d.indices, d.tensor.shape.to_vec()[0])?;
            let rows = examples_first(from.take(&d.value), layout, batch.examples);
            let positions = layout.outer * layout.inner;
            let rows = reshape(rows, vec![batch.examples, positions, width]);
            let table = PerExample::Table(Table { tokens, rows, length: shape[0] });
            if shape.len() == 2 && (batch.is_zero)(&d.tensor) {
                return Some(table);
            }
            let added = reshape(table.formed(batch.device), [&[batch.examples][..], &shape].concat());
            let to = reshape(from.take(&d.tensor), [&[1][..], &shape].concat());
            Some(PerExample::Formed(D::float_add(to, added)))
        }
        OperationIr::Module(module) => contract_module(module, batch, from),
        _ => None,
    }
}

fn contract_module(op: &M, batch: &Batch<'_>, from: &mut impl Operands) -> Option<PerExample> {
    match op {
        M::LinearWeightBackward(d) => Some(PerExample::Products(Products {
            inputs: vec![batch.rows(from, &d.x)?],
            output_gradients: vec![batch.rows(from, &d.output_grad)?],
            dims: d.out.shape.to_vec(),
        })),
        M::LinearBiasBackward(d) => {
            let rows = batch.rows(from, &d.output_grad)?;
            let shape = dims(&rows);
            let sum = if shape[1] == 1 { rows } else { D::float_sum_dim(rows, 1) };
            Some(PerExample::Formed(reshape(sum, vec![shape[0], shape[2]])))
        }
        M::EmbeddingBackward(d) => Some(PerExample::Table(Table {
            tokens: batch.tokens(from, &d.indices, d.weights.shape.to_vec()[0])?,
            rows: batch.rows(from, &d.out_grad)?,
            length: d.weights.shape.to_vec()[0],
        })),
        M::Conv1dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::One(d.options.clone()))
        }
        M::Conv2dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::Two(d.options.clone()))
        }
        M::Conv3dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::Three(d.options.clone()))
        }
        M::ConvTranspose1dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::TransposedOne(d.options.clone()))
        }
        M::ConvTranspose2dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::TransposedTwo(d.options.clone()))
        }
        M::ConvTranspose3dWeightBackward(d) => {
            batch.kernel(from, &d.x, &d.output_grad, &d.weight, Options::TransposedThree(d.options.clone()))
        }
        M::Conv1dBiasBackward(d) => batch.bias(from, &d.output_grad),
        M::Conv2dBiasBackward(d) => batch.bias(from, &d.output_grad),
        M::Conv3dBiasBackward(d) => batch.bias(from, &d.output_grad),
        M::ConvTranspose1dBiasBackward(d) => batch.bias(from, &d.output_grad),
        M::ConvTranspose2dBiasBackward(d) => batch.bias(from, &d.output_grad),
        M::ConvTranspose3dBiasBackward(d) => batch.bias(from, &d.output_grad),
        _ => None,
    }
}
