//! Free text: what looks like an address or a number of a person is replaced by what it is.
//!
//! Card numbers and IBANs are checked by their check digits. Names are found only where the schema lists them or where
//! another column of the row has them; a model of language is no part of this.

use regex::{Regex, RegexBuilder};

use crate::pseudonym::{iban_check_digits, luhn_check_digit};

/// Finds and replaces.
#[derive(Debug, Clone)]
pub(super) struct Redaction {
    shapes: Regex,
    words: Option<Regex>,
}

/// The kinds, as groups of the expression, in the order in which they are tried at a place.
const KINDS: [(&str, &str, &str); 6] = [
    ("email", "[E-MAIL]", r"[\p{L}\p{N}._%+\-]+@[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+"),
    ("url", "[URL]", r#"(?:https?://|www\.)[^\s<>"']+"#),
    ("iban", "[IBAN]", r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b"),
    ("ip", "[IP]", r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"),
    ("date", "[DATE]", r"\b(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./](?:[0-9]{4}|[0-9]{2}))\b"),
    ("number", "[NUMBER]", r"(?:\+|\b)[0-9](?:[ \-/().]{0,2}[0-9]){5,18}\b"),
];

impl Redaction {
    /// The error is a sentence.
    pub(super) fn new(words: &[String]) -> Result<Self, String> {
        let groups: Vec<String> = KINDS.iter().map(|(name, _, pattern)| format!("(?P<{name}>{pattern})")).collect();
        let shapes = Regex::new(&groups.join("|")).map_err(|error| error.to_string())?;
        if words.iter().any(|word| word.trim().is_empty()) {
            return Err("words must not be empty".to_owned());
        }
        let words = (!words.is_empty()).then(|| words_of(words.iter().map(String::as_str))).transpose()?;
        Ok(Self { shapes, words })
    }

    /// Writes the text with `names` (of the same row) and all kinds replaced.
    pub(super) fn apply<'a>(
        &self,
        text: &[u8],
        names: impl Iterator<Item = &'a str>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let text = std::str::from_utf8(text).map_err(|_| "the text is not UTF-8: convert the file")?;
        // Whole names, then their parts of three letters at least.
        let mut parts: Vec<&str> = Vec::new();
        for name in names.map(str::trim).filter(|name| !name.is_empty()) {
            parts.push(name);
            parts.extend(name.split_whitespace().filter(|part| part.chars().count() >= 3));
        }
        let without_names = if parts.is_empty() {
            std::borrow::Cow::Borrowed(text)
        } else {
            words_of(parts.into_iter())?.replace_all(text, "[NAME]").into_owned().into()
        };
        let without_words = match &self.words {
            Some(words) => words.replace_all(&without_names, "[WORD]"),
            None => without_names,
        };
        let redacted = self.shapes.replace_all(&without_words, |found: &regex::Captures<'_>| {
            let all = &found[0];
            let kind = KINDS.iter().find(|(name, ..)| found.name(name).is_some());
            match kind {
                Some(("iban", label, _)) => if is_iban(all) { label } else { "[NUMBER]" }.to_owned(),
                Some(("number", ..)) if is_card(all) => "[CARD]".to_owned(),
                Some((_, label, _)) => (*label).to_owned(),
                None => all.to_owned(),
            }
        });
        out.extend_from_slice(redacted.as_bytes());
        Ok(())
    }
}

/// Any of some words, longer ones first, in any case, not within a longer word.
fn words_of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Regex, String> {
    let mut words: Vec<String> = words.map(regex::escape).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let pattern = format!(r"(?:\b|^)(?:{})(?:\b|$)", words.join("|"));
    RegexBuilder::new(&pattern).case_insensitive(true).build().map_err(|error| error.to_string())
}

fn is_card(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
    (13..=19).contains(&digits.len()) && digits.split_last().is_some_and(|(last, rest)| luhn_check_digit(rest) == *last)
}

fn is_iban(text: &str) -> bool {
    let solid: String = text.chars().filter(|sign| *sign != ' ').collect();
    let parts = (solid.get(..2), solid.get(2..4), solid.get(4..));
    let (Some(country), Some(check), Some(account)) = parts else { return false };
    check.parse().is_ok_and(|check: u8| iban_check_digits(country, account) == Some(check))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(text: &str, words: &[&str], names: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let mut out = Vec::new();
        Redaction::new(&words).unwrap().apply(text.as_bytes(), names.iter().copied(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_names_people_is_replaced_and_the_rest_stays() {
        assert_eq!(
            redact("Write to ann.müller@uni-köln.example or call +49 (171) 123-4567.", &[], &[]),
            "Write to [E-MAIL] or call [NUMBER]."
        );
        assert_eq!(redact("card 4539 5787 6362 1486, not 4539 5787 6362 1487", &[], &[]), "card [CARD], not [NUMBER]");
        assert_eq!(redact("to DE89 3704 0044 0532 0130 00 by 31.12.1999", &[], &[]), "to [IBAN] by [DATE]");
        assert_eq!(redact("see https://a.example/x?y=1 from 192.168.0.1", &[], &[]), "see [URL] from [IP]");
        assert_eq!(
            redact("Zoë met ANN LEE; Lee left, Leeds stayed", &["Zoë"], &["Ann Lee"]),
            "[WORD] met [NAME]; [NAME] left, Leeds stayed"
        );
        assert_eq!(redact("3 rooms, 120 m2, floor 12", &["a.c"], &[]), "3 rooms, 120 m2, floor 12");
        assert_eq!(redact("", &[], &[]), "");
        assert!(Redaction::new(&[" ".to_owned()]).is_err());
    }
}
