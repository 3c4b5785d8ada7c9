//! An adapter for tests of the kernels, and what they are compared with.

use std::sync::OnceLock;

use burn::backend::Cube;
use burn::tensor::{DType, Device, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use cubecl::prelude::*;
use cubecl::server::Handle;

use super::on_adapter;

/// A device, and some tensor on it, which knows how it is reached.
pub(super) struct Adapter {
    pub(super) device: Device,
    tensor: CubeTensor,
}

impl Adapter {
    pub(super) fn client(&self) -> &Client {
        &self.tensor.client
    }

    /// Words as an argument.
    pub(super) fn input(&self, words: &[u32]) -> BufferArg {
        self.argument(self.client().create_from_slice(u32::as_bytes(words)), words.len())
    }

    /// Numbers on the device.
    pub(super) fn tensor(&self, values: &[f32]) -> CubeTensor {
        let handle = self.client().create_from_slice(f32::as_bytes(values));
        let (client, device) = (self.tensor.client.clone(), self.tensor.device.clone());
        CubeTensor::new_contiguous(client, device, [values.len()].into(), handle, DType::F32)
    }

    /// Where a kernel may write so many words, and the argument that says so.
    pub(super) fn output(&self, words: usize) -> (Handle, BufferArg) {
        let handle = self.client().empty(words * size_of::<u32>());
        (handle.clone(), self.argument(handle, words))
    }

    pub(super) fn read(&self, output: Handle) -> Vec<u32> {
        u32::from_bytes(&self.client().read_one_unchecked(output)).to_vec()
    }

    fn argument(&self, handle: Handle, words: usize) -> BufferArg {
        let (client, device) = (self.tensor.client.clone(), self.tensor.device.clone());
        CubeTensor::new_contiguous(client, device, [words].into(), handle, DType::U32).into_buffer_arg()
    }
}

pub(super) fn on_adapter(name: &str, test: impl FnOnce(&Adapter)) {
    let adapter = found().clone().map(|(description, device)| {
        let tensor = Tensor::<1>::zeros([1], &device).try_into_primitive::<Cube>().expect("a GPU's tensor");
        let tensor = tensor.client.clone().resolve_tensor_float::<CubeBackend>(tensor);
        (description, Adapter { device, tensor })
    });
    on_adapter::on_adapter(name, adapter, |adapter| test(&adapter));
}

/// What wgpu chooses by itself, a software driver included: brought up once a process, for the second time Burn refuses.
fn found() -> &'static Result<(String, Device), String> {
    static FOUND: OnceLock<Result<(String, Device), String>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let (device, setup) = Device::wgpu_options().init_with_setup().map_err(|error| error.to_string())?;
        let info = setup.adapter.get_info();
        Ok((format!("wgpu ({}, {:?})", info.name, info.backend), device))
    })
}

/// Words of the key's stream 0 by the generator of the CPU.
pub(super) fn reference_words(key: &[u32; 8], first: u128, count: usize) -> Vec<u32> {
    let mut rng = ChaCha20Rng::from_seed(std::array::from_fn(|i| key[i / 4].to_le_bytes()[i % 4]));
    rng.set_word_pos(first);
    (0..count).map(|_| rng.next_u32()).collect()
}
