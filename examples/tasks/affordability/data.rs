//! Households: four features and how affordable their house is to them.

use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use burn_privacy::datasets::open_text;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{NominalSize, Result};

/// Number of features.
pub const FEATURES: usize = 4;

/// Names of the columns, the target last.
pub const COLUMNS: [&str; FEATURES + 1] = ["age", "income", "expenditure", "house_price", "affordability"];

/// Public bounds of each column: stated, never looked up in the data. Values beyond them are clipped.
pub type Bounds = [(f64, f64); FEATURES + 1];

/// The bounds unless a schema states others.
pub const BOUNDS: Bounds = [(18.0, 100.0), (0.0, 250_000.0), (0.0, 150_000.0), (0.0, 2_000_000.0), (0.0, 1.0)];

/// Of a schema as `burn-privacy perturb` reads it, the part that is needed here.
#[derive(Deserialize)]
struct Schema {
    column: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    lo: Option<f64>,
    hi: Option<f64>,
}

/// The bounds that a schema states; those it leaves out are as they were.
///
/// # Errors
///
/// If the file can't be read, or states bounds that are none.
pub fn bounds_of(path: &Path) -> Result<Bounds> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("could not read {}: {error}", path.display()))?;
    let schema: Schema = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bounds = BOUNDS;
    for column in schema.column {
        let Some(place) = COLUMNS.iter().position(|name| *name == column.name) else { continue };
        let (low, high) = (column.lo.unwrap_or(bounds[place].0), column.hi.unwrap_or(bounds[place].1));
        if !(low < high && (high - low).is_finite()) {
            let name = column.name;
            return Err(
                format!("{}: `{name}` lies between {low} and {high}, but lo must be below hi", path.display()).into()
            );
        }
        bounds[place] = (low, high);
    }
    Ok(bounds)
}

/// One household, in the units of its columns.
pub type Row = [f64; FEATURES + 1];

/// One household, scaled to 0 .. 1 by the public bounds.
#[derive(Clone, Copy, Debug)]
pub struct Household {
    /// Features.
    pub features: [f32; FEATURES],
    /// Affordability.
    pub target: f32,
}

impl Household {
    /// Clips to the bounds and scales. What is not a number counts as the lower bound.
    pub fn of(row: &Row, bounds: &Bounds) -> Self {
        let scaled = |column: usize| {
            let (low, high) = bounds[column];
            let value = if row[column].is_nan() { low } else { row[column].clamp(low, high) };
            ((value - low) / (high - low)) as f32
        };
        Self { features: std::array::from_fn(scaled), target: scaled(FEATURES) }
    }
}

impl Household {
    /// Scales a row that was perturbed, which may lie beyond the bounds on purpose: clipping it would bias its mean.
    pub fn of_perturbed(row: &Row, bounds: &Bounds) -> Self {
        let scaled = |column: usize| {
            let (low, high) = bounds[column];
            ((row[column] - low) / (high - low)) as f32
        };
        Self { features: std::array::from_fn(scaled), target: scaled(FEATURES) }
    }
}

/// Many households on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[households, features]`.
    pub features: Tensor<2>,
    /// `[households, 1]`.
    pub targets: Tensor<2>,
}

/// Puts households on a device.
#[derive(Clone, Copy, Debug)]
pub struct Households;

impl Batcher<Household, Batch> for Households {
    fn batch(&self, items: Vec<Household>, device: &Device) -> Batch {
        let count = items.len();
        let features: Vec<f32> = items.iter().flat_map(|item| item.features).collect();
        let targets: Vec<f32> = items.iter().map(|item| item.target).collect();
        Batch {
            features: Tensor::from_data(TensorData::new(features, [count, FEATURES]), device),
            targets: Tensor::from_data(TensorData::new(targets, [count, 1]), device),
        }
    }
}

/// What is trained on, and what only measures.
pub struct Data {
    /// What is printed and written.
    pub name: String,
    /// Private.
    pub train: Vec<Row>,
    /// Declared public.
    pub test: Vec<Row>,
    /// Public.
    pub bounds: Bounds,
    /// Public number of households to train on.
    pub nominal: NominalSize,
}

impl Data {
    /// The training households, clipped to the bounds.
    pub fn households(&self) -> Vec<Household> {
        self.train.iter().map(|row| Household::of(row, &self.bounds)).collect()
    }

    /// The test households and their targets.
    pub fn test_batch(&self, device: &Device) -> (Batch, Vec<f64>) {
        let items: Vec<Household> = self.test.iter().map(|row| Household::of(row, &self.bounds)).collect();
        let targets = items.iter().map(|item| f64::from(item.target)).collect();
        (Households.batch(items, device), targets)
    }

