//! Which axes belong to the examples: certified by two recordings of different numbers of examples.
//!
//! Both must record the same operations with the same settings on the same tensors, whose shapes differ in at most one axis
//! each, in proportion to the number of examples. Then the sequence is the program's for every number of examples of which
//! another recording agrees with it, and the axis that grows is the examples'.

use burn_backend::{Shape, Slice, TensorData};
use burn_ir::{BaseOperationIr, IrVisitorMut, OperationIr, TensorIr};

use crate::error::TraceError;
use crate::graph::{Graph, Source, name_of, number_of};
use crate::shapes::{Lengths, Mismatch};

/// What two recordings have in common.
pub(crate) struct Certified {
    operations: Vec<OperationIr>,
    /// By number of tensor.
    pub(crate) lengths: Vec<Lengths>,
    sources: Vec<Source>,
    pub(crate) gradients: Vec<(burn::module::ParamId, usize)>,
    /// A setting that differs: nothing is proved then but a coupling.
    pub(crate) changed: Option<TraceError>,
}

impl Certified {
    /// # Errors
    ///
    /// If the recordings are of one number of examples, or differ in more than the lengths of one axis of each tensor.
    pub(crate) fn of(first: &Graph, second: &Graph) -> Result<Self, TraceError> {
        let other = |at: usize| TraceError::OtherOperations {
            at,
            operations: match (first.operations.get(at), second.operations.get(at)) {
                (Some(a), Some(b)) => format!("{} and {}", name_of(a), name_of(b)),
                (Some(op), None) | (None, Some(op)) => format!("{} and none", name_of(op)),
                (None, None) => "other sources or gradients".into(),
            },
        };
        let mut lengths: Vec<Option<Lengths>> = vec![None; first.sources.len()];
        let mut operations = Vec::with_capacity(first.operations.len());
        let mut changed = None;
        for (position, (a, b)) in first.operations.iter().zip(&second.operations).enumerate() {
            let (a_normal, b_normal) = (Normal::of(a), Normal::of(b));
            if a_normal.numbers() != b_normal.numbers() || std::mem::discriminant(a) != std::mem::discriminant(b) {
                return Err(other(position));
            }
            for ((number, a_shape), (_, b_shape)) in a_normal.shapes.iter().zip(&b_normal.shapes) {
                let found = Lengths::of_two((a_shape, first.examples), (b_shape, second.examples));
                let found = found.map_err(|mismatch| match mismatch {
                    Mismatch::Rank => other(position),
                    Mismatch::Multiple { .. } if takes_places(a) => TraceError::Coupled {
                        how: "it takes some examples out of the batch by their places".into(),
                        operation: name_of(a),
                        shapes: in_examples(a_shape, first.examples),
                        near: first.parameter_near(position),
                    },
                    Mismatch::Multiple { axis } => TraceError::Length { axis, operation: name_of(a) },
                    Mismatch::Pairs { axes: [one, two] } => TraceError::Coupled {
                        how: format!("axes {one} and {two} of one tensor both grow with the batch: it pairs examples with each other"),
                        operation: name_of(a),
                        shapes: in_examples(a_shape, first.examples),
                        near: first.parameter_near(position),
                    },
                })?;
                lengths[*number] = Some(found);
            }
            if a_normal.op != b_normal.op {
                if name_of(a) != name_of(b) {
                    return Err(other(position));
                }
                // What couples the examples may say more of it.
                changed.get_or_insert(TraceError::BatchSize { operation: name_of(a) });
            }
            operations.push(a_normal.op);
        }
        if first.operations.len() != second.operations.len()
            || !same_parameters(&first.sources, &second.sources)
            || first.gradients != second.gradients
        {
            return Err(other(first.operations.len().min(second.operations.len())));
        }
        let lengths: Vec<Lengths> = lengths.into_iter().flatten().collect();
        for ((a, b), lengths) in first.sources.iter().zip(&second.sources).zip(&lengths) {
            if let (Source::Constant(a), Source::Constant(b)) = (a, b) {
                compare_constants(a, b, lengths)?;
            }
        }
        // Values with a row for each example are never looked at again: they are private, and are not kept.
        let kept = |(source, lengths): (&Source, &Lengths)| match source {
            Source::Constant(_) if lengths.growing().is_some() => {
                Source::Constant(TensorData::new(Vec::<f32>::new(), [0]))
            }
            source => source.clone(),
        };
        let sources = first.sources.iter().zip(&lengths).map(kept).collect();
        Ok(Self { operations, lengths, sources, gradients: first.gradients.clone(), changed })
    }

