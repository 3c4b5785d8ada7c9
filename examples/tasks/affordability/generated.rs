//! Households that never existed, and a rule for what they can afford. See `datasets/affordability/README.md`.

use std::path::Path;

use burn_privacy::report::write_atomically;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Normal, Triangular};

use super::data::{Data, Row};
use crate::{NominalSize, Result};

/// Number of households.
pub const HOUSEHOLDS: usize = 25_000;

/// Seed of the generator; it is public, since nobody is behind these numbers.
const SEED: u64 = 2_026;

/// Share of the price that is borrowed, yearly interest, and years.
const BORROWED: f64 = 0.9;
const INTEREST: f64 = 0.045;
const YEARS: f64 = 25.0;

/// All households, to train and to test on.
///
/// # Errors
///
/// None that are known.
pub fn generated_data() -> Result<Data> {
    generated_data_of(None)
}

/// As [`generated_data`], with another nominal number of households than the one that is published.
///
/// # Errors
///
/// None that are known.
pub fn generated_data_of(nominal: Option<usize>) -> Result<Data> {
    let nominal = NominalSize::new(nominal, Some((HOUSEHOLDS, "the program that makes them up")))?;
    Data::split("generated households (nobody is behind them)".into(), (0..).zip(households()?), &nominal)
}

/// All households.
///
/// # Errors
///
/// None that are known: all parameters of the distributions are allowed ones.
pub fn households() -> Result<Vec<Row>> {
    // An algorithm that is named, and so stays: the same households with every release of the library.
    let mut randomness = Xoshiro256PlusPlus::seed_from_u64(SEED);
    (0..HOUSEHOLDS).map(|_| household(&mut randomness)).collect()
}

fn household(randomness: &mut impl Rng) -> Result<Row> {
    // Without its feature `std` the library's errors are none of the standard library's.
    let normal = |mean, deviation| Normal::new(mean, deviation).map_err(|error| error.to_string());
    let log_normal = |mean, deviation| LogNormal::new(mean, deviation).map_err(|error| error.to_string());
    let ages = Triangular::new(18.0, 85.0, 51.5).map_err(|error| error.to_string())?;
    let age: f64 = ages.sample(randomness);
    let age = age.round();
    // Incomes are log-normal, and highest in the fifties.
    let career = 1.0 - ((age - 52.0) / 45.0).powi(2);
    let income: f64 = log_normal(38_000_f64.ln() + 0.55 * career - 0.2, 0.45)?.sample(randomness);
    let income = income.min(400_000.0).round();
    // Spending takes a smaller share of a larger income.
    let share: f64 = normal(0.62 - 0.09 * (income / 40_000.0).ln(), 0.08)?.sample(randomness);
    let expenditure = (income * share.clamp(0.15, 0.95)).round();
    let of_income: f64 = log_normal(4.6_f64.ln(), 0.42)?.sample(randomness);
    let house_price = (income * of_income + 60_000.0).min(3_000_000.0).round();
    let payment = yearly_payment(BORROWED * house_price, age);
    let left = (0.78 * income - expenditure).max(500.0);
    // Affordable is what leaves something; the middle is where the payment eats all that is left.
    let strain = payment / left;
    let affordability: f64 = normal(1.0 / (1.0 + (1.6 * (strain - 1.6)).exp()), 0.03)?.sample(randomness);
    Ok([age, income, expenditure, house_price, (affordability.clamp(0.0, 1.0) * 1e4).round() / 1e4])
}

/// What a loan costs a year; older borrowers have fewer years.
fn yearly_payment(loan: f64, age: f64) -> f64 {
    let years = YEARS.min((80.0 - age).max(5.0));
    loan * INTEREST / (1.0 - (1.0 + INTEREST).powf(-years))
}

/// First names that are invented.
pub const FIRST_NAMES: [&str; 12] =
    ["Ada", "Alan", "Blaise", "Carl", "Edith", "Emmy", "Grace", "Henri", "Mary", "Niels", "Sofia", "Srini"];

/// Last names that nobody has.
pub const LAST_NAMES: [&str; 10] = [
    "Sampleton",
    "Placeholder",
    "Fictive",
    "Notreal",
    "Exemplar",
    "Madeup",
    "Imaginaire",
    "Beispiel",
    "Invento",
    "Nonesuch",
];

/// The address of a household's number: example.invalid can't receive mail (RFC 2606).
pub fn email(first: &str, last: &str, number: usize) -> String {
    format!("{}.{}.{number}@example.invalid", first.to_lowercase(), last.to_lowercase())
}

/// Writes all households with names, e-mail addresses and post codes that nobody has, for exercises in anonymization.
///
/// # Errors
///
/// If the file can't be written.
pub fn write(path: &Path) -> Result<()> {
    write_some(path, households()?.into_iter().enumerate())
}

/// As [`write()`], of some households by their number.
///
/// # Errors
///
/// If the file can't be written.
pub fn write_some(path: &Path, households: impl IntoIterator<Item = (usize, Row)>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "name",
        "email",
        "postcode",
        "age",
        "income",
        "expenditure",
        "house_price",
        "affordability",
    ])?;
    for (index, row) in households {
        let (first, last) = (FIRST_NAMES[index * 7 % FIRST_NAMES.len()], LAST_NAMES[index * 3 % LAST_NAMES.len()]);
        // No post code begins with ZZ.
        let postcode = format!("ZZ{:02} {}QX", index % 100, index % 10);
        let mut fields = vec![format!("{first} {last}"), email(first, last, index), postcode];
        fields.extend(row.iter().map(f64::to_string));
        writer.write_record(&fields)?;
    }
    write_atomically(path, writer.into_inner().map_err(|error| error.to_string())?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::data::BOUNDS;
    use super::*;

    #[test]
    fn households_are_plausible_and_always_the_same() {
        let rows = households().unwrap();
        assert_eq!(rows.len(), HOUSEHOLDS);
        assert_eq!(rows, households().unwrap());
        for (column, (low, high)) in BOUNDS.into_iter().enumerate() {
            let inside = rows.iter().filter(|row| (low..=high).contains(&row[column])).count();
            assert!(inside as f64 > 0.99 * rows.len() as f64, "column {column}: {inside}");
        }
        // All degrees of affordability occur, but hardly anybody reaches the last tenth.
        for tenth in 0..9 {
            let (low, high) = (f64::from(tenth) / 10.0, f64::from(tenth + 1) / 10.0);
            let count = rows.iter().filter(|row| (low..=high).contains(&row[4])).count();
            assert!(count > 300, "{low}: {count}");
        }
    }
}
