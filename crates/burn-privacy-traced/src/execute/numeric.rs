//! Arithmetic, comparisons, reductions and orders, of floats and of whole numbers.

use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_ir::NumericOperationIr as N;

use super::operands::Operands;
use crate::tensors::{D, DispatchDevice, T};

pub(super) fn execute(op: &N, float: bool, from: &mut impl Operands, device: &DispatchDevice) -> Option<Vec<T>> {
    let mut take = |tensor| from.take(tensor);
    macro_rules! one {
        ($tensor:expr, $of_float:ident, $of_int:ident $(, $argument:expr)*) => {{
            let tensor = take($tensor);
            if float { D::$of_float(tensor $(, $argument)*) } else { D::$of_int(tensor $(, $argument)*) }
        }};
    }
    macro_rules! two {
        ($d:expr, $of_float:ident, $of_int:ident $(, $argument:expr)*) => {{
            let (lhs, rhs) = (take(&$d.lhs), take(&$d.rhs));
            if float { D::$of_float(lhs, rhs $(, $argument)*) } else { D::$of_int(lhs, rhs $(, $argument)*) }
        }};
    }
    Some(vec![match op {
        N::Add(d) => two!(d, float_add, int_add),
        N::Sub(d) => two!(d, float_sub, int_sub),
        N::Mul(d) => two!(d, float_mul, int_mul),
        N::Div(d) => two!(d, float_div, int_div),
        N::Rem(d) => two!(d, float_remainder, int_remainder),
        N::Powi(d) => two!(d, float_powi, int_powi),
        N::AddScalar(d) => one!(&d.lhs, float_add_scalar, int_add_scalar, d.rhs.into()),
        N::SubScalar(d) => one!(&d.lhs, float_sub_scalar, int_sub_scalar, d.rhs.into()),
        N::MulScalar(d) => one!(&d.lhs, float_mul_scalar, int_mul_scalar, d.rhs.into()),
        N::DivScalar(d) => one!(&d.lhs, float_div_scalar, int_div_scalar, d.rhs.into()),
        N::RemScalar(d) => one!(&d.lhs, float_remainder_scalar, int_remainder_scalar, d.rhs.into()),
        N::PowiScalar(d) => one!(&d.lhs, float_powi_scalar, int_powi_scalar, d.rhs.into()),
        N::ClampMin(d) => one!(&d.lhs, float_clamp_min, int_clamp_min, d.rhs.into()),
        N::ClampMax(d) => one!(&d.lhs, float_clamp_max, int_clamp_max, d.rhs.into()),
        N::Clamp(d) => one!(&d.tensor, float_clamp, int_clamp, d.min.into(), d.max.into()),
        N::Abs(d) => one!(&d.input, float_abs, int_abs),
        N::Neg(d) => one!(&d.input, float_neg, int_neg),
        N::Sign(d) => one!(&d.input, float_sign, int_sign),
        N::Sum(d) => one!(&d.input, float_sum, int_sum),
        N::Mean(d) => one!(&d.input, float_mean, int_mean),
        N::Prod(d) => one!(&d.input, float_prod, int_prod),
        N::Max(d) => one!(&d.input, float_max, int_max),
        N::Min(d) => one!(&d.input, float_min, int_min),
        N::MaxAbs(d) => one!(&d.input, float_max_abs, int_max_abs),
        N::SumDim(d) => one!(&d.input, float_sum_dim, int_sum_dim, d.axis),
        N::SumDims(d) if float => D::float_sum_dims(take(&d.input), &d.axes),
        N::SumDims(d) => d.axes.iter().fold(take(&d.input), |tensor, axis| D::int_sum_dim(tensor, *axis)),
        N::MeanDim(d) => one!(&d.input, float_mean_dim, int_mean_dim, d.axis),
        N::ProdDim(d) => one!(&d.input, float_prod_dim, int_prod_dim, d.axis),
        N::MaxDim(d) => one!(&d.input, float_max_dim, int_max_dim, d.axis),
        N::MinDim(d) => one!(&d.input, float_min_dim, int_min_dim, d.axis),
        N::MaxAbsDim(d) => one!(&d.input, float_max_abs_dim, int_max_abs_dim, d.axis),
        N::TopK(d) => one!(&d.input, float_topk, int_topk, d.axis, d.accumulator_len),
        N::ArgTopK(d) if float => D::float_argtopk(take(&d.input), d.axis, d.accumulator_len, d.out.dtype.into()),
        N::ArgTopK(d) => D::int_argtopk(take(&d.input), d.axis, d.accumulator_len),
        N::ArgMax(d) if float => D::float_argmax(take(&d.input), d.axis, d.out.dtype.into()),
        N::ArgMax(d) => D::int_argmax(take(&d.input), d.axis),
        N::ArgMin(d) if float => D::float_argmin(take(&d.input), d.axis, d.out.dtype.into()),
        N::ArgMin(d) => D::int_argmin(take(&d.input), d.axis),
        N::Greater(d) => two!(d, float_greater, int_greater, d.out.dtype.into()),
        N::GreaterEqual(d) => two!(d, float_greater_equal, int_greater_equal, d.out.dtype.into()),
        N::Lower(d) => two!(d, float_lower, int_lower, d.out.dtype.into()),
        N::LowerEqual(d) => two!(d, float_lower_equal, int_lower_equal, d.out.dtype.into()),
        N::GreaterElem(d) => one!(&d.lhs, float_greater_elem, int_greater_elem, d.rhs.into(), d.out.dtype.into()),
        N::GreaterEqualElem(d) => {
            one!(&d.lhs, float_greater_equal_elem, int_greater_equal_elem, d.rhs.into(), d.out.dtype.into())
        }
        N::LowerElem(d) => one!(&d.lhs, float_lower_elem, int_lower_elem, d.rhs.into(), d.out.dtype.into()),
        N::LowerEqualElem(d) => {
            one!(&d.lhs, float_lower_equal_elem, int_lower_equal_elem, d.rhs.into(), d.out.dtype.into())
        }
        N::CumSum(d) => one!(&d.input, float_cumsum, int_cumsum, d.axis),
        N::CumProd(d) => one!(&d.input, float_cumprod, int_cumprod, d.axis),
        N::CumMin(d) => one!(&d.input, float_cummin, int_cummin, d.axis),
        N::CumMax(d) => one!(&d.input, float_cummax, int_cummax, d.axis),
        N::Sort(d) => one!(&d.input, float_sort, int_sort, d.dim, d.descending),
        N::ArgSort(d) if float => D::float_argsort(take(&d.input), d.dim, d.descending, d.out.dtype.into()),
        N::ArgSort(d) => D::int_argsort(take(&d.input), d.dim, d.descending),
        N::Pad(d) => one!(&d.input, float_pad, int_pad, &d.padding, d.mode.into()),
        N::Full(d) if float => D::float_full(d.out.shape.clone(), d.value.into(), device, d.out.dtype.into()),
        N::Full(d) => D::int_full(d.out.shape.clone(), d.value.into(), device, d.out.dtype.into()),
        N::IntRandom(d) => D::int_random(d.out.shape.clone(), d.distribution, device, d.out.dtype.into()),
        N::MaxDimWithIndices(d) => {
            let tensor = take(&d.tensor);
            let (values, indices) = if float {
                D::float_max_dim_with_indices(tensor, d.dim, d.out_indices.dtype.into())
            } else {
                D::int_max_dim_with_indices(tensor, d.dim)
            };
            return Some(vec![values, indices]);
        }
        N::MinDimWithIndices(d) => {
            let tensor = take(&d.tensor);
            let (values, indices) = if float {
                D::float_min_dim_with_indices(tensor, d.dim, d.out_indices.dtype.into())
            } else {
                D::int_min_dim_with_indices(tensor, d.dim)
            };
            return Some(vec![values, indices]);
        }
        N::TopKWithIndices(d) => {
            let tensor = take(&d.tensor);
            let (values, indices) = if float {
                D::float_topk_with_indices(tensor, d.dim, d.k, d.out_indices.dtype.into())
            } else {
                D::int_topk_with_indices(tensor, d.dim, d.k)
            };
            return Some(vec![values, indices]);
        }
        N::SortWithIndices(d) => {
            let tensor = take(&d.input);
            let (values, indices) = if float {
                D::float_sort_with_indices(tensor, d.dim, d.descending, d.out_indices.dtype.into())
            } else {
                D::int_sort_with_indices(tensor, d.dim, d.descending)
            };
            return Some(vec![values, indices]);
        }
    }])
}
