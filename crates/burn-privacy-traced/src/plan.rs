//! How a proved program is replayed, worked out once: what each operation does to the examples, when its tensors are given up,
//! and which operations need not be executed.
//!
//! What is left out changes no value. A part of a tensor is read past writes to other parts of it, and a gradient that
//! is written into zeros and added is added where it is: both are what Burn's backward passes of slices do, once for each step of
//! a recurrent layer, each time over the whole sequence.

use burn_backend::Slice;
use burn_ir::{
    BaseOperationIr as B, ModuleOperationIr as M, NumericOperationIr as N, OperationIr, SliceAssignOpIr, TensorIr,
};

use crate::certify::Certified;
use crate::graph::number_of;
use crate::kinds::Kind;

/// What an operation makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// What it makes in the recording.
    Execute,
    /// The terms of a sum over the examples.
    Contract,
    /// The same with an axis for the examples.
    Lift,
    /// Both data and the terms of sums.
    Deformable,
    /// Nothing: nobody reads it.
    Skip,
    /// Nothing yet: the operation at this position adds what it writes.
    Defer { by: usize },
    /// The sum of a tensor and a deferred part of it.
    AddPart { to: usize },
}

/// One operation of a replay.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    /// The tensor that a slice is taken of, in the place of the recorded one.
    pub(crate) instead: Option<usize>,
    /// Tensors of which it takes the only handle, so that the backend may write over them.
    pub(crate) given: Vec<usize>,
    /// Tensors that nothing reads behind it.
    pub(crate) freed: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// By number of tensor: nothing but zeros.
    pub(crate) zeros: Vec<bool>,
}

impl Plan {
    pub(crate) fn of(certified: &Certified, kinds: &[Kind]) -> Self {
        let mut draft = Draft::of(certified, kinds);
        draft.read_past_writes();
        draft.skip_what_nobody_reads();
        draft.add_parts_in_place();
        draft.finished()
    }
}

struct Draft<'a> {
    certified: &'a Certified,
    kinds: &'a [Kind],
    /// By position.
    actions: Vec<Action>,
    inputs: Vec<Vec<usize>>,
    instead: Vec<Option<usize>>,
    /// By number of tensor: the position of the operation that makes it.
    made_at: Vec<Option<usize>>,
}

impl<'a> Draft<'a> {
    fn of(certified: &'a Certified, kinds: &'a [Kind]) -> Self {
        let operations = &certified.operations;
        let is_per_example = |tensor: &TensorIr| kinds[number_of(tensor)] == Kind::PerExample;
        let action = |op: &OperationIr| {
            if op.inputs().any(is_per_example) {
                Action::Lift
            } else if matches!(op, OperationIr::Module(M::DeformableConv2dBackward(_))) {
                Action::Deformable
            } else if op.outputs().any(is_per_example) {
                Action::Contract
            } else {
                Action::Execute
            }
        };
        let mut made_at = vec![None; kinds.len()];
        for (position, op) in operations.iter().enumerate() {
            op.outputs().for_each(|output| made_at[number_of(output)] = Some(position));
        }
        Self {
            certified,
            kinds,
            actions: operations.iter().map(action).collect(),
            inputs: operations.iter().map(|op| op.inputs().map(number_of).collect()).collect(),
            instead: vec![None; operations.len()],
            made_at,
        }
    }

    fn operation_that_makes(&self, tensor: usize) -> Option<(usize, &'a OperationIr)> {
        let position = self.made_at[tensor]?;
        Some((position, &self.certified.operations[position]))
    }

    fn write_that_makes(&self, tensor: usize) -> Option<(usize, &'a SliceAssignOpIr)> {
        match self.operation_that_makes(tensor)? {
            (position, OperationIr::BaseFloat(B::SliceAssign(d))) => Some((position, d)),
            _ => None,
        }
    }

    fn read_past_writes(&mut self) {
        for (position, op) in self.certified.operations.iter().enumerate() {
            let OperationIr::BaseFloat(B::Slice(d)) = op else { continue };
            let recorded = number_of(&d.tensor);
            let mut tensor = recorded;
            while let Some((_, write)) = self.write_that_makes(tensor)
                && are_apart(&write.ranges, &d.ranges)
                && self.kinds[number_of(&write.tensor)] != Kind::PerExample
            {
                tensor = number_of(&write.tensor);
            }
            if tensor != recorded {
                self.instead[position] = Some(tensor);
                self.inputs[position] = vec![tensor];
            }
        }
    }

    fn skip_what_nobody_reads(&mut self) {
        let mut read = vec![false; self.kinds.len()];
        self.certified.gradients.iter().for_each(|(_, number)| read[*number] = true);
        for (position, op) in self.certified.operations.iter().enumerate().rev() {
            if op.outputs().any(|output| read[number_of(output)]) {
                self.inputs[position].iter().for_each(|input| read[*input] = true);
            } else {
                self.actions[position] = Action::Skip;
            }
        }
    }

