//! The recording scope: the uses of layers in one forward pass, each with a probe for its output gradient.

use std::cell::RefCell;
use std::ops::Range;

use burn::module::ParamId;
use burn::tensor::{Gradients, Tensor};

use super::batch_layout::BatchLayout;
use super::factors::ClipFactors;
use super::gradient_sum::{GradientSum, PartSums};
use super::layer_name::layer_name;
use super::parameter_gradients::ParameterGradients;
use super::rule::{Chunk, ENTRIES_AT_ONCE, PerExampleRule, chunks_of_leaves};
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::examples::{chunks_of_examples, rows_and_length, rows_of};
use burn_privacy_kernels::ops::squared_norms::{add_error, sum_of_squares_bound};
use burn_privacy_kernels::ops::tap::tap;

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

/// How the rows of the recording scope belong to examples, where there is a scope.
pub(crate) fn recording_layout() -> Option<BatchLayout> {
    TAPE.with_borrow(|tape| tape.as_ref().map(|tape| tape.layout))
}

/// Records one use of a layer and returns its output, to be used in place of `output`.
///
/// `output` must have been computed with the layer's weights untracked; the returned tensor has the same
/// value, and its gradient reaches `rule` after the backward pass. Call it only where
/// [`is_recording`] is true; outside a scope it returns `output` unchanged.
///
/// # Shapes
///
/// - output: `[examples, ...]`, or `[examples * views, ...]` in a session with views
///
/// A rule whose rows, or an output whose axis 0, do not match the number of examples makes the step fail with
/// [`Error::ExampleAxis`], after the forward pass.
pub fn record<const O: usize>(output: Tensor<O>, rule: impl PerExampleRule<O>) -> Tensor<O> {
    TAPE.with_borrow_mut(|tape| {
        let Some(tape) = tape else { return output };
        let layout = tape.layout;
        let rows = layout.rows();
        let rows_of_rule = if rule.adds_up_views() { rule.rows() * layout.views() } else { rule.rows() };
        let found = if rows_of_rule == rows { output.dims()[0] } else { rows_of_rule };
        if found != rows && tape.refusal.is_none() {
            tape.refusal = Some(Error::example_axis(found, rows, rule.parameters()));
        }
        let dims = output.dims();
        let (output, probe) = tap(output);
        tape.uses.push(Box::new(RecordedUse { layout, probe, dims, output_gradient: None, rule }));
        output
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
    /// Output gradient, `[rows, length]`; `None` where the output reached no loss.
    fn output_gradient_rows(&self) -> Option<Tensor<2>>;
    /// What kind of layer this was, for messages.
    fn description(&self) -> String;
    /// The gradients of a range of examples.
    fn gradients(&self, range: Range<usize>, rounding: Rounding) -> ExampleGradients;
    /// Upper bound `[examples]` of the squared norm of the error of the gradients, without that of adding views up.
    fn squared_error(&self, rounding: Rounding) -> Tensor<1>;
    /// Entries of the output gradients of all examples.
    fn recorded_entries(&self) -> usize;
    fn squared_norm_bound(&self, rounding: Rounding, memory: &mut GradientMemory) -> NormBound;
    fn add_weighted_sum(&mut self, factors: &ClipFactors, sum: &mut GradientSum);
    /// Replaces what was recorded of excluded examples by zeros.
    fn exclude(&mut self, factors: &ClipFactors);
    /// The gradients of a range of examples, their views added up.
    fn gradients_of_examples(&self, range: Range<usize>) -> Vec<ParameterGradients>;
    /// Entries of one example's gradients, each view's counted.
    fn entries_of_views(&self) -> usize;
}

/// The gradients of some examples.
pub(crate) struct ExampleGradients {
    pub(crate) parameters: Vec<ParameterGradients>,
    /// Upper bound `[examples]` of the squared norm of the error of adding views up, where there are several.
    pub(crate) squared_error_of_views: Option<Tensor<1>>,
}

/// Upper bounds of the squared norms of one use's gradients.
pub(crate) struct NormBound {
    /// `[examples]`
    pub(crate) squared: Tensor<1>,
    /// The gradients formed for the norm, where memory allows to keep them for the sum: nothing else of the use is needed
    /// then.
    pub(crate) kept: Option<Vec<ParameterGradients>>,
}

/// How many entries of per-example gradients may still be kept between norm and sum.
///
/// A use whose gradients are kept gives up what it recorded. So the gradients may take that room, and half as much as all
/// output gradients beyond it: a quarter of what was recorded, as inputs are about as large as outputs.
pub(crate) struct GradientMemory {
    entries: usize,
}

impl GradientMemory {
    pub(crate) fn of(uses: &[Box<dyn LayerUse>]) -> Self {
        Self { entries: uses.iter().map(|layer_use| layer_use.recorded_entries()).sum::<usize>() / 2 }
    }

    /// Whether so many entries may be kept if so many are given up; then they are counted.
    fn keep(&mut self, entries: usize, given_up: usize) -> bool {
        let left = (self.entries + given_up).checked_sub(entries);
        self.entries = left.unwrap_or(self.entries);
        left.is_some()
    }
}

/// A use of a layer whose output gradient, `[rows, ..]`, is known.
pub(crate) fn known_use<const O: usize>(
    layout: BatchLayout,
    output_gradient: Tensor<O>,
    rule: impl PerExampleRule<O>,
) -> Box<dyn LayerUse> {
    let (probe, dims) = (output_gradient.clone(), output_gradient.dims());
    Box::new(RecordedUse { layout, probe, dims, output_gradient: Some(output_gradient), rule })
}

struct RecordedUse<const O: usize, R> {
    layout: BatchLayout,
    probe: Tensor<O>,
    dims: [usize; O],
    output_gradient: Option<Tensor<O>>,
    rule: R,
}

impl<const O: usize, R: PerExampleRule<O>> RecordedUse<O, R> {
    fn output_gradient(&self) -> Tensor<O> {
        self.output_gradient.clone().unwrap_or_else(|| Tensor::zeros(self.dims, &self.probe.clone().inner().device()))
    }

    /// Rows of the rule that belong to one example.
    fn views(&self) -> usize {
        if self.rule.adds_up_views() { 1 } else { self.layout.views() }
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

    fn output_gradient_rows(&self) -> Option<Tensor<2>> {
        let gradient = self.output_gradient.clone()?;
        let [rows, length] = rows_and_length(&gradient);
        Some(gradient.reshape([rows, length]))
    }

    fn description(&self) -> String {
        let entries = self.rule.entries();
        format!(
            "{} with {entries} trainable entries and an output of shape {:?}",
            layer_name(std::any::type_name::<R>()),
            self.dims
        )
    }

    fn gradients(&self, range: Range<usize>, rounding: Rounding) -> ExampleGradients {
        let output_gradient = rows_of(&self.output_gradient(), self.layout.rows_of(&range));
        let views = self.views();
        if views == 1 {
            return ExampleGradients {
                parameters: self.rule.gradients(output_gradient, range),
                squared_error_of_views: None,
            };
        }
        let of_views = self.rule.gradients(output_gradient, self.layout.rows_of(&range));
        // A sum of K views in any order is off by at most gamma_K sum |g_k|, entry by entry, and the norm of that sum is
        // at most sqrt(K sum ||g_k||^2).
        let factor = rounding.sum(views).powi(2) * views as f64 * (1.0 + rounding.sum(views + of_views.len()));
        let squares = of_views
            .iter()
            .map(|gradient| sum_over_views(sum_of_squares_bound(gradient.values.clone(), rounding), views))
            .reduce(|total, next| total + next);
        ExampleGradients {
            parameters: of_views.into_iter().map(|gradient| add_up(gradient, views)).collect(),
            squared_error_of_views: squares.map(|squares| squares * factor),
        }
    }

    fn squared_error(&self, rounding: Rounding) -> Tensor<1> {
        let of_rows = self.rule.squared_error(&self.output_gradient(), rounding);
        match self.views() {
            1 => of_rows,
            // || sum e_k ||^2 <= K sum || e_k ||^2
            views => sum_over_views(of_rows, views) * (views as f64 * (1.0 + rounding.sum(views))),
        }
    }

    fn recorded_entries(&self) -> usize {
        self.dims.iter().product()
    }

    fn squared_norm_bound(&self, rounding: Rounding, memory: &mut GradientMemory) -> NormBound {
        let views = self.views();
        // The norm of one view says nothing about that of their sum.
        let shortcut =
            || (views == 1).then(|| self.rule.squared_norm_shortcut(&self.output_gradient(), rounding)).flatten();
        if self.rule.prefers_norm_shortcut()
            && let Some(squared) = shortcut()
        {
            return NormBound { squared, kept: None };
        }
        let (examples, entries) = (self.layout.examples(), self.rule.entries());
        let fits = views == 1 || examples * views * entries <= ENTRIES_AT_ONCE;
        let keeps = fits && memory.keep(examples * entries, self.recorded_entries());
        if !keeps && let Some(squared) = shortcut() {
            return NormBound { squared, kept: None };
        }
        let at_once = if keeps { usize::MAX } else { ENTRIES_AT_ONCE };
        let mut kept = None;
        let mut parts = Vec::new();
        let mut errors_of_views = Vec::new();
        for range in chunks_of_examples(examples, views * entries, at_once) {
            let ExampleGradients { parameters, squared_error_of_views } = self.gradients(range, rounding);
            let squares = parameters.iter().map(|gradient| sum_of_squares_bound(gradient.values.clone(), rounding));
            parts.extend(squares.reduce(|total, next| total + next));
            errors_of_views.extend(squared_error_of_views);
            kept = keeps.then_some(parameters);
        }
        let mut error = self.squared_error(rounding);
        if !errors_of_views.is_empty() {
            error = add_error(error, Tensor::cat(errors_of_views, 0), rounding);
        }
        NormBound { squared: add_error(Tensor::cat(parts, 0), error, rounding), kept }
    }

    fn add_weighted_sum(&mut self, factors: &ClipFactors, sum: &mut GradientSum) {
        self.exclude(factors);
        // A shortcut adds rows up in any order: rows that are views may cancel.
        if self.views() == 1
            && let Some(sums) = self.rule.weighted_sum_shortcut(&self.output_gradient(), factors)
        {
            return sums.into_iter().for_each(|part| sum.add(part));
        }
        let mut parts = PartSums::new(sum);
        for Chunk { range, continues } in chunks_of_leaves(factors, self.entries_of_views()) {
            for gradient in self.gradients_of_examples(range.clone()) {
                parts.add(factors.sums_of(gradient, range.clone()), continues);
            }
        }
        parts.finish();
    }

    fn exclude(&mut self, factors: &ClipFactors) {
        self.output_gradient = Some(factors.of_views(self.layout.views()).select(self.output_gradient()));
        self.rule.select_finite(&factors.of_views(self.views()));
    }

    fn gradients_of_examples(&self, range: Range<usize>) -> Vec<ParameterGradients> {
        let rows = self.layout.rows_of(&range);
        let output_gradient = rows_of(&self.output_gradient(), rows.clone());
        match self.views() {
            1 => self.rule.gradients(output_gradient, range),
            views => {
                let of_views = self.rule.gradients(output_gradient, rows);
                of_views.into_iter().map(|gradient| add_up(gradient, views)).collect()
            }
        }
    }

    fn entries_of_views(&self) -> usize {
        self.views() * self.rule.entries()
    }
}

/// `[examples * views, entries]` to `[examples, entries]`.
fn add_up(of_views: ParameterGradients, views: usize) -> ParameterGradients {
    let ParameterGradients { id, values } = of_views;
    let [rows, entries] = values.dims();
    let values = values.reshape([rows / views, views, entries]).sum_dim(1).reshape([rows / views, entries]);
    ParameterGradients { id, values }
}

/// `[examples * views]` to `[examples]`.
fn sum_over_views(values: Tensor<1>, views: usize) -> Tensor<1> {
    let examples = values.dims()[0] / views;
    values.reshape([examples, views]).sum_dim(1).reshape([examples])
}
