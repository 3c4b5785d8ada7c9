//! A score of households that one of them moves by at most 1.

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;

use super::Network;
use super::data::{Household, Households};

/// One minus the squared error of each household, summed. Targets and predictions are kept within 0 and 1, so that one
/// household moves the sum by at most 1: its sensitivity under add-or-remove-one adjacency. A prediction that is not a number
/// counts as wrong.
pub fn closeness(network: &Network, households: &[Household], device: &Device) -> f64 {
    let batch = Households.batch(households.to_vec(), device);
    let each = network.predict(&batch).into_iter().zip(households).map(|(found, household)| {
        let error = found.clamp(0.0, 1.0) - f64::from(household.target).clamp(0.0, 1.0);
        if error.is_nan() { 0.0 } else { 1.0 - error * error }
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use burn_privacy::device::{DeviceChoice, select_device};

    use super::*;

    #[test]
    fn one_household_moves_the_sum_by_at_most_one() {
        let device = select_device(DeviceChoice::Cpu).unwrap().device;
        let network = Network::new(&device);
        let household = |features, target| Household { features, target };
        let mut households = vec![household([0.5; 4], 0.5), household([1.0; 4], 0.0)];
        let before = closeness(&network, &households, &device);
        for (features, target) in [(1e30, 1.0), (f32::NAN, 0.0), (-1e30, 0.0), (0.5, 9.0), (0.5, f32::NAN)] {
            households.push(household([features; 4], target));
            let moved = closeness(&network, &households, &device) - before;
            households.pop();
            assert!((-1e-9..=1.0 + 1e-9).contains(&moved), "{features} {target}: {moved}");
        }
    }
}
