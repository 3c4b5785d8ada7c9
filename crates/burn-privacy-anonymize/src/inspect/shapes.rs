//! What a cell looks like.

use crate::pseudonym::{iban_check_digits, luhn_check_digit};

/// A shape that cells of a kind have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// An e-mail address.
    Email,
    /// A card number, by its Luhn digit.
    CardNumber,
    /// A bank account, by its check digits.
    Iban,
    /// A telephone number, written as one.
    Phone,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A calendar date, year first.
    Date,
}

impl Shape {
    /// The shape of a cell, if it has one of these.
    pub fn of(cell: &str) -> Option<Self> {
        let cell = cell.trim();
        if is_email(cell) {
            return Some(Self::Email);
        }
        if cell.parse::<std::net::IpAddr>().is_ok() {
            return Some(Self::IpAddress);
        }
        if is_iban(cell) {
            return Some(Self::Iban);
        }
        if is_date(cell) {
            return Some(Self::Date);
        }
        let digits: Vec<u8> = cell.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        let others = cell.bytes().filter(|byte| !byte.is_ascii_digit());
        if (13..=19).contains(&digits.len()) && others.clone().all(|byte| matches!(byte, b' ' | b'-')) {
            let (last, rest) = digits.split_last()?;
            return (luhn_check_digit(rest) == *last).then_some(Self::CardNumber);
        }
        // A bare number is no telephone number: it begins with + or 0, and has something between its digits or the +.
        let begins = cell.starts_with('+') || cell.starts_with('0');
        let written = others.clone().next().is_some();
        let only = others.clone().all(|byte| matches!(byte, b' ' | b'-' | b'(' | b')' | b'/' | b'+'));
        (begins && written && only && (7..=15).contains(&digits.len())).then_some(Self::Phone)
    }

    /// True if it names a person or a thing of theirs by itself.
    pub fn is_identifier(self) -> bool {
        self != Self::Date
    }

    /// The shape in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "e-mail address",
            Self::CardNumber => "card number",
            Self::Iban => "IBAN",
            Self::Phone => "telephone number",
            Self::IpAddress => "IP address",
            Self::Date => "date",
        }
    }
}

fn is_email(cell: &str) -> bool {
    cell.split_once('@').is_some_and(|(name, domain)| {
        let part =
            |text: &str| !text.is_empty() && text.chars().all(|sign| sign.is_alphanumeric() || "-_".contains(sign));
        let mut labels = domain.split('.');
        !name.is_empty() && !name.contains(char::is_whitespace) && domain.contains('.') && labels.all(part)
    })
}

fn is_iban(cell: &str) -> bool {
    let solid: String = cell.chars().filter(|sign| *sign != ' ').collect();
    let parts = (solid.get(..2), solid.get(2..4), solid.get(4..));
    let (Some(country), Some(check), Some(account)) = parts else { return false };
    (15..=34).contains(&solid.len())
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && check.parse().is_ok_and(|check: u8| iban_check_digits(country, account) == Some(check))
}

fn is_date(cell: &str) -> bool {
    let parts: Vec<&str> = cell.get(..10).unwrap_or_default().split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    year.len() == 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && month.parse().is_ok_and(|month: u8| (1..=12).contains(&month))
        && day.parse().is_ok_and(|day: u8| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_their_shapes_and_plain_numbers_none() {
        for (cell, shape) in [
            ("ann@example.org", Some(Shape::Email)),
            ("ann@home", None),
            ("4539 5787 6362 1486", Some(Shape::CardNumber)),
            ("4539 5787 6362 1487", None),
            ("DE89 3704 0044 0532 0130 00", Some(Shape::Iban)),
            ("+49 171 1234567", Some(Shape::Phone)),
            ("1712345678", None),
            ("192.168.0.1", Some(Shape::IpAddress)),
            ("1999-12-31", Some(Shape::Date)),
            ("1999-13-31", None),
            ("42", None),
            ("", None),
            ("Müller", None),
        ] {
            assert_eq!(Shape::of(cell), shape, "{cell}");
        }
    }
}
