//! Which axes belong to the examples: certified by two recordings of different numbers of examples.
//!
//! Both must record the same operations with the same settings on the same tensors, whose shapes differ in at most one axis
//! each, in proportion to the number of examples. Then the sequence is the program's for every number of examples of which
//! another recording agrees with it, and the axis that grows is the examples'.
//!
//! Operations are compared as they are, without copies: a [`Graph`] keeps shapes beside them.

use burn_backend::TensorData;
use burn_ir::{BaseOperationIr, OperationIr};

use crate::error::TraceError;
use crate::graph::{Graph, Source, name_of, number_of};
use crate::shapes::{Lengths, Mismatch};

/// What two recordings have in common.
pub(crate) struct Certified {
    /// Without what depends on shapes, as in a [`Graph`].
    pub(crate) operations: Vec<OperationIr>,
    /// By number of tensor.
    pub(crate) lengths: Vec<Lengths>,
    sources: Vec<Source>,
    pub(crate) gradients: Vec<(burn::module::ParamId, usize)>,
    /// A setting that differs: nothing is proved then but a coupling.
    pub(crate) changed: Option<TraceError>,
}

/// What is known of the records of two recordings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Records<'a> {
    /// Where records of the first recording are in the second: pairs of places.
    pub places: &'a [(usize, usize)],
    /// Another recording of the same records, at the same places, as the first: what differs between them is random.
    pub again: Option<&'a Graph>,
}

