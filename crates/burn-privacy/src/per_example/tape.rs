use std::cell::RefCell;
use std::ops::Range;

use burn::module::ParamId;
use burn::tensor::{Gradients, Tensor};

use super::batch_layout::BatchLayout;
use super::factors::ClipFactors;
use super::norm_bound::{Rounding, add_error, rows_and_length, sum_of_squares_bound};
use super::rule::{ENTRIES_AT_ONCE, ParameterGradients, ParameterSum, PerExampleRule, chunks_of_examples, rows_of};
use crate::error::{Error, Result};

thread_local! {
    /// Scoped and thread-local, like autodiff's own graph, so that `forward` keeps Burn's signature.
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Whether the current thread is inside a recording scope.
///
/// A layer outside one behaves exactly like Burn's.
pub fn is_recording() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Records one use of a layer and returns its output, to be used in place of `output`.
///
/// `output` must have been computed with the layer's weights untracked; the returned tensor has the same
/// value, and its gradient reaches `rule` after the backward pass. Call it only where
/// [`is_recording`] is true; outside a scope it returns `output` unchanged.
///
/// # Shapes
///
/// - output: `[examples, ...]`
///
/// A rule whose rows, or an output whose axis 0, do not match the number of examples makes the step fail with
/// [`Error::ExampleAxis`], after the forward pass.
pub fn record<const O: usize>(output: Tensor<O>, rule: impl PerExampleRule<O>) -> Tensor<O> {
    TAPE.with_borrow_mut(|tape| {
        let Some(tape) = tape else { return output };
        let rows = tape.layout.rows();
        let found = if rule.rows() == rows { output.dims()[0] } else { rule.rows() };
        if found != rows && tape.refusal.is_none() {
            tape.refusal = Some(Error::ExampleAxis { found, expected: rows, parameters: rule.parameters() });
        }
        let probe = Tensor::zeros(output.dims(), &output.device()).require_grad();
        tape.uses.push(Box::new(RecordedUse { probe: probe.clone(), output_gradient: None, kept: None, rule }));
        output + probe
    })
}

/// What a forward pass recorded.
pub(crate) struct Tape {
    layout: BatchLayout,
    uses: Vec<Box<dyn LayerUse>>,
    refusal: Option<Error>,
}

impl Tape {
    /// Runs `forward` in a recording scope. Nested scopes are refused.
    pub(crate) fn record<T>(
        layout: BatchLayout,
        forward: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Vec<Box<dyn LayerUse>>)> {
        /// Ends the scope also when `forward` panics, so that a caught panic doesn't leave it open.
        struct Scope;
        impl Drop for Scope {
            fn drop(&mut self) {
                TAPE.with_borrow_mut(|tape| *tape = None);
            }
        }

        if is_recording() {
            return Err(Error::NestedRecording);
        }
        TAPE.with_borrow_mut(|tape| *tape = Some(Tape { layout, uses: Vec::new(), refusal: None }));
        let scope = Scope;
        let value = forward()?;
        let tape = TAPE.with_borrow_mut(Option::take).ok_or(Error::NestedRecording)?;
        drop(scope);
        match tape.refusal {
            Some(refusal) => Err(refusal),
            None => Ok((value, tape.uses)),
        }
    }
}

/// One use of a layer, with the rank of its output erased.
pub(crate) trait LayerUse {
    fn parameters(&self) -> Vec<ParamId>;
    fn entries(&self) -> usize;
    /// Moves the output gradient from the probe into the record: zeros where the output reached no loss.
    fn take_output_gradient(&mut self, gradients: &mut Gradients);
    /// Whether a row other than `row` has an output gradient that is neither zero nor NaN.
    fn has_gradient_outside_row(&self, row: usize) -> bool;
    fn gradients(&self, range: Range<usize>) -> Vec<ParameterGradients>;
    fn squared_error(&self, rounding: Rounding) -> Tensor<1>;
    fn squared_norm_bound(&mut self, rounding: Rounding) -> Tensor<1>;
    fn weighted_sum(&mut self, factors: &ClipFactors) -> Vec<ParameterSum>;
}

struct RecordedUse<const O: usize, R> {
    probe: Tensor<O>,
    output_gradient: Option<Tensor<O>>,
    /// Per-example gradients formed for the norm, kept for the sum where they are small enough.
    kept: Option<Vec<ParameterGradients>>,
    rule: R,
}

impl<const O: usize, R: PerExampleRule<O>> RecordedUse<O, R> {
    fn output_gradient(&self) -> Tensor<O> {
        self.output_gradient.clone().unwrap_or_else(|| self.probe.clone().inner().zeros_like())
    }
}

impl<const O: usize, R: PerExampleRule<O>> LayerUse for RecordedUse<O, R> {
    fn parameters(&self) -> Vec<ParamId> {
        self.rule.parameters()
    }

    fn entries(&self) -> usize {
        self.rule.entries()
    }

    fn take_output_gradient(&mut self, gradients: &mut Gradients) {
        self.output_gradient = self.probe.grad_remove(gradients);
    }

    fn has_gradient_outside_row(&self, row: usize) -> bool {
        let Some(gradient) = self.output_gradient.clone() else { return false };
        let [rows, length] = rows_and_length(&gradient);
        let gradient = gradient.reshape([rows, length]);
        [0..row, row + 1..rows].into_iter().filter(|range| !range.is_empty()).any(|range| {
            let others = gradient.clone().slice([range]);
            !others.clone().equal_elem(0.0).bool_or(others.is_nan()).all().into_scalar::<bool>()
        })
    }

    fn gradients(&self, range: Range<usize>) -> Vec<ParameterGradients> {
        self.rule.gradients(rows_of(&self.output_gradient(), range.clone()), range)
    }

    fn squared_error(&self, rounding: Rounding) -> Tensor<1> {
        self.rule.squared_error(&self.output_gradient(), rounding)
    }

    fn squared_norm_bound(&mut self, rounding: Rounding) -> Tensor<1> {
        let output_gradient = self.output_gradient();
        if let Some(bound) = self.rule.squared_norm_shortcut(&output_gradient, rounding) {
            return bound;
        }
        let examples = self.rule.rows();
        let mut parts = Vec::new();
        for range in chunks_of_examples(examples, self.rule.entries(), ENTRIES_AT_ONCE) {
            let gradients = self.gradients(range.clone());
            let squares = gradients.iter().map(|gradient| sum_of_squares_bound(gradient.values.clone(), rounding));
            parts.extend(squares.reduce(|total, next| total + next));
            if range.len() == examples {
                self.kept = Some(gradients);
            }
        }
        add_error(Tensor::cat(parts, 0), self.squared_error(rounding), rounding)
    }

    fn weighted_sum(&mut self, factors: &ClipFactors) -> Vec<ParameterSum> {
        if let Some(kept) = self.kept.take() {
            return kept.into_iter().map(|gradient| factors.sum_of(gradient)).collect();
        }
        let output_gradient = factors.select(self.output_gradient());
        self.rule.select_finite(factors);
        if let Some(sums) = self.rule.weighted_sum_shortcut(&output_gradient, factors) {
            return sums;
        }
        let mut sums: Vec<ParameterSum> = Vec::new();
        for range in chunks_of_examples(self.rule.rows(), self.rule.entries(), ENTRIES_AT_ONCE) {
            let rows = rows_of(&output_gradient, range.clone());
            let part = factors.slice(range.clone());
            for (index, gradient) in self.rule.gradients(rows, range).into_iter().enumerate() {
                let next = part.sum_of(gradient);
                match sums.get_mut(index) {
                    Some(sum) => sum.values = sum.values.clone() + next.values,
                    None => sums.push(next),
                }
            }
        }
        sums
    }
}
