use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::rule::ParameterSum;

/// The running sum of clipped per-example gradients of one logical batch, over its physical batches.
///
/// Private data: it leaves this crate only with noise added.
#[derive(Default)]
pub(crate) struct GradientSum {
    sums: HashMap<ParamId, Tensor<1>>,
}

impl GradientSum {
    pub(crate) fn add(&mut self, sum: ParameterSum) {
        let total = match self.sums.remove(&sum.id) {
            Some(total) => total + sum.values,
            None => sum.values,
        };
        self.sums.insert(sum.id, total);
    }

    /// The sum for one parameter, `[entries]`; `None` where no physical batch reached it (an empty batch).
    pub(crate) fn take(&mut self, id: ParamId) -> Option<Tensor<1>> {
        self.sums.remove(&id)
    }
}
