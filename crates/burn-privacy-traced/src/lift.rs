//! An operation on shared values as one on per-example values: the same with one more axis in front, the examples'.

use burn_backend::{Shape, Slice};
use burn_ir::{
    ActivationOperationIr as A, BaseOperationIr as B, FloatOperationIr as F, IntOperationIr as I,
    ModuleOperationIr as M, NumericOperationIr as N, OperationIr, ReduceDimOpIr, ReduceOpIr, TensorIr,
};

use crate::graph::number_of;

/// How an input that is shared is handed to the lifted operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is, without an axis for examples.
    Unchanged,
    /// With one axis of length 1 in front.
    Broadcast,
    /// Copied for each example.
    Copied,
}

/// Whether an operation on per-example (and shared) inputs has a lifted one.
pub(crate) fn is_lifted(op: &OperationIr, is_per_example: impl Fn(&TensorIr) -> bool) -> bool {
    let shared = |tensor: &TensorIr| !is_per_example(tensor);
    match op {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => match base {
            B::Select(d) => shared(&d.indices),
            B::SelectAssign(d) => shared(&d.indices),
            B::Unfold(_) | B::ScatterNd(_) | B::GatherNd(_) | B::All(_) | B::Any(_) => false,
            B::Empty(_) | B::Ones(_) | B::Zeros(_) => false,
            _ => true,
        },
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            !matches!(numeric, N::Full(_) | N::IntRandom(_))
        }
        OperationIr::Float(_, float) => {
            !matches!(float, F::Random(_) | F::Quantize(_) | F::Dequantize(_) | F::GridSample2d(_))
        }
        OperationIr::Int(_) | OperationIr::Bool(_) | OperationIr::Activation(_) => true,
        OperationIr::Module(module) => match module {
            M::LinearXBackward(d) => shared(&d.weight),
            M::LinearWeightBackward(d) => shared(&d.x),
            M::LinearBiasBackward(_) => true,
            M::EmbeddingBackward(d) => shared(&d.indices),
            _ => false,
        },
        OperationIr::Init(_) | OperationIr::Custom(_) | OperationIr::Drop(_) | OperationIr::Distributed(_) => false,
    }
}

/// How a shared input is handed to the lifted operation.
pub(crate) fn form_of(op: &OperationIr, input: &TensorIr) -> Form {
    let is = |tensor: &TensorIr| number_of(tensor) == number_of(input);
    match op {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => match base {
            B::Select(d) if is(&d.indices) => Form::Unchanged,
            B::SelectAssign(d) if is(&d.indices) => Form::Unchanged,
            _ => Form::Copied,
        },
        OperationIr::NumericFloat(..) | OperationIr::NumericInt(..) => Form::Broadcast,
        OperationIr::Module(_) => Form::Unchanged,
        _ => Form::Copied,
    }
}

/// Whether the lifted operation takes all axes of an example's part as one.
pub(crate) fn flattens(op: &OperationIr) -> bool {
    matches!(
        op,
        OperationIr::NumericFloat(_, N::Sum(_) | N::Mean(_) | N::Prod(_) | N::Max(_) | N::Min(_) | N::MaxAbs(_))
            | OperationIr::NumericInt(_, N::Sum(_) | N::Mean(_) | N::Prod(_) | N::Max(_) | N::Min(_) | N::MaxAbs(_))
    )
}

/// The operation with an axis of `examples` in front of every tensor but those of [`Form::Unchanged`].
pub(crate) fn lifted(op: &OperationIr, examples: usize) -> OperationIr {
    let mut op = op.clone();
    match &mut op {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            lift_base(base, examples);
        }
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => lift_numeric(numeric),
        OperationIr::Float(_, F::Cross(d)) => d.dim += 1,
        OperationIr::Activation(A::Softmax(d) | A::LogSoftmax(d) | A::Softmin(d)) => d.axis += 1,
        OperationIr::Float(..)
        | OperationIr::Int(I::IntoFloat(_) | _)
        | OperationIr::Bool(_)
        | OperationIr::Activation(_)
        | OperationIr::Module(_)
        | OperationIr::Init(_)
        | OperationIr::Custom(_)
        | OperationIr::Drop(_)
        | OperationIr::Distributed(_) => {}
    }
    op
}

fn in_front(tensor: &mut TensorIr, examples: usize) {
    let mut dims = tensor.shape.to_vec();
    dims.insert(0, examples);
    tensor.shape = Shape::from(dims);
}

fn lift_base(op: &mut B, examples: usize) {
    match op {
        B::Reshape(d) | B::Expand(d) => in_front(&mut d.out, examples),
        B::SwapDims(d) => {
            d.dim1 += 1;
            d.dim2 += 1;
        }
        B::Permute(d) => d.axes = std::iter::once(0).chain(d.axes.iter().map(|axis| axis + 1)).collect(),
        B::Flip(d) => d.axes.iter_mut().for_each(|axis| *axis += 1),
        B::Slice(d) => d.ranges.insert(0, Slice::from(0..examples)),
        B::SliceAssign(d) => d.ranges.insert(0, Slice::from(0..examples)),
        B::Select(d) => d.dim += 1,
        B::SelectAssign(d) => d.dim += 1,
        B::Gather(d) => d.dim += 1,
        B::Scatter(d) => d.dim += 1,
        B::RepeatDim(d) => d.dim += 1,
        B::Cat(d) => d.dim += 1,
        B::AllDim(d) | B::AnyDim(d) => d.axis += 1,
        B::Unfold(d) => d.dim += 1,
        B::MaskWhere(_)
        | B::MaskFill(_)
        | B::Equal(_)
        | B::EqualElem(_)
        | B::NotEqual(_)
        | B::NotEqualElem(_)
        | B::Cast(_)
        | B::ScatterNd(_)
        | B::GatherNd(_)
        | B::Empty(_)
        | B::Ones(_)
        | B::Zeros(_)
        | B::All(_)
        | B::Any(_) => {}
    }
}

fn lift_numeric(op: &mut N) {
    let along =
        |d: &ReduceOpIr| ReduceDimOpIr { input: d.input.clone(), out: d.out.clone(), axis: 1, accumulator_len: 1 };
    match op {
        N::Sum(d) => *op = N::SumDim(along(d)),
        N::Mean(d) => *op = N::MeanDim(along(d)),
        N::Prod(d) => *op = N::ProdDim(along(d)),
        N::Max(d) => *op = N::MaxDim(along(d)),
        N::Min(d) => *op = N::MinDim(along(d)),
        N::MaxAbs(d) => *op = N::MaxAbsDim(along(d)),
        N::SumDim(d)
        | N::MeanDim(d)
        | N::ProdDim(d)
        | N::MaxDim(d)
        | N::MinDim(d)
        | N::MaxAbsDim(d)
        | N::ArgMax(d)
        | N::ArgMin(d)
        | N::TopK(d)
        | N::ArgTopK(d) => d.axis += 1,
        N::SumDims(d) => d.axes.iter_mut().for_each(|axis| *axis += 1),
        N::CumSum(d) | N::CumProd(d) | N::CumMin(d) | N::CumMax(d) => d.axis += 1,
        N::Sort(d) | N::ArgSort(d) => d.dim += 1,
        N::SortWithIndices(d) => d.dim += 1,
        N::MaxDimWithIndices(d) | N::MinDimWithIndices(d) => d.dim += 1,
        N::TopKWithIndices(d) => d.dim += 1,
        N::Pad(d) => d.padding.insert(0, (0, 0)),
        _ => {}
    }
}
