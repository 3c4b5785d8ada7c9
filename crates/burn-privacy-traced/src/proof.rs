//! The proof that no example's gradient depends on another: every operation, in order, with what is known of its inputs.

use burn_ir::TensorIr;

use crate::certify::{Certified, Records};
use crate::error::TraceError;
use crate::graph::{Graph, Source, name_of, number_of, whole};
use crate::kinds::{Kind, Layout};
use crate::plan::Plan;
use crate::rules::{self, Draws, Tensors, Why};

/// A program whose operation graph was shown to keep the examples of a batch apart.
///
/// # Formal guarantee
///
/// Let a recording be one that [`admits`](Self::admits) accepts. For each example `i` there is a value `g_i` for each
/// parameter that is computed of the recorded constants' rows of example `i`, of constants without rows, of parameters and of
/// random draws that are read for no other example alone, and of nothing else. [`replay`](Self::replay) computes the `g_i`. Where the program computes nothing but sums of its
/// examples' losses, their sum is the gradient that the recording computes, in exact arithmetic; a program that makes a
/// non-linear function of a sum over the examples is another one, which validation refuses by comparing numbers.
///
/// *Proof.* By induction over the operations. Each tensor is shared (made of nothing of any example), or has one part for each
/// example along one axis, or is a sum over the examples, of which the terms are kept; the rule of each operation says which of
/// them it makes of which, and no rule makes a part or term of two examples' parts or terms. An operation without a rule is
/// refused. What a graph doesn't show is where the recorded constants come from: that row `i` of them was made of record
/// `i` is the batcher's and the closure's doing.
#[derive(Debug)]
pub struct Proof {
    pub(crate) certified: Certified,
    /// By number of tensor.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) plan: Plan,
}

impl Proof {
    /// The proof for the program of which two recordings with different numbers of examples were made, and what is known of
    /// their records.
    ///
    /// # Errors
    ///
    /// [`TraceError::Coupled`] with the operation that mixes examples, [`TraceError::UnknownOperation`], and what makes two
    /// recordings differ. [`TraceError::NumbersExamples`] if a record's rows of constants are others in the second recording, unless
    /// they are random.
    pub fn of(first: &Graph, second: &Graph, records: Records<'_>) -> Result<Self, TraceError> {
        let certified = Certified::of(first, second, records)?;
        let kinds = match kinds_of(first, &certified, Draws::OfOneExampleTogether) {
            // Each attempt gives every draw one place, so that each is a proof.
            Err(refusal) => kinds_of(first, &certified, Draws::OfOneExampleApart).map_err(|_| refusal)?,
            found => found?,
        };
        if let Some(changed) = certified.changed {
            return Err(changed);
        }
        for (id, number) in &first.gradients {
            if let Kind::Data(_) = kinds[*number] {
                return Err(TraceError::Coupled {
                    how: "the gradient of a parameter has an axis for the examples".into(),
                    operation: "backward".into(),
                    shapes: certified.lengths[*number].to_string(),
                    near: Some(*id),
                });
            }
        }
        let plan = Plan::of(&certified, &kinds);
        Ok(Self { certified, kinds, plan })
    }

    /// Whether a recording is of the proved program: the same operations and settings on tensors of the same shapes, but for
    /// the number of examples.
    ///
    /// # Errors
    ///
    /// [`TraceError::ChangingConstant`] if it is, but with other values where no example has a row.
    pub fn admits(&self, graph: &Graph) -> Result<bool, TraceError> {
        self.certified.admits(graph)
    }

    /// Whether, in two recordings that are [admitted](Self::admits), constants have the same rows for the examples at these pairs of
    /// places.
    pub fn rows_agree(&self, first: &Graph, second: &Graph, places: &[(usize, usize)]) -> bool {
        self.certified.rows_agree(first, second, places)
    }

    pub(crate) fn kind(&self, tensor: &TensorIr) -> Kind {
        self.kinds[number_of(tensor)]
    }

    pub(crate) fn layout(&self, tensor: &TensorIr) -> Option<Layout> {
        match self.kind(tensor) {
            Kind::Data(layout) => Some(layout),
            Kind::Shared | Kind::PerExample => None,
        }
    }
}

/// What each tensor of a graph is, by its number: the induction over the operations.
fn kinds_of(first: &Graph, certified: &Certified, draws: Draws) -> Result<Vec<Kind>, TraceError> {
    let mut kinds: Vec<Option<Kind>> = vec![None; first.sources.len()];
    for (number, source) in first.sources.iter().enumerate() {
        let lengths = &certified.lengths[number];
        kinds[number] = match source {
            Source::Parameter(_) => Some(Kind::Shared),
            Source::Constant(_) | Source::Public(_) => {
                Some(Layout::of(lengths, false).map_or(Kind::Shared, Kind::Data))
            }
            Source::Operation => None,
        };
    }
    for (position, op) in first.operations.iter().enumerate() {
        let op = &mut op.clone();
        whole(op, &first.shapes);
        let tensors = Tensors { draws, lengths: &certified.lengths, kinds: &kinds };
        let found = rules::outputs(op, &tensors).map_err(|why| {
            let shapes: Vec<String> = op.inputs().map(|input| tensors.lengths(input).to_string()).collect();
            let (operation, shapes) = (name_of(op), shapes.join(", "));
            match why {
                Why::Couples(how) => {
                    TraceError::Coupled { how: how.to_owned(), operation, shapes, near: first.parameter_near(position) }
                }
                Why::Unknown => certified.changed.clone().unwrap_or(TraceError::UnknownOperation { operation, shapes }),
            }
        })?;
        let outputs: Vec<usize> = op.outputs().map(number_of).collect();
        outputs.into_iter().zip(found).for_each(|(number, kind)| kinds[number] = Some(kind));
    }
    Ok(kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Shared)).collect())
}
