//! How numbers are written in a column.

/// What stands in a column's numbers beside digits, sign, point and exponent. It is stated, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NumberFormat {
    thousands: Option<char>,
    decimal: Option<char>,
    suffix: Option<String>,
}

impl NumberFormat {
    /// Checks the schema's `thousands`, `decimal` and `suffix`. The error is a sentence.
    pub(super) fn new(thousands: Option<&str>, decimal: Option<&str>, suffix: Option<&str>) -> Result<Self, String> {
        let mark = |key: &str, text: Option<&str>| match text.map(|text| (text, text.chars().collect::<Vec<_>>())) {
            None => Ok(None),
            Some((_, characters)) if matches!(characters[..], [mark] if !mark.is_alphanumeric() && !"+-\"".contains(mark)) => {
                Ok(characters.first().copied())
            }
            Some((text, _)) => {
                Err(format!("{key} is {text:?}, but must be one character that is no letter, digit, sign or quote"))
            }
        };
        let (thousands, decimal) = (mark("thousands", thousands)?, mark("decimal", decimal)?);
        if thousands == Some(decimal.unwrap_or('.')) {
            return Err("thousands and decimal are the same: 1.234 could be either; give both".to_owned());
        }
        let suffix = suffix.map(str::trim).filter(|suffix| !suffix.is_empty()).map(str::to_owned);
        if let Some(suffix) = suffix.as_ref().filter(|suffix| suffix.ends_with(|last: char| last.is_ascii_digit())) {
            return Err(format!("suffix is {suffix:?}, but must not end with a digit"));
        }
        Ok(Self { thousands, decimal, suffix })
    }

    /// A cell as a number, infinite ones included.
    pub(super) fn number(&self, cell: &[u8]) -> Option<f64> {
        let value: f64 = if self.is_plain() {
            std::str::from_utf8(cell).ok()?.trim().parse().ok()?
        } else {
            self.plain(cell)?.parse().ok()?
        };
        (!value.is_nan()).then_some(value)
    }

    /// A cell as an integer; fractions are rounded, and numbers beyond the range count as its end.
    pub(super) fn integer(&self, cell: &[u8]) -> Option<i64> {
        let whole = if self.is_plain() {
            std::str::from_utf8(cell).ok().and_then(|text| text.trim().parse().ok())
        } else {
            self.plain(cell).and_then(|text| text.parse().ok())
        };
        whole.or_else(|| self.number(cell).map(|value| value.round() as i64))
    }

    /// True if cells are numbers as programs write them.
    fn is_plain(&self) -> bool {
        self.thousands.is_none() && self.decimal.is_none() && self.suffix.is_none()
    }

    /// The cell's number as programs write it.
    fn plain(&self, cell: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(cell).ok()?.trim();
        let number =
            self.suffix.as_ref().and_then(|suffix| text.strip_suffix(suffix.as_str())).map_or(text, str::trim_end);
        let mut plain = String::with_capacity(number.len());
        for character in number.chars() {
            match character {
                _ if Some(character) == self.thousands => {}
                _ if Some(character) == self.decimal => plain.push('.'),
                // A point that is neither would change the number's size.
                '.' if self.decimal.is_some() => return None,
                _ => plain.push(character),
            }
        }
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_or_missing() {
        let plain = NumberFormat::default();
        for cell in ["", " ", "NA", "nan", "NaN", "-", "1,5", "0x10", "12 kg", "True", "45%"] {
            assert_eq!((plain.number(cell.as_bytes()), plain.integer(cell.as_bytes())), (None, None), "{cell}");
        }
        assert_eq!(plain.number(&[0xFF, 0xFE]), None);
        assert_eq!(plain.number(b" 2.5 "), Some(2.5));
        assert_eq!(plain.number(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(
            [&b"12"[..], b"12.6", b"-1e3", b"inf", b"99999999999999999999"].map(|cell| plain.integer(cell).unwrap()),
            [12, 13, -1000, i64::MAX, i64::MAX]
        );
    }

    #[test]
    fn stated_marks_are_read() {
        let format = |thousands, decimal, suffix| NumberFormat::new(thousands, decimal, suffix).unwrap();
        assert_eq!(format(Some(","), None, None).number(b"1,234.50"), Some(1234.5));
        assert_eq!(format(Some(","), None, None).integer(b"-1,234,567"), Some(-1_234_567));
        assert_eq!(format(Some("."), Some(","), None).number(b"1.234,50"), Some(1234.5));
        assert_eq!(format(Some("'"), None, Some("CHF")).number(b"1'200 CHF"), Some(1200.0));
        assert_eq!(format(None, None, Some("%")).number(b" 45% "), Some(45.0));
        assert_eq!(format(None, None, Some("%")).number(b"45"), Some(45.0));
        assert_eq!(format(None, Some(","), None).number(b"1.5"), None);
        assert_eq!(format(Some(" "), Some(","), None).integer(b"12 000,6"), Some(12_001));
    }

    #[test]
    fn odd_marks_are_refused() {
        for (thousands, decimal, suffix) in [
            (Some(""), None, None),
            (Some(",,"), None, None),
            (Some("1"), None, None),
            (None, Some("e"), None),
            (Some("-"), None, None),
            (Some("."), None, None),
            (Some(","), Some(","), None),
            (None, None, Some("m2")),
        ] {
            NumberFormat::new(thousands, decimal, suffix).unwrap_err();
        }
    }
}
