//! Answers, as text or as JSON.

use std::io::Write;

use burn_privacy_accounting::round_up_for_display;
use serde_json::{Map, Value, json};

use crate::accountants::Certified;
use crate::delta_check::warn;
use crate::failure::Failure;
use crate::numbers::{number, shortest};

/// The fields of an answer named `name`.
pub fn fields(name: &str, certified: Certified<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert(name.to_owned(), number(certified.value));
    if let Some(lower) = certified.lower {
        fields.insert("lower".to_owned(), number(lower));
    }
    if let Some(upper) = certified.upper {
        fields.insert("upper".to_owned(), number(upper));
    }
    fields
}

/// Several accountants' answers to one question.
pub struct Answer<'a> {
    /// `epsilon` or `delta`.
    pub name: &'a str,
    /// The first one is the answer.
    pub results: Vec<Certified<'a>>,
    /// What was asked about, for JSON and for the line below.
    pub context: Vec<(&'static str, Value)>,
    /// What makes it mean little.
    pub warning: Option<String>,
}

impl Answer<'_> {
    /// Prints it.
    pub fn print(&self, json: bool, out: &mut impl Write) -> Result<(), Failure> {
        if let Some(warning) = &self.warning {
            warn(warning);
        }
        if json { self.print_json(out) } else { self.print_text(out) }
    }

    fn print_json(&self, out: &mut impl Write) -> Result<(), Failure> {
        let mut object = Map::new();
        for (index, certified) in self.results.iter().enumerate() {
            let name = certified.method.to_lowercase();
            if index == 0 {
                object.append(&mut fields(self.name, *certified));
                object.insert("accountant".to_owned(), json!(name));
            } else {
                object.insert(format!("{}_by_{name}", self.name), number(certified.value));
            }
        }
        for (key, value) in &self.context {
            object.insert((*key).to_owned(), value.clone());
        }
        if let Some(warning) = &self.warning {
            object.insert("warning".to_owned(), json!(warning));
        }
        writeln!(out, "{}", Value::Object(object))?;
        Ok(())
    }

    fn print_text(&self, out: &mut impl Write) -> Result<(), Failure> {
        let first = self.results.first().map(|first| first.method);
        for (index, certified) in self.results.iter().enumerate() {
            if index > 0 && first == Some(certified.method) {
                // The same number by the same method.
                continue;
            }
            let label = if index == 0 { self.name } else { "" };
            let kind = match (certified.upper, certified.lower) {
                (None, _) => "an estimate, not a bound".to_owned(),
                (Some(_), Some(lower)) if lower > 0.0 && lower.is_finite() => {
                    format!("upper bound; at least {}", rounded_down(lower))
                }
                (Some(_), _) => "upper bound".to_owned(),
            };
            let value = round_up_for_display(certified.value);
            writeln!(out, "{label:7} {value:<10} {} ({kind})", certified.method)?;
        }
        let context: Vec<String> =
            self.context.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))).collect();
        writeln!(out, "{}", context.join(", "))?;
        Ok(())
    }
}

/// A JSON value without quotes, and numbers with a power of ten only where it is short.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => shortest(number.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    }
}

/// A positive number with five significant digits, rounded down.
fn rounded_down(value: f64) -> String {
    let digits = 4 - value.log10().floor() as i32;
    if !(0..=9).contains(&digits) {
        return format!("{:.3e}", value * (1.0 - 5e-4));
    }
    let scale = 10_f64.powi(digits);
    format!("{}", (value * scale).floor() / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_bounds_are_shown_rounded_down() {
        assert_eq!(rounded_down(1.007_659), "1.0076");
        assert_eq!(rounded_down(12.345_69), "12.345");
        assert!(rounded_down(9.999_9e-12).parse::<f64>().unwrap() <= 9.999_9e-12);
    }
}
