//! Functions of floats and activations, operations on bits and booleans, and matrix products.

use burn_backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_ir::{ActivationOperationIr as A, BoolOperationIr, FloatOperationIr as F, IntOperationIr as I};

use super::operands::Operands;
use crate::tensors::{D, DispatchDevice, T};

/// A function of two tensors, the left one taken first.
macro_rules! two {
    ($take:ident, $d:expr, $function:ident) => {{
        let (lhs, rhs) = ($take(&$d.lhs), $take(&$d.rhs));
        D::$function(lhs, rhs)
    }};
}

pub(super) fn float(op: &F, from: &mut impl Operands, device: &DispatchDevice) -> Option<Vec<T>> {
    let mut take = |tensor| from.take(tensor);
    Some(vec![match op {
        F::Exp(d) => D::float_exp(take(&d.input)),
        F::Log(d) => D::float_log(take(&d.input)),
        F::Log1p(d) => D::float_log1p(take(&d.input)),
        F::Erf(d) => D::float_erf(take(&d.input)),
        F::Sqrt(d) => D::float_sqrt(take(&d.input)),
        F::Cos(d) => D::float_cos(take(&d.input)),
        F::Cosh(d) => D::float_cosh(take(&d.input)),
        F::Sin(d) => D::float_sin(take(&d.input)),
        F::Sinh(d) => D::float_sinh(take(&d.input)),
        F::Tan(d) => D::float_tan(take(&d.input)),
        F::Tanh(d) => D::float_tanh(take(&d.input)),
        F::ArcCos(d) => D::float_acos(take(&d.input)),
        F::ArcCosh(d) => D::float_acosh(take(&d.input)),
        F::ArcSin(d) => D::float_asin(take(&d.input)),
        F::ArcSinh(d) => D::float_asinh(take(&d.input)),
        F::ArcTan(d) => D::float_atan(take(&d.input)),
        F::ArcTanh(d) => D::float_atanh(take(&d.input)),
        F::Round(d) => D::float_round(take(&d.input)),
        F::Floor(d) => D::float_floor(take(&d.input)),
        F::Ceil(d) => D::float_ceil(take(&d.input)),
        F::Trunc(d) => D::float_trunc(take(&d.input)),
        F::Recip(d) => D::float_recip(take(&d.input)),
        F::IsNan(d) => D::float_is_nan(take(&d.input), d.out.dtype.into()),
        F::IsInf(d) => D::float_is_inf(take(&d.input), d.out.dtype.into()),
        F::IntoInt(d) => D::float_into_int(take(&d.input), d.out.dtype.into()),
        F::PowfScalar(d) => D::float_powf_scalar(take(&d.lhs), d.rhs.into()),
        F::Powf(d) => two!(take, d, float_powf),
        F::Hypot(d) => two!(take, d, float_hypot),
        F::ArcTan2(d) => two!(take, d, float_atan2),
        F::Matmul(d) => two!(take, d, float_matmul),
        F::Cross(d) => {
            let (lhs, rhs) = (take(&d.lhs), take(&d.rhs));
            D::float_cross(lhs, rhs, d.dim)
        }
        F::Random(d) => D::float_random(d.out.shape.clone(), d.distribution, device, d.out.dtype.into()),
        F::GridSample2d(d) => {
            let (tensor, grid) = (take(&d.tensor), take(&d.grid));
            D::float_grid_sample_2d(tensor, grid, d.options.clone().into())
        }
        F::Quantize(_) | F::Dequantize(_) => return None,
    }])
}

pub(super) fn int(op: &I, from: &mut impl Operands) -> Option<Vec<T>> {
    let mut take = |tensor| from.take(tensor);
    Some(vec![match op {
        I::IntoFloat(d) => D::int_into_float(take(&d.input), d.out.dtype.into()),
        I::Matmul(d) => two!(take, d, int_matmul),
        I::BitwiseAnd(d) => two!(take, d, bitwise_and),
        I::BitwiseOr(d) => two!(take, d, bitwise_or),
        I::BitwiseXor(d) => two!(take, d, bitwise_xor),
        I::BitwiseLeftShift(d) => two!(take, d, bitwise_left_shift),
        I::BitwiseRightShift(d) => two!(take, d, bitwise_right_shift),
        I::BitwiseNot(d) => D::bitwise_not(take(&d.input)),
        I::BitwiseAndScalar(d) => D::bitwise_and_scalar(take(&d.lhs), d.rhs.into()),
        I::BitwiseOrScalar(d) => D::bitwise_or_scalar(take(&d.lhs), d.rhs.into()),
        I::BitwiseXorScalar(d) => D::bitwise_xor_scalar(take(&d.lhs), d.rhs.into()),
        I::BitwiseLeftShiftScalar(d) => D::bitwise_left_shift_scalar(take(&d.lhs), d.rhs.into()),
        I::BitwiseRightShiftScalar(d) => D::bitwise_right_shift_scalar(take(&d.lhs), d.rhs.into()),
    }])
}

pub(super) fn bool(op: &BoolOperationIr, from: &mut impl Operands) -> Option<Vec<T>> {
    use BoolOperationIr as O;
    let mut take = |tensor| from.take(tensor);
    Some(vec![match op {
        O::IntoFloat(d) => D::bool_into_float(take(&d.input), d.out.dtype.into()),
        O::IntoInt(d) => D::bool_into_int(take(&d.input), d.out.dtype.into()),
        O::Not(d) => D::bool_not(take(&d.input)),
        O::And(d) => two!(take, d, bool_and),
        O::Or(d) => two!(take, d, bool_or),
        O::Xor(d) => two!(take, d, bool_xor),
    }])
}

pub(super) fn activation(op: &A, from: &mut impl Operands) -> Option<Vec<T>> {
    let mut take = |tensor| from.take(tensor);
    Some(vec![match op {
        A::Relu(d) => D::relu(take(&d.input)),
        A::ReluBackward(d) => two!(take, d, relu_backward),
        A::LeakyRelu(d) => D::leaky_relu(take(&d.lhs), d.rhs.into()),
        A::PRelu(d) => two!(take, d, prelu),
        A::Gelu(d) => D::gelu(take(&d.input)),
        A::GeluBackward(d) => two!(take, d, gelu_backward),
        A::Sigmoid(d) => D::sigmoid(take(&d.input)),
        A::SigmoidBackward(d) => two!(take, d, sigmoid_backward),
        A::HardSigmoid(d) => D::hard_sigmoid(take(&d.tensor), d.alpha.into(), d.beta.into()),
        A::LogSigmoid(d) => D::log_sigmoid(take(&d.input)),
        A::LogSigmoidBackward(d) => two!(take, d, log_sigmoid_backward),
        A::Softmax(d) => D::softmax(take(&d.input), d.axis),
        A::LogSoftmax(d) => D::log_softmax(take(&d.input), d.axis),
        A::Softmin(d) => D::softmin(take(&d.input), d.axis),
    }])
}
