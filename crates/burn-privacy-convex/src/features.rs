//! Feature rows that cannot be longer than 1: clipping is part of the type.

use std::fmt;

use crate::blocks::bounded;
use crate::error::{finite_above_zero, invalid};
use crate::sensitivity_hull::SensitivityHull;
use crate::{Block, ConvexError, Result};

/// Kept below 1 by more than the roundings of a row of any length that fits memory.
const MARGIN: f64 = 1.0 - 1e-9;

/// How a row is brought into the unit ball. Both act on each record by itself, so they cost no privacy.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RowScale {
    /// Rows are divided by this public norm, and longer ones shortened to it.
    Clip(f64),
    /// Every row is divided by its own norm; a row of zeros stays.
    Normalize,
}

/// The public map from a raw row to a feature vector of norm at most 1.
///
/// With an intercept c, the vector is (sqrt(1 - c^2) z, c) for the scaled row z: the constant feature is counted in the
/// norm, and its weight is regularized as the others are.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    columns: usize,
    scale: RowScale,
    intercept: f64,
    /// None, or one for each column.
    blocks: Vec<Block>,
}

impl FeatureMap {
    /// A map for rows of `columns` numbers, without an intercept.
    ///
    /// # Errors
    ///
    /// If there are no columns, or the clipping norm is not a finite number above 0.
    pub fn new(columns: usize, scale: RowScale) -> Result<Self> {
        if columns == 0 {
            return Err(ConvexError::Empty { what: "columns" });
        }
        if let RowScale::Clip(norm) = scale {
            finite_above_zero("the clipping norm", norm)?;
        }
        Ok(Self { columns, scale, intercept: 0.0, blocks: Vec::new() })
    }

    /// Adds a constant feature of this size.
    ///
    /// # Errors
    ///
    /// If `intercept` is not strictly between 0 and 1.
    pub fn with_intercept(mut self, intercept: f64) -> Result<Self> {
        if intercept > 0.0 && intercept < 1.0 {
            self.intercept = intercept;
            Ok(self)
        } else {
            Err(invalid("intercept", intercept, "strictly between 0 and 1, as rows have norm at most 1 with it"))
        }
    }

    /// Says what is public about the columns, in their order. Rows are brought into the blocks before they are scaled.
    ///
    /// [Objective perturbation](crate::objective_perturbation) at pure epsilon then draws its noise in the shape of the
    /// [blocks' sensitivity hull](crate::sensitivity_hull) in place of the ball: where most columns show categories, the noise
    /// on them is several times smaller. With many numbers and a clipping norm far below what the blocks allow, it is larger.
    ///
    /// ```
    /// use burn_privacy_convex::{Block, FeatureMap, RowScale};
    ///
    /// // Age and hours, brought to 0 to 1, and one of five occupations, the most common of which has no column.
    /// let map = FeatureMap::new(6, RowScale::Clip(1.5))?
    ///     .with_blocks(vec![Block::Numbers { columns: 2, low: 0.0, high: 1.0 }, Block::Categories { columns: 4 }])?
    ///     .with_intercept(0.4)?;
    /// # Ok::<(), burn_privacy_convex::ConvexError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the blocks do not have as many columns as the rows, one of them is impossible, or rows are normalized, which
    /// takes them out of any block.
    pub fn with_blocks(mut self, blocks: Vec<Block>) -> Result<Self> {
        if self.scale == RowScale::Normalize {
            return Err(invalid(
                "the row scale, with blocks,",
                "Normalize",
                "Clip: normalized rows leave their blocks",
            ));
        }
        self.blocks = blocks.into_iter().map(Block::checked).collect::<Result<_>>()?;
        let given = self.blocks.iter().map(Block::columns).fold(0, usize::saturating_add);
        if given == self.columns {
            Ok(self)
        } else {
            Err(ConvexError::WrongLength { what: "the columns of all blocks", given, expected: self.columns })
        }
    }

