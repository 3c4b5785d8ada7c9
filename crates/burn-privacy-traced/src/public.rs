//! Tensors that a loss closure declares to be public.

use std::cell::RefCell;
use std::collections::HashSet;

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use burn_capture::CaptureBackend;
use burn_ir::TensorId;

thread_local! {
    /// The device that records on this thread, and what was declared on it.
    static RECORDING: RefCell<Option<(burn::tensor::Device, HashSet<TensorId>)>> = const { RefCell::new(None) };
}

/// Declares that `tensor` is public: made of nothing that is protected.
///
/// For what a loss closure or a batcher brings along from outside of the batch and the model and that may change from call to
/// call: the outputs of a teacher network, the weights of classes, a schedule. On a recording device it becomes a constant that
/// is taken as it is; otherwise it stays what it is. Nothing checks the declaration: it is the user's promise.
///
/// # Shapes
///
/// - tensor: any
/// - returns: the same, on the device that the batch is on
pub fn public<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let device = RECORDING.with_borrow(|recording| recording.as_ref().map(|(device, _)| device.clone()));
    let Some(device) = device else { return tensor };
    let moved = Tensor::<D>::from_data(tensor.detach().into_data(), &device);
    if let Some(id) = id_of(&moved) {
        RECORDING.with_borrow_mut(|recording| {
            if let Some((_, declared)) = recording {
                declared.insert(id);
            }
        });
    }
    moved
}

/// The id of a float tensor on a recording device, with or without autodiff.
pub(crate) fn id_of<const D: usize>(tensor: &Tensor<D>) -> Option<TensorId> {
    if let Ok(primitive) = tensor.clone().try_into_primitive::<CaptureBackend>() {
        return Some(primitive.id());
    }
    let primitive = tensor.clone().try_into_primitive::<Autodiff<CaptureBackend>>().ok()?;
    Some(primitive.primitive().id())
}

/// A scope in which tensors can be declared.
pub(crate) struct Declarations;

impl Declarations {
    /// `None` inside another one.
    pub(crate) fn on(device: &burn::tensor::Device) -> Option<Self> {
        RECORDING.with_borrow_mut(|recording| match recording {
            Some(_) => None,
            None => {
                *recording = Some((device.clone(), HashSet::new()));
                Some(Self)
            }
        })
    }

    pub(crate) fn declared(&self) -> HashSet<TensorId> {
        RECORDING.with_borrow(|recording| recording.as_ref().map(|(_, ids)| ids.clone()).unwrap_or_default())
    }
}

impl Drop for Declarations {
    fn drop(&mut self) {
        RECORDING.with_borrow_mut(|recording| *recording = None);
    }
}