    /// Whether another recording is of the same operations, settings and shapes. Its constants must be the same, too.
    ///
    /// # Errors
    ///
    /// [`TraceError::ChangingConstant`], and [`TraceError::BatchSize`] if everything is the same but a setting: a number that
    /// changes from step to step with the same shapes was read from the records, drawn, or counted on the host.
    pub(crate) fn admits(&self, graph: &Graph) -> Result<bool, TraceError> {
        if graph.operations.len() != self.operations.len()
            || !same_parameters(&self.sources, &graph.sources)
            || graph.gradients != self.gradients
        {
            return Ok(false);
        }
        let mut changed = None;
        for (known, op) in self.operations.iter().zip(&graph.operations) {
            let normal = Normal::of(op);
            let fits = |(number, shape): &(usize, Vec<usize>)| self.lengths[*number].fits(shape, graph.examples);
            if std::mem::discriminant(&normal.op) != std::mem::discriminant(known)
                || name_of(&normal.op) != name_of(known)
                || !normal.shapes.iter().all(fits)
            {
                return Ok(false);
            }
            if normal.op != *known {
                // Other tensors, and not another setting.
                if tensors_of(&normal.op) != tensors_of(known) {
                    return Ok(false);
                }
                changed.get_or_insert_with(|| name_of(op));
            }
        }
        if let Some(operation) = changed {
            return Err(TraceError::BatchSize { operation });
        }
        for (number, (a, b)) in self.sources.iter().zip(&graph.sources).enumerate() {
            if let (Source::Constant(a), Source::Constant(b)) = (a, b)
                && self.lengths[number].growing().is_none()
                && !same_values(a, b)
            {
                return Err(TraceError::ChangingConstant { shape: a.shape().to_vec() });
            }
        }
        Ok(true)
    }
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

fn same_parameters(first: &[Source], second: &[Source]) -> bool {
    first.len() == second.len()
        && first.iter().zip(second).all(|pair| match pair {
            (Source::Parameter(a), Source::Parameter(b)) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        })
}

fn same_values(a: &TensorData, b: &TensorData) -> bool {
    a.dtype() == b.dtype() && a.shape() == b.shape() && a.as_bytes() == b.as_bytes()
}

/// A constant without rows must be the same with other records. One with rows must not number them.
fn compare_constants(a: &TensorData, b: &TensorData, lengths: &Lengths) -> Result<(), TraceError> {
    let Some((axis, _)) = lengths.growing() else {
        return match same_values(a, b) {
            true => Ok(()),
            false => Err(TraceError::ChangingConstant { shape: a.shape().to_vec() }),
        };
    };
    let (rows_of_a, rows_of_b) = (a.shape()[axis], b.shape()[axis]);
    let bytes = lengths.behind(axis) * a.dtype().size();
    let row = |data: &[u8], rows: usize, before: usize, row: usize| {
        let start = (before * rows + row) * bytes;
        data[start..start + bytes].to_vec()
    };
    let common = rows_of_a.min(rows_of_b);
    let (mut same, mut varied) = (true, false);
    for before in 0..lengths.before(axis) {
        for at in 0..common {
            let here = row(a.as_bytes(), rows_of_a, before, at);
            same &= here == row(b.as_bytes(), rows_of_b, before, at);
            varied |= here != row(a.as_bytes(), rows_of_a, before, 0);
        }
    }
    if same && varied { Err(TraceError::NumbersExamples) } else { Ok(()) }
}

/// The numbers of an operation's tensors.
fn tensors_of(op: &OperationIr) -> Vec<usize> {
    op.inputs().map(number_of).chain(op.outputs().map(number_of)).collect()
}

/// A shape in terms of the number of examples `B`, which is private where a batch is drawn.
fn in_examples(shape: &[usize], examples: usize) -> String {
    let length = |length: &usize| match (length / examples.max(1), length % examples.max(1)) {
        (1, 0) => "B".to_owned(),
        (times, 0) if times > 0 => format!("{times} B"),
        _ => length.to_string(),
    };
    format!("[{}]", shape.iter().map(length).collect::<Vec<_>>().join(", "))
}

/// Whether an operation chooses parts of a tensor by numbers that the program gives.
fn takes_places(op: &OperationIr) -> bool {
    matches!(
        op,
        OperationIr::BaseFloat(BaseOperationIr::Slice(_) | BaseOperationIr::SliceAssign(_))
            | OperationIr::BaseInt(BaseOperationIr::Slice(_) | BaseOperationIr::SliceAssign(_))
            | OperationIr::BaseBool(BaseOperationIr::Slice(_) | BaseOperationIr::SliceAssign(_))
    )
}

/// An operation without what may differ between two numbers of examples.
struct Normal {
    op: OperationIr,
    /// Each tensor's number and shape, in the order of visits.
    shapes: Vec<(usize, Vec<usize>)>,
}

impl Normal {
    fn of(op: &OperationIr) -> Self {
        let mut op = op.clone();
        if let OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) = &mut op {
            match base {
                BaseOperationIr::Slice(d) => without_whole_axes(&mut d.ranges, &d.tensor),
                BaseOperationIr::SliceAssign(d) => without_whole_axes(&mut d.ranges, &d.tensor),
                // The shapes say how often.
                BaseOperationIr::RepeatDim(d) => d.times = 0,
                _ => {}
            }
        }
        let mut visitor = Shapes(Vec::new());
        op.visit_mut(&mut visitor);
        Self { op, shapes: visitor.0 }
    }

    fn numbers(&self) -> Vec<usize> {
        self.shapes.iter().map(|(number, _)| *number).collect()
    }
}

/// A range over a whole axis, as one that doesn't say how long it is.
fn without_whole_axes(ranges: &mut [Slice], tensor: &TensorIr) {
    for (range, length) in ranges.iter_mut().zip(tensor.shape.to_vec()) {
        if is_whole(range, length) {
            *range = Slice::full();
        }
    }
}

/// Whether a range takes an axis of so many entries as it is.
pub(crate) fn is_whole(range: &Slice, length: usize) -> bool {
    let end = range.end.unwrap_or(length as isize);
    range.step == 1 && range.start == 0 && (end == length as isize)
}

struct Shapes(Vec<(usize, Vec<usize>)>);

impl IrVisitorMut for Shapes {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let shape = std::mem::replace(&mut tensor.shape, Shape::from(Vec::<usize>::new()));
        self.0.push((number_of(tensor), shape.to_vec()));
    }
}
