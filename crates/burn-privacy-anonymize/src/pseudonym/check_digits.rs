//! Check digits of card numbers (ISO/IEC 7812-1, Luhn) and of bank accounts (ISO 13616, ISO 7064 mod 97-10).

/// The digit that makes `digits` followed by it a valid number; each of `digits` is below 10.
pub fn luhn_check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let doubled = u32::from(digit) * if place % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// The two check digits of an account number in a country, both in capital letters and digits; `None` for other signs.
pub fn iban_check_digits(country: &str, account: &str) -> Option<u8> {
    let mut remainder = 0_u32;
    for sign in account.chars().chain(country.chars()).chain("00".chars()) {
        let value = match sign {
            '0'..='9' | 'A'..='Z' => sign.to_digit(36)?,
            _ => return None,
        };
        remainder = (remainder * if value > 9 { 100 } else { 10 } + value) % 97;
    }
    Some(98 - remainder as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_have_their_check_digits() {
        assert_eq!(luhn_check_digit(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1]), 3);
        assert_eq!(luhn_check_digit(&[4, 5, 3, 9, 5, 7, 8, 7, 6, 3, 6, 2, 1, 4, 8]), 6);
        assert_eq!(iban_check_digits("GB", "WEST12345698765432"), Some(82));
        assert_eq!(iban_check_digits("DE", "370400440532013000"), Some(89));
        assert_eq!(iban_check_digits("DE", "3704 0044"), None);
    }
}
