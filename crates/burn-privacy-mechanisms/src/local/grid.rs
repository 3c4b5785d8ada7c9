//! Public grids over bounds: mechanisms see places `0 ..= last`, never numbers.

use super::{LocalError, MAX_BOUND, MAX_INTEGER_BOUND};

/// The finest division of bounds.
pub(super) const FINEST: i64 = 1 << 20;

/// Numbers `0 ..= last` steps above a lower bound.
pub trait Grid: Copy {
    /// What is put on the grid.
    type Number: Copy;
    /// What a place stands for, which may lie beyond the bounds.
    type Output;

    /// A grid of at most `most` steps, or the refusal of the bounds.
    fn new(lo: Self::Number, hi: Self::Number, most: i64) -> Result<Self, LocalError>;

    /// How far the bounds are apart, or their refusal.
    fn width(lo: Self::Number, hi: Self::Number) -> Result<f64, LocalError>;

    /// The place next to a value; values beyond the bounds count as the bound, NaN as the lower one.
    fn place(&self, value: Self::Number) -> i64;

    /// The number at a place.
    fn value(&self, place: i64) -> Self::Output;

    /// The bounds.
    fn bounds(&self) -> (Self::Number, Self::Number);

    /// The last place within the bounds.
    fn last(&self) -> i64;

    /// So many steps, as a number.
    fn times_step(&self, steps: f64) -> f64;
}

/// `last + 1` equidistant real numbers from `lo` to `hi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RealGrid {
    lo: f64,
    hi: f64,
    step: f64,
    last: i64,
}

impl RealGrid {
    /// The number at a place, which may lie between places and beyond the bounds.
    pub(super) fn between(&self, place: f64) -> f64 {
        self.lo + self.step * place
    }

    /// Decimals that tell places apart, if they are few.
    pub(super) fn decimals(&self) -> Option<usize> {
        let decimals = (-self.step.log10()).ceil() + 1.0;
        (decimals <= 15.0).then_some(decimals.max(0.0) as usize)
    }
}

impl Grid for RealGrid {
    type Number = f64;
    type Output = f64;

    fn new(lo: f64, hi: f64, last: i64) -> Result<Self, LocalError> {
        let width = Self::width(lo, hi)?;
        Ok(Self { lo, hi, step: width / last as f64, last })
    }

    fn width(lo: f64, hi: f64) -> Result<f64, LocalError> {
        // The width of numbers that are next to nothing has no room for a grid.
        if lo < hi && lo.abs() <= MAX_BOUND && hi.abs() <= MAX_BOUND && hi - lo >= 1.0 / MAX_BOUND {
            Ok(hi - lo)
        } else {
            Err(LocalError::RealBounds { lo, hi })
        }
    }

    fn place(&self, value: f64) -> i64 {
        let place = (value.clamp(self.lo, self.hi) - self.lo) / self.step;
        (place.round() as i64).clamp(0, self.last)
    }

    fn value(&self, place: i64) -> f64 {
        self.between(place as f64)
    }

    fn bounds(&self) -> (f64, f64) {
        (self.lo, self.hi)
    }

    fn last(&self) -> i64 {
        self.last
    }

    fn times_step(&self, steps: f64) -> f64 {
        (self.hi - self.lo) * steps / self.last as f64
    }
}

/// Integers from `lo` on, a whole number of units apart, up to `hi` or the first beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerGrid {
    lo: i64,
    hi: i64,
    step: i64,
    last: i64,
}

impl IntegerGrid {
    pub(super) fn step(&self) -> i64 {
        self.step
    }
}

impl Grid for IntegerGrid {
    type Number = i64;
    type Output = i128;

    /// Each unit a step if that suffices.
    fn new(lo: i64, hi: i64, most: i64) -> Result<Self, LocalError> {
        Self::width(lo, hi)?;
        let width = (hi - lo).unsigned_abs();
        let step = width.div_ceil(most.unsigned_abs());
        Ok(Self { lo, hi, step: step as i64, last: width.div_ceil(step) as i64 })
    }

    fn width(lo: i64, hi: i64) -> Result<f64, LocalError> {
        let allowed = -MAX_INTEGER_BOUND..=MAX_INTEGER_BOUND;
        if lo < hi && allowed.contains(&lo) && allowed.contains(&hi) {
            Ok((hi - lo) as f64)
        } else {
            Err(LocalError::IntegerBounds { lo, hi })
        }
    }

    fn place(&self, value: i64) -> i64 {
        let above = value.clamp(self.lo, self.hi) - self.lo;
        ((above + self.step / 2) / self.step).min(self.last)
    }

    fn value(&self, place: i64) -> i128 {
        i128::from(self.lo) + i128::from(self.step) * i128::from(place)
    }

    fn bounds(&self) -> (i64, i64) {
        (self.lo, self.hi)
    }

    fn last(&self) -> i64 {
        self.last
    }

    fn times_step(&self, steps: f64) -> f64 {
        self.step as f64 * steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_cover_the_bounds_and_nothing_else() {
        let grid = RealGrid::new(-2.0, 6.0, 8).unwrap();
        let places = [f64::NEG_INFINITY, -2.0, -1.4, 0.0, 6.0, 1e300, f64::NAN].map(|value| grid.place(value));
        assert_eq!(places, [0, 0, 1, 2, 8, 8, 0]);
        assert_eq!([grid.value(0), grid.value(8), grid.value(-3)], [-2.0, 6.0, -5.0]);
        let widest = RealGrid::new(-MAX_BOUND, MAX_BOUND, FINEST).unwrap();
        assert_eq!(widest.place(MAX_BOUND), FINEST);
    }

    #[test]
    fn wide_integers_get_a_coarser_grid() {
        let grid = IntegerGrid::new(0, 120, FINEST).unwrap();
        assert_eq!((grid.step(), grid.last()), (1, 120));
        assert_eq!([-5, 0, 40, 500].map(|value| grid.place(value)), [0, 0, 40, 120]);
        let wide = IntegerGrid::new(-MAX_INTEGER_BOUND, MAX_INTEGER_BOUND, FINEST).unwrap();
        assert!(wide.last() <= FINEST && wide.place(MAX_INTEGER_BOUND) == wide.last());
        assert_eq!(wide.value(0), -i128::from(MAX_INTEGER_BOUND));
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for (lo, hi) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN), (0.0, f64::INFINITY), (0.0, 1e-310)]
        {
            assert!(RealGrid::new(lo, hi, 4).is_err(), "{lo} {hi}");
        }
        for (lo, hi) in [(1, 1), (2, 1), (i64::MIN, i64::MAX), (0, MAX_INTEGER_BOUND + 1)] {
            assert!(IntegerGrid::new(lo, hi, 4).is_err(), "{lo} {hi}");
        }
    }
}
