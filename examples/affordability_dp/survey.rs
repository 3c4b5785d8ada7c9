//! The US Survey of Consumer Finances 2019, summary extract: real households.

use std::path::Path;

use burn_privacy::datasets::open_text;
use burn_privacy_examples::affordability::data::{Data, MOST_TEXT, Row, positions};
use burn_privacy_examples::{NominalSize, Result};

/// Columns that are read.
const NEEDED: [&str; 8] = ["Y1", "AGE", "INCOME", "FOODHOME", "FOODAWAY", "FOODDELV", "HOUSES", "PIRTOTAL"];

/// How many families were interviewed, and who says so.
const FAMILIES: (usize, &str) = (5_777, "the Federal Reserve Board in its report on the survey");

/// One row a household: each is in the file five times, with different imputed values, of which the first is taken.
///
/// Expenditure is what food costs in a year, affordability one minus the share of the income that payments on debts take.
pub fn load(path: &Path, nominal: Option<usize>) -> Result<Data> {
    let nominal = NominalSize::new(nominal, Some(FAMILIES))?;
    let mut reader = csv::Reader::from_reader(open_text(path, MOST_TEXT)?);
    let columns = positions(path, reader.headers()?, &NEEDED)?;
    let mut rows: Vec<(u64, Row)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
        let cell =
            |column: usize| -> f64 { record.get(columns[column]).unwrap_or("").trim().parse().unwrap_or(f64::NAN) };
        if cell(0) % 10.0 != 1.0 {
            continue;
        }
        let food = cell(3) + cell(4) + cell(5);
        // The number of the household, from 1 on; the last digit is that of the imputation.
        let household = (cell(0) / 10.0) as u64;
        rows.push((household, [cell(1), cell(2), food, cell(6), 1.0 - cell(7)]));
    }
    Data::split("Survey of Consumer Finances 2019".into(), rows, &nominal)
}
