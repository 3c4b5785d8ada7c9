//! Operations on shapes and indices.

use burn_ir::{BaseOperationIr as B, FloatOperationIr, NumericOperationIr, OperationIr, SliceOpIr, TensorIr};

use super::tensors::{ALONG, LAYOUT, Tensors, Why};
use crate::graph::is_whole;
use crate::kinds::{Kind, Layout};

/// Whether an operation draws: each entry by itself, so that a row is one example's and no other's.
pub(super) fn draws(op: &OperationIr) -> bool {
    match op {
        OperationIr::Float(_, FloatOperationIr::Random(_)) => true,
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            matches!(numeric, NumericOperationIr::IntRandom(_))
        }
        _ => false,
    }
}

/// Whether an operation on nothing but constants makes rows that are all alike.
pub(super) fn makes_equal_rows(op: &OperationIr, tensors: &Tensors<'_>, axis: usize) -> bool {
    match op {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => match base {
            B::Empty(_) | B::Zeros(_) | B::Ones(_) => true,
            B::Expand(_) => true,
            B::RepeatDim(d) => d.dim == axis && tensors.lengths(&d.tensor).is(axis, 1),
            _ => false,
        },
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            matches!(numeric, NumericOperationIr::Full(_))
        }
        _ => false,
    }
}

/// `None` for what works entry by entry.
pub(super) fn of_data(op: &B, tensors: &Tensors<'_>) -> Option<Result<Vec<Kind>, Why>> {
    let found = match op {
        B::Reshape(d) => reshape(&d.input, &d.out, tensors),
        B::SwapDims(d) => tensors.data(&d.input).ok_or(Why::Unknown).map(|layout| match layout.axis {
            axis if axis == d.dim1 => layout.at(d.dim2),
            axis if axis == d.dim2 => layout.at(d.dim1),
            _ => layout,
        }),
        B::Permute(d) => tensors.data(&d.input).ok_or(Why::Unknown).and_then(|layout| {
            let to = d.axes.iter().position(|axis| *axis == layout.axis);
            to.map(|axis| layout.at(axis)).ok_or(Why::Unknown)
        }),
        B::Flip(d) => match tensors.data(&d.input) {
            Some(layout) if layout.uniform || !d.axes.contains(&layout.axis) => Ok(layout),
            _ => Err(ALONG),
        },
        B::Expand(d) => tensors
            .data(&d.input)
            .ok_or(Why::Unknown)
            .map(|layout| layout.at(layout.axis + tensors.lengths(&d.out).rank() - tensors.lengths(&d.input).rank())),
        B::Unfold(d) => tensors.beside(&d.input, d.dim),
        B::Slice(d) => slice(d, tensors),
        B::SliceAssign(d) => both_or_one(&[&d.tensor, &d.value], tensors).and_then(|layout| {
            let length = d.tensor.shape.to_vec()[layout.axis];
            match d.ranges.get(layout.axis).is_none_or(|range| is_whole(range, length)) {
                true => Ok(layout),
                false => Err(ALONG),
            }
        }),
        B::Select(d) => match (tensors.data(&d.tensor), tensors.data(&d.indices)) {
            // A look-up of each example's indices in a shared table.
            (None, Some(indices)) => Ok(indices.at(d.dim).varied()),
            (Some(_), None) => tensors.beside(&d.tensor, d.dim),
            _ => Err(ALONG),
        },
        B::SelectAssign(d) => match (tensors.data(&d.tensor), tensors.data(&d.indices), tensors.data(&d.value)) {
            (None, Some(indices), Some(value)) if indices.at(d.dim).with(value).is_some() && d.dim == 0 => {
                return Some(Ok(vec![Kind::PerExample]));
            }
            (Some(layout), None, Some(value)) if layout.axis != d.dim => layout.with(value).ok_or(LAYOUT),
            _ => Err(ALONG),
        },
        B::Gather(d) => match (tensors.data(&d.tensor), tensors.data(&d.indices)) {
            (Some(layout), Some(indices)) if layout.axis != d.dim => layout.with(indices).ok_or(LAYOUT),
            (None, Some(indices)) if indices.axis == d.dim => Ok(indices),
            _ => Err(ALONG),
        },
        B::Scatter(d) => match both_or_one(&[&d.tensor, &d.indices, &d.value], tensors) {
            Ok(layout) if layout.axis != d.dim => Ok(layout),
            Ok(_) => Err(ALONG),
            Err(why) => Err(why),
        },
        B::RepeatDim(d) => tensors.beside(&d.tensor, d.dim),
        B::Cat(d) => {
            let parts: Vec<&TensorIr> = d.tensors.iter().collect();
            both_or_one(&parts, tensors).and_then(|layout| match layout.axis == d.dim {
                true => Err(ALONG),
                false => Ok(layout),
            })
        }
        B::AllDim(d) | B::AnyDim(d) => tensors.beside(&d.input, d.axis),
        B::All(_) | B::Any(_) => Err(Why::Couples("it looks at all examples at once")),
        B::ScatterNd(_) | B::GatherNd(_) => Err(Why::Unknown),
        B::MaskWhere(_)
        | B::MaskFill(_)
        | B::Equal(_)
        | B::EqualElem(_)
        | B::NotEqual(_)
        | B::NotEqualElem(_)
        | B::Cast(_) => return None,
        B::Empty(_) | B::Ones(_) | B::Zeros(_) => Err(Why::Unknown),
    };
    Some(found.map(|layout| vec![Kind::Data(layout)]))
}

fn reshape(from: &TensorIr, to: &TensorIr, tensors: &Tensors<'_>) -> Result<Layout, Why> {
    let layout = tensors.data(from).ok_or(Why::Unknown)?;
    let reshaped = layout.reshaped(tensors.lengths(from), tensors.lengths(to));
    reshaped.ok_or(Why::Couples("the reshape tears examples apart"))
}

fn slice(d: &SliceOpIr, tensors: &Tensors<'_>) -> Result<Layout, Why> {
    let layout = tensors.data(&d.tensor).ok_or(Why::Unknown)?;
    let whole = d.ranges.get(layout.axis).is_none_or(|range| is_whole(range, d.tensor.shape.to_vec()[layout.axis]));
    if whole { Ok(layout) } else { Err(Why::Couples("it takes some examples out of the batch by their places")) }
}

/// The common layout of tensors of which every one has a part for each example.
fn both_or_one(parts: &[&TensorIr], tensors: &Tensors<'_>) -> Result<Layout, Why> {
    let mut layout: Option<Layout> = None;
    for part in parts {
        let next =
            tensors.data(part).ok_or(Why::Couples("rows that belong to no example are put beside the examples'"))?;
        layout = Some(match layout {
            Some(known) => known.with(next).ok_or(LAYOUT)?,
            None => next,
        });
    }
    layout.map(Layout::varied).ok_or(Why::Unknown)
}
