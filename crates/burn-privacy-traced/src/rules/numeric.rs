//! Reductions, orders, running sums and matrix products.

use burn_ir::{
    ActivationOperationIr as A, FloatOperationIr as F, IntOperationIr as I, MatmulOpIr, NumericOperationIr as N,
    TensorIr,
};

use super::tensors::{ALONG, LAYOUT, Tensors, Why};
use crate::kinds::{Kind, Layout};

const AT_ONCE: Why = Why::Couples("it reduces all examples of the batch to one value");
const MEAN: Why = Why::Couples("it takes a mean over the examples of the batch");

/// `None` for what works entry by entry.
pub(super) fn of_data(op: &N, tensors: &Tensors<'_>) -> Option<Result<Vec<Kind>, Why>> {
    let sum = |input: &TensorIr, axes: &[usize]| match tensors.data(input) {
        Some(layout) if axes.contains(&layout.axis) => Ok(Kind::PerExample),
        Some(layout) => Ok(Kind::Data(layout.varied())),
        None => Err(Why::Unknown),
    };
    let beside = |input: &TensorIr, axis: usize| tensors.beside(input, axis).map(Kind::Data);
    let found = match op {
        N::Sum(_) => Ok(Kind::PerExample),
        N::SumDim(d) => sum(&d.input, &[d.axis]),
        N::SumDims(d) => sum(&d.input, &d.axes),
        N::Mean(_) => Err(MEAN),
        N::MeanDim(d) => beside(&d.input, d.axis).map_err(|why| if why == ALONG { MEAN } else { why }),
        N::Prod(_) | N::Max(_) | N::Min(_) | N::MaxAbs(_) => Err(AT_ONCE),
        N::ProdDim(d) | N::MaxDim(d) | N::MinDim(d) | N::MaxAbsDim(d) | N::ArgMax(d) | N::ArgMin(d) => {
            beside(&d.input, d.axis)
        }
        N::TopK(d) | N::ArgTopK(d) => beside(&d.input, d.axis),
        N::CumSum(d) | N::CumProd(d) | N::CumMin(d) | N::CumMax(d) => beside(&d.input, d.axis),
        N::Sort(d) | N::ArgSort(d) => beside(&d.input, d.dim),
        N::SortWithIndices(d) => return Some(beside(&d.input, d.dim).map(|kind| vec![kind; 2])),
        N::MaxDimWithIndices(d) | N::MinDimWithIndices(d) => {
            return Some(beside(&d.tensor, d.dim).map(|kind| vec![kind; 2]));
        }
        N::TopKWithIndices(d) => return Some(beside(&d.tensor, d.dim).map(|kind| vec![kind; 2])),
        N::Pad(d) => match tensors.data(&d.input) {
            Some(layout) if d.padding.get(layout.axis) == Some(&(0, 0)) => Ok(Kind::Data(layout.varied())),
            _ => Err(Why::Couples("it pads the batch with rows that belong to no example")),
        },
        N::Full(_) | N::IntRandom(_) => Err(Why::Unknown),
        N::Add(_)
        | N::AddScalar(_)
        | N::Sub(_)
        | N::SubScalar(_)
        | N::Mul(_)
        | N::MulScalar(_)
        | N::Div(_)
        | N::DivScalar(_)
        | N::Rem(_)
        | N::RemScalar(_)
        | N::Abs(_)
        | N::Neg(_)
        | N::Sign(_)
        | N::Greater(_)
        | N::GreaterElem(_)
        | N::GreaterEqual(_)
        | N::GreaterEqualElem(_)
        | N::Lower(_)
        | N::LowerElem(_)
        | N::LowerEqual(_)
        | N::LowerEqualElem(_)
        | N::Clamp(_)
        | N::ClampMin(_)
        | N::ClampMax(_)
        | N::Powi(_)
        | N::PowiScalar(_) => return None,
    };
    Some(found.map(|kind| vec![kind]))
}

/// `None` for what works entry by entry.
pub(super) fn of_float_data(op: &F, tensors: &Tensors<'_>) -> Option<Result<Vec<Kind>, Why>> {
    match op {
        F::Matmul(d) => Some(matrix_product(d, tensors).map(|kind| vec![kind])),
        F::Cross(d) => Some(tensors.pointwise(&[&d.lhs, &d.rhs]).and_then(|layout| match layout.axis == d.dim {
            true => Err(ALONG),
            false => Ok(vec![Kind::Data(layout.varied())]),
        })),
        F::GridSample2d(d) => Some(match (tensors.data(&d.tensor), tensors.data(&d.grid)) {
            (Some(image), Some(grid)) if image.axis == 0 => {
                image.with(grid).map(|layout| vec![Kind::Data(layout.varied())]).ok_or(LAYOUT)
            }
            _ => Err(Why::Unknown),
        }),
        F::Random(_) | F::Quantize(_) | F::Dequantize(_) => Some(Err(Why::Unknown)),
        _ => None,
    }
}

/// `None` for what works entry by entry.
pub(super) fn of_int_data(op: &I, tensors: &Tensors<'_>) -> Option<Result<Vec<Kind>, Why>> {
    match op {
        I::Matmul(d) => Some(matrix_product(d, tensors).and_then(|kind| match kind {
            // No sum over examples is formed of whole numbers.
            Kind::PerExample => Err(Why::Unknown),
            kind => Ok(vec![kind]),
        })),
        _ => None,
    }
}

/// `None` for what works entry by entry.
pub(super) fn of_activation(op: &A, tensors: &Tensors<'_>) -> Option<Result<Vec<Kind>, Why>> {
    match op {
        A::Softmax(d) | A::LogSoftmax(d) | A::Softmin(d) => {
            Some(tensors.beside(&d.input, d.axis).map(|layout| vec![Kind::Data(layout)]))
        }
        _ => None,
    }
}

/// Leading axes go in pairs; the last two of the left are rows and inner axis, of the right inner axis and columns.
fn matrix_product(d: &MatmulOpIr, tensors: &Tensors<'_>) -> Result<Kind, Why> {
    let rank = tensors.lengths(&d.out).rank();
    let (rows, columns) = (rank - 2, rank - 1);
    let one_for_all = |tensor: &TensorIr, axis: usize| tensors.lengths(tensor).is(axis, 1);
    let data = |layout: Layout| Ok(Kind::Data(layout.varied()));
    match (tensors.data(&d.lhs), tensors.data(&d.rhs)) {
        (Some(left), Some(right)) if left.axis < rows => left.with(right).ok_or(LAYOUT).and_then(data),
        (Some(left), None) if left.axis < rows && one_for_all(&d.rhs, left.axis) => data(left),
        (None, Some(right)) if right.axis < rows && one_for_all(&d.lhs, right.axis) => data(right),
        (Some(left), None) if left.axis == rows => data(left),
        (None, Some(right)) if right.axis == columns => data(right),
        // The inner axis is the examples': a sum over them.
        (Some(left), Some(right)) if left.axis == columns && right.axis == rows => {
            left.at(0).with(right.at(0)).map(|_| Kind::PerExample).ok_or(LAYOUT)
        }
        (Some(_), Some(_)) => Err(Why::Couples("it multiplies examples with each other")),
        _ => Err(Why::Unknown),
    }
}
