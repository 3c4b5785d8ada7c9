//! One forward and one backward pass of a physical batch: norms of shared parameters together, factors, weighted sum.

use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use tracing::trace_span;

use super::batch_layout::BatchLayout;
use super::clipping::SquaredNorms;
use super::coverage::TrainableParameters;
use super::factors::ClipFactors;
use super::gradient_sum::{GradientSum, PartSums};
use super::parameter_gradients::ParameterGradients;
use super::rule::{Chunk, ENTRIES_AT_ONCE, chunks_of_leaves};
use super::tape::{GradientMemory, LayerUse, NormBound, Tape};
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::examples::chunks_of_examples;
use burn_privacy_kernels::ops::squared_norms::{add_error, sum_of_squares_bound};

/// Adds `sum_i c_i g_i` over one physical batch to `sum`, from one forward and one backward pass.
///
/// `forward` returns one loss per example; `leaves` are the lengths of the parts within which f32 may be added up.
pub(crate) fn clipped_sum<M: Module>(
    model: &M,
    trainable: &TrainableParameters,
    layout: BatchLayout,
    leaves: &[usize],
    rounding: Rounding,
    forward: impl FnOnce() -> Result<Tensor<1>>,
    sum: &mut GradientSum,
) -> Result<()> {
    let (losses, mut uses) = trace_span!("forward").in_scope(|| Tape::record(layout, forward))?;
    require_one_loss_per_example(&losses, layout)?;
    trainable.require_recorded(&uses)?;
    if !losses.is_tracked() {
        return Err(Error::UntrackedLoss);
    }
    let mut gradients = trace_span!("backward").in_scope(|| losses.sum().backward());
    trainable.require_no_gradient_of_its_own(model, &gradients)?;
    for layer_use in &mut uses {
        layer_use.take_output_gradient(&mut gradients);
    }

    clipped_sum_of_uses(uses, layout, leaves, rounding, sum)
}

/// Adds `sum_i c_i g_i` of uses whose output gradients are known.
pub(crate) fn clipped_sum_of_uses(
    uses: Vec<Box<dyn LayerUse>>,
    layout: BatchLayout,
    leaves: &[usize],
    rounding: Rounding,
    sum: &mut GradientSum,
) -> Result<()> {
    let norms = trace_span!("norms").entered();
    let mut memory = GradientMemory::of(&uses);
    let mut squared_norms = Vec::new();
    let mut contributions = Vec::new();
    for group in group_by_parameter(uses) {
        let NormBound { squared, kept } = squared_norm_bound(&group, layout, rounding, &mut memory);
        let parameters = group.iter().flat_map(|layer_use| layer_use.parameters()).collect();
        squared_norms.push(SquaredNorms { parameters, bounds: squared });
        contributions.push(kept.map_or(Contribution::Recorded(group), Contribution::Kept));
    }
    if squared_norms.is_empty() {
        return Err(Error::NothingToTrain);
    }
    let factors = sum.factors(&squared_norms, rounding, leaves)?;
    drop(norms);

    let _sum = trace_span!("clipped_sum").entered();
    for (contribution, factors) in contributions.into_iter().zip(&factors) {
        contribution.add_to(sum, factors);
    }
    Ok(())
}

/// What the clipped sum of a group is formed from.
enum Contribution {
    Recorded(Group),
    /// The gradients of the group's only use.
    Kept(Vec<ParameterGradients>),
}

impl Contribution {
    fn add_to(self, sum: &mut GradientSum, factors: &ClipFactors) {
        match self {
            Self::Recorded(group) => {
                let mut group = group;
                match &mut group[..] {
                    [only] => only.add_weighted_sum(factors, sum),
                    uses => add_weighted_sum_of_uses(uses, factors, sum),
                }
            }
            Self::Kept(gradients) => {
                let all = 0..factors.examples();
                gradients
                    .into_iter()
                    .flat_map(|gradient| factors.sums_of(gradient, all.clone()))
                    .for_each(|part| sum.add(part));
            }
        }
    }
}

