//! Sums of numbers as people wrote them.

/// The sum of numbers at least 0, each taken as the shortest decimal fraction that reads back as it: 0.1 and 0.2 are
/// 0.3 together, not 0.30000000000000004. The result is the number nearest to the exact decimal sum.
///
/// `None` if a number is negative or not finite, or the digits span more than 37 places.
pub(super) fn decimal_sum(numbers: &[f64]) -> Option<f64> {
    let decimals: Vec<(i128, i32)> = numbers.iter().map(|&number| decimal(number)).collect::<Option<_>>()?;
    let lowest = decimals.iter().map(|&(_, exponent)| exponent).min().unwrap_or(0);
    let mut sum = 0_i128;
    for (digits, exponent) in decimals {
        let scale = 10_i128.checked_pow(exponent.abs_diff(lowest))?;
        sum = sum.checked_add(digits.checked_mul(scale)?)?;
    }
    format!("{sum}e{lowest}").parse().ok()
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
