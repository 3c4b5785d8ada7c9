//! Which parameters are trained.

use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// Trains the parts whose dotted paths are given, such as `head` or `blocks.3`, and freezes everything else: parameters, dropout and
/// running statistics. The last layer alone is `only(model, &["head"])`.
///
/// # Errors
///
/// [`Error::NoSuchPart`] for a path under which there is no parameter.
pub fn only<M: Module>(module: M, parts: &[&str]) -> Result<M> {
    let is_in = |path: &str, part: &str| {
        path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) && !part.is_empty()
    };
    let mut choose = Choose {
        path: Vec::new(),
        chosen: |path: &str| parts.iter().any(|part| is_in(path, part)),
        found: Vec::new(),
        parameters: Vec::new(),
    };
    let module = module.map(&mut choose);
    for part in parts {
        if !choose.found.iter().any(|path| is_in(path, part)) {
            return Err(Error::NoSuchPart { given: (*part).to_owned(), parameters: choose.parameters });
        }
    }
    if parts.is_empty() {
        return Err(Error::NothingToTrain);
    }
    Ok(module)
}

/// Trains biases alone, and the shifts of norms (Bu et al., "Differentially private bias-term fine-tuning of foundation models", ICML
/// 2024): parameters named `bias` or `beta`. Everything else is frozen.
///
/// # Errors
///
/// [`Error::NothingToTrain`] if the module has none.
pub fn biases_only<M: Module>(module: M) -> Result<M> {
    let is_bias = |path: &str| matches!(path.rsplit('.').next(), Some("bias" | "beta"));
    let mut choose = Choose { path: Vec::new(), chosen: is_bias, found: Vec::new(), parameters: Vec::new() };
    let module = module.map(&mut choose);
    if choose.found.is_empty() { Err(Error::NothingToTrain) } else { Ok(module) }
}

struct Choose<F> {
    path: Vec<String>,
    chosen: F,
    found: Vec<String>,
    parameters: Vec<String>,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Choose<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let chosen = (self.chosen)(&path);
        if chosen {
            self.found.push(path.clone());
        }
        self.parameters.push(path);
        param.set_require_grad(chosen)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        if (self.chosen)(&self.path.join(".")) { flag } else { flag.with_value(false) }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::ModuleVisitor;
    use burn::nn::{
        BatchNorm, BatchNormConfig, Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    };
    use burn::prelude::*;

    use super::*;

    #[derive(Module, Debug)]
    struct Model {
        blocks: Vec<Linear>,
        norm: LayerNorm,
        batch: BatchNorm,
        dropout: Dropout,
        head: Linear,
    }

    fn model() -> Model {
        let device = Device::flex().autodiff();
        let linear = || LinearConfig::new(2, 2).init(&device);
        Model {
            blocks: (0..11).map(|_| linear()).collect(),
            norm: LayerNormConfig::new(2).init(&device),
            batch: BatchNormConfig::new(2).init(&device),
            dropout: DropoutConfig::new(0.5).init(),
            head: linear(),
        }
    }

    fn trained(model: &Model) -> Vec<String> {
        #[derive(Default)]
        struct Trained(Vec<String>, Vec<String>);
        impl ModuleVisitor for Trained {
            fn enter_module(&mut self, name: &str, _container_type: &str) {
                self.0.push(name.to_owned());
            }
            fn exit_module(&mut self, _name: &str, _container_type: &str) {
                self.0.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.val().is_require_grad() {
                    self.1.push(self.0.join("."));
                }
            }
        }
        let mut found = Trained::default();
        model.visit(&mut found);
        found.1
    }

    #[test]
    fn parts_are_whole_names() {
        let chosen = only(model(), &["head", "blocks.1"]).unwrap();
        assert_eq!(trained(&chosen), ["blocks.1.weight", "blocks.1.bias", "head.weight", "head.bias"]);
        assert!(!chosen.dropout.training.is_enabled() && !chosen.batch.training.is_enabled());
        let message = only(model(), &["hea"]).unwrap_err().to_string();
        assert!(message.contains("`hea`") && message.contains("blocks.0.weight"), "{message}");
        assert!(only(model(), &[]).is_err() && only(model(), &[""]).is_err());
        assert_eq!(trained(&only(chosen, &["norm.beta"]).unwrap()), ["norm.beta"]);
    }

    #[test]
    fn biases_are_those_of_norms_too() {
        let chosen = trained(&biases_only(model()).unwrap());
        assert_eq!(chosen.len(), 14);
        assert!(chosen.iter().all(|path| path.ends_with("bias") || path.ends_with("beta")), "{chosen:?}");
        let without = LinearConfig::new(2, 2).with_bias(false).init(&Device::flex().autodiff());
        assert!(matches!(biases_only(without), Err(Error::NothingToTrain)));
    }
}
