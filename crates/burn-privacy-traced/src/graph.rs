//! What was recorded: the operations that the gradients need, in order, over numbered tensors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use burn::module::ParamId;
use burn_backend::{Shape, Slice, TensorData};
use burn_ir::{BaseOperationIr, IrVisitorMut, OperationIr, ScalarIr, TensorId, TensorIr, TensorStatus};

use crate::error::{TraceError, UnprotectedText};
use crate::parameters::Visit;

/// Where a tensor comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A parameter or buffer of the model.
    Parameter(Visit),
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
    /// Tensor ids are positions in `sources`. What may differ between two numbers of examples is taken out (see [`Numbers`]), so
    /// that operations of one program are equal; [`whole`] puts it back.
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) sources: Vec<Source>,
    /// By number of tensor.
    pub(crate) shapes: Vec<Shape>,
    /// Gradients of parameters that the loss reaches.
    pub(crate) gradients: Vec<(ParamId, usize)>,
    pub(crate) examples: usize,
    /// Constants that the loading of the batch made: their numbers, and which of its constants each is.
    pub(crate) loaded: Vec<(usize, usize)>,
    /// How many constants the loading of the batch made.
    pub(crate) loaded_in_all: usize,
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
    pub(crate) parameters: HashMap<TensorId, Visit>,
    pub(crate) public: HashSet<TensorId>,
    pub(crate) gradients: Vec<(ParamId, TensorId)>,
    /// Tensors between these two were made by the loading of the batch.
    pub(crate) loaded: [TensorId; 2],
    pub(crate) examples: usize,
}

/// Of ids that count up: one multiplication spreads them.
#[derive(Default)]
struct OfCounter(u64);

impl Hasher for OfCounter {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        // 2^64 over the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type OfIds = BuildHasherDefault<OfCounter>;

impl Graph {
    /// Keeps what the gradients need, and numbers its tensors in the order of their first use.
    pub(crate) fn of(recorded: Recorded) -> Result<Self, TraceError> {
        let Recorded { operations, values, parameters, public, gradients, loaded, examples } = recorded;
        let loaded: Vec<TensorId> = values.range(loaded[0]..loaded[1]).map(|(id, _)| *id).collect();
        let mut needed: HashSet<TensorId, OfIds> = gradients.iter().map(|(_, id)| *id).collect();
        let mut kept = Vec::with_capacity(operations.len());
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

        let mut numbers = Numbers {
            of: HashMap::with_capacity_and_hasher(needed.len(), OfIds::default()),
            sources: Vec::with_capacity(needed.len()),
            shapes: Vec::with_capacity(needed.len()),
            values,
            parameters,
            public,
            fault: None,
        };
        for op in &mut kept {
            // Before the shapes are taken out.
            without_whole_axes(op);
            op.visit_mut(&mut numbers);
        }
        if let Some(fault) = numbers.fault {
            return Err(fault);
        }
        let number = |(parameter, id): &(ParamId, TensorId)| {
            numbers.of.get(id).map(|number| (*parameter, *number)).ok_or(TraceError::Untracked)
        };
        let gradients = gradients.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        let loaded_in_all = loaded.len();
        let number = |(index, id): (usize, TensorId)| Some((*numbers.of.get(&id)?, index));
        let loaded = loaded.into_iter().enumerate().filter_map(number).collect();
        let Numbers { sources, shapes, .. } = numbers;
        Ok(Self { operations: kept, sources, shapes, gradients, examples, loaded, loaded_in_all })
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
                Source::Parameter(visit) => Some(visit.id),
                _ => None,
            })
        })
    }
}

/// The number of a tensor of a [`Graph`].
pub(crate) fn number_of(tensor: &TensorIr) -> usize {
    tensor.id.value() as usize
}

