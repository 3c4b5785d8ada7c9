//! What an optimizer does to known weights, by which a resumed run tells its own from another: Burn's optimizers name neither their
//! type nor their settings, and skip a saved state that is not theirs.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Tensor, TensorData};

/// Every entry of a parameter before the first step.
const START: f32 = 0.5;

/// Every entry of the gradient in each step. The third is one that clipping would change.
const GRADIENTS: [f32; 4] = [0.1, -0.3, 20.0, 0.2];

/// So large that a small weight decay shows.
const LEARNING_RATE: f64 = 1.0;

/// What may differ between backends, for each unit of a value and one.
const TOLERANCE: f64 = 1e-5;

/// Means of some parameters after each step, by their paths.
pub(crate) type OptimizerTrace = BTreeMap<String, Vec<f64>>;

/// The trace of `optimizer`, whose state is neither used nor changed, on the smallest parameter of each name and rank in `model`.
/// It depends on no weight of the model, and on no data.
pub(crate) fn trace<M: Module>(model: &M, optimizer: &ModuleOptimizer) -> OptimizerTrace {
    let mut smallest = Smallest::default();
    model.visit(&mut smallest);
    let chosen: HashMap<ParamId, String> = smallest.found.into_values().map(|(_, id, path)| (id, path)).collect();
    let mut optimizer = optimizer.clone().load_record(OptimizerRecord::default());
    let mut model = model.clone().map(&mut Starting { chosen: &chosen });
    let mut means = Means { chosen: &chosen, trace: OptimizerTrace::new() };
    for gradient in GRADIENTS {
        let mut constant = Constant { chosen: &chosen, gradient, gradients: GradientsParams::new() };
        model.visit(&mut constant);
        model = optimizer.step(LEARNING_RATE, model, constant.gradients);
        model.visit(&mut means);
    }
    means.trace
}

/// The first difference, in words: as recorded, and as given.
pub(crate) fn difference(recorded: &OptimizerTrace, given: &OptimizerTrace) -> Option<(String, String)> {
    let moves = |path: &str, means: Option<&Vec<f64>>| {
        let Some(means) = means else { return format!("one that does not train `{path}`") };
        let means: Vec<String> = means.iter().map(|mean| format!("{mean:.4}")).collect();
        format!("one that takes `{path}` from {START} to {} under set gradients", means.join(", "))
    };
    let same = |a: &[f64], b: &[f64]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE * (1.0 + a.abs()))
    };
    let path = recorded.keys().chain(given.keys()).find(|path| match (recorded.get(*path), given.get(*path)) {
        (Some(recorded), Some(given)) => !same(recorded, given),
        _ => true,
    })?;
    Some((moves(path, recorded.get(path)), moves(path, given.get(path))))
}

/// The smallest trainable parameter of each name and rank: groups of an optimizer mostly differ by these.
#[derive(Default)]
struct Smallest {
    path: Vec<String>,
    /// Entries, id and path.
    found: BTreeMap<(String, usize), (usize, ParamId, String)>,
}

impl ModuleVisitor for Smallest {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        let entries = value.shape().num_elements();
        let kind = (self.path.last().cloned().unwrap_or_default(), D);
        if self.found.get(&kind).is_none_or(|(fewest, _, _)| entries < *fewest) {
            self.found.insert(kind, (entries, param.id, self.path.join(".")));
        }
    }
}

/// A tensor like `value`, outside of autodiff, with one number everywhere.
fn filled<const D: usize>(value: &Tensor<D>, number: f32) -> Tensor<D> {
    let data = TensorData::new(vec![number; value.shape().num_elements()], value.dims());
    Tensor::<D>::from_data(data, &value.device().without_autodiff())
}

struct Starting<'a> {
    chosen: &'a HashMap<ParamId, String>,
}

impl ModuleMapper for Starting<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.chosen.contains_key(&param.id) {
            return param;
        }
        param.map(|value| Tensor::from_inner(filled(&value, START)).require_grad())
    }
}

struct Constant<'a> {
    chosen: &'a HashMap<ParamId, String>,
    gradient: f32,
    gradients: GradientsParams,
}

impl ModuleVisitor for Constant<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.chosen.contains_key(&param.id) {
            self.gradients.register(param.id, filled(&param.val(), self.gradient));
        }
    }
}

struct Means<'a> {
    chosen: &'a HashMap<ParamId, String>,
    trace: OptimizerTrace,
}

impl ModuleVisitor for Means<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(path) = self.chosen.get(&param.id) else { return };
        let values: Vec<f32> = param.val().inner().into_data().iter::<f32>().collect();
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64;
        // JSON has no other number.
        let mean = if mean.is_finite() { mean } else { f64::MAX };
        self.trace.entry(path.clone()).or_default().push(mean);
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::grad_clipping::GradientClippingConfig;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::momentum::MomentumConfig;
    use burn::optim::{AdamConfig, SgdConfig};
    use burn::tensor::Device;

    use super::*;

    fn model() -> Linear {
        LinearConfig::new(3, 2).init(&Device::flex().autodiff())
    }

    #[test]
    fn optimizers_and_their_settings_are_told_apart_and_models_of_one_kind_are_not() {
        let momentum = |factor| Some(MomentumConfig::new().with_momentum(factor));
        let optimizers: Vec<ModuleOptimizer> = vec![
            SgdConfig::new().init(),
            SgdConfig::new().with_momentum(momentum(0.9)).init(),
            SgdConfig::new().with_momentum(momentum(0.8)).init(),
            SgdConfig::new().with_gradient_clipping(Some(GradientClippingConfig::Value(1.0))).init(),
            AdamConfig::new().init(),
            AdamConfig::new().with_beta_1(0.8).init(),
            AdamConfig::new().with_beta_2(0.99).init(),
        ];
        let traces: Vec<OptimizerTrace> = optimizers.iter().map(|optimizer| trace(&model(), optimizer)).collect();
        for (i, first) in traces.iter().enumerate() {
            assert_eq!(first.keys().collect::<Vec<_>>(), ["bias", "weight"]);
            assert!(first.values().all(|means| means.len() == GRADIENTS.len()));
            for (j, second) in traces.iter().enumerate() {
                assert_eq!(difference(first, second).is_none(), i == j, "{i} {j}: {first:?} {second:?}");
            }
        }
        // The plain step, by hand.
        assert!((traces[0]["weight"][0] - 0.4).abs() < 1e-6, "{:?}", traces[0]);
    }

    #[test]
    fn a_state_that_is_there_is_neither_used_nor_changed() {
        let model = model();
        let mut optimizer = AdamConfig::new().init();
        let fresh = trace(&model, &optimizer);
        let chosen = HashMap::from([(model.weight.id, "weight".to_owned())]);
        let mut constant = Constant { chosen: &chosen, gradient: 3.0, gradients: GradientsParams::new() };
        model.visit(&mut constant);
        let model = optimizer.step(0.1, model, constant.gradients);
        let before = optimizer.to_record().len();
        assert!(before > 0);
        assert_eq!(difference(&fresh, &trace(&model, &optimizer)), None);
        assert_eq!(optimizer.to_record().len(), before);
    }
}
