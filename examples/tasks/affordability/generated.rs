//! Households that never existed, and a rule for what they can afford. See `datasets/affordability/README.md`.

use std::path::Path;

use burn_privacy::mechanisms::{Entropy, PrivacyKey, Purpose, fill_uniform};
use burn_privacy::report::write_atomically;

use super::data::{Data, Row};
use crate::{NominalSize, Result};

/// Number of households.
pub const HOUSEHOLDS: usize = 25_000;

/// Seed of the generator; it is public, since nobody is behind these numbers.
const SEED: u64 = 2_026;

/// Uniform numbers that a household uses.
const DRAWS: usize = 10;

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
/// None that are known: their randomness is a fixed seed's.
pub fn households() -> Result<Vec<Row>> {
    Ok(draws()?.chunks_exact(DRAWS).map(household).collect())
}

fn draws() -> Result<Vec<f64>> {
    let key = PrivacyKey::draw(&Entropy::seeded(SEED))?;
    let mut draws = vec![0.0; HOUSEHOLDS * DRAWS];
    fill_uniform(&key, Purpose::Testing, 0, 0, &mut draws)?;
    Ok(draws)
}

fn household(u: &[f64]) -> Row {
    let normal = |a: f64, b: f64| (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    let age = (18.0 + 67.0 * (0.5 * (u[0] + u[1]))).round();
    // Incomes are log-normal, and highest in the fifties.
    let career = 1.0 - ((age - 52.0) / 45.0).powi(2);
    let income = (38_000.0 * (0.45 * normal(u[2], u[3]) + 0.55 * career - 0.2).exp()).min(400_000.0).round();
    // Spending takes a smaller share of a larger income.
    let share = (0.62 - 0.09 * (income / 40_000.0).ln() + 0.08 * normal(u[4], u[5])).clamp(0.15, 0.95);
    let expenditure = (income * share).round();
    let house_price = (4.6 * income * (0.42 * normal(u[6], u[7])).exp() + 60_000.0).min(3_000_000.0).round();
    let payment = yearly_payment(BORROWED * house_price, age);
    let left = (0.78 * income - expenditure).max(500.0);
    // Affordable is what leaves something; the middle is where the payment eats all that is left.
    let strain = payment / left;
    let affordability = 1.0 / (1.0 + (1.6 * (strain - 1.6)).exp()) + 0.03 * normal(u[8], u[9]);
    [age, income, expenditure, house_price, (affordability.clamp(0.0, 1.0) * 1e4).round() / 1e4]
}

/// What a loan costs a year; older borrowers have fewer years.
fn yearly_payment(loan: f64, age: f64) -> f64 {
    let years = YEARS.min((80.0 - age).max(5.0));
    loan * INTEREST / (1.0 - (1.0 + INTEREST).powf(-years))
}

/// Writes all households with names, e-mail addresses and post codes that nobody has, for exercises in anonymization.
///
/// # Errors
///
/// If the file can't be written.
pub fn write(path: &Path) -> Result<()> {
    const FIRST: [&str; 12] =
        ["Ada", "Alan", "Blaise", "Carl", "Edith", "Emmy", "Grace", "Henri", "Mary", "Niels", "Sofia", "Srini"];
    const LAST: [&str; 10] = [
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
    for (index, row) in households()?.into_iter().enumerate() {
        let (first, last) = (FIRST[index * 7 % FIRST.len()], LAST[index * 3 % LAST.len()]);
        // example.invalid can't receive mail (RFC 2606), and no post code begins with ZZ.
        let email = format!("{}.{}.{index}@example.invalid", first.to_lowercase(), last.to_lowercase());
        let mut fields = vec![format!("{first} {last}"), email, format!("ZZ{:02} {}QX", index % 100, index % 10)];
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
