//! In a dry run of CubeCL no device writes anything: what a step would release is whatever memory holds, so nothing is.
//!
//! A dry run is the whole process's, so that this test has a process of its own.

#![cfg(feature = "wgpu")]

use burn::tensor::{Device, Tensor};
use burn_privacy_kernels::ops::noise::{NoiseRun, noisy_mean, require_launches};
use burn_privacy_mechanisms::{Entropy, MechanismError, PrivacyKey, StepNoise};

#[test]
fn nothing_is_released_in_a_dry_run() {
    let Ok((device, _)) = Device::wgpu_options().init_with_setup() else {
        return eprintln!("software-gpu test skipped: nothing_is_released_in_a_dry_run: no adapter");
    };
    let noise = StepNoise::new(&PrivacyKey::draw(Entropy::seeded(5)).unwrap(), 7).unwrap();
    let run = NoiseRun { noise: &noise, first: 0, std: 1.0 };
    let sum = || Tensor::<1>::ones([1_000], &device);
    let values = |mean: Tensor<1>| mean.into_data().try_to_vec::<f32>().unwrap();
    {
        let _dry_run = cubecl::dry_run::DryRun::new();
        assert!(matches!(noisy_mean(sum(), run, 2.0), Err(MechanismError::DroppedByTheDevice)));
        // What adds noise on the CPU to sums that are read from a device asks this.
        assert!(matches!(require_launches(), Err(MechanismError::DroppedByTheDevice)));
    }
    let released = values(noisy_mean(sum(), run, 2.0).unwrap());
    assert!(released.iter().all(|value| value.is_finite()) && released.iter().any(|value| *value != 0.5));
}
