//! How many steps some epochs are.

use crate::error::{finite_above_zero, invalid};
use crate::{MAX_COUNT, Result};

/// Relative error that a quotient of decimal fractions may have picked up as floats: a few units in the last place.
const DUST: f64 = 8.0 * f64::EPSILON;

/// The number of steps in which `records` records are drawn `epochs` times in the mean, in batches of `batch` records in the
/// mean: epochs x records / batch, rounded up to a whole step.
///
/// What floats add to the quotient is forgiven: 1.1 epochs of 50,000 records in batches of 10 are 5,500 steps, although the
/// product is 5,500.000000000001 in floats. Plans, the command line and sweeps count alike by it.
///
/// # Errors
///
/// If `epochs` or `batch` is not above 0 or not finite, `records` is 0 or `batch` above it, or the result is above
/// [`MAX_COUNT`].
///
/// ```
/// assert_eq!(burn_privacy_accounting::steps_of_epochs(9.0, 30.0, 50_000)?, 15_000);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn steps_of_epochs(epochs: f64, batch: f64, records: u64) -> Result<u64> {
    let epochs = finite_above_zero("epochs", epochs)?;
    let batch = finite_above_zero("batch_size", batch)?;
    if !(1..=MAX_COUNT).contains(&records) {
        return Err(invalid("dataset_size", records, format!("a whole number from 1 to {MAX_COUNT}")));
    }
    if batch > records as f64 {
        return Err(invalid("batch_size", batch, format!("at most the number of records, {records}")));
    }
    let exact = epochs * (records as f64) / batch;
    let nearest = exact.round();
    let steps = if (exact - nearest).abs() <= DUST * exact { nearest } else { exact.ceil() };
    if steps > MAX_COUNT as f64 {
        return Err(invalid("epochs", epochs, format!("smaller: at most {MAX_COUNT} steps can be counted")));
    }
    // Fewer than half a step's worth of epochs is still a step.
    Ok((steps as u64).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plans_commands_and_sweeps_agree_on_these() {
        for (epochs, batch, records, steps) in [
            (9.0, 30.0, 50_000, 15_000),
            (1.1, 10.0, 50_000, 5_500),
            (1.0, 250.0, 50_000, 200),
            (10.0, 250.0, 50_000, 2_000),
            (1.0, 7.0, 10, 2),
            (0.3, 1.0, 10, 3),
            (0.001, 100.0, 1_000, 1),
            (1.0, 50_000.0, 50_000, 1),
            (2.000_001, 50_000.0, 50_000, 3),
        ] {
            assert_eq!(steps_of_epochs(epochs, batch, records).unwrap(), steps, "{epochs} {batch} {records}");
        }
    }

    #[test]
    fn what_is_no_number_of_epochs_is_refused() {
        for (epochs, batch, records) in [
            (0.0, 10.0, 100),
            (-1.0, 10.0, 100),
            (f64::NAN, 10.0, 100),
            (f64::INFINITY, 10.0, 100),
            (1.0, 0.0, 100),
            (1.0, f64::NAN, 100),
            (1.0, 101.0, 100),
            (1.0, 1.0, 0),
            (1e20, 1.0, 100),
        ] {
            assert!(steps_of_epochs(epochs, batch, records).is_err(), "{epochs} {batch} {records}");
        }
    }

    proptest! {
        /// Epochs with up to three decimals, counted in whole numbers.
        #[test]
        fn decimal_epochs_are_counted_as_fractions(
            thousandths in 1..100_000_u64, batch in 1..5_000_u64, more in 0..1_000_000_u64,
        ) {
            let records = batch + more;
            let exact = (thousandths * records).div_ceil(1_000 * batch);
            let found = steps_of_epochs(thousandths as f64 / 1_000.0, batch as f64, records).unwrap();
            prop_assert_eq!(found, exact);
        }
    }
}
