//! Calendar dates moved by a number of days.

use serde::{Deserialize, Serialize};

/// How dates are written. What follows a date (a time) stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DateFormat {
    /// 1999-12-31, also followed by a time.
    #[default]
    #[serde(rename = "YYYY-MM-DD")]
    YearMonthDay,
    /// 31.12.1999
    #[serde(rename = "DD.MM.YYYY")]
    DayMonthYear,
    /// 31/12/1999
    #[serde(rename = "DD/MM/YYYY")]
    DaySlashMonthYear,
    /// 12/31/1999
    #[serde(rename = "MM/DD/YYYY")]
    MonthDayYear,
    /// 19991231
    #[serde(rename = "YYYYMMDD")]
    Solid,
}

impl DateFormat {
    /// Where year, month and day begin, and the signs between.
    fn layout(self) -> ([usize; 3], &'static [(usize, u8)], usize) {
        match self {
            Self::YearMonthDay => ([0, 5, 8], &[(4, b'-'), (7, b'-')], 10),
            Self::DayMonthYear => ([6, 3, 0], &[(2, b'.'), (5, b'.')], 10),
            Self::DaySlashMonthYear => ([6, 3, 0], &[(2, b'/'), (5, b'/')], 10),
            Self::MonthDayYear => ([6, 0, 3], &[(2, b'/'), (5, b'/')], 10),
            Self::Solid => ([0, 4, 6], &[], 8),
        }
    }

    /// Writes a date moved by some days, and what follows it.
    ///
    /// # Errors
    ///
    /// A sentence for what is no date of this form, or leaves the years 1 to 9999.
    pub(super) fn shift(self, cell: &[u8], days: i64, out: &mut Vec<u8>) -> Result<(), String> {
        let ([year, month, day], signs, length) = self.layout();
        let number = |from: usize, digits: usize| -> Option<i64> {
            cell.get(from..from + digits)?
                .iter()
                .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
        };
        let read = || {
            let date = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
            let separated = signs.iter().all(|&(place, sign)| cell.get(place) == Some(&sign));
            let followed = cell.get(length).is_none_or(|next| matches!(next, b'T' | b' '));
            (separated && followed && is_date(date)).then_some(date)
        };
        let date = read().ok_or("this is no date of the form that the schema gives")?;
        let (new_year, new_month, new_day) = civil(days_of(date) + days);
        if !(1..=9999).contains(&new_year) {
            return Err("the date is moved out of the years 1 to 9999".to_owned());
        }
        let start = out.len();
        out.extend_from_slice(cell);
        let mut put = |from: usize, digits: usize, mut number: i64| {
            for place in (0..digits).rev() {
                out[start + from + place] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(year, 4, new_year);
        put(month, 2, new_month);
        put(day, 2, new_day);
        Ok(())
    }
}

/// True for a date of the years from 1 on.
fn is_date((year, month, day): (i64, i64, i64)) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn days_of((year, month, day): (i64, i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day; the inverse of [`days_of`].
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(format: DateFormat, cell: &str, days: i64) -> Result<String, String> {
        let mut out = Vec::new();
        format.shift(cell.as_bytes(), days, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_day_has_one_date_and_the_next_follows() {
        assert_eq!((days_of((1970, 1, 1)), days_of((2000, 2, 29)), days_of((1, 1, 1))), (0, 11_016, -719_162));
        let mut date = civil(-719_162);
        for day in -719_161..2_932_897 {
            let next = civil(day);
            assert_eq!(days_of(next), day);
            let lengths =
                [31, 28 + i64::from(date.0 % 4 == 0 && (date.0 % 100 != 0 || date.0 % 400 == 0)), 31, 30, 31, 30];
            let lengths: Vec<i64> = lengths.into_iter().chain([31, 31, 30, 31, 30, 31]).collect();
            let expected = match date {
                (year, month, day) if day < lengths[month as usize - 1] => (year, month, day + 1),
                (year, 12, _) => (year + 1, 1, 1),
                (year, month, _) => (year, month + 1, 1),
            };
            assert_eq!(next, expected);
            date = next;
        }
    }

    #[test]
    fn a_date_is_what_has_a_day_of_its_own() {
        for year in [1, 4, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9999] {
            for (month, day) in (0..15).flat_map(|month| (0..40).map(move |day| (month, day))) {
                let date = (year, month, day);
                assert_eq!(is_date(date), civil(days_of(date)) == date, "{date:?}");
            }
        }
        assert!(!is_date((0, 1, 1)));
    }

    #[test]
    fn forms_are_kept_and_what_is_no_date_is_refused() {
        assert_eq!(shift(DateFormat::YearMonthDay, "1999-12-31", 1).unwrap(), "2000-01-01");
        assert_eq!(shift(DateFormat::YearMonthDay, "2024-03-01T23:59:59Z", -1).unwrap(), "2024-02-29T23:59:59Z");
        assert_eq!(shift(DateFormat::DayMonthYear, "01.01.2000", -1).unwrap(), "31.12.1999");
        assert_eq!(shift(DateFormat::MonthDayYear, "12/31/1999", 366).unwrap(), "12/31/2000");
        assert_eq!(shift(DateFormat::DaySlashMonthYear, "31/12/1999", 1).unwrap(), "01/01/2000");
        assert_eq!(shift(DateFormat::Solid, "19991231", 1).unwrap(), "20000101");
        for cell in
            ["1999-2-3", "1999-13-01", "2023-02-29", "1999/12/31", "", "1999-12-31x", "0000-01-01", "é999-12-31"]
        {
            assert!(shift(DateFormat::YearMonthDay, cell, 1).is_err(), "{cell}");
        }
        assert!(shift(DateFormat::YearMonthDay, "9999-12-31", 1).unwrap_err().contains("9999"));
    }
}