/// Uses of one layer may cancel within an example, whose norm bounds only what is left: they are added up for each example
/// before examples are.
fn add_weighted_sum_of_uses(uses: &mut [Box<dyn LayerUse>], factors: &ClipFactors, sum: &mut GradientSum) {
    uses.iter_mut().for_each(|layer_use| layer_use.exclude(factors));
    let entries = uses.iter().map(|layer_use| layer_use.entries_of_views()).sum();
    let mut parts = PartSums::new(sum);
    for Chunk { range, continues } in chunks_of_leaves(factors, entries) {
        let gradients = uses.iter().flat_map(|layer_use| layer_use.gradients_of_examples(range.clone()));
        for gradient in added_up(gradients) {
            parts.add(factors.sums_of(gradient, range.clone()), continues);
        }
    }
    parts.finish();
}

/// The gradients of each parameter added up, in the order in which they come: it must not change from run to run.
fn added_up(gradients: impl Iterator<Item = ParameterGradients>) -> Vec<ParameterGradients> {
    let mut totals: Vec<ParameterGradients> = Vec::new();
    for ParameterGradients { id, values } in gradients {
        match totals.iter_mut().find(|total| total.id == id) {
            Some(total) => total.values = total.values.clone() + values,
            None => totals.push(ParameterGradients { id, values }),
        }
    }
    totals
}

/// The loss closure must return one loss an example; any other length is a reduction (a mean, a sum).
pub(crate) fn require_one_loss_per_example(losses: &Tensor<1>, layout: BatchLayout) -> Result<()> {
    let found = losses.dims()[0];
    if found == layout.examples() { Ok(()) } else { Err(Error::loss_per_example(found, layout.examples())) }
}

/// Uses of layers whose gradients add up before the norm.
type Group = Vec<Box<dyn LayerUse>>;

/// Uses that share a parameter, directly or through a third use, end up in one group: their gradients are
/// summed *before* the norm is taken.
fn group_by_parameter(uses: Vec<Box<dyn LayerUse>>) -> Vec<Group> {
    let mut groups: Vec<(Vec<ParamId>, Group)> = Vec::new();
    for layer_use in uses {
        let mut ids = layer_use.parameters();
        let mut members = vec![layer_use];
        let (touching, mut rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(known, _)| known.iter().any(|id| ids.contains(id)));
        for (known, group) in touching {
            ids.extend(known);
            members.extend(group);
        }
        rest.push((ids, members));
        groups = rest;
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

/// Upper bound `[examples]` of the squared norm of the gradient of the group's parameters.
fn squared_norm_bound(
    group: &[Box<dyn LayerUse>],
    layout: BatchLayout,
    rounding: Rounding,
    memory: &mut GradientMemory,
) -> NormBound {
    if let [only] = group {
        return only.squared_norm_bound(rounding, memory);
    }
    let entries = layout.views() * group.iter().map(|layer_use| layer_use.entries()).sum::<usize>();
    let mut squared = Vec::new();
    let mut sum_of_norms = Vec::new();
    let mut errors_of_views = Vec::new();
    for range in chunks_of_examples(layout.examples(), entries, ENTRIES_AT_ONCE) {
        let mut norms: Option<Tensor<1>> = None;
        let mut gradients = Vec::new();
        let mut error_of_views: Option<Tensor<1>> = None;
        for layer_use in group {
            let found = layer_use.gradients(range.clone(), rounding);
            gradients.extend(found.parameters);
            error_of_views = match (error_of_views, found.squared_error_of_views) {
                (Some(total), Some(next)) => Some(add_error(total, next, rounding)),
                (total, next) => total.or(next),
            };
        }
        errors_of_views.extend(error_of_views);
        for gradient in &gradients {
            let norm = sum_of_squares_bound(gradient.values.clone(), rounding).sqrt();
            norms = Some(match norms {
                Some(total) => total + norm,
                None => norm,
            });
        }
        let totals = added_up(gradients.into_iter()).into_iter();
        squared.extend(totals.map(|total| sum_of_squares_bound(total.values, rounding)).reduce(|a, b| a + b));
        sum_of_norms.extend(norms);
    }
    // Error of each use's gradients, and of adding the uses up.
    let mut addition = (Tensor::cat(sum_of_norms, 0) * rounding.sum(group.len())).square();
    if !errors_of_views.is_empty() {
        addition = add_error(addition, Tensor::cat(errors_of_views, 0), rounding);
    }
    let error = group
        .iter()
        .map(|layer_use| layer_use.squared_error(rounding))
        .fold(addition, |total, next| add_error(total, next, rounding));
    NormBound { squared: add_error(Tensor::cat(squared, 0), error, rounding), kept: None }
}
