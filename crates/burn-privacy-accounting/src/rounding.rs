//! Numbers for people, rounded so that they never promise too much.

/// An epsilon or a delta as text, rounded *up* to four significant digits: `2.6`, `0.9545`, `1.001e-6`, `inf`.
///
/// The printed number, read back, is at least `value`. NaN prints as `inf`, negative numbers as `0`.
///
/// ```
/// use burn_privacy_accounting::round_up_for_display;
///
/// assert_eq!(round_up_for_display(2.596_555_9), "2.597");
/// assert_eq!(round_up_for_display(0.1 + 0.2), "0.3001");
/// assert_eq!(round_up_for_display(3.0), "3");
/// assert_eq!(round_up_for_display(f64::INFINITY), "inf");
/// ```
pub fn round_up_for_display(value: f64) -> String {
    if value.is_nan() || value == f64::INFINITY {
        return "inf".to_owned();
    }
    if value <= 0.0 {
        return "0".to_owned();
    }
    // Decimal digits as printed to nearest, then one unit up if that fell below.
    let nearest = format!("{value:.3e}");
    let (mantissa, exponent) = nearest.split_once('e').unwrap_or((&nearest, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits: u32 = mantissa.replace('.', "").parse().unwrap_or(9_999);
    if parse(digits, exponent) < value {
        digits += 1;
        if digits == 10_000 {
            digits = 1_000;
            exponent += 1;
        }
    }
    if (-4..7).contains(&exponent) {
        let decimals = (3 - exponent).max(0) as usize;
        let text = format!("{:.decimals$}", parse(digits, exponent));
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        let fraction = format!("{:03}", digits % 1_000);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            format!("{}e{exponent}", digits / 1_000)
        } else {
            format!("{}.{fraction}e{exponent}", digits / 1_000)
        }
    }
}

/// The number whose four digits and decimal exponent these are.
fn parse(digits: u32, exponent: i32) -> f64 {
    format!("{}e{}", digits, exponent - 3).parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up_to_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-1.0, "0"),
            (f64::NAN, "inf"),
            (1.0, "1"),
            (1.000_000_1, "1.001"),
            (0.999_99, "1"),
            (9_999.01, "10000"),
            (12_345.0, "12350"),
            (1e-5, "1e-5"),
            (1.000_01e-5, "1.001e-5"),
            (123_456_789.0, "1.235e8"),
            (0.05, "0.05"),
            (f64::MAX, "1.798e308"),
        ] {
            assert_eq!(round_up_for_display(value), text, "{value}");
        }
    }

    #[test]
    fn read_back_is_never_below() {
        let mut value = 1e-12;
        while value < 1e12 {
            let shown: f64 = round_up_for_display(value).parse().unwrap();
            assert!(shown >= value && shown <= value * 1.001, "{value} {shown}");
            value *= 1.003_7;
        }
    }
}
