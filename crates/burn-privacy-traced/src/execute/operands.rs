//! Where an operation that is executed takes its tensors from.

use burn_ir::TensorIr;

use crate::tensors::T;

/// Where an operation takes its tensors from.
pub(crate) trait Operands {
    /// The value of an input.
    fn take(&mut self, tensor: &TensorIr) -> T;

    /// The value of an input that may be absent.
    fn take_some(&mut self, tensor: Option<&TensorIr>) -> Option<T> {
        tensor.map(|tensor| self.take(tensor))
    }
}
