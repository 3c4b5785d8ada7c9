//! Which parameters a step must cover, and the refusals that keep one from being missed.

use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Gradients, Tensor};

use super::tape::LayerUse;
use crate::error::{Error, Result};

/// One trainable float parameter of a module.
#[derive(Debug, Clone)]
pub(crate) struct TrainableParameter {
    pub(crate) id: ParamId,
    /// Dotted path of field names, as in a module record.
    pub(crate) path: String,
    /// Type of the struct that holds the parameter.
    pub(crate) layer: String,
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
    /// Two fields with one [`ParamId`], a BatchNorm in training mode, a parameter that is not 32-bit, nothing that
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
        let recorded: Vec<ParamId> = uses.iter().flat_map(|layer_use| layer_use.parameters()).collect();
        for parameter in &self.0 {
            if !recorded.contains(&parameter.id) {
                return Err(Error::UntrackedParameter { path: parameter.path.clone(), layer: parameter.layer.clone() });
            }
        }
        match recorded.iter().find(|id| !self.0.iter().any(|parameter| parameter.id == **id)) {
            Some(id) => Err(Error::ForeignParameter { id: id.to_string() }),
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
            return;
        }
        self.found.push(TrainableParameter {
            id: param.id,
            path: self.path.join("."),
            layer: self.layers.last().cloned().unwrap_or_default(),
            entries: value.shape().num_elements(),
            dtype: value.dtype(),
            device: value.device().without_autodiff(),
        });
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        let in_batch_norm = self.layers.last().is_some_and(|layer| layer == "BatchNorm");
        if in_batch_norm && flag.val().is_enabled() && self.batch_norm.is_none() {
            self.batch_norm = Some(self.path[..self.path.len() - 1].join("."));
        }
    }
}
