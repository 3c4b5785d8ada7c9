//! Variants of a model: those at which it is validated, moved a little and without randomness, and the same with leaves of its own.

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Distribution, Tensor};

/// Moves every trainable parameter by a tenth of about the size that an initializer would draw.
pub(crate) struct Perturb;

impl ModuleMapper for Perturb {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.val().is_require_grad() {
            return param;
        }
        let dims = param.val().dims();
        let largest = dims.iter().copied().max().unwrap_or(1).max(1);
        let fan = (dims.iter().product::<usize>() / largest).max(1);
        let limit = 0.1 * (3.0 / fan as f64).sqrt();
        param.map(|value| {
            let noise = Tensor::random(value.dims(), Distribution::Uniform(-limit, limit), &value.device());
            (value.detach() + noise).detach().require_grad()
        })
    }
}

/// Gives every trainable parameter a leaf of its own in autodiff's graph, with the same value and [`ParamId`](burn::module::ParamId).
///
/// Clones of a model share their leaves, and Burn's autodiff must not meet one leaf in two threads: a backward pass keeps its graph locked
/// while it waits for the table of all graphs, and an operation that joins two graphs keeps that table locked while it waits for both.
pub(crate) struct OwnLeaves;

impl ModuleMapper for OwnLeaves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.val().is_require_grad() {
            return param;
        }
        param.map(|value| value.detach().require_grad())
    }
}

/// Switches dropout and other randomness off.
pub(crate) struct Quieten;

impl ModuleMapper for Quieten {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        flag.with_value(false)
    }
}

/// Whether dropout or the like is on.
pub(crate) fn has_enabled_flags<M: Module>(model: &M) -> bool {
    struct Flags(bool);
    impl ModuleVisitor for Flags {
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            self.0 |= flag.val().is_enabled();
        }
    }
    let mut flags = Flags(false);
    model.visit(&mut flags);
    flags.0
}
