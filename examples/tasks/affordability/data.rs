//! Households: four features and how affordable their house is to them.

use std::io::Read;
use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use serde::Deserialize;

use crate::Result;

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

    /// Every fifth household is for testing.
    ///
    /// # Errors
    ///
    /// If there are fewer than 100.
    pub fn split(name: String, rows: Vec<Row>) -> Result<Self> {
        if rows.len() < 100 {
            return Err(format!("{name} has {} usable rows, but at least 100 are needed", rows.len()).into());
        }
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (index, row) in rows.into_iter().enumerate() {
            if index % 5 == 4 { test.push(row) } else { train.push(row) }
        }
        Ok(Self { name, train, test, bounds: BOUNDS })
    }

    /// A CSV file with the five columns, in any order and among others. Only structural errors stop.
    ///
    /// # Errors
    ///
    /// If the file can't be read or lacks a column.
    pub fn from_csv(path: &Path) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(open(path)?);
        let mut rows = Vec::new();
        let columns = positions(path, reader.headers()?, &COLUMNS)?;
        for record in reader.records() {
            let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
            let cell = |column: usize| record.get(columns[column]).unwrap_or("").trim().parse().unwrap_or(f64::NAN);
            rows.push(std::array::from_fn(cell));
        }
        Self::split(path.display().to_string(), rows)
    }
}

/// Opens a file, packed by gzip or not.
///
/// # Errors
///
/// If it can't be opened.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = std::fs::File::open(path).map_err(|error| format!("could not open {}: {error}", path.display()))?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Ok(Box::new(flate2::read::GzDecoder::new(file)));
    }
    Ok(Box::new(file))
}

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

    #[test]
    fn every_fifth_is_for_testing() {
        let data = Data::split("x".into(), vec![[0.0; 5]; 103]).unwrap();
        assert_eq!((data.train.len(), data.test.len()), (83, 20));
        assert!(Data::split("x".into(), vec![[0.0; 5]; 99]).is_err());
    }
}
