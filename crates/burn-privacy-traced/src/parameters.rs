//! A model's parameters and buffers by its fields, in the order of a visit.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Tensor};
use burn_dispatch::DispatchTensor;

/// The values of a model's parameters and buffers, without autodiff.
pub fn values_of<M: Module>(model: &M) -> ParameterValues {
    let mut values = Values { found: HashMap::new(), visits: Visits::default() };
    model.visit(&mut values);
    ParameterValues(values.found)
}

/// The values of a model's parameters and buffers.
#[derive(Debug, Clone)]
pub struct ParameterValues(HashMap<Visit, DispatchTensor>);

impl ParameterValues {
    pub(crate) fn get(&self, visit: Visit) -> Option<&DispatchTensor> {
        self.0.get(&visit)
    }
}

/// A field of a model: clones that are frozen have one id, and may have values of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Visit {
    pub(crate) id: ParamId,
    /// How many fields of this id came before.
    before: usize,
}

/// Counts fields of one id.
#[derive(Default)]
pub(crate) struct Visits(HashMap<ParamId, usize>);

impl Visits {
    pub(crate) fn next(&mut self, id: ParamId) -> Visit {
        let count = self.0.entry(id).or_default();
        *count += 1;
        Visit { id, before: *count - 1 }
    }
}

struct Values {
    found: HashMap<Visit, DispatchTensor>,
    visits: Visits,
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.visits.next(param.id), param.base().inner().into_dispatch());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.found.insert(self.visits.next(param.id), param.val().inner().into_dispatch());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.found.insert(self.visits.next(param.id), param.val().inner().into_dispatch());
    }
}
