//! What each operation makes of shared values, of examples' data and of per-example values: the proof's steps.

mod base;
mod module;
mod numeric;

use burn_ir::{OperationIr, TensorIr};

use crate::graph::number_of;
use crate::kinds::{Kind, Layout};
use crate::lift;
use crate::shapes::Lengths;

/// Why an operation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// What it does to the examples.
    Couples(&'static str),
    /// No rule.
    Unknown,
}

pub(crate) const ALONG: Why = Why::Couples("it works along the axis of the examples");
const MEETS: Why = Why::Couples("a sum over the examples of the batch meets a single example");
const SPREADS: Why = Why::Couples("a sum over the examples of the batch is handed to every example");
const LAYOUT: Why = Why::Couples("the examples lie along different axes, or in another order, in its inputs");

/// The tensors of a graph, as far as they are known.
pub(crate) struct Tensors<'a> {
    pub(crate) lengths: &'a [Lengths],
    pub(crate) kinds: &'a [Option<Kind>],
}

impl Tensors<'_> {
    pub(crate) fn lengths(&self, tensor: &TensorIr) -> &Lengths {
        &self.lengths[number_of(tensor)]
    }

    /// What is not known yet is what an operation makes: shared until it is found to be something else.
    pub(crate) fn kind(&self, tensor: &TensorIr) -> Kind {
        self.kinds[number_of(tensor)].unwrap_or(Kind::Shared)
    }

    pub(crate) fn data(&self, tensor: &TensorIr) -> Option<Layout> {
        match self.kind(tensor) {
            Kind::Data(layout) => Some(layout),
            Kind::Shared | Kind::PerExample => None,
        }
    }

    /// The layout of what is computed entry by entry, with broadcasting.
    pub(crate) fn pointwise(&self, inputs: &[&TensorIr]) -> Result<Layout, Why> {
        let mut layout: Option<Layout> = None;
        for input in inputs {
            if let Some(next) = self.data(input) {
                layout = Some(match layout {
                    Some(known) => known.with(next).ok_or(LAYOUT)?,
                    None => next,
                });
            }
        }
        let layout = layout.ok_or(Why::Unknown)?;
        let rank = inputs.iter().map(|input| self.lengths(input).rank()).max().unwrap_or(0);
        let mut uniform = layout.uniform;
        for input in inputs {
            let lengths = self.lengths(input);
            // Burn gives all inputs one rank; along the examples' axis, what is shared is one entry for all.
            if lengths.rank() != rank || (self.data(input).is_none() && !lengths.is(layout.axis, 1)) {
                return Err(Why::Unknown);
            }
            uniform &= self.data(input).is_none_or(|layout| layout.uniform);
        }
        Ok(Layout { uniform, ..layout })
    }

    /// The layout of a tensor of which an operation works along `axis`.
    pub(crate) fn beside(&self, tensor: &TensorIr, axis: usize) -> Result<Layout, Why> {
        match self.data(tensor) {
            Some(layout) if layout.axis == axis => Err(ALONG),
            Some(layout) => Ok(layout.varied()),
            None => Err(Why::Unknown),
        }
    }
}

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
