//! Free text: what looks like an address or a number of a person is replaced by what it is.
//!
//! Card numbers and IBANs are checked by their check digits. Names are found only where the schema lists them or where
//! another column of the row has them; a model of language is no part of this.

use std::ops::Range;

use regex::{Captures, Regex, RegexBuilder};

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
        let names = if parts.is_empty() { None } else { Some(words_of(parts.into_iter())?) };
        // All are sought in the text as it is: a name replaced within an address would leave the rest of it in clear, and
        // a number replaced within a listed word the rest of that.
        let shapes = self.shapes.captures_iter(text).filter_map(|found| {
            let all = found.get(0)?;
            Some((all.range(), label_of(&found, all.as_str())))
        });
        let mut spans: Vec<(Range<usize>, &str)> = shapes.collect();
        for (words, label) in [(&names, "[NAME]"), (&self.words, "[WORD]")] {
            spans.extend(words.iter().flat_map(|words| words.find_iter(text)).map(|found| (found.range(), label)));
        }
        spans.sort_by_key(|(span, _)| span.start);
        let mut spans = spans.into_iter().peekable();
        let mut at = 0;
        while let Some((mut all, mut label)) = spans.next() {
            let mut longest = all.len();
            // What overlaps is replaced as one, by what covers most of it.
            while let Some((span, other)) = spans.next_if(|(span, _)| span.start < all.end) {
                if span.len() > longest {
                    (longest, label) = (span.len(), other);
                }
                all.end = all.end.max(span.end);
            }
            out.extend_from_slice(&text.as_bytes()[at..all.start]);
            out.extend_from_slice(label.as_bytes());
            at = all.end;
        }
        out.extend_from_slice(&text.as_bytes()[at..]);
        Ok(())
    }
}

/// What stands for a shape that was found.
fn label_of(found: &Captures<'_>, all: &str) -> &'static str {
    match KINDS.iter().find(|(name, ..)| found.name(name).is_some()) {
        Some(("iban", ..)) if !is_iban(all) => "[NUMBER]",
        Some(("number", ..)) if is_card(all) => "[CARD]",
        Some((_, label, _)) => label,
        None => "[NUMBER]",
    }
}

/// Any of some words, longer ones first, in any case, not within a longer word. Where a word begins or ends with a sign, as
/// `@ann` and `HIV+` do, anything may stand beside that sign.
fn words_of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Regex, String> {
    let mut words: Vec<&str> = words.collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let of_word = |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    let pattern = |word: &&str| {
        let start = if of_word(word.chars().next()) { r"\b{start-half}" } else { "" };
        let end = if of_word(word.chars().next_back()) { r"\b{end-half}" } else { "" };
        format!("{start}{}{end}", regex::escape(word))
    };
    let patterns: Vec<String> = words.iter().map(pattern).collect();
    RegexBuilder::new(&patterns.join("|")).case_insensitive(true).build().map_err(|error| error.to_string())
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

    #[test]
    fn words_with_signs_at_their_ends_are_found() {
        assert_eq!(redact("ping @anna_s: HIV+ today", &["HIV+"], &["@anna_s"]), "ping [NAME]: [WORD] today");
        assert_eq!(redact("(#A47) (Bob)", &["#A47"], &["(Bob)"]), "([WORD]) [NAME]");
        assert_eq!(redact("C++ and C+++", &["C++"], &[]), "[WORD] and [WORD]+");
        assert_eq!(redact("xHIV+ stays, HIV+y goes", &["HIV+"], &[]), "xHIV+ stays, [WORD]y goes");
    }

    #[test]
    fn a_name_within_an_address_leaves_none_of_it() {
        assert_eq!(redact("write ann.mueller@firma.example", &[], &["Ann Mueller"]), "write [E-MAIL]");
        assert_eq!(redact("Mueller, ann@mueller.example", &["firma"], &["Ann Mueller"]), "[NAME], [E-MAIL]");
        assert_eq!(redact("www.mueller.example/ann", &["mueller"], &["Ann"]), "[URL]");
        assert_eq!(redact("in Ward 123456 (Jo 1234567)", &["Ward 123456"], &["Jo 1234567"]), "in [WORD] ([NAME])");
    }
}
