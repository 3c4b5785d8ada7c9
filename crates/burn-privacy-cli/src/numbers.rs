//! Numbers as people write them, on the command line and in JSON.

use burn_privacy_accounting::json::number_or_inf;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

/// The largest number up to which every whole number is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A real number of the command line. Minus zero is zero; what is out of range, NaN too, is refused where the range is
/// known.
pub fn real(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| "not a number: write it as 0.01, 1e-5 or inf".to_owned())?;
    Ok(value + 0.0)
}

/// A whole number of the command line: 500, 500.0 or 5e2.
pub fn whole(text: &str) -> Result<u64, String> {
    let text = text.trim();
    text.parse::<u64>().ok().or_else(|| whole_of(text.parse().ok()?)).ok_or_else(|| WHOLE.to_owned())
}

const WHOLE: &str = "not a whole number of at least 0: write it as 500 or 5e2";

/// A double that is a whole number for certain.
fn whole_of(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..=EXACT).contains(&value)).then_some(value as u64)
}

/// A whole number in JSON: 500, 500.0 or 5e2, as JSON knows one kind of number only.
pub fn whole_field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    let value = number.as_u64().or_else(|| whole_of(number.as_f64()?));
    value.map(Some).ok_or_else(|| D::Error::custom(format!("{number} is {WHOLE}")))
}

/// A number in JSON, or the string "inf".
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct NumberOrInf(#[serde(with = "number_or_inf")] f64);

/// A real number in JSON, or the string "inf".
pub fn real_field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<NumberOrInf>::deserialize(deserializer)?.map(|number| number.0 + 0.0))
}

/// A result in JSON; infinity is the string "inf", and minus zero, the sum of nothing, is zero.
pub fn number(value: f64) -> Value {
    json!(NumberOrInf(value + 0.0))
}

/// A document in which 500.0 and 5e2 are written as 500, so that they are counts too.
pub fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => match number.as_f64().and_then(whole_of) {
            Some(whole) => whole.into(),
            None => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(with_whole_numbers).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect(),
        other => other,
    }
}

/// The shorter of the two ways to write a number.
pub fn shortest(value: f64) -> String {
    let (plain, scientific) = (value.to_string(), format!("{value:e}"));
    if scientific.len() < plain.len() && !(1e-3..1e6).contains(&value.abs()) { scientific } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_point_or_an_exponent() {
        for (text, value) in
            [("500", 500), ("500.0", 500), ("1e3", 1_000), ("0", 0), ("-0.0", 0), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(whole(text), Ok(value), "{text}");
        }
        // 2^53 + 1 is no double: as one it would be another number.
        for text in ["-1", "1.5", "1e20", "9007199254740994.0", "99999999999999999999999", "many", "", "NaN", "inf"] {
            whole(text).unwrap_err();
        }
        let document = serde_json::from_str(r#"{"a": [1e3, 1.5, -0.0, -2.0], "b": "1e3"}"#).unwrap();
        assert_eq!(with_whole_numbers(document).to_string(), r#"{"a":[1000,1.5,0,-2.0],"b":"1e3"}"#);
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(real("-0.0").map(f64::to_bits), Ok(0));
        assert!(real("NaN").unwrap().is_nan() && real("one").is_err());
    }

    #[test]
    fn numbers_are_written_the_shorter_way() {
        assert_eq!([1e-5, 0.005, 2000.0, 1e12].map(shortest), ["1e-5", "0.005", "2000", "1e12"]);
    }
}
