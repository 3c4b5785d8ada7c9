//! Pseudonyms that look like the number that they stand for: FF1 (NIST SP 800-38G) over its digits, blanks and punctuation
//! staying where they are.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use zeroize::Zeroize;

use super::check_digits::{iban_check_digits, luhn_check_digit};
use super::key::PseudonymKey;
use crate::AnonymizeError;

/// Digits that FF1 needs: a domain of a million at least (SP 800-38G revision 1).
const LEAST_DIGITS: usize = 6;

/// Which digits are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// All of them.
    Digits,
    /// All but the last, which becomes the Luhn check digit of the rest (payment cards).
    Luhn,
    /// Those of the account number of an IBAN; the country and the letters stay, and the check digits are made anew.
    Iban,
}

/// Encrypts numbers in place, one domain of values under one key. Each length of number is mapped onto itself one to one,
/// and whoever has the key can undo it.
pub struct FormatPreserving {
    cipher: FF1<Aes256>,
    format: NumberFormat,
}

impl FormatPreserving {
    /// Pseudonyms under a key, for a domain such as `phone`.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if FF1 refuses the radix 10, which it does not.
    pub fn new(key: &PseudonymKey, domain: &str, format: NumberFormat) -> Result<Self, AnonymizeError> {
        let mut derived = key.derive("ff1", domain);
        let cipher = FF1::<Aes256>::new(&derived, 10);
        derived.zeroize();
        let cipher = cipher.map_err(|error| AnonymizeError::parameter("the radix", 10, error.to_string()))?;
        Ok(Self { cipher, format })
    }

    /// The pseudonym of a number; an empty value stays empty.
    ///
    /// # Errors
    ///
    /// A sentence for a value with fewer than six digits to encrypt, that has not the format's shape and check digits, or
    /// that, but for an IBAN, has letters or digits other than 0 to 9, which would stay as they are.
    pub fn pseudonym(&self, value: &str) -> Result<String, String> {
        self.map(value, |digits| self.cipher.encrypt(&[], &digits))
    }

    /// The number that a pseudonym stands for.
    ///
    /// # Errors
    ///
    /// Those of [`Self::pseudonym`].
    pub fn original(&self, pseudonym: &str) -> Result<String, String> {
        self.map(pseudonym, |digits| self.cipher.decrypt(&[], &digits))
    }

    fn map<E: std::fmt::Display>(
        &self,
        value: &str,
        cipher: impl Fn(FlexibleNumeralString) -> Result<FlexibleNumeralString, E>,
    ) -> Result<String, String> {
        if value.is_empty() {
            return Ok(String::new());
        }
        // Only the digits 0 to 9 are encrypted: a name beside them would be released as it is.
        let stays = |sign: char| sign.is_alphanumeric() && !sign.is_ascii_digit();
        if self.format != NumberFormat::Iban && value.chars().any(stays) {
            return Err(
                "it has letters, or digits other than 0 to 9, which would stay as they are: pseudonyms by shape \
                        (format = \"shape\") or by HMAC cover them"
                    .to_owned(),
            );
        }
        let mut signs: Vec<char> = value.chars().collect();
        let mut places: Vec<usize> = (0..signs.len()).filter(|&place| signs[place].is_ascii_digit()).collect();
        match self.format {
            NumberFormat::Digits => {}
            NumberFormat::Luhn => {
                let last = places.pop().ok_or("a card number has digits")?;
                if digit(signs[last]) != luhn_check_digit(&digits_at(&signs, &places)) {
                    return Err("the check digit of the card number is wrong".to_owned());
                }
            }
            NumberFormat::Iban => {
                let check = iban_parts(&signs).ok_or("this is no IBAN")?;
                if check.expected != check.found {
                    return Err("the check digits of the IBAN are wrong".to_owned());
                }
                places.retain(|place| !check.places.contains(place));
            }
        }
        if places.len() < LEAST_DIGITS {
            return Err(format!("{} digits are too few to encrypt: {LEAST_DIGITS} are needed", places.len()));
        }
        let plain: Vec<u16> = digits_at(&signs, &places).into_iter().map(u16::from).collect();
        let mapped: Vec<u16> = cipher(FlexibleNumeralString::from(plain)).map_err(|error| error.to_string())?.into();
        let sign_of = |number: u32| char::from_digit(number % 10, 10).unwrap_or('0');
        for (&place, &number) in places.iter().zip(&mapped) {
            signs[place] = sign_of(u32::from(number));
        }
        match self.format {
            NumberFormat::Digits => {}
            NumberFormat::Luhn => {
                let check = luhn_check_digit(&digits_at(&signs, &places));
                let last = signs.iter().rposition(char::is_ascii_digit).ok_or("a card number has digits")?;
                signs[last] = sign_of(u32::from(check));
            }
            NumberFormat::Iban => {
                let check = iban_parts(&signs).ok_or("this is no IBAN")?;
                signs[check.places[0]] = sign_of(u32::from(check.expected / 10));
                signs[check.places[1]] = sign_of(u32::from(check.expected));
            }
        }
        Ok(signs.into_iter().collect())
    }
}

fn digit(sign: char) -> u8 {
    sign.to_digit(10).unwrap_or(0) as u8
}

