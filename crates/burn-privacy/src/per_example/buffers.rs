//! What a forward pass must leave as it is.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};

use crate::error::{Error, Result};

/// The tensors of a module that are not trained, as they were before a step.
///
/// A forward pass that changes one of them (running statistics, a codebook, a counter) releases a function of
/// the batch that no noise was added to, so a change is refused.
pub(crate) struct NonTrainable {
    floats: Vec<(String, Tensor<1>)>,
    ints: Vec<(String, Tensor<1, Int>)>,
    bools: Vec<(String, Tensor<1, Bool>)>,
}

impl NonTrainable {
    /// Takes a snapshot (reference counted: nothing is copied).
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let mut kinds = Kinds::default();
        model.visit(&mut kinds);
        let mut visitor = Snapshot { path: Vec::new(), trainable: kinds.trainable, taken: Self::empty() };
        if kinds.others {
            // `valid` makes running states publish what a forward pass accumulated.
            model.valid().visit(&mut visitor);
        }
        visitor.taken
    }

    /// # Errors
    ///
    /// [`Error::BufferChanged`] with the path of the first tensor that differs from the snapshot.
    pub(crate) fn require_unchanged<M: Module>(&self, model: &M) -> Result<()> {
        if self.floats.is_empty() && self.ints.is_empty() && self.bools.is_empty() {
            return Ok(());
        }
        let now = Self::of(model);
        let floats = self.floats.iter().zip(&now.floats);
        let ints = self.ints.iter().zip(&now.ints);
        let bools = self.bools.iter().zip(&now.bools);
        let changed = floats
            .filter(|(before, after)| !same(before.1.clone().equal(after.1.clone())))
            .map(|(before, _)| &before.0)
            .chain(ints.filter(|(before, after)| !same(before.1.clone().equal(after.1.clone()))).map(|(b, _)| &b.0))
            .chain(bools.filter(|(before, after)| !same(before.1.clone().equal(after.1.clone()))).map(|(b, _)| &b.0))
            .next();
        match changed {
            Some(path) => Err(Error::BufferChanged { path: path.clone() }),
            None => Ok(()),
        }
    }

    fn empty() -> Self {
        Self { floats: Vec::new(), ints: Vec::new(), bools: Vec::new() }
    }
}

fn same<const D: usize>(equal: Tensor<D, Bool>) -> bool {
    equal.all().into_scalar::<bool>()
}

/// Which parameters are trained, and whether there are other tensors.
#[derive(Default)]
struct Kinds {
    trainable: Vec<burn::module::ParamId>,
    others: bool,
}

impl ModuleVisitor for Kinds {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            self.trainable.push(param.id);
        } else {
            self.others = true;
        }
    }

    fn visit_int<const D: usize>(&mut self, _param: &Param<Tensor<D, Int>>) {
        self.others = true;
    }

    fn visit_bool<const D: usize>(&mut self, _param: &Param<Tensor<D, Bool>>) {
        self.others = true;
    }
}

struct Snapshot {
    path: Vec<String>,
    trainable: Vec<burn::module::ParamId>,
    taken: NonTrainable,
}

impl ModuleVisitor for Snapshot {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.trainable.contains(&param.id) {
            let value = param.val();
            let entries = value.shape().num_elements();
            self.taken.floats.push((self.path.join("."), value.reshape([entries])));
        }
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let value = param.val();
        let entries = value.shape().num_elements();
        self.taken.ints.push((self.path.join("."), value.reshape([entries])));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let value = param.val();
        let entries = value.shape().num_elements();
        self.taken.bools.push((self.path.join("."), value.reshape([entries])));
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::ParamId;
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Buffers {
        trained: Param<Tensor<1>>,
        table: Param<Tensor<2>>,
        count: Param<Tensor<1, Int>>,
        mask: Param<Tensor<1, Bool>>,
    }

    fn buffers() -> Buffers {
        let device = Device::flex().autodiff();
        Buffers {
            trained: Param::from_tensor(Tensor::zeros([2], &device)),
            table: Param::from_tensor(Tensor::ones([2, 2], &device)).set_require_grad(false),
            count: Param::initialized(ParamId::new(), Tensor::from_ints([3], &device)),
            mask: Param::initialized(ParamId::new(), Tensor::from_bool([true], &device)),
        }
    }

    #[test]
    fn every_kind_of_buffer_is_watched_and_trained_parameters_are_not() {
        let model = buffers();
        let before = NonTrainable::of(&model);
        assert!(before.require_unchanged(&model).is_ok());
        let refused = |model: Buffers| match before.require_unchanged(&model) {
            Err(Error::BufferChanged { path }) => path,
            other => panic!("{other:?}"),
        };
        let mut changed = model.clone();
        changed.table = changed.table.map(|table| table + 1e-6);
        assert_eq!(refused(changed), "table");
        let mut changed = model.clone();
        changed.count = changed.count.map(|count| count + 1);
        assert_eq!(refused(changed), "count");
        let mut changed = model.clone();
        changed.mask = changed.mask.map(|mask| mask.bool_not());
        assert_eq!(refused(changed), "mask");
        let mut trained = model;
        trained.trained = trained.trained.map(|value| (value.detach() + 1.0).detach().require_grad());
        assert!(before.require_unchanged(&trained).is_ok());
    }
}
