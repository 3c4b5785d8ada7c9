//! Operations on shapes, indices and equality, for every kind of tensor.

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_ir::BaseOperationIr as B;

use super::operands::Operands;
use crate::tensors::{
    D, DispatchDevice, Of, T, by_kind, cat, dims, expand, gather, of, permute, reshape, scatter, select_assign, slice,
    slice_assign, swap, within,
};

/// What an operation without inputs makes.
pub(super) enum Created {
    Float,
    Int,
    Bool,
}

pub(super) fn execute(op: &B, created: Created, from: &mut impl Operands, device: &DispatchDevice) -> Option<Vec<T>> {
    let mut take = |tensor| from.take(tensor);
    Some(vec![match op {
        B::Reshape(d) => reshape(take(&d.input), d.out.shape.to_vec()),
        B::SwapDims(d) => swap(take(&d.input), d.dim1, d.dim2),
        B::Permute(d) => permute(take(&d.input), &d.axes),
        B::Flip(d) => by_kind!(take(&d.input), float_flip, int_flip, bool_flip, &d.axes),
        B::Expand(d) => expand(take(&d.input), d.out.shape.to_vec()),
        B::Unfold(d) => by_kind!(take(&d.input), float_unfold, int_unfold, bool_unfold, d.dim, d.size, d.step),
        B::Slice(d) => slice(take(&d.tensor), &d.ranges),
        B::SliceAssign(d) => {
            let tensor = take(&d.tensor);
            slice_assign(tensor, &d.ranges, take(&d.value))
        }
        B::Select(d) => {
            let tensor = take(&d.tensor);
            let indices = within(take(&d.indices), dims(&tensor)[d.dim]);
            by_kind!(tensor, float_select, int_select, bool_select, d.dim, indices)
        }
        B::SelectAssign(d) => {
            let tensor = take(&d.tensor);
            let indices = within(take(&d.indices), dims(&tensor)[d.dim]);
            select_assign(tensor, d.dim, indices, take(&d.value), d.update)?
        }
        B::MaskWhere(d) => {
            let (tensor, mask) = (take(&d.tensor), take(&d.mask));
            let value = take(&d.value);
            by_kind!(tensor, float_mask_where, int_mask_where, bool_mask_where, mask, value)
        }
        B::MaskFill(d) => {
            let tensor = take(&d.tensor);
            let mask = take(&d.mask);
            by_kind!(tensor, float_mask_fill, int_mask_fill, bool_mask_fill, mask, d.value.into())
        }
        B::Gather(d) => {
            let tensor = take(&d.tensor);
            let indices = within(take(&d.indices), dims(&tensor)[d.dim]);
            gather(d.dim, tensor, indices)
        }
        B::Scatter(d) => {
            let tensor = take(&d.tensor);
            let indices = within(take(&d.indices), dims(&tensor)[d.dim]);
            scatter(d.dim, tensor, indices, take(&d.value), d.update)?
        }
        B::Equal(d) => {
            let (lhs, rhs, dtype) = (take(&d.lhs), take(&d.rhs), d.out.dtype.into());
            match of(&lhs) {
                Of::Float => D::float_equal(lhs, rhs, dtype),
                Of::Int => D::int_equal(lhs, rhs, dtype),
                Of::Bool => D::bool_equal(lhs, rhs),
            }
        }
        B::NotEqual(d) => {
            let (lhs, rhs, dtype) = (take(&d.lhs), take(&d.rhs), d.out.dtype.into());
            match of(&lhs) {
                Of::Float => D::float_not_equal(lhs, rhs, dtype),
                Of::Int => D::int_not_equal(lhs, rhs, dtype),
                Of::Bool => D::bool_not_equal(lhs, rhs),
            }
        }
        B::EqualElem(d) => {
            let (lhs, dtype) = (take(&d.lhs), d.out.dtype.into());
            match of(&lhs) {
                Of::Float => D::float_equal_elem(lhs, d.rhs.into(), dtype),
                Of::Int => D::int_equal_elem(lhs, d.rhs.into(), dtype),
                Of::Bool => D::bool_equal_elem(lhs, d.rhs.into()),
            }
        }
        B::NotEqualElem(d) => {
            let (lhs, dtype) = (take(&d.lhs), d.out.dtype.into());
            match of(&lhs) {
                Of::Float => D::float_not_equal_elem(lhs, d.rhs.into(), dtype),
                Of::Int => D::int_not_equal_elem(lhs, d.rhs.into(), dtype),
                Of::Bool => D::bool_not_equal_elem(lhs, d.rhs.into()),
            }
        }
        B::RepeatDim(d) => {
            by_kind!(take(&d.tensor), float_repeat_dim, int_repeat_dim, bool_repeat_dim, d.dim, d.times)
        }
        B::Cat(d) => cat(d.tensors.iter().map(take).collect(), d.dim),
        B::Cast(d) => match created {
            Created::Float => D::float_cast(take(&d.input), d.out.dtype.into()),
            Created::Int => D::int_cast(take(&d.input), d.out.dtype.into()),
            Created::Bool => return None,
        },
        B::AllDim(d) => {
            let (input, dtype) = (take(&d.input), d.out.dtype.into());
            match of(&input) {
                Of::Float => D::float_all_dim(input, d.axis, dtype),
                Of::Int => D::int_all_dim(input, d.axis, dtype),
                Of::Bool => D::bool_all_dim(input, d.axis),
            }
        }
        B::AnyDim(d) => {
            let (input, dtype) = (take(&d.input), d.out.dtype.into());
            match of(&input) {
                Of::Float => D::float_any_dim(input, d.axis, dtype),
                Of::Int => D::int_any_dim(input, d.axis, dtype),
                Of::Bool => D::bool_any_dim(input, d.axis),
            }
        }
        B::All(d) => {
            let (input, dtype) = (take(&d.input), d.out.dtype.into());
            match of(&input) {
                Of::Float => D::float_all(input, dtype),
                Of::Int => D::int_all(input, dtype),
                Of::Bool => D::bool_all(input),
            }
        }
        B::Any(d) => {
            let (input, dtype) = (take(&d.input), d.out.dtype.into());
            match of(&input) {
                Of::Float => D::float_any(input, dtype),
                Of::Int => D::int_any(input, dtype),
                Of::Bool => D::bool_any(input),
            }
        }
        B::Empty(d) | B::Zeros(d) => {
            // An empty tensor's values are the last to be left to chance.
            let (shape, dtype) = (d.out.shape.clone(), d.out.dtype);
            match created {
                Created::Float => D::float_zeros(shape, device, dtype.into()),
                Created::Int => D::int_zeros(shape, device, dtype.into()),
                Created::Bool => D::bool_zeros(shape, device, dtype.into()),
            }
        }
        B::Ones(d) => {
            let (shape, dtype) = (d.out.shape.clone(), d.out.dtype);
            match created {
                Created::Float => D::float_ones(shape, device, dtype.into()),
                Created::Int => D::int_ones(shape, device, dtype.into()),
                Created::Bool => D::bool_ones(shape, device, dtype.into()),
            }
        }
        B::ScatterNd(_) | B::GatherNd(_) => return None,
    }])
}