    /// About every fifth household is for testing: those whose key leaves 4 when divided by 5. A key is a household's own, such
    /// as its number in a survey, so that one who joins or leaves moves nobody else to the other side. `nominal` is the
    /// public number of all of them.
    ///
    /// # Errors
    ///
    /// If there are fewer than 100.
    pub fn split(name: String, rows: impl IntoIterator<Item = (u64, Row)>, nominal: &NominalSize) -> Result<Self> {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (key, row) in rows {
            if key % 5 == 4 { test.push(row) } else { train.push(row) }
        }
        if train.len() + test.len() < 100 || test.is_empty() {
            return Err(format!("{name} has fewer than 100 usable rows, and that many are needed").into());
        }
        let nominal = nominal.derived(nominal.get() * 4 / 5, "four fifths of");
        Ok(Self { name, train, test, bounds: BOUNDS, nominal })
    }

    /// A CSV file with the five columns, in any order and among others, packed by gzip or not. Only structural errors stop.
    ///
    /// # Errors
    ///
    /// If the file can't be read or lacks a column.
    pub fn from_csv(path: &Path, nominal: &NominalSize) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(open_text(path, MOST_TEXT)?);
        let mut rows = Vec::new();
        let columns = positions(path, reader.headers()?, &COLUMNS)?;
        for record in reader.records() {
            let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
            let cell = |column: usize| record.get(columns[column]).unwrap_or("").trim().parse().unwrap_or(f64::NAN);
            rows.push((key_of(&record), std::array::from_fn(cell)));
        }
        Self::split(path.display().to_string(), rows, nominal)
    }
}

/// A number that follows from a record's cells alone, spread evenly.
fn key_of(record: &csv::StringRecord) -> u64 {
    let mut hash = Sha256::new();
    for cell in record {
        hash.update(cell);
        hash.update([0xff]); // in no UTF-8 text
    }
    hash.finalize().iter().take(8).fold(0, |key, &byte| key << 8 | u64::from(byte))
}

/// Bytes of text that are read of a file, unpacked: a few million households.
pub const MOST_TEXT: u64 = 256 << 20;

/// Where columns stand in a header.
///
/// # Errors
///
/// If one is missing.
pub fn positions(path: &Path, header: &csv::StringRecord, names: &[&str]) -> Result<Vec<usize>> {
    names
        .iter()
        .map(|name| {
            let found = header.iter().position(|field| field.trim_start_matches('\u{feff}').trim() == *name);
            found.ok_or_else(|| {
                format!("{} has no column `{name}`: it needs {}", path.display(), names.join(", ")).into()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn households_are_clipped_to_the_bounds() {
        let household = Household::of(&[10.0, 1e9, f64::NAN, 1_000_000.0, 0.25], &BOUNDS);
        assert_eq!(household.features, [0.0, 1.0, 0.0, 0.5]);
        assert_eq!(household.target, 0.25);
    }

    fn nominal() -> NominalSize {
        NominalSize::new(Some(1_000), None).unwrap()
    }

    #[test]
    fn every_fifth_is_for_testing() {
        let rows = |count| (0..count).map(|key| (key, [0.0; 5]));
        let data = Data::split("x".into(), rows(103), &nominal()).unwrap();
        assert_eq!((data.train.len(), data.test.len(), data.nominal.get()), (83, 20, 800));
        let Err(error) = Data::split("x".into(), rows(99), &nominal()) else { panic!() };
        assert!(error.to_string().contains("fewer than 100") && !error.to_string().contains("99"), "{error}");
    }

    /// Neighbors differ in one household: so must what is trained on, and the test households (which are declared public)
    /// must not differ at all, unless it is one of them.
    #[test]
    fn a_household_that_leaves_moves_nobody_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let load = |without: Option<usize>| {
            let rows = (0..500).filter(|row| Some(*row) != without).map(|row| format!("{row},1,2,3,0.5\n"));
            std::fs::write(file.path(), COLUMNS.join(",") + "\n" + &rows.collect::<String>()).unwrap();
            Data::from_csv(file.path(), &nominal()).unwrap()
        };
        let all = load(None);
        // Of 500 coins of 1/5, six standard deviations of 9 from 100: false failures below 1e-8, had the hash not decided already.
        assert!((46..=154).contains(&all.test.len()), "{}", all.test.len());
        for gone in [0, 250, 499] {
            let rest = load(Some(gone));
            let left =
                |rows: &[Row]| -> Vec<Row> { rows.iter().filter(|row| row[0] != gone as f64).copied().collect() };
            assert_eq!((left(&all.train), left(&all.test)), (rest.train, rest.test));
            assert_eq!(rest.nominal, all.nominal);
        }
    }
}
