//! The tensors of a graph as the rules see them, and why a rule refuses.

use burn_ir::TensorIr;

use crate::graph::number_of;
use crate::kinds::{Kind, Layout};
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
pub(super) const MEETS: Why = Why::Couples("a sum over the examples of the batch meets a single example");
pub(super) const SPREADS: Why = Why::Couples("a sum over the examples of the batch is handed to every example");
pub(super) const LAYOUT: Why =
    Why::Couples("the examples lie along different axes, or in another order, in its inputs");

/// Where the random draws of an example lie along an axis that has several for each: the same for all draws of a graph, since a draw
/// belongs to one example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draws {
    /// `[examples, draws]`
    OfOneExampleTogether,
    /// `[draws, examples]`, as time-major data has them.
    OfOneExampleApart,
}

/// The tensors of a graph, as far as they are known.
pub(crate) struct Tensors<'a> {
    pub(crate) draws: Draws,
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
