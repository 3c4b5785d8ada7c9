//! Pseudonyms of the shape of the value, one to one: FF1 over letters and digits (post codes, plates, membership numbers),
//! and e-mail addresses by HMAC.

use aes::Aes256;
use fpe::ff1::{BinaryNumeralString, FF1};
use zeroize::Zeroize;

use super::key::{KeyedHash, PseudonymKey, push_hex};
use crate::AnonymizeError;

/// Values of a domain that FF1 needs at least (SP 800-38G revision 1).
const LEAST_VALUES: u128 = 1_000_000;

/// Encrypts the ASCII letters and digits of a value: each stays a letter of its case, or a digit; other signs stay as they
/// are. Values of one shape are mapped onto values of that shape one to one, and whoever has the key can undo it.
///
/// The value's number among those of its shape is encrypted by FF1 in radix 2, again and again until the result is such a
/// number (cycle walking). That are fewer than 256 times on average, since numbers are encrypted as whole bytes: 16.8 times
/// for six digits, which have 10^6 of the 2^24 values of three bytes.
pub struct ShapePreserving {
    cipher: FF1<Aes256>,
}

impl ShapePreserving {
    /// Pseudonyms under a key, for a domain such as `postcode`.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if FF1 refuses the radix 2, which it does not.
    pub fn new(key: &PseudonymKey, domain: &str) -> Result<Self, AnonymizeError> {
        let mut derived = key.derive("ff1 shape", domain);
        let cipher = FF1::<Aes256>::new(&derived, 2);
        derived.zeroize();
        let cipher = cipher.map_err(|error| AnonymizeError::parameter("the radix", 2, error.to_string()))?;
        Ok(Self { cipher })
    }

    /// The pseudonym of a value; an empty value stays empty.
    ///
    /// # Errors
    ///
    /// A sentence for a shape of fewer than a million values or more than 2^120, and for letters beyond ASCII.
    pub fn pseudonym(&self, value: &str) -> Result<String, String> {
        self.map(value, |bytes| self.cipher.encrypt(&[], bytes).map_err(|error| error.to_string()))
    }

    /// The value that a pseudonym stands for.
    ///
    /// # Errors
    ///
    /// Those of [`Self::pseudonym`].
    pub fn original(&self, pseudonym: &str) -> Result<String, String> {
        self.map(pseudonym, |bytes| self.cipher.decrypt(&[], bytes).map_err(|error| error.to_string()))
    }

    fn map(
        &self,
        value: &str,
        cipher: impl Fn(&BinaryNumeralString) -> Result<BinaryNumeralString, String>,
    ) -> Result<String, String> {
        if value.is_empty() {
            return Ok(String::new());
        }
        let (mut number, mut values) = (0_u128, 1_u128);
        for sign in value.chars() {
            let Some((radix, _)) = class(sign)? else { continue };
            let digit = sign.to_digit(36).map_or(0, |digit| if radix == 26 { digit - 10 } else { digit });
            let room = values.checked_mul(u128::from(radix)).filter(|&values| values < 1 << 120);
            values = room.ok_or("too many letters and digits to keep their shape: use method = \"hmac\"")?;
            number = number * u128::from(radix) + u128::from(digit);
        }
        if values < LEAST_VALUES {
            return Err(format!("a shape of {values} values is too small to encrypt: {LEAST_VALUES} are needed"));
        }
        // Whole bytes: less than 256 times too many numbers, of which only those below `values` are taken.
        let bits = 128 - (values - 1).leading_zeros();
        let bytes = bits.div_ceil(8) as usize;
        let mut text = number.to_le_bytes()[..bytes].to_vec();
        let mut mapped = loop {
            text = cipher(&BinaryNumeralString::from_bytes_le(&text))?.to_bytes_le();
            let next = text.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte));
            if next < values {
                break next;
            }
        };
        let mut signs: Vec<char> = value.chars().collect();
        for sign in signs.iter_mut().rev() {
            let Some((radix, first)) = class(*sign)? else { continue };
            let digit = (mapped % u128::from(radix)) as u8;
            mapped /= u128::from(radix);
            *sign = char::from(first + digit);
        }
        Ok(signs.into_iter().collect())
    }
}

/// The number of signs of a sign's kind and the first of them; none for signs that stay.
fn class(sign: char) -> Result<Option<(u8, u8)>, String> {
    match sign {
        '0'..='9' => Ok(Some((10, b'0'))),
        'a'..='z' => Ok(Some((26, b'a'))),
        'A'..='Z' => Ok(Some((26, b'A'))),
        _ if sign.is_alphanumeric() => {
            Err("letters beyond A to Z have no shape here: use method = \"hmac\"".to_owned())
        }
        _ => Ok(None),
    }
}

