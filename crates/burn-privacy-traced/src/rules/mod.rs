//! What each operation makes of shared values, of examples' data and of per-example values: the proof's steps.

mod base;
mod module;
mod numeric;
mod tensors;

use burn_ir::{OperationIr, TensorIr};

use crate::kinds::{Kind, Layout};
use crate::lift;

pub(crate) use tensors::{Draws, Tensors, Why};
use tensors::{MEETS, SPREADS};

/// What the outputs of an operation are.
pub(crate) fn outputs(op: &OperationIr, tensors: &Tensors<'_>) -> Result<Vec<Kind>, Why> {
    let kinds: Vec<Kind> = op.inputs().map(|input| tensors.kind(input)).collect();
    let data = kinds.iter().any(|kind| matches!(kind, Kind::Data(_)));
    let per_example = kinds.contains(&Kind::PerExample);
    let outputs: Vec<&TensorIr> = op.outputs().collect();
    let grows = outputs.iter().any(|output| tensors.lengths(output).growing().is_some());
    let found = match (data, per_example) {
        (true, true) => return Err(MEETS),
        (false, true) if grows => return Err(SPREADS),
        (false, true) => {
            let is_per_example = |input: &TensorIr| tensors.kind(input) == Kind::PerExample;
            if !lift::is_lifted(op, is_per_example) {
                return Err(Why::Unknown);
            }
            vec![Kind::PerExample; outputs.len()]
        }
        (false, false) if grows => vec![Kind::Data(made_for_every_example(op, tensors)?); outputs.len()],
        (false, false) => vec![Kind::Shared; outputs.len()],
        (true, false) => of_data(op, tensors)?,
    };
    // The proof and the two recordings must agree on where the examples are.
    for (output, kind) in outputs.iter().zip(&found) {
        let agrees = match (tensors.lengths(output).growing(), kind) {
            (Some((axis, times)), Kind::Data(layout)) => layout.axis == axis && layout.outer * layout.inner == times,
            (None, Kind::Shared | Kind::PerExample) => true,
            _ => false,
        };
        if !agrees {
            return Err(Why::Couples("what it makes has no part for each example"));
        }
    }
    Ok(found)
}

/// A tensor with a row for each example that is made of nothing of theirs.
fn made_for_every_example(op: &OperationIr, tensors: &Tensors<'_>) -> Result<Layout, Why> {
    let output = op.outputs().next().ok_or(Why::Unknown)?;
    if base::draws(op) {
        // Equal entries lie anyhow. Draws do not: one that two examples read would make them depend on each other.
        let layout = Layout::of(tensors.lengths(output), false).ok_or(Why::Unknown)?;
        return Ok(match tensors.draws {
            Draws::OfOneExampleTogether => layout,
            Draws::OfOneExampleApart => Layout { outer: layout.inner, inner: 1, ..layout },
        });
    }
    let layout = Layout::of(tensors.lengths(output), true).ok_or(Why::Unknown)?;
    match base::makes_equal_rows(op, tensors, layout.axis) {
        true => Ok(layout),
        false => Err(Why::Couples("it makes rows for the examples of constants that are not alike")),
    }
}

fn of_data(op: &OperationIr, tensors: &Tensors<'_>) -> Result<Vec<Kind>, Why> {
    let pointwise = || {
        let inputs: Vec<&TensorIr> = op.inputs().collect();
        tensors.pointwise(&inputs).map(|layout| vec![Kind::Data(layout)])
    };
    match op {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            base::of_data(base, tensors).unwrap_or_else(pointwise)
        }
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            numeric::of_data(numeric, tensors).unwrap_or_else(pointwise)
        }
        OperationIr::Float(_, float) => numeric::of_float_data(float, tensors).unwrap_or_else(pointwise),
        OperationIr::Int(int) => numeric::of_int_data(int, tensors).unwrap_or_else(pointwise),
        OperationIr::Bool(_) => pointwise(),
        OperationIr::Activation(activation) => numeric::of_activation(activation, tensors).unwrap_or_else(pointwise),
        OperationIr::Module(module) => module::of_data(module, tensors),
        OperationIr::Init(_) | OperationIr::Custom(_) | OperationIr::Drop(_) | OperationIr::Distributed(_) => {
            Err(Why::Unknown)
        }
    }
}
