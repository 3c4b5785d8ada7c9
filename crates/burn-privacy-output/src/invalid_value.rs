//! A value that is refused: what was given and what is allowed.

use std::borrow::Cow;
use std::fmt;

/// A value that is refused. Its text is `{name} is {given}, but must be {allowed}`.
///
/// ```
/// use burn_privacy_output::InvalidValue;
///
/// let refusal = InvalidValue::new("--delta", 2.0, "strictly between 0 and 1");
/// assert_eq!(refusal.to_string(), "--delta is 2, but must be strictly between 0 and 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {given}, but must be {allowed}")]
pub struct InvalidValue {
    /// The value's name, as whoever gave it knows it.
    pub name: Cow<'static, str>,
    /// What was given, printed.
    pub given: String,
    /// What is allowed and, where it helps, what to do.
    pub allowed: Cow<'static, str>,
}

impl InvalidValue {
    /// A refusal of the value `given` for `name`.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        given: impl fmt::Display,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { name: name.into(), given: given.to_string(), allowed: allowed.into() }
    }
}