/// E-mail addresses for e-mail addresses: the part before the `@` becomes 24 hexadecimal digits, the domain 8 of them at
/// `example` (RFC 2606), or stays. Addresses of one domain have one domain: that they share it is seen.
///
/// Two of 10^7 addresses share one with probability below 1e-15.
pub struct EmailPseudonym {
    hash: KeyedHash,
    keep_domain: bool,
}

impl EmailPseudonym {
    /// Pseudonyms under a key, for a domain of values.
    pub fn new(key: &PseudonymKey, domain: &str, keep_domain: bool) -> Self {
        Self { hash: KeyedHash::new(key, "e-mail", domain), keep_domain }
    }

    /// The pseudonym of an address; an empty value stays empty.
    ///
    /// # Errors
    ///
    /// A sentence for a value without an `@` between two parts.
    pub fn pseudonym(&self, value: &str) -> Result<String, String> {
        let mut out = Vec::new();
        self.write(value.as_bytes(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let at = self.write_name(value, out)?;
        self.write_domain(&value[at..], out);
        Ok(())
    }

    /// Writes what stands for the part before the `@`; gives the place of the `@`.
    pub(crate) fn write_name(&self, value: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
        let at = memchr::memrchr(b'@', value).filter(|&at| at > 0 && at + 1 < value.len());
        let at = at.ok_or("this is no e-mail address: it has no @ between two parts")?;
        // The whole address decides the first part, so that the same name at two providers is told apart.
        push_hex(&self.hash.code(value)[..12], out);
        Ok(at)
    }

    /// Writes what stands for the part from the `@` on.
    pub(crate) fn write_domain(&self, domain: &[u8], out: &mut Vec<u8>) {
        if self.keep_domain {
            out.extend_from_slice(domain);
        } else {
            out.push(b'@');
            // Not the code of any address: those have something before the @.
            push_hex(&self.hash.code(domain)[..4], out);
            out.extend_from_slice(b".example");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn key() -> PseudonymKey {
        PseudonymKey::from_hex(&"4d".repeat(32)).unwrap()
    }

    #[test]
    fn shapes_are_kept_and_the_key_undoes_it() {
        let pseudonyms = ShapePreserving::new(&key(), "postcode").unwrap();
        for value in [
            "SW1A 1AA",
            "EC1A-1BB",
            "1234 AB",
            "AA00AAAA",
            "abc-DEF-999",
            "000000",
            "zz9 ZZ9 plural z",
            "Q".repeat(20).as_str(),
        ] {
            let shown = pseudonyms.pseudonym(value).unwrap();
            let shape =
                |text: &str| -> Vec<Option<(u8, u8)>> { text.chars().map(|sign| class(sign).unwrap()).collect() };
            assert_eq!(shape(&shown), shape(value));
            assert_ne!(shown, value);
            assert_eq!(pseudonyms.original(&shown).unwrap(), value);
        }
        for value in ["10115", "AB1", "Köln 123456", &"9".repeat(40)] {
            assert!(pseudonyms.pseudonym(value).is_err(), "{value}");
        }
        assert_eq!(pseudonyms.pseudonym("").unwrap(), "");
        let distinct: HashSet<String> =
            (0..5_000).map(|number| pseudonyms.pseudonym(&format!("AB{number:04}C")).unwrap()).collect();
        assert_eq!(distinct.len(), 5_000);
    }

    #[test]
    fn addresses_become_addresses() {
        let of = |keep: bool, value: &str| EmailPseudonym::new(&key(), "mail", keep).pseudonym(value);
        let one = of(false, "ann@uni.example").unwrap();
        assert_eq!((one.matches('@').count(), one.len()), (1, 24 + 1 + 8 + 8), "{one}");
        assert!(one.ends_with(".example"), "{one}");
        assert_eq!(one, of(false, "ann@uni.example").unwrap());
        let domain = |address: &str| address.split_once('@').unwrap().1.to_owned();
        assert_eq!(domain(&one), domain(&of(false, "bob@uni.example").unwrap()));
        assert_ne!(one, of(false, "bob@uni.example").unwrap());
        assert!(of(true, "ann@uni.example").unwrap().ends_with("@uni.example"));
        for wrong in ["ann", "@uni", "ann@"] {
            assert!(of(false, wrong).is_err(), "{wrong}");
        }
    }
}
