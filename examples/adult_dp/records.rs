//! UCI Adult, encoded by public lists and bounds.

use std::ops::Range;
use std::path::Path;

use burn_privacy::mechanisms::local::{CellRandomness, Piecewise, RandomizedResponse};
use burn_privacy::mechanisms::{Entropy, PrivacyKey};
use burn_privacy_convex::{Block, FeatureMap, Features, Loss, RowScale, TrainingSet};
use burn_privacy_linear::additive::{BinnedRecords, Column};

use crate::Result;
use crate::file::{self, COLUMNS, Line};

/// Columns with categories, by their place in the file, with the lists of adult.names; what is not in a list, a question
/// mark for one, is `other`. A star marks the public reference category, which has no column, which
/// makes rows shorter.
const CATEGORIES: [(usize, &str); 8] = [
    (1, "*Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov Without-pay Never-worked"),
    (
        3,
        "Bachelors Some-college 11th *HS-grad Prof-school Assoc-acdm Assoc-voc 9th 7th-8th 12th Masters 1st-4th 10th \
         Doctorate 5th-6th Preschool",
    ),
    (5, "*Married-civ-spouse Divorced Never-married Separated Widowed Married-spouse-absent Married-AF-spouse"),
    (
        6,
        "Tech-support *Craft-repair Other-service Sales Exec-managerial Prof-specialty Handlers-cleaners \
         Machine-op-inspct Adm-clerical Farming-fishing Transport-moving Priv-house-serv Protective-serv Armed-Forces",
    ),
    (7, "Wife Own-child *Husband Not-in-family Other-relative Unmarried"),
    (8, "*White Asian-Pac-Islander Amer-Indian-Eskimo Other Black"),
    (9, "Female *Male"),
    (
        13,
        "*United-States Cambodia England Puerto-Rico Canada Germany Outlying-US(Guam-USVI-etc) India Japan Greece South \
         China Cuba Iran Honduras Philippines Italy Poland Jamaica Vietnam Mexico Portugal Ireland France \
         Dominican-Republic Laos Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua Scotland Thailand Yugoslavia \
         El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands",
    ),
];

/// Numeric columns with public bounds, and whether they are taken in logarithms. They become numbers from 0 to
/// [`NUMBER_SIZE`].
const NUMBERS: [(usize, f64, f64, bool); 5] = [
    (0, 17.0, 90.0, false),
    (4, 1.0, 16.0, false),
    (10, 0.0, 99_999.0, true),
    (11, 0.0, 4_356.0, true),
    (12, 1.0, 99.0, false),
];

/// Bins of a number, equally wide between its bounds, in logarithms where it is taken in them.
const BINS: usize = 32;

/// The largest a number becomes; a category is 1.
const NUMBER_SIZE: f64 = 1.5;

/// Rows are clipped to this norm: room for a record in which about half of the categories are not the reference.
const ROW_NORM: f64 = 2.5;

/// The constant feature.
const INTERCEPT: f64 = 0.4;

/// One person: numbers from 0 to [`NUMBER_SIZE`], the place of each category in its list (its length for any other), and
/// whether the income is above 50,000.
#[derive(Clone, Debug)]
struct Record {
    numbers: [f64; NUMBERS.len()],
    categories: [usize; CATEGORIES.len()],
    rich: bool,
}

/// Cells of a record that a row's epsilon is divided among.
const CELLS: usize = NUMBERS.len() + CATEGORIES.len() + 1;

/// Many people.
#[derive(Clone, Debug)]
pub struct Records(Vec<Record>);

impl Records {
    /// Reads a file of the data set.
    ///
    /// # Errors
    ///
    /// If the file, a line of it or a cell is not as the data set has it, if a column of categories has none of its list in any
    /// record, or if all labels are the same: such a file is encoded in another way.
    pub fn read(folder: &Path, name: &str) -> Result<Self> {
        let lists = lists();
        let path = file::find(folder, name)?;
        let name = path.display();
        let mut records = Vec::new();
        for Line { number, cells } in file::rows(&path)? {
            let wrong = |column: usize, allowed: &str| {
                let (column, cell) = (COLUMNS[column], &cells[column]);
                format!("{name}, line {number}: no {allowed} in the column {column}: {cell:?}")
            };
            let mut numbers = [0.0; NUMBERS.len()];
            for (number, &(column, low, high, logarithm)) in numbers.iter_mut().zip(&NUMBERS) {
                let value = cells[column].parse::<f64>().ok().filter(|value| value.is_finite());
                let value = value.ok_or_else(|| wrong(column, "number"))?;
                let (value, width) = (value.clamp(low, high) - low, high - low);
                *number = NUMBER_SIZE * if logarithm { value.ln_1p() / width.ln_1p() } else { value / width };
            }
            let mut categories = [0; CATEGORIES.len()];
            for (place, (column, list)) in categories.iter_mut().zip(&lists) {
                let is_cell = |name: &&str| name.trim_start_matches('*') == &cells[*column];
                *place = list.iter().position(is_cell).unwrap_or(list.len());
            }
            let label = COLUMNS.len() - 1;
            let rich = file::is_rich(&cells[label]).ok_or_else(|| wrong(label, "label (>50K or <=50K, 1 or 0)"))?;
            records.push(Record { numbers, categories, rich });
        }
        if records.len() < 100 {
            return Err(format!("{name} holds fewer records than the at least 100 that are needed").into());
        }
        for (place, (column, list)) in lists.iter().enumerate() {
            if records.iter().all(|record| record.categories[place] == list.len()) {
                return Err(format!(
                    "{name}: no record has a known category in the column {}; known are {}",
                    COLUMNS[*column],
                    list.join(" ").replace('*', "")
                )
                .into());
            }
        }
        if records.iter().all(|record| record.rich == records[0].rich) {
            return Err(format!("{name}: all labels are the same; there must be incomes above and below 50,000").into());
        }
        Ok(Self(records))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The records of a range.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self(self.0[range].to_vec())
    }

