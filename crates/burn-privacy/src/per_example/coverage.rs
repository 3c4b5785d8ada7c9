//! Which parameters a step must cover, and the refusals that keep one from being missed.

use std::collections::{HashMap, HashSet};

use burn::module::{Flag, Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Gradients, Tensor};

use super::layer_name::layer_and_remedy;
use super::tape::LayerUse;
use crate::error::{Error, Result};

/// One trainable float parameter of a module.
#[derive(Debug, Clone)]
pub(crate) struct TrainableParameter {
    pub(crate) id: ParamId,
    /// Dotted path of field names, as in a module record.
    pub(crate) path: String,
    /// Types of the structs around the parameter, from the outside.
    pub(crate) containers: Vec<String>,
    pub(crate) entries: usize,
    pub(crate) dtype: DType,
    /// Device of the value, without autodiff.
    pub(crate) device: Device,
}

/// Every trainable parameter of a module, in the module visitor's order.
///
/// This list, never the tape's, is what receives noise: every entry, every step.
#[derive(Debug, Clone)]
pub(crate) struct TrainableParameters(Vec<TrainableParameter>);

impl TrainableParameters {
    /// # Errors
    ///
    /// Two fields with one [`ParamId`] of which one is trained, a BatchNorm in training mode, a parameter that is not 32-bit, nothing that
    /// requires a gradient.
    pub(crate) fn of<M: Module>(model: &M) -> Result<Self> {
        let mut visitor = Visitor::default();
        model.visit(&mut visitor);
        if let Some(path) = visitor.batch_norm {
            return Err(Error::BatchNorm { path });
        }
        let mut seen: HashMap<ParamId, &str> = HashMap::new();
        for parameter in &visitor.found {
            if let Some(first) = seen.insert(parameter.id, &parameter.path) {
                return Err(Error::DuplicateParameter { first: first.to_string(), second: parameter.path.clone() });
            }
        }
        // A frozen copy has the ids of its original, and a gradient goes by the id.
        if let Some((first, second)) = visitor.frozen.iter().find_map(|(id, path)| Some((seen.get(id)?, path))) {
            return Err(Error::DuplicateParameter { first: (*first).to_owned(), second: second.clone() });
        }
        if let Some(parameter) = visitor.found.iter().find(|parameter| parameter.dtype != DType::F32) {
            return Err(Error::Precision { path: parameter.path.clone(), found: format!("{:?}", parameter.dtype) });
        }
        if visitor.found.is_empty() {
            return Err(Error::NothingToTrain);
        }
        Ok(Self(visitor.found))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TrainableParameter> {
        self.0.iter()
    }

    /// Every parameter is where the session puts its batches.
    pub(crate) fn require_on(&self, device: &Device) -> Result<()> {
        match self.0.iter().find(|parameter| parameter.device != *device) {
            Some(parameter) => Err(Error::OtherDevice {
                path: parameter.path.clone(),
                found: format!("{:?}", parameter.device),
                expected: format!("{device:?}"),
            }),
            None => Ok(()),
        }
    }

    /// The path of a parameter, for messages.
    pub(crate) fn path_of(&self, id: ParamId) -> String {
        let found = self.0.iter().find(|parameter| parameter.id == id);
        found.map_or_else(|| format!("parameter {id}"), |parameter| parameter.path.clone())
    }

    /// Every trainable parameter is on the tape, and every parameter on the tape is one of the module's.
    pub(crate) fn require_recorded(&self, uses: &[Box<dyn LayerUse>]) -> Result<()> {
        let recorded: HashSet<ParamId> = uses.iter().flat_map(|layer_use| layer_use.parameters()).collect();
        if let Some(parameter) = self.0.iter().find(|parameter| !recorded.contains(&parameter.id)) {
            let (layer, remedy) = layer_and_remedy(&parameter.containers);
            return Err(Error::UntrackedParameter { path: parameter.path.clone(), layer, remedy });
        }
        let own: HashSet<ParamId> = self.0.iter().map(|parameter| parameter.id).collect();
        match uses.iter().find(|layer_use| layer_use.parameters().iter().any(|id| !own.contains(id))) {
            Some(layer_use) => Err(Error::ForeignParameter { layer: layer_use.description() }),
            None => Ok(()),
        }
    }

    /// No trainable parameter was reached by the backward pass itself: a weight used outside its layer (tied
    /// weights, a penalty on the weights) has a gradient that no rule saw and no norm counted.
    pub(crate) fn require_no_gradient_of_its_own<M: Module>(&self, model: &M, gradients: &Gradients) -> Result<()> {
        struct Reached<'a> {
            gradients: &'a Gradients,
            id: Option<ParamId>,
        }
        impl ModuleVisitor for Reached<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let value = param.val();
                if self.id.is_none() && value.is_require_grad() && value.grad(self.gradients).is_some() {
                    self.id = Some(param.id);
                }
            }
        }
        let mut visitor = Reached { gradients, id: None };
        model.visit(&mut visitor);
        match visitor.id {
            Some(id) => Err(Error::WeightOutsideLayer { path: self.path_of(id) }),
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Visitor {
    path: Vec<String>,
    layers: Vec<String>,
    found: Vec<TrainableParameter>,
    /// What is not trained, with its path.
    frozen: Vec<(ParamId, String)>,
    batch_norm: Option<String>,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_string());
        let kind = container_type.strip_prefix("Struct:").or_else(|| container_type.strip_prefix("Enum:"));
        self.layers.push(kind.unwrap_or(container_type).to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.layers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            self.frozen.push((param.id, self.path.join(".")));
            return;
        }
        self.found.push(TrainableParameter {
            id: param.id,
            path: self.path.join("."),
            containers: self.layers.clone(),
            entries: value.shape().num_elements(),
            dtype: value.dtype(),
            device: value.device().without_autodiff(),
        });
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        // By the struct's name: a visitor is told no other thing about a module's type.
        let in_batch_norm = self.layers.last().is_some_and(|layer| layer == "BatchNorm");
        if in_batch_norm && flag.val().is_enabled() && self.batch_norm.is_none() {
            self.batch_norm = Some(self.path[..self.path.len() - 1].join("."));
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::ParamGroup;
    use burn::nn as stock;

    use super::*;

    #[derive(Module, Debug)]
    struct Inner {
        layers: Vec<stock::Linear>,
        scale: Param<Tensor<1>>,
    }

    #[derive(Module, Debug)]
    struct Model {
        inner: Inner,
        memory: Option<stock::Lstm>,
    }

    fn model() -> Model {
        let device = Device::flex().autodiff();
        Model {
            inner: Inner {
                layers: vec![
                    stock::LinearConfig::new(2, 3).init(&device),
                    stock::LinearConfig::new(3, 4).with_bias(false).init(&device),
                ],
                scale: Param::from_tensor(Tensor::ones([5], &device)),
            },
            memory: None,
        }
    }

    #[test]
    fn every_trainable_parameter_is_listed_with_its_path_and_size() {
        let list = |model: &Model| -> Vec<(String, usize)> {
            let found = TrainableParameters::of(model).unwrap();
            found.iter().map(|parameter| (parameter.path.clone(), parameter.entries)).collect()
        };
        let expected = [
            ("inner.layers.0.weight", 6),
            ("inner.layers.0.bias", 3),
            ("inner.layers.1.weight", 12),
            ("inner.scale", 5),
        ];
        assert_eq!(list(&model()), expected.map(|(path, entries)| (path.to_string(), entries)));
        let frozen = model().freeze_group(ParamGroup::from_predicate("inner.layers.0"));
        assert_eq!(list(&frozen), expected[2..].iter().map(|(path, n)| (path.to_string(), *n)).collect::<Vec<_>>());
        assert!(matches!(TrainableParameters::of(&model().no_grad()), Err(Error::NothingToTrain)));
    }

    #[test]
    fn what_no_rule_covers_is_refused_with_what_works() {
        let refused = |model: &Model| {
            let error = TrainableParameters::of(model).unwrap().require_recorded(&[]).unwrap_err();
            error.to_string()
        };
        let message = refused(&model());
        assert!(message.contains("`inner.layers.0.weight` (in Linear)"), "{message}");
        assert!(message.contains("Put burn_privacy::nn::Linear in the place"), "{message}");
        let scale = model().freeze_group(ParamGroup::from_predicate("layers"));
        let message = refused(&scale);
        assert!(message.contains("`inner.scale` (in Inner)") && message.contains("per_example(&"), "{message}");

        let device = Device::flex().autodiff();
        let memory = stock::LstmConfig::new(2, 3, true).init(&device);
        let recurrent = Model { memory: Some(memory), ..model() }.freeze_group(ParamGroup::from_predicate("inner"));
        let message = refused(&recurrent);
        assert!(message.contains("(in Lstm)") && message.contains("burn_privacy::nn has no Lstm"), "{message}");
        assert!(!message.contains("Put "), "{message}");
    }

    #[test]
    fn one_parameter_in_two_places_is_refused() {
        let mut twice = model();
        twice.inner.layers[1] = twice.inner.layers[0].clone();
        let error = TrainableParameters::of(&twice).unwrap_err();
        assert!(
            matches!(&error, Error::DuplicateParameter { first, second }
                if first == "inner.layers.0.weight" && second == "inner.layers.1.weight"),
            "{error}"
        );
        // Frozen, too: in either order.
        for trained in [0, 1] {
            let mut twice = model();
            // Clones of what was never looked at are frozen together.
            let _ = (twice.inner.layers[0].weight.val(), twice.inner.layers[0].bias.as_ref().map(Param::val));
            twice.inner.layers[1] = twice.inner.layers[0].clone();
            twice.inner.layers[1 - trained] = twice.inner.layers[1 - trained].clone().no_grad();
            let error = TrainableParameters::of(&twice).unwrap_err();
            assert!(matches!(error, Error::DuplicateParameter { .. }), "{error}");
        }
    }
}
