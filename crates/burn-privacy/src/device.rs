//! Choosing a device by name at run time.

use std::str::FromStr;

use burn::tensor::Device;

use crate::error::{Error, Result};

/// Which backend to run on, as a user says it on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// A real GPU where this build and this machine have one, else the CPU. A software GPU driver is not taken.
    #[default]
    Auto,
    /// The CPU: Burn's pure-Rust flex backend.
    Cpu,
    /// Any adapter that wgpu finds, a software one included.
    Wgpu,
    /// Vulkan through wgpu.
    Vulkan,
    /// Metal through wgpu.
    Metal,
    /// NVIDIA CUDA.
    Cuda,
    /// AMD ROCm.
    Rocm,
}

impl DeviceChoice {
    /// Every name, for help texts.
    pub const NAMES: [&'static str; 7] = ["auto", "cpu", "wgpu", "vulkan", "metal", "cuda", "rocm"];
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "auto" => Self::Auto,
            "cpu" | "flex" => Self::Cpu,
            "wgpu" => Self::Wgpu,
            "vulkan" => Self::Vulkan,
            "metal" => Self::Metal,
            "cuda" => Self::Cuda,
            "rocm" => Self::Rocm,
            other => {
                let known = Self::NAMES.join(", ");
                return Err(Error::Device(format!("there is no device named `{other}`: use one of {known}")));
            }
        })
    }
}

/// A device, and what to call it in a report.
#[derive(Debug, Clone)]
pub struct SelectedDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// Such as "cpu (flex)" or "wgpu (NVIDIA H200, Vulkan)".
    pub description: String,
}

/// Finds the device.
///
/// # Errors
///
/// [`Error::Device`] if this build lacks the backend (the message names the feature), or the machine has no
/// such device.
pub fn select_device(choice: DeviceChoice) -> Result<SelectedDevice> {
    match choice {
        DeviceChoice::Auto => Ok(real_gpu().map_or_else(cpu, Ok)?),
        DeviceChoice::Cpu => cpu(),
        DeviceChoice::Wgpu => wgpu(),
        DeviceChoice::Vulkan => vulkan(),
        DeviceChoice::Metal => metal(),
        DeviceChoice::Cuda => cuda(),
        DeviceChoice::Rocm => rocm(),
    }
}

#[allow(unused)]
fn not_built(name: &str, feature: &str) -> Result<SelectedDevice> {
    Err(Error::Device(format!("this build has no {name} backend: build with --features {feature}")))
}

fn cpu() -> Result<SelectedDevice> {
    #[cfg(feature = "flex")]
    return Ok(SelectedDevice { device: Device::flex(), description: "cpu (flex)".into() });
    #[cfg(not(feature = "flex"))]
    not_built("CPU", "flex")
}

/// A wgpu adapter that is not a CPU in disguise; `None` without one.
fn real_gpu() -> Option<SelectedDevice> {
    #[cfg(feature = "wgpu")]
    {
        // Any failure to bring a GPU up means the CPU: `auto` must work on a bare machine.
        let adapter = wgpu_adapter().as_ref().ok()?;
        (!adapter.is_software).then(|| adapter.selected.clone())
    }
    #[cfg(not(feature = "wgpu"))]
    None
}

fn wgpu() -> Result<SelectedDevice> {
    #[cfg(feature = "wgpu")]
    return match wgpu_adapter() {
        Ok(adapter) => Ok(adapter.selected.clone()),
        Err(reason) => Err(Error::Device(format!(
            "wgpu found no usable adapter ({reason}): install a GPU driver, or use --device cpu"
        ))),
    };
    #[cfg(not(feature = "wgpu"))]
    not_built("wgpu", "wgpu")
}

/// What wgpu chooses by itself.
#[cfg(feature = "wgpu")]
struct WgpuAdapter {
    selected: SelectedDevice,
    is_software: bool,
}

/// Brought up once a process: the second time Burn refuses.
#[cfg(feature = "wgpu")]
fn wgpu_adapter() -> &'static std::result::Result<WgpuAdapter, String> {
    static ADAPTER: std::sync::OnceLock<std::result::Result<WgpuAdapter, String>> = std::sync::OnceLock::new();
    ADAPTER.get_or_init(|| {
        let (device, setup) = Device::wgpu_options().init_with_setup().map_err(|error| error.to_string())?;
        let info = setup.adapter.get_info();
        let description = format!("wgpu ({}, {:?})", info.name, info.backend);
        let is_software = info.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu;
        Ok(WgpuAdapter { selected: SelectedDevice { device, description }, is_software })
    })
}

fn vulkan() -> Result<SelectedDevice> {
    #[cfg(feature = "vulkan")]
    return Ok(SelectedDevice {
        device: Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
        description: "vulkan".into(),
    });
    #[cfg(not(feature = "vulkan"))]
    not_built("Vulkan", "vulkan")
}

fn metal() -> Result<SelectedDevice> {
    #[cfg(feature = "metal")]
    return Ok(SelectedDevice {
        device: Device::metal(burn::tensor::DeviceKind::DefaultDevice),
        description: "metal".into(),
    });
    #[cfg(not(feature = "metal"))]
    not_built("Metal", "metal")
}

fn cuda() -> Result<SelectedDevice> {
    #[cfg(feature = "cuda")]
    return Ok(SelectedDevice { device: Device::cuda(0), description: "cuda".into() });
    #[cfg(not(feature = "cuda"))]
    not_built("CUDA", "cuda")
}

fn rocm() -> Result<SelectedDevice> {
    #[cfg(feature = "rocm")]
    return Ok(SelectedDevice { device: Device::rocm(0), description: "rocm".into() });
    #[cfg(not(feature = "rocm"))]
    not_built("ROCm", "rocm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_unknown_ones_refused() {
        assert!(DeviceChoice::NAMES.iter().all(|name| name.parse::<DeviceChoice>().is_ok()));
        assert!("gpu0".parse::<DeviceChoice>().unwrap_err().to_string().contains("auto, cpu, wgpu"));
    }

    #[cfg(feature = "flex")]
    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(select_device(DeviceChoice::Cpu).unwrap().description, "cpu (flex)");
        assert!(select_device(DeviceChoice::Auto).is_ok());
    }

    #[test]
    fn asking_again_gives_the_same_device() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Wgpu] {
            let again =
                || select_device(choice).map(|selected| selected.description).map_err(|error| error.to_string());
            assert_eq!(again(), again());
        }
    }
}
