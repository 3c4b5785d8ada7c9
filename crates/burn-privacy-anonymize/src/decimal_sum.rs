//! Sums of epsilons and deltas as people wrote them.
//!
//! A double holds a decimal, and the decimal sum, to `2^-53` of itself, so that the sum of the doubles may exceed what is stated by
//! `2^-52` of it. That is sound for mechanisms that spend less than their own amount by far more, as all do whose amounts are added
//! here; each place says by how much.

/// The sum of what mechanisms spend, each as the shortest decimal that reads back as it: 0.1 and 0.2 are 0.3 together, not
/// 0.30000000000000004. Where there is no decimal sum (a number is not finite, or digits span too many places), doubles are added and rounded up. NaN if one is.
///
/// ```
/// use burn_privacy_anonymize::decimal_sum::sum_as_written;
///
/// assert_eq!(sum_as_written(&[0.1, 0.2]), 0.3);
/// ```
#[must_use]
pub fn sum_as_written(numbers: &[f64]) -> f64 {
    // Any order of summation errs by less than half a unit in the last place of each partial sum.
    let rounded_up =
        || numbers.iter().fold(0.0, |sum, number| sum + number) * (1.0 + numbers.len() as f64 * f64::EPSILON);
    decimal_sum(numbers).unwrap_or_else(rounded_up)
}

/// So many times what one mechanism spends, as [`sum_as_written`].
///
/// ```
/// assert_eq!(burn_privacy_anonymize::decimal_sum::times_as_written(0.1, 3), 0.3);
/// ```
#[must_use]
pub fn times_as_written(number: f64, times: u64) -> f64 {
    let exact = decimal(number).and_then(|(digits, exponent)| read(digits.checked_mul(times.into())?, exponent));
    exact.unwrap_or(number * times as f64 * (1.0 + 2.0 * f64::EPSILON))
}

/// The sum of numbers at least 0, each taken as the shortest decimal fraction that reads back as it: 0.1 and 0.2 are
/// 0.3 together, not 0.30000000000000004. The result is the number nearest to the exact decimal sum.
///
/// `None` if a number is negative or not finite, or the digits span more than 37 places.
fn decimal_sum(numbers: &[f64]) -> Option<f64> {
    let decimals: Vec<(i128, i32)> = numbers.iter().map(|&number| decimal(number)).collect::<Option<_>>()?;
    let lowest = decimals.iter().map(|&(_, exponent)| exponent).min().unwrap_or(0);
    let mut sum = 0_i128;
    for (digits, exponent) in decimals {
        let scale = 10_i128.checked_pow(exponent.abs_diff(lowest))?;
        sum = sum.checked_add(digits.checked_mul(scale)?)?;
    }
    read(sum, lowest)
}

fn read(digits: i128, exponent: i32) -> Option<f64> {
    format!("{digits}e{exponent}").parse().ok()
}

/// Digits and power of ten of the shortest decimal that reads back as the number.
fn decimal(number: f64) -> Option<(i128, i32)> {
    if number == 0.0 {
        return Some((0, 0));
    }
    if !(number > 0.0 && number.is_finite()) {
        return None;
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, exponent.parse::<i32>().ok()? - fraction.len() as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_add_up_exactly() {
        assert_eq!(decimal_sum(&[0.1, 0.2]), Some(0.3));
        assert_eq!(decimal_sum(&[0.1; 10]), Some(1.0));
        assert_eq!(decimal_sum(&[1e-6, 2e-6, 1e-30]), Some(3e-6));
        assert_eq!(decimal_sum(&[1e-7; 3]), Some(3e-7));
        assert_eq!(decimal_sum(&[32.0, 1e-4, 0.7]), Some(32.7001));
        assert_eq!(decimal_sum(&[]).map(f64::to_bits), Some(0));
        assert_eq!(decimal_sum(&[0.0, -0.0]).map(f64::to_bits), Some(0));
    }

    #[test]
    fn multiples_are_those_of_the_decimal() {
        for (number, times, product) in [
            (0.1, 3, 0.3),
            (0.7, 3, 2.1),
            (1e-5, 70_000, 0.7),
            (0.5, 2, 1.0),
            (0.3, 0, 0.0),
            (0.0, 9, 0.0),
            (2.5, 1, 2.5),
        ] {
            assert_eq!(times_as_written(number, times), product, "{number} {times}");
        }
        assert!(times_as_written(f64::NAN, 3).is_nan() && times_as_written(f64::INFINITY, 2) == f64::INFINITY);
        // Beyond what is counted in digits, rounded up.
        assert!(times_as_written(0.123_456_789_012_345_6, u64::MAX) >= 0.123_456_789_012_345_6 * u64::MAX as f64);
    }

    #[test]
    fn sums_without_a_decimal_one_are_rounded_up_and_keep_what_is_no_number() {
        assert!(sum_as_written(&[0.5, 1e-60]) > 0.5 && sum_as_written(&[0.5, 1e-60]) < 0.5 + 1e-15);
        assert!(sum_as_written(&[0.5, f64::NAN]).is_nan() && sum_as_written(&[0.5, f64::INFINITY]) == f64::INFINITY);
        assert_eq!(sum_as_written(&[]).to_bits(), 0);
    }

    #[test]
    fn what_has_no_decimal_sum_is_said() {
        for numbers in [[1.0, -1.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0], [0.5, 1e-60]] {
            assert_eq!(decimal_sum(&numbers), None, "{numbers:?}");
        }
    }

    #[test]
    fn the_sum_is_within_a_rounding_of_that_of_the_numbers() {
        let mut state = 1_u64;
        for count in 1..200 {
            let numbers: Vec<f64> = (0..count)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 40) as f64 / 1e6
                })
                .collect();
            let (sum, float) = (decimal_sum(&numbers).unwrap(), numbers.iter().sum::<f64>());
            assert!((sum - float).abs() <= float * f64::EPSILON * count as f64, "{sum} {float}");
        }
    }
}
