//! Operations on tensors whose rank and kind are known at run time only.

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{Shape, Slice, TensorData, TensorMetadata};
pub(crate) use burn_dispatch::{Dispatch as D, DispatchDevice, DispatchTensor as T};

/// What a tensor holds.
pub(crate) enum Of {
    Float,
    Int,
    Bool,
}

pub(crate) fn of(tensor: &T) -> Of {
    let dtype = tensor.dtype();
    if dtype.is_bool() {
        Of::Bool
    } else if dtype.is_int() || dtype.is_uint() {
        Of::Int
    } else {
        Of::Float
    }
}

/// One function of three, by what the tensor holds.
macro_rules! by_kind {
    ($tensor:expr, $float:ident, $int:ident, $bool:ident $(, $argument:expr)*) => {{
        let tensor = $tensor;
        match $crate::tensors::of(&tensor) {
            $crate::tensors::Of::Float => D::$float(tensor $(, $argument)*),
            $crate::tensors::Of::Int => D::$int(tensor $(, $argument)*),
            $crate::tensors::Of::Bool => D::$bool(tensor $(, $argument)*),
        }
    }};
}
pub(crate) use by_kind;

pub(crate) fn dims(tensor: &T) -> Vec<usize> {
    tensor.shape().to_vec()
}

pub(crate) fn reshape(tensor: T, to: Vec<usize>) -> T {
    if dims(&tensor) == to {
        return tensor;
    }
    by_kind!(tensor, float_reshape, int_reshape, bool_reshape, Shape::from(to))
}

pub(crate) fn permute(tensor: T, axes: &[usize]) -> T {
    if axes.iter().enumerate().all(|(axis, from)| axis == *from) {
        return tensor;
    }
    by_kind!(tensor, float_permute, int_permute, bool_permute, axes)
}

pub(crate) fn swap(tensor: T, first: usize, second: usize) -> T {
    by_kind!(tensor, float_swap_dims, int_swap_dims, bool_swap_dims, first, second)
}

pub(crate) fn expand(tensor: T, to: Vec<usize>) -> T {
    if dims(&tensor) == to {
        return tensor;
    }
    by_kind!(tensor, float_expand, int_expand, bool_expand, Shape::from(to))
}

pub(crate) fn slice(tensor: T, ranges: &[Slice]) -> T {
    by_kind!(tensor, float_slice, int_slice, bool_slice, ranges)
}

pub(crate) fn slice_assign(tensor: T, ranges: &[Slice], value: T) -> T {
    by_kind!(tensor, float_slice_assign, int_slice_assign, bool_slice_assign, ranges, value)
}

pub(crate) fn cat(tensors: Vec<T>, axis: usize) -> T {
    match (tensors.len(), tensors.first().map(of)) {
        (1, _) => tensors.into_iter().next().unwrap_or_else(|| unreachable!()),
        (_, Some(Of::Int)) => D::int_cat(tensors, axis),
        (_, Some(Of::Bool)) => D::bool_cat(tensors, axis),
        _ => D::float_cat(tensors, axis),
    }
}

/// Indices into an axis of so many entries, the nearest valid one for what lies outside.
///
/// The rules of the proof take what an index reads or writes to lie in its example's own row. Backends check, panic with the
/// index, or read and write the next row, as they like.
pub(crate) fn within(indices: T, length: usize) -> T {
    D::int_clamp(indices, 0_i64.into(), (length.saturating_sub(1) as i64).into())
}

pub(crate) fn gather(axis: usize, tensor: T, indices: T) -> T {
    match of(&tensor) {
        Of::Float => D::float_gather(axis, tensor, indices),
        Of::Int => D::int_gather(axis, tensor, indices),
        Of::Bool => D::bool_gather(axis, tensor, indices),
    }
}

/// `None` for an update of booleans that no backend has.
pub(crate) fn scatter(axis: usize, tensor: T, indices: T, value: T, update: IndexingUpdateOp) -> Option<T> {
    Some(match (of(&tensor), update) {
        (Of::Float, _) => D::float_scatter(axis, tensor, indices, value, update),
        (Of::Int, _) => D::int_scatter(axis, tensor, indices, value, update),
        (Of::Bool, IndexingUpdateOp::Add) => D::bool_scatter_or(axis, tensor, indices, value),
        (Of::Bool, _) => return None,
    })
}

/// `None` for an update of booleans that no backend has.
pub(crate) fn select_assign(tensor: T, axis: usize, indices: T, value: T, update: IndexingUpdateOp) -> Option<T> {
    Some(match (of(&tensor), update) {
        (Of::Float, _) => D::float_select_assign(tensor, axis, indices, value, update),
        (Of::Int, _) => D::int_select_assign(tensor, axis, indices, value, update),
        (Of::Bool, IndexingUpdateOp::Add) => D::bool_select_or(tensor, axis, indices, value),
        (Of::Bool, _) => return None,
    })
}

/// A tensor of values that were recorded, on `device`.
pub(crate) fn from_data(data: TensorData, device: &DispatchDevice) -> T {
    if data.dtype().is_bool() {
        D::bool_from_data(data, device)
    } else if data.dtype().is_float() {
        D::float_from_data(data, device)
    } else {
        D::int_from_data(data, device)
    }
}

/// `[batch, ..]` with all axes behind the first as one.
pub(crate) fn flat(tensor: T) -> T {
    let all = dims(&tensor);
    let entries = all[1..].iter().product();
    reshape(tensor, vec![all[0], entries])
}