    fn add_parts_in_place(&mut self) {
        let mut uses = vec![0; self.kinds.len()];
        self.certified.gradients.iter().for_each(|(_, number)| uses[*number] += 1);
        let executed = self.inputs.iter().zip(&self.actions).filter(|(_, action)| **action != Action::Skip);
        executed.for_each(|(inputs, _)| inputs.iter().for_each(|input| uses[*input] += 1));
        for (position, op) in self.certified.operations.iter().enumerate() {
            let OperationIr::NumericFloat(_, N::Add(d)) = op else { continue };
            if self.actions[position] != Action::Execute {
                continue;
            }
            let sides = [number_of(&d.lhs), number_of(&d.rhs)];
            let of_part = |part: usize, to: usize| {
                let (assigned, write) = self.write_that_makes(part)?;
                let (made, zeros) = self.operation_that_makes(number_of(&write.tensor))?;
                let alone = |tensor: usize, at: usize| uses[tensor] == 1 && self.actions[at] == Action::Execute;
                let lengths = &self.certified.lengths;
                let fits = matches!(zeros, OperationIr::BaseFloat(B::Zeros(_)))
                    && alone(part, assigned)
                    && alone(number_of(&write.tensor), made)
                    && part != to
                    && lengths[part] == lengths[to];
                fits.then_some((assigned, made, to, number_of(&write.value)))
            };
            let found = of_part(sides[1], sides[0]).or_else(|| of_part(sides[0], sides[1]));
            if let Some((assigned, made, to, value)) = found {
                self.actions[made] = Action::Skip;
                self.actions[assigned] = Action::Defer { by: position };
                self.inputs[assigned] = Vec::new();
                self.actions[position] = Action::AddPart { to };
                self.inputs[position] = vec![to, value];
            }
        }
    }

    fn finished(self) -> Plan {
        let operations = &self.certified.operations;
        let mut last_use = vec![0; self.kinds.len()];
        let mut zeros = vec![false; self.kinds.len()];
        for (position, op) in operations.iter().enumerate() {
            if let OperationIr::BaseFloat(B::Zeros(d)) = op {
                zeros[number_of(&d.out)] = true;
            }
            if self.actions[position] != Action::Skip {
                let touched = self.inputs[position].iter().copied().chain(op.outputs().map(number_of));
                touched.for_each(|tensor| last_use[tensor] = position);
            }
        }
        self.certified.gradients.iter().for_each(|(_, number)| last_use[*number] = operations.len());
        let step = |(position, op): (usize, &OperationIr)| {
            let (action, inputs) = (self.actions[position], &self.inputs[position]);
            if matches!(action, Action::Skip | Action::Defer { .. }) {
                return Step { action, instead: None, given: Vec::new(), freed: Vec::new() };
            }
            let once = |tensor: &usize| inputs.iter().filter(|other| *other == tensor).count() == 1;
            let last = |tensor: &usize| last_use[*tensor] == position;
            Step {
                action,
                instead: self.instead[position],
                given: inputs.iter().copied().filter(|tensor| last(tensor) && once(tensor)).collect(),
                freed: inputs.iter().copied().chain(op.outputs().map(number_of)).filter(last).collect(),
            }
        };
        let steps = operations.iter().enumerate().map(step).collect();
        Plan { steps, zeros }
    }
}

/// Whether two parts of a tensor have no entry in common, along an axis on which both say where they are.
fn are_apart(first: &[Slice], second: &[Slice]) -> bool {
    let interval = |slice: &Slice| match slice {
        Slice { start, end: Some(end), step: 1 } if *start >= 0 && *end >= 0 => Some((*start, *end)),
        _ => None,
    };
    first.iter().zip(second).any(|(a, b)| match (interval(a), interval(b)) {
        (Some(a), Some(b)) => a.1 <= b.0 || b.1 <= a.0,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_apart_only_where_both_say_where_they_are() {
        let parts = |a: Slice, b: Slice| are_apart(&[Slice::full(), a], &[Slice::full(), b]);
        assert!(parts(Slice::from(0..2), Slice::from(2..3)) && parts(Slice::from(4..5), Slice::from(0..4)));
        assert!(!parts(Slice::from(0..3), Slice::from(2..3)));
        // Open, from the end, or with steps.
        assert!(!parts(Slice::from(0..2), Slice::full()));
        assert!(!parts(Slice::from(0..2), Slice::new(-1, None, 1)));
        assert!(!parts(Slice::new(0, Some(9), 2), Slice::new(1, Some(9), 2)));
    }
}
