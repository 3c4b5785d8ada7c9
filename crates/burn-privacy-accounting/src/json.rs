//! How numbers are written in JSON.

/// Numbers in JSON where infinity is the string `"inf"`, for `#[serde(with = "..")]`.
pub mod number_or_inf {
    use serde::de::{Deserializer, Error};
    use serde::{Deserialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(f64),
        Text(String),
    }

    /// Writes a number, or `"inf"` for what is not finite.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        // NaN never is a result of this crate; written by a caller, it must not read as private.
        if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
    }

    /// Reads a number, or `"inf"`.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(value) => Ok(value),
            NumberOrText::Text(text) if text == "inf" => Ok(f64::INFINITY),
            NumberOrText::Text(text) => Err(D::Error::custom(format!("{text:?} is neither a number nor \"inf\""))),
        }
    }
}