    /// What is public about the columns; empty for nothing.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The hull of all feature vectors and their negatives, if there are blocks.
    pub(crate) fn sensitivity_hull(&self) -> Option<SensitivityHull<'_>> {
        match self.scale {
            // The margin by which vectors are shorter than this covers the roundings in them.
            RowScale::Clip(norm) if !self.blocks.is_empty() => {
                Some(SensitivityHull::new(&self.blocks, self.room() / norm, self.intercept))
            }
            _ => None,
        }
    }

    /// The norm that the intercept leaves for the rest.
    fn room(&self) -> f64 {
        (1.0 - self.intercept * self.intercept).sqrt()
    }

    /// Numbers in a raw row.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Numbers in a feature vector: one more than columns if there is an intercept.
    pub fn dimension(&self) -> usize {
        self.columns + usize::from(self.intercept > 0.0)
    }

    /// Appends the feature vector of a raw row; the column of the first number that is not finite otherwise.
    pub(crate) fn append(&self, row: &[f64], out: &mut Vec<f64>) -> Result<(), usize> {
        if let Some(column) = row.iter().position(|value| !value.is_finite()) {
            return Err(column);
        }
        let within;
        let row = if self.blocks.is_empty() {
            row
        } else {
            within = bounded(&self.blocks, row);
            &within
        };
        let room = self.room() * MARGIN;
        // By the largest entry first, so that squares neither overflow nor vanish.
        let largest = row.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let relative =
            if largest > 0.0 { row.iter().map(|value| (value / largest).powi(2)).sum::<f64>().sqrt() } else { 1.0 };
        let length = match self.scale {
            // The row's norm over the public one, or 1 if that is larger.
            RowScale::Clip(norm) => {
                let times = largest / norm;
                if times * relative > 1.0 { room / relative } else { room * times }
            }
            RowScale::Normalize => room / relative,
        };
        out.extend(row.iter().map(|value| if largest > 0.0 { value / largest * length } else { 0.0 }));
        if self.intercept > 0.0 {
            out.push(self.intercept * MARGIN);
        }
        Ok(())
    }
}

/// Feature vectors of norm at most 1, with the public map that made them.
#[derive(Clone, PartialEq)]
pub struct Features {
    map: FeatureMap,
    rows: usize,
    values: Vec<f64>,
}

/// What is public: no value of a record.
impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { map, rows, .. } = self;
        f.debug_struct("Features").field("map", map).field("rows", rows).finish_non_exhaustive()
    }
}

impl Features {
    /// Scales raw rows, given one after another in `values`.
    ///
    /// # Errors
    ///
    /// If there are no rows, `values` is not a whole number of rows, or a value is not finite.
    pub fn new(values: &[f64], map: FeatureMap) -> Result<Self> {
        let rows = values.len() / map.columns;
        if values.is_empty() {
            return Err(ConvexError::Empty { what: "rows" });
        }
        if values.len() != rows * map.columns {
            let expected = (rows + 1) * map.columns;
            return Err(ConvexError::WrongLength { what: "the list of row values", given: values.len(), expected });
        }
        let mut scaled = Vec::with_capacity(rows * map.dimension());
        for (row, numbers) in values.chunks_exact(map.columns).enumerate() {
            map.append(numbers, &mut scaled).map_err(|column| ConvexError::NotFinite { row, column })?;
        }
        Ok(Self { map, rows, values: scaled })
    }

    /// The number of records. It is public.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.map.dimension()
    }

    /// The map that made them.
    pub const fn map(&self) -> &FeatureMap {
        &self.map
    }

    /// The feature vectors, of norm at most 1.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.dimension())
    }

    /// One feature vector.
    pub(crate) fn vector(&self, row: usize) -> &[f64] {
        let dimension = self.dimension();
        &self.values[row * dimension..(row + 1) * dimension]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(vector: &[f64]) -> f64 {
        vector.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    #[test]
    fn no_vector_is_longer_than_one() {
        for scale in [RowScale::Clip(2.0), RowScale::Clip(1e-300), RowScale::Clip(1e300), RowScale::Normalize] {
            for intercept in [None, Some(1e-9), Some(0.5), Some(1.0 - 1e-12)] {
                let mut map = FeatureMap::new(3, scale).unwrap();
                if let Some(constant) = intercept {
                    map = map.with_intercept(constant).unwrap();
                }
                let rows = [0.0, 0.0, 0.0, 1e308, -1e308, 1e308, 1e-320, 0.0, 1e-320, 1.0, 2.0, 2.0, 0.1, 0.0, -0.1];
                let features = Features::new(&rows, map).unwrap();
                for vector in features.vectors() {
                    assert!(norm(vector) <= 1.0 && vector.iter().all(|x| x.is_finite()), "{scale:?} {vector:?}");
                }
            }
        }
    }

    #[test]
    fn short_rows_are_divided_and_long_ones_cut() {
        let map = FeatureMap::new(2, RowScale::Clip(10.0)).unwrap();
        let features = Features::new(&[3.0, 4.0, 30.0, 40.0], map).unwrap();
        assert!((norm(features.vector(0)) - 0.5).abs() < 1e-8);
        assert!((features.vector(0)[0] - 0.3).abs() < 1e-8);
        assert!((features.vector(1)[1] - 0.8).abs() < 1e-8);
        // What is printed is public: no value of a record, and no label.
        let set = crate::TrainingSet::new(features, vec![1.0, -1.0], crate::Loss::Logistic).unwrap();
        let printed = format!("{set:?}");
        assert!(!printed.contains("0.7999") && !printed.contains("values") && !printed.contains("labels"), "{printed}");
    }
}
