//! Maxima that keep a NaN: `f64::max` takes it for nothing, so that what could not be computed would look like a small number.

/// The number, or 0 if it is negative.
pub(crate) fn at_least_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// The larger of two numbers; NaN if one of them is.
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The largest of some numbers, and negative infinity of none; NaN if one of them is.
pub(crate) fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_stays() {
        assert!(at_least_zero(f64::NAN).is_nan() && at_least_zero(-1.0) == 0.0 && at_least_zero(2.0) == 2.0);
        assert!(larger(1.0, f64::NAN).is_nan() && larger(f64::NAN, 1.0).is_nan() && larger(1.0, 2.0) == 2.0);
        for place in 0..3 {
            let mut values = [1.0, 3.0, 2.0];
            assert_eq!(largest(values.into_iter()), 3.0);
            values[place] = f64::NAN;
            assert!(largest(values.into_iter()).is_nan());
        }
        assert_eq!(largest(std::iter::empty()), f64::NEG_INFINITY);
    }
}
