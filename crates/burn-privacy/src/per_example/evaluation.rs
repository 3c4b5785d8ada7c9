//! One forward and backward pass of some records, as a step would make it, and how two of them differ.

use std::collections::HashMap;

use burn::module::{Module, ParamId};
use burn::tensor::{Int, Tensor};

use super::PerExample;
use super::backward::require_one_loss_per_example;
use super::batch_layout::BatchLayout;
use super::coverage::TrainableParameters;
use super::one_at_a_time::Collector;
use super::tape::Tape;
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;

/// A loss over records of the data set, evaluated as the session does.
pub(super) struct Evaluator<'a, F> {
    pub(super) trainable: &'a TrainableParameters,
    pub(super) per_example: PerExample,
    pub(super) views: usize,
    pub(super) rounding: Rounding,
    /// The losses of a batch of records, one each.
    pub(super) forward: F,
}

impl<F> Evaluator<'_, F> {
    /// The losses of a batch, `records.len()`.
    pub(super) fn losses<M: Module>(&mut self, model: &M, records: &[usize]) -> Result<Vec<f32>>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let layout = BatchLayout::new(records.len(), self.views);
        let losses = match self.per_example {
            PerExample::OneBackward => Tape::record(layout, || (self.forward)(model, records))?.0,
            _ => (self.forward)(model, records)?,
        };
        require_one_loss_per_example(&losses, layout)?;
        read(losses.inner())
    }

    /// Losses of a batch, and gradients of the sum of the losses of its examples `kept`, the first of which is the focus.
    pub(super) fn evaluate<M: Module>(&mut self, model: &M, records: &[usize], kept: &[usize]) -> Result<Evaluation>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let layout = BatchLayout::new(records.len(), self.views);
        let focus = kept[0];
        let (losses, mut uses) = match self.per_example {
            PerExample::OneBackward => Tape::record(layout, || (self.forward)(model, records))?,
            _ => ((self.forward)(model, records)?, Vec::new()),
        };
        require_one_loss_per_example(&losses, layout)?;
        if self.per_example == PerExample::OneBackward {
            self.trainable.require_recorded(&uses)?;
        }
        if !losses.is_tracked() {
            return Err(Error::UntrackedLoss);
        }
        let values = read(losses.clone().inner())?;
        let of_kept = losses.clone().select(0, indices(kept.iter().copied(), &losses));
        let mut gradients = of_kept.sum().backward();

        let mut outputs = Vec::new();
        let mut gradient: HashMap<ParamId, Tensor<2>> = HashMap::new();
        let mut add = |id, values: Tensor<2>| {
            let total = match gradient.remove(&id) {
                Some(total) => total + values,
                None => values,
            };
            gradient.insert(id, total);
        };
        for layer_use in &mut uses {
            layer_use.take_output_gradient(&mut gradients);
            outputs.push(OutputGradient { parameters: layer_use.parameters(), rows: layer_use.output_gradient_rows() });
            let of_focus = layer_use.gradients(focus..focus + 1, self.rounding);
            of_focus.parameters.into_iter().for_each(|part| add(part.id, part.values));
        }
        if self.per_example != PerExample::OneBackward {
            let mut collector = Collector { gradients, found: Vec::new() };
            model.visit(&mut collector);
            collector.found.into_iter().for_each(|part| add(part.id, part.values));
        }
        Ok(Evaluation { layout, losses: values, outputs, gradient })
    }
}

struct OutputGradient {
    parameters: Vec<ParamId>,
    /// `[rows, length]`
    rows: Option<Tensor<2>>,
}

/// What one pass showed.
pub(super) struct Evaluation {
    layout: BatchLayout,
    /// One loss an example.
    pub(super) losses: Vec<f32>,
    outputs: Vec<OutputGradient>,
    /// Of the focus, by parameter: `[1, entries]`.
    gradient: HashMap<ParamId, Tensor<2>>,
}

impl Evaluation {
    /// The parameters of a layer at whose output a row of one of these examples has a gradient, though their losses were not
    /// backpropagated.
    ///
    /// A NaN is not a gradient that came from this row: zero times the infinite slope of another row's own operations
    /// is NaN.
    pub(super) fn reached(&self, others: &[usize]) -> Option<&[ParamId]> {
        let reached = |output: &&OutputGradient| {
            output.rows.as_ref().filter(|_| !others.is_empty()).is_some_and(|rows| {
                let rows = self.rows_of(rows, others);
                !rows.clone().equal_elem(0.0).bool_or(rows.is_nan()).all().into_scalar::<bool>()
            })
        };
        self.outputs.iter().find(reached).map(|output| output.parameters.as_slice())
    }

    /// Whether the focus's loss depends on a trainable parameter, with whatever gradient.
    pub(super) fn reaches_parameters(&self) -> bool {
        !self.gradient.is_empty()
    }

