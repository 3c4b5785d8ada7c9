//! Numbers rounded to multiples, and numbers brought within bounds.

use std::io::Write;

/// A rounding to multiples of a decimal number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    to: f64,
    /// Decimal places of the multiples.
    decimals: usize,
}

impl Rounding {
    /// The error is the rest of a sentence on the schema's `to`.
    pub(super) fn new(to: f64) -> Result<Self, String> {
        if !(to > 0.0 && to.is_finite()) {
            return Err(format!("to is {to}, but must be a finite number above 0"));
        }
        let text = format!("{to}");
        let decimals = text.split_once('.').map_or(0, |(_, places)| places.len());
        Ok(Self { to, decimals })
    }

    /// Writes the nearest multiple.
    pub(super) fn apply(self, cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let value = number(cell)?;
        let times = (value / self.to).round_ties_even();
        // So that -0.4 is 0, not -0.
        let rounded = times * self.to + 0.0;
        if !rounded.is_finite() {
            return Err("this number is too large to round".to_owned());
        }
        // Memory does not fail.
        let _ = match (rounded.abs() < 1e15, self.decimals) {
            // A whole number, below 2^53: the same digits as by the way below, which is slow for these.
            (true, 0) => {
                push_whole(rounded as i64, out);
                Ok(())
            }
            (true, decimals) => write!(out, "{rounded:.decimals$}"),
            (false, _) => write!(out, "{rounded:e}"),
        };
        Ok(())
    }
}

/// Writes the digits of a whole number.
fn push_whole(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let (mut digits, mut from, mut left) = ([0; 20], 20, value.unsigned_abs());
    loop {
        from -= 1;
        digits[from] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

/// Bounds of a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    lo: f64,
    hi: f64,
}

impl Bounds {
    /// The error is the rest of a sentence on the schema.
    pub(super) fn new(lo: Option<f64>, hi: Option<f64>) -> Result<Self, String> {
        let (lo, hi) = match (lo, hi) {
            (None, None) => return Err("top-code needs lo, hi or both".to_owned()),
            (lo, hi) => (lo.unwrap_or(f64::NEG_INFINITY), hi.unwrap_or(f64::INFINITY)),
        };
        if lo.is_nan() || hi.is_nan() || lo >= hi {
            return Err(format!("lo is {lo} and hi is {hi}, but lo must be below hi"));
        }
        Ok(Self { lo, hi })
    }

    /// Writes the number as it is, or the bound that it lies beyond.
    pub(super) fn apply(self, cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let value = number(cell)?;
        let _ = match value {
            value if value < self.lo => write!(out, "{}", self.lo),
            value if value > self.hi => write!(out, "{}", self.hi),
            _ => out.write_all(cell),
        };
        Ok(())
    }
}

/// A cell as a finite number.
fn number(cell: &[u8]) -> Result<f64, String> {
    let text = std::str::from_utf8(cell).unwrap_or_default().trim();
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| "this is no finite number: clear such cells, or treat the column in another way".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_as_by_the_standard_library() {
        let near = |value: i64| (-2..=2).map(move |more| value.saturating_add(more));
        for value in
            [0, 9, 10, 99, 12_345, 999_999_999_999_999, i64::MIN, i64::MAX, -10, -1_000].into_iter().flat_map(near)
        {
            let mut out = b"x".to_vec();
            push_whole(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("x{value}"));
        }
    }

    #[test]
    fn numbers_are_rounded_and_bounded() {
        let round = |to: f64, cell: &str| {
            let mut out = Vec::new();
            Rounding::new(to).unwrap().apply(cell.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        for (to, cell, expected) in [
            (10.0, "1234.5", "1230"),
            (10.0, "15", "20"),
            (10.0, "25", "20"),
            (10.0, "-4", "0"),
            (10.0, "-46", "-50"),
            (1.0, "999999999999999.4", "999999999999999"),
            (0.25, "0.3", "0.25"),
            (0.1, "0.25", "0.2"),
            (1.0, "1e5", "100000"),
            (5.0, "+0049", "50"),
            (1.0, "1e20", "1e20"),
        ] {
            assert_eq!(round(to, cell).unwrap(), expected, "{cell} to {to}");
        }
        for cell in ["", "x", "nan", "inf", "1,5"] {
            assert!(round(1.0, cell).is_err(), "{cell}");
        }
        for (to, cell) in [(0.1, "1e308"), (0.1, "-1e308"), (1e308, "1.7e308")] {
            assert!(round(to, cell).is_err(), "{cell} to {to}");
        }
        let bound = |cell: &str| {
            let mut out = Vec::new();
            let bounds = Bounds::new(Some(0.0), Some(99.5)).unwrap();
            bounds.apply(cell.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(
            ["-1", "0", "1e1", "99.50", "100"].map(|cell| bound(cell).unwrap()),
            ["0", "0", "1e1", "99.50", "99.5"]
        );
        assert!(bound("old").is_err());
        assert!(Rounding::new(0.0).is_err() && Rounding::new(f64::NAN).is_err());
        assert!(Bounds::new(None, None).is_err() && Bounds::new(Some(1.0), Some(1.0)).is_err());
    }
}