impl Certified {
    /// # Errors
    ///
    /// If the recordings are of one number of examples, or differ in more than the lengths of one axis of each tensor.
    pub(crate) fn of(first: &Graph, second: &Graph, records: Records<'_>) -> Result<Self, TraceError> {
        let other = |at: usize| TraceError::OtherOperations {
            at,
            operations: match (first.operations.get(at), second.operations.get(at)) {
                (Some(a), Some(b)) => format!("{} and {}", name_of(a), name_of(b)),
                (Some(op), None) | (None, Some(op)) => format!("{} and none", name_of(op)),
                (None, None) => "other sources or gradients".into(),
            },
        };
        let mut lengths: Vec<Option<Lengths>> = vec![None; first.sources.len()];
        let mut changed = None;
        for (position, (a, b)) in first.operations.iter().zip(&second.operations).enumerate() {
            if tensors_of(a) != tensors_of(b) || std::mem::discriminant(a) != std::mem::discriminant(b) {
                return Err(other(position));
            }
            for number in tensors_of(a).into_iter().filter(|number| *number < second.shapes.len()) {
                if lengths[number].is_some() {
                    continue;
                }
                let (a_shape, b_shape) = (&first.shapes[number], &second.shapes[number]);
                let found = Lengths::of_two((&a_shape[..], first.examples), (&b_shape[..], second.examples));
                let found = found.map_err(|mismatch| match mismatch {
                    Mismatch::Rank => other(position),
                    Mismatch::Multiple { .. } if takes_places(a) => TraceError::Coupled {
                        how: "it takes some examples out of the batch by their places".into(),
                        operation: name_of(a),
                        shapes: in_examples(a_shape, first.examples, b_shape),
                        near: first.parameter_near(position),
                    },
                    Mismatch::Multiple { axis } => TraceError::Length { axis, operation: name_of(a) },
                    Mismatch::Pairs { axes: [one, two] } => TraceError::Coupled {
                        how: format!("axes {one} and {two} of one tensor both grow with the batch: it pairs examples with each other"),
                        operation: name_of(a),
                        shapes: in_examples(a_shape, first.examples, b_shape),
                        near: first.parameter_near(position),
                    },
                })?;
                lengths[number] = Some(found);
            }
            if a != b {
                if name_of(a) != name_of(b) {
                    return Err(other(position));
                }
                // What couples the examples may say more of it.
                changed.get_or_insert(TraceError::BatchSize { operation: name_of(a) });
            }
        }
        if first.operations.len() != second.operations.len()
            || !same_parameters(&first.sources, &second.sources)
            || first.gradients != second.gradients
        {
            return Err(other(first.operations.len().min(second.operations.len())));
        }
        let lengths: Vec<Lengths> = lengths.into_iter().flatten().collect();
        compare_constants([first, second], &lengths, records)?;
        // Values with a row for each example are never looked at again: they are private, and are not kept.
        let kept = |(source, lengths): (&Source, &Lengths)| match source {
            Source::Constant(_) if lengths.growing().is_some() => {
                Source::Constant(TensorData::new(Vec::<f32>::new(), [0]))
            }
            source => source.clone(),
        };
        let sources = first.sources.iter().zip(&lengths).map(kept).collect();
        Ok(Self { operations: first.operations.clone(), lengths, sources, gradients: first.gradients.clone(), changed })
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
            || graph.shapes.len() != self.lengths.len()
            || !self.lengths.iter().zip(&graph.shapes).all(|(lengths, shape)| lengths.fits(shape, graph.examples))
        {
            return Ok(false);
        }
        let mut changed = None;
        for (known, op) in self.operations.iter().zip(&graph.operations) {
            if op != known {
                // Another operation or other tensors, and not another setting.
                if std::mem::discriminant(op) != std::mem::discriminant(known)
                    || name_of(op) != name_of(known)
                    || tensors_of(op) != tensors_of(known)
                {
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

impl Certified {
    /// Whether, in two recordings that were admitted, the constants' rows of the examples at these pairs of places are the same.
    pub(crate) fn rows_agree(&self, first: &Graph, second: &Graph, places: &[(usize, usize)]) -> bool {
        self.lengths.iter().enumerate().all(|(number, lengths)| {
            let (Source::Constant(a), Source::Constant(b)) = (&first.sources[number], &second.sources[number]) else {
                return true;
            };
            lengths.growing().is_none_or(|(axis, inner)| {
                let (a, b) = (Rows::of(a, lengths, axis, inner), Rows::of(b, lengths, axis, inner));
                places.iter().all(|(here, there)| a.same(*here, &b, *there))
            })
        })
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

/// A constant without rows must be the same with other records. In one with rows a record must have the same row wherever it
/// is and whatever is beside it: rows of the batch's own statistics or numbers differ.
///
/// Rows that are drawn on the host at each call say nothing of that. Then no two examples' rows may be the numbers of their
/// places, from the first or from the last on.
fn compare_constants(
    [first, second]: [&Graph; 2],
    of_tensors: &[Lengths],
    records: Records<'_>,
) -> Result<(), TraceError> {
    for (number, lengths) in of_tensors.iter().enumerate() {
        let (Source::Constant(a), Source::Constant(b)) = (&first.sources[number], &second.sources[number]) else {
            continue;
        };
        let Some((axis, inner)) = lengths.growing() else {
            if same_values(a, b) {
                continue;
            }
            return Err(TraceError::ChangingConstant { shape: a.shape().to_vec() });
        };
        let (a, b) = (Rows::of(a, lengths, axis, inner), Rows::of(b, lengths, axis, inner));
        let again = match records.again.and_then(|again| again.sources.get(number)) {
            Some(Source::Constant(again)) => Some(Rows::of(again, lengths, axis, inner)),
            _ => None,
        };
        let random = again.is_some_and(|again| (0..a.examples()).any(|row| !a.same(row, &again, row)));
        if !random && !records.places.is_empty() {
            if records.places.iter().all(|(here, there)| a.same(*here, &b, *there)) {
                continue;
            }
            return Err(TraceError::NumbersExamples);
        }
        let common = a.examples().min(b.examples());
        let varied = (1..common).any(|row| !a.same(row, &a, 0));
        let from_start = (0..common).all(|row| a.same(row, &b, row));
        let from_end = (1..=common).all(|row| a.same(a.examples() - row, &b, b.examples() - row));
        if varied && (from_start || from_end) {
            return Err(TraceError::NumbersExamples);
        }
    }
    Ok(())
}

/// A constant's bytes, example by example.
struct Rows<'a> {
    bytes: &'a [u8],
    before: usize,
    /// Bytes of an example's part, and of all parts, at each index of the axes before.
    part: usize,
    all: usize,
}

impl<'a> Rows<'a> {
    fn of(data: &'a TensorData, lengths: &Lengths, axis: usize, inner: usize) -> Self {
        let row = lengths.behind(axis) * data.dtype().size();
        let rows = data.shape().get(axis).copied().unwrap_or(0);
        Self { bytes: data.as_bytes(), before: lengths.before(axis), part: inner * row, all: rows * row }
    }

    fn examples(&self) -> usize {
        self.all.checked_div(self.part).unwrap_or(0)
    }

    /// Whether an example's part is the same as one's of another constant.
    fn same(&self, here: usize, other: &Rows<'_>, there: usize) -> bool {
        (0..self.before).all(|before| {
            let (a, b) = (self.bytes_of(here, before), other.bytes_of(there, before));
            a.is_some() && a == b
        })
    }

    fn bytes_of(&self, example: usize, before: usize) -> Option<&[u8]> {
        let start = before * self.all + example * self.part;
        self.bytes.get(start..start + self.part)
    }
}

/// The numbers of an operation's tensors.
fn tensors_of(op: &OperationIr) -> Vec<usize> {
    op.inputs().map(number_of).chain(op.outputs().map(number_of)).collect()
}

/// A shape in terms of the number of examples `B`, which is private where a batch is drawn, beside the same tensor's with another
/// number. A length that grows, but not as a multiple of `B`, would tell it.
fn in_examples(shape: &[usize], examples: usize, other: &[usize]) -> String {
    let length = |(axis, &length): (usize, &usize)| match (other.get(axis), length.checked_rem(examples)) {
        (Some(&same), _) if same == length => length.to_string(),
        (Some(_), Some(0)) if length == examples => "B".to_owned(),
        (Some(_), Some(0)) if length > 0 => format!("{} B", length / examples),
        _ => "?".to_owned(),
    };
    format!("[{}]", shape.iter().enumerate().map(length).collect::<Vec<_>>().join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_do_not_tell_how_many_examples_were_drawn() {
        for (shape, other, said) in [
            ([41, 10], [7, 10], "[?, 10]"),
            ([42, 10], [8, 10], "[B, 10]"),
            ([84, 41], [16, 41], "[2 B, 41]"),
            ([0, 10], [4, 10], "[?, 10]"),
        ] {
            assert_eq!(in_examples(&shape, 42, &other), said);
        }
        assert_eq!(in_examples(&[41], 42, &[]), "[?]");
        assert_eq!(in_examples(&[41], 0, &[8]), "[?]");
    }
}
