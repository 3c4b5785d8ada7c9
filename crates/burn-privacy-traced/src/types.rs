//! Element types: a recording device's are not those of the device that a recording is replayed on.

use burn::tensor::{Bool, Device, Int, Tensor};
use burn_backend::{DType, TensorData};
use burn_dispatch::DispatchTensor;

use crate::tensors::{D, Of, of};

/// A device's own types of whole numbers and booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Types {
    int: DType,
    bool: DType,
}

impl Types {
    pub(crate) fn of(device: &Device) -> Self {
        Self { int: Tensor::<1, Int>::empty([1], device).dtype(), bool: Tensor::<1, Bool>::empty([1], device).dtype() }
    }

    /// The type in the place of a recorded one.
    pub(crate) fn own(&self, recorded: DType) -> DType {
        if recorded.is_bool() {
            self.bool
        } else if recorded.is_int() || recorded.is_uint() {
            self.int
        } else {
            recorded
        }
    }

    /// Recorded values in this device's types.
    pub(crate) fn converted(&self, data: TensorData) -> TensorData {
        let own = self.own(data.dtype());
        if own == data.dtype() { data } else { data.convert_dtype(own) }
    }

    /// A model's own values in this device's types.
    pub(crate) fn cast(&self, value: DispatchTensor) -> DispatchTensor {
        use burn_backend::TensorMetadata;
        use burn_backend::ops::IntTensorOps;
        match of(&value) {
            Of::Int if value.dtype() != self.int => D::int_cast(value, self.int.into()),
            _ => value,
        }
    }
}