fn digits_at(signs: &[char], places: &[usize]) -> Vec<u8> {
    places.iter().map(|&place| digit(signs[place])).collect()
}

/// Where an IBAN's check digits stand, what they are, and what they should be.
struct IbanCheck {
    places: [usize; 2],
    found: u8,
    expected: u8,
}

fn iban_parts(signs: &[char]) -> Option<IbanCheck> {
    let solid: Vec<usize> = (0..signs.len()).filter(|&place| signs[place] != ' ').collect();
    if !(15..=34).contains(&solid.len()) {
        return None;
    }
    let text: String = solid.iter().map(|&place| signs[place]).collect();
    let letters = text.get(..2).filter(|country| country.bytes().all(|byte| byte.is_ascii_uppercase()))?;
    let check = text.get(2..4).filter(|check| check.bytes().all(|byte| byte.is_ascii_digit()))?;
    let expected = iban_check_digits(letters, text.get(4..)?)?;
    Some(IbanCheck { places: [solid[2], solid[3]], found: check.parse().ok()?, expected })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aes::{Aes128, Aes192};

    use super::*;

    #[test]
    fn the_samples_of_nist_hold() {
        // SP 800-38G, FF1 samples 1, 2, 3 and 4, and 7 for a key of 256 bits.
        let key: Vec<u8> = [
            0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C, 0xEF, 0x43,
            0x59, 0xD8, 0xD5, 0x80, 0xAA, 0x4F, 0x7F, 0x03, 0x6D, 0x6F, 0x04, 0xFC, 0x6A, 0x94,
        ]
        .to_vec();
        let tweak: Vec<u8> = (0x30..=0x39).rev().collect();
        let digits: Vec<u16> = (0..10).collect();
        let numeral = || FlexibleNumeralString::from(digits.clone());
        let text =
            |number: FlexibleNumeralString| -> String { Vec::<u16>::from(number).iter().map(u16::to_string).collect() };
        let short = FF1::<Aes128>::new(&key[..16], 10).unwrap();
        assert_eq!(text(short.encrypt(&[], &numeral()).unwrap()), "2433477484");
        assert_eq!(text(short.encrypt(&tweak, &numeral()).unwrap()), "6124200773");
        let middle = FF1::<Aes192>::new(&key[..24], 10).unwrap();
        assert_eq!(text(middle.encrypt(&[], &numeral()).unwrap()), "2830668132");
        assert_eq!(text(middle.encrypt(&tweak, &numeral()).unwrap()), "2496655549");
        let long = FF1::<Aes256>::new(&key, 10).unwrap();
        assert_eq!(text(long.encrypt(&[], &numeral()).unwrap()), "6657667009");
        assert_eq!(text(long.encrypt(&tweak, &numeral()).unwrap()), "1001623463");
    }

    fn pseudonyms(format: NumberFormat) -> FormatPreserving {
        FormatPreserving::new(&PseudonymKey::from_hex(&"3c".repeat(32)).unwrap(), "d", format).unwrap()
    }

    #[test]
    fn shapes_and_check_digits_are_kept_and_the_key_undoes_it() {
        for (format, value) in [
            (NumberFormat::Digits, "+0049 (171) 123-4567"),
            (NumberFormat::Digits, "000000"),
            (NumberFormat::Luhn, "4539 5787 6362 1486"),
            (NumberFormat::Iban, "DE89 3704 0044 0532 0130 00"),
            (NumberFormat::Iban, "GB82WEST12345698765432"),
        ] {
            let pseudonyms = pseudonyms(format);
            let shown = pseudonyms.pseudonym(value).unwrap();
            assert_ne!(shown, value);
            let shape = |text: &str| -> String {
                text.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect()
            };
            assert_eq!(shape(&shown), shape(value));
            assert_eq!(pseudonyms.original(&shown).unwrap(), value);
        }
        assert_eq!(pseudonyms(NumberFormat::Digits).pseudonym("").unwrap(), "");
    }

    #[test]
    fn small_domains_wrong_check_digits_and_signs_that_would_stay_are_refused() {
        for (format, value) in [
            (NumberFormat::Digits, "12345"),
            (NumberFormat::Digits, "no digits"),
            (NumberFormat::Luhn, "4539 5787 6362 1487"),
            (NumberFormat::Luhn, "123456"),
            (NumberFormat::Iban, "DE88370400440532013000"),
            (NumberFormat::Iban, "hello"),
            (NumberFormat::Digits, "Anna Schmidt, 1984-03-12"),
            (NumberFormat::Digits, "AB123456"),
            (NumberFormat::Digits, "\u{661}\u{662}\u{663} 123456"),
            (NumberFormat::Luhn, "VISA 4539 5787 6362 1486"),
        ] {
            assert!(pseudonyms(format).pseudonym(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_whole_block_of_numbers_is_mapped_one_to_one() {
        let pseudonyms = pseudonyms(NumberFormat::Digits);
        let all: HashSet<String> =
            (0..20_000).map(|number| pseudonyms.pseudonym(&format!("{number:06}")).unwrap()).collect();
        assert_eq!(all.len(), 20_000);
    }
}
