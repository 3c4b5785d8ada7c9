//! Axes of charts: where values lie along them, their ticks, and how numbers are written.

use std::ops::Range;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps are equally far apart.
    Linear,
    /// Equal ratios are; values that are not above 0 are left out.
    Logarithmic,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values are spread.
    pub scale: Scale,
    /// Values that are to be in sight, besides the data.
    pub includes: Vec<f64>,
}

impl Axis {
    /// An axis with equal steps.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, includes: Vec::new() }
    }

    /// An axis with equal ratios.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, includes: Vec::new() }
    }

    /// Keeps a value in sight, such as 0.
    pub fn including(mut self, value: f64) -> Self {
        self.includes.push(value);
        self
    }

    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic if value > 0.0 => value.log10(),
            Scale::Logarithmic => return None,
        };
        place.is_finite().then_some(place)
    }

    pub(super) fn tick(&self, place: f64) -> String {
        match self.scale {
            Scale::Linear => compact(place),
            Scale::Logarithmic => compact(10_f64.powf(place)),
        }
    }

    /// Where values are written along a range of places: multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn ticks(&self, range: &Range<f64>) -> Vec<f64> {
        let inside = |place: &f64| (range.start - 1e-9..=range.end + 1e-9).contains(place);
        let length = range.end - range.start;
        match self.scale {
            Scale::Linear => {
                let rough = length / 8.0;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
                let step = step.unwrap_or(length);
                let first = (range.start / step).floor() as i64;
                (0..=12).map(|index| (first + index) as f64 * step).filter(inside).collect()
            }
            Scale::Logarithmic => {
                let decades = range.start.floor() as i32..=range.end.ceil() as i32;
                let every = (length / 8.0).ceil().max(1.0) as i32;
                let factors: &[f64] = if length < 3.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                decades
                    .filter(|decade| decade.rem_euclid(every) == 0)
                    .flat_map(|decade| factors.iter().map(move |factor| f64::from(decade) + factor.log10()))
                    .filter(inside)
                    .collect()
            }
        }
    }

    /// The range of all places, with a margin.
    pub(super) fn range(&self, places: impl Iterator<Item = f64>) -> Range<f64> {
        let included = self.includes.iter().filter_map(|&value| self.place(value));
        let (low, high) = places
            .chain(included)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
        if low > high {
            return 0.0..1.0;
        }
        let margin = if high > low { 0.05 * (high - low) } else { 0.5 * high.abs().max(1.0) };
        // What starts at a value that was asked for starts there.
        let floor = self.includes.iter().filter_map(|&value| self.place(value)).find(|&place| place == low);
        floor.unwrap_or(low - margin)..high + margin
    }
}

/// A number with three significant digits, without zeros behind them, and with a power of ten only where it is far
/// from 1.
pub fn compact(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&size) {
        let text = format!("{value:.1e}");
        return text.replace(".0e", "e");
    }
    let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_what_they_include() {
        let range = Axis::linear("").including(0.0).range([2.0, 4.0].into_iter());
        assert_eq!(range.start, 0.0);
        assert!(range.end > 4.0);
        assert_eq!(Axis::linear("").range(std::iter::empty()), 0.0..1.0);
    }

    #[test]
    fn ticks_are_round_numbers() {
        let values = |axis: Axis, range: Range<f64>| -> Vec<String> {
            axis.ticks(&range).into_iter().map(|place| axis.tick(place)).collect()
        };
        assert_eq!(values(Axis::linear(""), -3.8..1.2), ["-3", "-2", "-1", "0", "1"]);
        assert_eq!(values(Axis::linear(""), 0.0..160.0), ["0", "20", "40", "60", "80", "100", "120", "140", "160"]);
        assert_eq!(values(Axis::logarithmic(""), -0.36..0.97), ["0.5", "1", "2", "5"]);
        assert_eq!(values(Axis::logarithmic(""), -6.2..-0.8), ["1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1"]);
    }

    #[test]
    fn numbers_are_compact() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (1.25, "1.25"),
            (30.0, "30"),
            (12_345.6, "12346"),
            (1e-6, "1e-6"),
            (2.5e6, "2.5e6"),
        ];
        for (value, text) in cases {
            assert_eq!(compact(value), text);
        }
    }
}
