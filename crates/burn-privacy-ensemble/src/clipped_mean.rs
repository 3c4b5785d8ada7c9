//! The mean of clipped numbers, with a sensitivity that no rounding exceeds.

use std::ops::RangeInclusive;

/// Parts of the range that are told apart.
const PLACES: f64 = (1_u64 << 52) as f64;

/// The mean of numbers that are clipped to a range, in units of the range's width above its lower end: from 0 to 1. NaN
/// counts as the lower end.
///
/// Each number becomes a whole number of places by itself, and whole numbers are summed exactly; so neither the range's
/// position (4e15 to 4e15 + 1, where numbers are halves) nor the order of the sum matters.
pub(super) fn clipped_mean(range: &RangeInclusive<f64>, values: &[f64]) -> f64 {
    let (low, width) = (*range.start(), range.end() - range.start());
    let sum: u128 = values.iter().map(|&value| place(value, low, width)).sum();
    sum as f64 / (values.len() as f64 * PLACES)
}

/// From 0 to `PLACES`, whatever is rounded on the way.
fn place(value: f64, low: f64, width: f64) -> u128 {
    let share = if value.is_nan() { 0.0 } else { ((value - low) / width).clamp(0.0, 1.0) };
    (share * PLACES).round() as u128
}

/// The most by which [`clipped_mean`] of `count` numbers changes with one of them: the exact mean by 1 / count, and each of
/// two means by four roundings of half a unit in the last place of a number of at most 1 (of the sum, the count, their
/// product with the places, and the quotient), rounded up.
pub(super) fn sensitivity(count: usize) -> f64 {
    (1.0 / count as f64 + 8.0 * f64::EPSILON) * (1.0 + 4.0 * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_teacher_moves_the_mean_by_its_share_however_far_away_the_range_lies() {
        // The case in which rounding was counted relative to the width: the mean moved by 0.5 where 0.02 was claimed.
        let range = 4e15..=4e15 + 1.0;
        for count in [50, 1_000] {
            let mut values = vec![4e15; count];
            let before = clipped_mean(&range, &values);
            values[0] = 4e15 + 1.0;
            let moved = clipped_mean(&range, &values) - before;
            assert!(moved <= sensitivity(count) && moved > 0.999 / count as f64, "{count}: {moved}");
        }
    }

    #[test]
    fn means_are_what_they_should_be() {
        assert_eq!(clipped_mean(&(-1.0..=3.0), &[-9.0, f64::NAN, f64::INFINITY, 1.0]), 0.375);
        assert_eq!(clipped_mean(&(0.0..=1.0), &[0.25, 0.75]), 0.5);
        assert_eq!(clipped_mean(&(0.0..=1e-320), &[1e-320, f64::NEG_INFINITY]), 0.5);
    }

    proptest! {
        #[test]
        fn no_number_moves_the_mean_by_more_than_the_sensitivity(
            low in prop_oneof![-1e300..1e300_f64, -1.0..1.0_f64, 1e15..1e16_f64],
            width in prop_oneof![1e-300..1e300_f64, 0.5..2.0_f64],
            shares in prop::collection::vec(-0.2..1.2_f64, 1..200),
            other in prop_oneof![-0.2..1.2_f64, Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
            at in any::<prop::sample::Index>(),
        ) {
            let range = low..=low + width;
            prop_assume!(range.end() > range.start());
            let mut values: Vec<f64> = shares.iter().map(|share| low + share * width).collect();
            let before = clipped_mean(&range, &values);
            let count = values.len();
            values[at.index(count)] = if other.is_finite() { low + other * width } else { other };
            let after = clipped_mean(&range, &values);
            prop_assert!((0.0..=1.0).contains(&before) && (0.0..=1.0).contains(&after));
            prop_assert!((after - before).abs() <= sensitivity(count), "{count}: {}", after - before);
        }
    }
}
