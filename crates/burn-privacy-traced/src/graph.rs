//! What was recorded: the operations that the gradients need, in order, over numbered tensors.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::module::ParamId;
use burn_backend::TensorData;
use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};

use crate::error::TraceError;
use crate::types::Types;

/// Where a tensor comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A parameter or buffer of the model.
    Parameter(ParamId),
    /// Values that the batcher, the model or the loss closure put in.
    Constant(TensorData),
    /// Constant values that were declared to be public.
    Public(TensorData),
    Operation,
}

/// A recorded forward and backward pass of one batch.
///
/// It holds the batch's own values: private data, like the batch.
pub struct Graph {
    /// Tensor ids are positions in `sources`.
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) sources: Vec<Source>,
    /// Gradients of parameters that the loss reaches.
    pub(crate) gradients: Vec<(ParamId, usize)>,
    pub(crate) examples: usize,
    /// For each tensor the last operation that reads it; the number of operations for gradients.
    pub(crate) last_use: Vec<usize>,
    pub(crate) types: Types,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

/// A capture, before it is put in order.
pub(crate) struct Recorded {
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    pub(crate) parameters: HashMap<TensorId, ParamId>,
    pub(crate) public: HashSet<TensorId>,
    pub(crate) gradients: Vec<(ParamId, TensorId)>,
    pub(crate) examples: usize,
    /// Of the device that it is to be replayed on.
    pub(crate) types: Types,
}

impl Graph {
    /// Keeps what the gradients need, and numbers its tensors in the order of their first use.
    pub(crate) fn of(recorded: Recorded) -> Result<Self, TraceError> {
        let Recorded { operations, mut values, parameters, public, gradients, examples, types } = recorded;
        let mut needed: HashSet<TensorId> = gradients.iter().map(|(_, id)| *id).collect();
        let mut kept = Vec::new();
        for op in operations.into_iter().rev() {
            let makes_source =
                matches!(op, OperationIr::Init(_)) || op.outputs().any(|out| parameters.contains_key(&out.id));
            if makes_source || !op.outputs().any(|out| needed.contains(&out.id)) {
                continue;
            }
            needed.extend(op.inputs().map(|input| input.id));
            kept.push(op);
        }
        kept.reverse();

        let mut numbers = Numbers { of: HashMap::new(), types };
        let mut sources = Vec::new();
        for op in &mut kept {
            let inputs: Vec<TensorId> = op.inputs().map(|input| input.id).collect();
            for id in inputs {
                if numbers.add(id) {
                    sources.push(match (parameters.get(&id), values.remove(&id)) {
                        (Some(parameter), _) => Source::Parameter(*parameter),
                        (None, Some(data)) if public.contains(&id) => Source::Public(types.converted(data)),
                        (None, Some(data)) => Source::Constant(types.converted(data)),
                        (None, None) => return Err(TraceError::OutsideTensor),
                    });
                }
            }
            let outputs: Vec<TensorId> = op.outputs().map(|output| output.id).collect();
            sources.extend(outputs.into_iter().filter(|id| numbers.add(*id)).map(|_| Source::Operation));
            op.visit_mut(&mut numbers);
        }
        let number = |(parameter, id): &(ParamId, TensorId)| {
            numbers.of.get(id).map(|number| (*parameter, *number)).ok_or(TraceError::Untracked)
        };
        let gradients = gradients.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        let mut last_use = vec![0; sources.len()];
        for (position, op) in kept.iter().enumerate() {
            op.inputs().for_each(|input| last_use[number_of(input)] = position);
        }
        gradients.iter().for_each(|(_, number)| last_use[*number] = kept.len());
        Ok(Self { operations: kept, sources, gradients, examples, last_use, types })
    }

    /// How many operations were recorded.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Examples of the batch that was recorded.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// The parameter that is used last before an operation.
    pub(crate) fn parameter_near(&self, position: usize) -> Option<ParamId> {
        self.operations[..=position].iter().rev().find_map(|op| {
            op.inputs().find_map(|input| match &self.sources[number_of(input)] {
                Source::Parameter(id) => Some(*id),
                _ => None,
            })
        })
    }
}

/// The number of a tensor of a [`Graph`].
pub(crate) fn number_of(tensor: &TensorIr) -> usize {
    tensor.id.value() as usize
}

struct Numbers {
    of: HashMap<TensorId, usize>,
    types: Types,
}

impl Numbers {
    /// Whether the tensor is new.
    fn add(&mut self, id: TensorId) -> bool {
        let next = self.of.len();
        let mut new = false;
        self.of.entry(id).or_insert_with(|| {
            new = true;
            next
        });
        new
    }
}

impl IrVisitorMut for Numbers {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        // An in-place use is no other use: the tensor's last one is known here.
        tensor.status = TensorStatus::ReadOnly;
        tensor.dtype = self.types.own(tensor.dtype);
        if let Some(number) = self.of.get(&tensor.id) {
            tensor.id = TensorId::new(*number as u64);
        }
    }
}

/// What an operation is called, for messages.
pub(crate) fn name_of(op: &OperationIr) -> String {
    let text = format!("{op:?}");
    let head = text.split('{').next().unwrap_or_default();
    let mut names = head.split('(').rev();
    names.next();
    let name = names.next().unwrap_or(head);
    name.rsplit(", ").next().unwrap_or(name).trim().to_owned()
}