    /// Rows of numbers: the scaled numbers, and one for each category but the public reference.
    fn rows(&self) -> Vec<Vec<f64>> {
        let lists = lists();
        self.0
            .iter()
            .map(|record| {
                let mut row = record.numbers.to_vec();
                for (place, (_, list)) in record.categories.iter().zip(&lists) {
                    let shown = (0..=list.len()).filter(|&i| !list.get(i).is_some_and(|name| name.starts_with('*')));
                    row.extend(shown.map(|i| f64::from(u8::from(i == *place))));
                }
                row
            })
            .collect()
    }

    /// Numbers in bins of equal width, categories as they are: a column each.
    pub fn binned(&self) -> Result<BinnedRecords> {
        let mut columns = vec![Column { bins: BINS, ordered: true }; NUMBERS.len()];
        columns.extend(lists().iter().map(|(_, list)| Column { bins: list.len() + 1, ordered: false }));
        let bins = self.0.iter().flat_map(|record| {
            let bin = |number: f64| ((number / NUMBER_SIZE * BINS as f64) as usize).min(BINS - 1) as u8;
            record.numbers.iter().map(move |&number| bin(number)).chain(record.categories.iter().map(|&at| at as u8))
        });
        let positive = self.0.iter().map(|record| record.rich).collect();
        Ok(BinnedRecords::new(columns, bins.collect(), positive)?)
    }

    /// 1 above 50,000, -1 below.
    pub fn labels(&self) -> Vec<f64> {
        self.0.iter().map(|record| if record.rich { 1.0 } else { -1.0 }).collect()
    }

    /// Rows clipped into the unit ball, with labels; nothing else is said about the columns.
    pub fn training_set(&self) -> Result<TrainingSet> {
        self.set(feature_map(self.rows()[0].len())?, Loss::Logistic)
    }

    /// As [`training_set`](Self::training_set), and with what is public about the columns.
    pub fn training_set_of_blocks(&self, loss: Loss) -> Result<TrainingSet> {
        let mut blocks = vec![Block::Numbers { columns: NUMBERS.len(), low: 0.0, high: NUMBER_SIZE }];
        // A list is as long as its columns: one more for any other category, one less for the reference.
        blocks.extend(lists().iter().map(|(_, list)| Block::Categories { columns: list.len() }));
        let columns = blocks.iter().map(Block::columns).sum();
        self.set(feature_map(columns)?.with_blocks(blocks)?, loss)
    }

    fn set(&self, map: FeatureMap, loss: Loss) -> Result<TrainingSet> {
        Ok(TrainingSet::new(Features::new(&self.rows().concat(), map)?, self.labels(), loss)?)
    }

    /// Every cell perturbed on its own with an equal share of epsilon: local differential privacy of the whole row.
    pub fn perturbed(&self, epsilon: f64, seed: u64) -> Result<Self> {
        let key = PrivacyKey::draw(Entropy::seeded(seed))?;
        let share = epsilon / CELLS as f64 * (1.0 - 1e-12);
        let number = Piecewise::new(0.0, NUMBER_SIZE, share)?;
        let responses = lists().into_iter().map(|(_, list)| RandomizedResponse::new(list.len() + 1, share));
        let responses = responses.collect::<std::result::Result<Vec<_>, _>>()?;
        let mut noisy = self.with_labels_perturbed(share, seed ^ 0x5EED)?;
        for (index, record) in noisy.0.iter_mut().enumerate() {
            let draw = |cell: usize| CellRandomness::draw(&key, index as u64, cell as u64);
            for (cell, value) in record.numbers.iter_mut().enumerate() {
                *value = number.perturb(*value, &draw(cell)?);
            }
            for (cell, (place, response)) in record.categories.iter_mut().zip(&responses).enumerate() {
                *place = response.perturb(*place as u32, &draw(NUMBERS.len() + cell)?) as usize;
            }
        }
        Ok(noisy)
    }

    /// Labels by randomized response, all else in the clear: label differential privacy.
    pub fn with_labels_perturbed(&self, epsilon: f64, seed: u64) -> Result<Self> {
        let key = PrivacyKey::draw(Entropy::seeded(seed))?;
        let response = RandomizedResponse::new(2, epsilon)?;
        let mut noisy = self.clone();
        for (index, record) in noisy.0.iter_mut().enumerate() {
            let randomness = CellRandomness::draw(&key, index as u64, 0)?;
            record.rich = response.perturb(u32::from(record.rich), &randomness) == 1;
        }
        Ok(noisy)
    }
}

fn feature_map(columns: usize) -> Result<FeatureMap> {
    Ok(FeatureMap::new(columns, RowScale::Clip(ROW_NORM))?.with_intercept(INTERCEPT)?)
}

fn lists() -> Vec<(usize, Vec<&'static str>)> {
    CATEGORIES.iter().map(|(column, list)| (*column, list.split_whitespace().collect())).collect()
}