/// Numbers tensors in the order of their first use, finds out where they come from, and takes their shapes out of the operations.
struct Numbers {
    of: HashMap<TensorId, usize, OfIds>,
    sources: Vec<Source>,
    shapes: Vec<Shape>,
    values: BTreeMap<TensorId, TensorData>,
    parameters: HashMap<TensorId, Visit>,
    public: HashSet<TensorId>,
    fault: Option<TraceError>,
}

impl Numbers {
    fn source_of(&mut self, tensor: &TensorIr) -> Source {
        match (self.parameters.get(&tensor.id), self.values.remove(&tensor.id)) {
            (Some(parameter), _) => Source::Parameter(*parameter),
            (None, Some(data)) if self.public.contains(&tensor.id) => Source::Public(data),
            (None, Some(data)) => Source::Constant(data),
            (None, None) => {
                if tensor.status != TensorStatus::NotInit {
                    self.fault.get_or_insert(TraceError::OutsideTensor);
                }
                Source::Operation
            }
        }
    }
}

impl IrVisitorMut for Numbers {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let number = match self.of.get(&tensor.id) {
            Some(number) => *number,
            None => {
                let number = self.sources.len();
                self.of.insert(tensor.id, number);
                let source = self.source_of(tensor);
                self.sources.push(source);
                self.shapes.push(tensor.shape.clone());
                number
            }
        };
        let shape = std::mem::replace(&mut tensor.shape, Shape::from(Vec::<usize>::new()));
        if self.shapes[number] != shape {
            let text = "a recorded tensor has two shapes";
            self.fault.get_or_insert_with(|| TraceError::Unrecordable(UnprotectedText::new(text)));
        }
        // An in-place use is no other use: the tensor's last one is known to the plan.
        tensor.status = TensorStatus::ReadOnly;
        tensor.id = TensorId::new(number as u64);
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        // Equal numbers are to be the same number.
        if let ScalarIr::Float(value) = scalar
            && *value == 0.0
        {
            *value = 0.0;
        }
    }
}

/// Takes the length of an axis out of ranges over whole axes, and the number of repetitions, which the shapes tell.
fn without_whole_axes(op: &mut OperationIr) {
    if let OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) = op {
        let (ranges, tensor) = match base {
            BaseOperationIr::Slice(d) => (&mut d.ranges, &d.tensor),
            BaseOperationIr::SliceAssign(d) => (&mut d.ranges, &d.tensor),
            BaseOperationIr::RepeatDim(d) => {
                d.times = 0;
                return;
            }
            _ => return,
        };
        for (range, length) in ranges.iter_mut().zip(tensor.shape.iter()) {
            if is_whole(range, *length) {
                *range = Slice::full();
            }
        }
    }
}

/// Whether a range takes an axis of so many entries as it is.
pub(crate) fn is_whole(range: &Slice, length: usize) -> bool {
    let end = range.end.unwrap_or(length as isize);
    range.step == 1 && range.start == 0 && (end == length as isize)
}

/// Puts back what [`Graph`] takes out of an operation: all that depends on shapes.
pub(crate) fn whole(op: &mut OperationIr, shapes: &[Shape]) {
    struct Shaped<'a>(&'a [Shape]);
    impl IrVisitorMut for Shaped<'_> {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            tensor.shape = self.0[number_of(tensor)].clone();
        }
    }
    op.visit_mut(&mut Shaped(shapes));
    if let OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) = op {
        let (ranges, tensor) = match base {
            BaseOperationIr::Slice(d) => (&mut d.ranges, &d.tensor),
            BaseOperationIr::SliceAssign(d) => (&mut d.ranges, &d.tensor),
            BaseOperationIr::RepeatDim(d) => {
                d.times = d.out.shape[d.dim] / d.tensor.shape[d.dim].max(1);
                return;
            }
            _ => return,
        };
        for (range, length) in ranges.iter_mut().zip(tensor.shape.iter()) {
            if is_whole(range, *length) {
                *range = Slice::from(0..*length);
            }
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