    /// Norm of the focus's gradient.
    pub(super) fn gradient_norm(&self) -> Result<f32> {
        norm(self.gradient.values().cloned())
    }

    /// Norm of the difference of the foci's gradients, relative to this one. Zero if this one is not finite.
    pub(super) fn gradient_difference(&self, other: &Self) -> Result<f32> {
        let size = self.gradient_norm()?;
        if !size.is_finite() {
            return Ok(0.0);
        }
        let differences = self.gradient.iter().map(|(id, values)| match other.gradient.get(id) {
            Some(others) => values.clone() - others.clone(),
            None => values.clone(),
        });
        let foreign = other.gradient.iter().filter(|(id, _)| !self.gradient.contains_key(id));
        let difference = norm(differences.chain(foreign.map(|(_, values)| values.clone())))?;
        Ok(relative(difference, size))
    }

    /// The largest relative difference (of L1 norms) of an example's output gradients at one layer in two batches. Layers
    /// whose outputs have different lengths in the two are left out, as are rows that are not finite in both.
    pub(super) fn output_difference(&self, other: &Self, kept: &[usize]) -> Result<f32> {
        if self.outputs.len() != other.outputs.len() {
            return Ok(0.0);
        }
        let mut worst = 0.0_f32;
        for (here, there) in self.outputs.iter().zip(&other.outputs) {
            let (Some(here), Some(there)) = (&here.rows, &there.rows) else { continue };
            if here.dims()[1] != there.dims()[1] {
                continue;
            }
            let (here, there) = (self.rows_of(here, kept), other.rows_of(there, kept));
            let lengths = |rows: Tensor<2>| read(rows.abs().sum_dim(1).squeeze_dim::<1>(1));
            let differences = lengths(here.clone() - there.clone())?;
            for ((difference, size), other) in differences.into_iter().zip(lengths(here)?).zip(lengths(there)?) {
                if size.is_finite() || other.is_finite() {
                    worst = worst.max(relative(difference, size));
                }
            }
        }
        Ok(worst)
    }

    /// Whether the focus has the same loss, output gradients and gradients, to the last bit, at its place here and at its place
    /// in another batch.
    pub(super) fn has_the_same_bits(&self, place: usize, other: &Self, other_place: usize) -> bool {
        let same = |here: Tensor<2>, there: Tensor<2>| {
            here.dims() == there.dims() && here.equal(there).all().into_scalar::<bool>()
        };
        let outputs = self.outputs.iter().zip(&other.outputs).all(|(here, there)| match (&here.rows, &there.rows) {
            (Some(here), Some(there)) => same(self.rows_of(here, &[place]), other.rows_of(there, &[other_place])),
            (here, there) => here.is_none() && there.is_none(),
        });
        let of_parameters = self
            .gradient
            .iter()
            .all(|(id, here)| other.gradient.get(id).is_some_and(|there| same(here.clone(), there.clone())));
        self.losses[place].to_bits() == other.losses[other_place].to_bits() && outputs && of_parameters
    }

    fn rows_of(&self, rows: &Tensor<2>, examples: &[usize]) -> Tensor<2> {
        let numbers = examples.iter().flat_map(|example| self.layout.rows_of(&(*example..example + 1)));
        rows.clone().select(0, indices(numbers, rows))
    }
}

/// Infinite where one of two is not finite.
fn relative(difference: f32, size: f32) -> f32 {
    if difference == 0.0 {
        0.0
    } else if difference.is_finite() && size.is_finite() {
        difference / size.max(f32::MIN_POSITIVE)
    } else {
        f32::INFINITY
    }
}

/// L2 norm, without overflow of the squares.
pub(crate) fn norm(parts: impl Iterator<Item = Tensor<2>>) -> Result<f32> {
    let mut total = 0.0_f64;
    for part in parts {
        let largest = f64::from(read(part.clone().abs().max().reshape([1]))?[0]);
        if !largest.is_finite() {
            return Ok(f32::NAN);
        }
        // A maximum may pass over a NaN, this sum does not.
        let scaled = read((part / largest.max(f64::from(f32::MIN_POSITIVE))).square().sum().reshape([1]))?[0];
        total += largest * largest * f64::from(scaled);
    }
    Ok(total.sqrt() as f32)
}

fn indices<const D: usize>(numbers: impl Iterator<Item = usize>, beside: &Tensor<D>) -> Tensor<1, Int> {
    let numbers: Vec<i64> = numbers.map(|number| number as i64).collect();
    Tensor::from_ints(numbers.as_slice(), &beside.device())
}

fn read(values: Tensor<1>) -> Result<Vec<f32>> {
    let unreadable = |error: String| Error::Execution(format!("the losses could not be read from it: {error}"));
    let data = values.try_into_data().map_err(|error| unreadable(format!("{error:?}")))?.convert::<f32>();
    data.try_to_vec::<f32>().map_err(|error| unreadable(format!("{error:?}")))
}
