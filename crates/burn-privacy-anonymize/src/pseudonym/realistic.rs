//! Pseudonyms that look like names, towns and addresses: a keyed choice from the word lists of crate `fake`.

use fake::locales::{DE_DE, Data, EN, FR_FR, IT_IT, NL_NL, PT_BR};
use serde::{Deserialize, Serialize};

use super::key::{KeyedHash, PseudonymKey, push_hex};

/// What a realistic pseudonym looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RealisticKind {
    /// A first name.
    FirstName,
    /// A last name.
    LastName,
    /// A first and a last name.
    Name,
    /// A street and a number.
    Street,
    /// A profession (in English).
    Profession,
    /// An e-mail address at `example.org`: first name, last name and 8 hexadecimal digits.
    Email,
}

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Italian.
    It,
    /// Dutch.
    Nl,
    /// Portuguese of Brazil.
    Pt,
}

type Words = &'static [&'static str];

impl Locale {
    fn words(self) -> (Words, Words, Words) {
        fn of<L: Data>() -> (Words, Words, Words) {
            (L::NAME_FIRST_NAME, L::NAME_LAST_NAME, L::ADDRESS_STREET_SUFFIX)
        }
        match self {
            Self::En => of::<EN>(),
            Self::De => of::<DE_DE>(),
            Self::Fr => of::<FR_FR>(),
            Self::It => of::<IT_IT>(),
            Self::Nl => of::<NL_NL>(),
            Self::Pt => of::<PT_BR>(),
        }
    }
}

/// Numbers of houses.
const HOUSES: usize = 199;

/// Keyed choice of words. It is not one to one: two values can get the same name, as two people can have it.
pub struct Realistic {
    hash: KeyedHash,
    kind: RealisticKind,
    first: Words,
    last: Words,
    street: Words,
}

impl Realistic {
    /// Pseudonyms under a key, for a domain of values.
    pub fn new(key: &PseudonymKey, domain: &str, kind: RealisticKind, locale: Locale) -> Self {
        let (first, last, street) = locale.words();
        Self { hash: KeyedHash::new(key, "realistic", domain), kind, first, last, street }
    }

    /// The pseudonym of a value; an empty value stays empty.
    pub fn pseudonym(&self, value: &str) -> String {
        let mut out = Vec::new();
        self.write(value.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Number of different pseudonyms.
    pub fn choices(&self) -> f64 {
        let (first, last) = (self.first.len() as f64, self.last.len() as f64);
        match self.kind {
            RealisticKind::FirstName => first,
            RealisticKind::LastName => last,
            RealisticKind::Name => first * last,
            RealisticKind::Street => last * self.street.len() as f64 * HOUSES as f64,
            RealisticKind::Profession => EN::COMPANY_PROFESSION.len() as f64,
            RealisticKind::Email => first * last * 2_f64.powi(32),
        }
    }

    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        if value.is_empty() {
            return;
        }
        let code = self.hash.code(value);
        let word =
            |place: usize| code[place * 8..place * 8 + 8].iter().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
        // Off from even by less than 2^-50.
        let below = |place: usize, most: usize| ((u128::from(word(place)) * most as u128) >> 64) as usize;
        let chosen = |place: usize, words: Words| words.get(below(place, words.len())).copied().unwrap_or_default();
        let mut push = |text: &str| out.extend_from_slice(text.as_bytes());
        match self.kind {
            RealisticKind::FirstName => push(chosen(0, self.first)),
            RealisticKind::LastName => push(chosen(1, self.last)),
            RealisticKind::Name => {
                push(chosen(0, self.first));
                push(" ");
                push(chosen(1, self.last));
            }
            RealisticKind::Street => {
                push(chosen(1, self.last));
                push(" ");
                push(chosen(0, self.street));
                push(" ");
                push(&(1 + below(2, HOUSES)).to_string());
            }
            RealisticKind::Profession => push(chosen(0, EN::COMPANY_PROFESSION)),
            RealisticKind::Email => {
                for (place, words) in [(0, self.first), (1, self.last)] {
                    let ascii = chosen(place, words).chars().filter(char::is_ascii_alphanumeric);
                    let name: String = ascii.map(|sign| sign.to_ascii_lowercase()).collect();
                    out.extend_from_slice(name.as_bytes());
                    out.push(b'.');
                }
                push_hex(&code[16..20], out);
                out.extend_from_slice(b"@example.org");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_person_has_the_same_name_under_the_same_key() {
        let key = PseudonymKey::from_hex(&"2b".repeat(32)).unwrap();
        for locale in [Locale::En, Locale::De, Locale::Fr, Locale::It, Locale::Nl, Locale::Pt] {
            let names = Realistic::new(&key, "name", RealisticKind::Name, locale);
            assert!(names.choices() > 4_000.0, "{locale:?} {}", names.choices());
            assert_eq!(names.pseudonym("Ada Lovelace"), names.pseudonym("Ada Lovelace"));
            assert!(names.pseudonym("Ada Lovelace").contains(' '));
            assert_eq!(names.pseudonym(""), "");
        }
        let of = |domain: &str| Realistic::new(&key, domain, RealisticKind::Name, Locale::En).pseudonym("Ada");
        assert_ne!(of("name"), of("other"));
        let mail = Realistic::new(&key, "mail", RealisticKind::Email, Locale::Fr).pseudonym("ada@home.example");
        assert!(mail.ends_with("@example.org") && mail.is_ascii() && !mail.contains(' '), "{mail}");
        let street = Realistic::new(&key, "street", RealisticKind::Street, Locale::De).pseudonym("x");
        assert!(street.ends_with(|last: char| last.is_ascii_digit()), "{street}");
    }

    #[test]
    fn all_words_are_chosen_about_evenly() {
        let key = PseudonymKey::from_hex(&"2c".repeat(32)).unwrap();
        let jobs = Realistic::new(&key, "job", RealisticKind::Profession, Locale::En);
        let distinct: std::collections::HashSet<&str> = EN::COMPANY_PROFESSION.iter().copied().collect();
        let mut counts = std::collections::HashMap::new();
        for number in 0..64_000 {
            *counts.entry(jobs.pseudonym(&number.to_string())).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), distinct.len());
        // A word is expected 985 times at least; seven standard deviations below.
        assert!(counts.values().all(|&count| count > 760), "{counts:?}");
    }
}
