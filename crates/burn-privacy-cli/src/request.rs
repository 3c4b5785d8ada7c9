//! Calibration with an accountant that is chosen by name.

use burn_privacy_accounting::{
    Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, Result, calibrate_noise_multiplier,
    calibrate_steps,
};

use crate::args::AccountantName;

/// The smallest noise multiplier that reaches a target.
pub fn noise_multiplier_for(
    name: AccountantName,
    adjacency: Adjacency,
    make: impl Fn(f64) -> Result<DpEvent>,
    epsilon: f64,
    delta: f64,
) -> Result<f64> {
    match name {
        AccountantName::Pld => calibrate_noise_multiplier(make, epsilon, delta, || PldAccountant::new(adjacency)),
        AccountantName::Rdp => calibrate_noise_multiplier(make, epsilon, delta, || RdpAccountant::new(adjacency)),
        AccountantName::Contour => {
            calibrate_noise_multiplier(make, epsilon, delta, || ContourEstimator::new(adjacency))
        }
    }
}

/// The largest number of steps within a target.
pub fn steps_for(
    name: AccountantName,
    adjacency: Adjacency,
    make: impl Fn(u64) -> Result<DpEvent>,
    epsilon: f64,
    delta: f64,
) -> Result<u64> {
    match name {
        AccountantName::Pld => calibrate_steps(make, epsilon, delta, || PldAccountant::new(adjacency)),
        AccountantName::Rdp => calibrate_steps(make, epsilon, delta, || RdpAccountant::new(adjacency)),
        AccountantName::Contour => calibrate_steps(make, epsilon, delta, || ContourEstimator::new(adjacency)),
    }
}
