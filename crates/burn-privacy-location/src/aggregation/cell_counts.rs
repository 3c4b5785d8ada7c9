//! Counts of cells over several levels: exact ones for cells of at least k, or noisy ones that add up.

use std::collections::{BTreeMap, BTreeSet};

use burn_privacy_accounting::round_up_for_display;
use burn_privacy_budget::statement::Guarantee;
use burn_privacy_mechanisms::PrivacyKey;

use super::super::error::LocationError;
use super::super::place::Place;
use super::super::statement::PlaceStatement;
use super::cell_system::{CellSystem, MOST_PUBLIC_CELLS};
use super::discrete_laplace::DiscreteLaplace;

/// A cell and how many are in it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellCount {
    /// Level of the cell.
    pub level: u8,
    /// Its number.
    pub cell: u64,
    /// How many are in it: a whole number without noise, an estimate with it.
    pub count: f64,
}

/// Counts, and what they are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedCells {
    /// The cells, level by level.
    pub cells: Vec<CellCount>,
    /// What they are worth.
    pub statement: PlaceStatement,
}

/// Counts the rows of each cell of a level and releases those with at least `k`.
///
/// # Errors
///
/// [`LocationError::Parameter`] for a level that is none, or `k` below 2.
pub fn count_cells(system: CellSystem, places: &[Place], level: u8, k: u64) -> Result<CountedCells, LocationError> {
    if k < 2 {
        return Err(LocationError::parameter("k", k, "at least 2: a count of 1 is one person's place"));
    }
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for &place in places {
        *counts.entry(system.cell(place, level)?).or_insert(0) += 1;
    }
    let all = counts.len();
    counts.retain(|_, count| *count >= k);
    let released: u64 = counts.values().sum();
    let statement = PlaceStatement::syntactic(format!("each released cell of level {level} holds at least {k} rows"))?
        .fact("Cells", format!("{} released, {} with fewer rows left out", counts.len(), all - counts.len()))
        .fact("Rows", format!("{released} in released cells of {}", places.len()))
        .assumption("each person is in one row")
        .not_covered("differences between this and other counts of the same rows, which can single somebody out");
    let cells = counts.into_iter().map(|(cell, count)| CellCount { level, cell, count: count as f64 }).collect();
    Ok(CountedCells { cells, statement })
}

/// Differentially private counts of a public set of cells, over levels that add up.
#[derive(Debug, Clone, Copy)]
pub struct NoisyCounts<'a> {
    /// Which cells.
    pub system: CellSystem,
    /// The coarsest level.
    pub coarsest: u8,
    /// The finest level.
    pub finest: u8,
    /// Cells of the coarsest level, chosen without looking at the rows; all their descendants are counted.
    pub public: &'a BTreeSet<u64>,
    /// Epsilon of all counts together, for one row more or less.
    pub epsilon: f64,
    /// Rows that one person has at most.
    pub rows_per_person: u64,
}

impl NoisyCounts<'_> {
    /// Counts, adds discrete Laplace noise to every level, and makes the levels add up (Hay, Rastogi, Miklau and Suciu, "Boosting
    /// the accuracy of differentially private histograms through consistency", VLDB 2010: the estimate of least squares, here for
    /// cells with any number of children). Rows outside the public cells count nowhere.
    ///
    /// # Formal guarantees
    ///
    /// A person's rows change the counts of each of the `L` levels by at most `rows_per_person` in sum; each level is
    /// `epsilon / L` of [`DiscreteLaplace`], exactly. The set of cells is public and making them consistent is post-processing.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for levels out of order, an epsilon out of range, no public cells, or more than
    /// [`MOST_PUBLIC_CELLS`] of the finest level.
    pub fn release(&self, places: &[Place], key: &PrivacyKey) -> Result<CountedCells, LocationError> {
        let Self { system, coarsest, finest, public, .. } = *self;
        system.check(finest)?;
        if coarsest > finest {
            return Err(LocationError::parameter(
                "the coarsest level",
                coarsest,
                format!("at most the finest, {finest}"),
            ));
        }
        if public.is_empty() || self.rows_per_person == 0 {
            return Err(LocationError::parameter("the public cells, or the rows of a person", "none", "at least one"));
        }
        let levels = usize::from(finest - coarsest) + 1;
        let mut tree: Vec<Vec<u64>> = vec![public.iter().copied().collect()];
        let mut parents: Vec<Vec<usize>> = vec![vec![]];
        for _ in 1..levels {
            let (mut cells, mut above) = (Vec::new(), Vec::new());
            for (number, &cell) in tree[tree.len() - 1].iter().enumerate() {
                let children = system.children(cell)?;
                above.extend(std::iter::repeat_n(number, children.len()));
                cells.extend(children);
                if cells.len() > MOST_PUBLIC_CELLS {
                    let allowed = format!("at most {MOST_PUBLIC_CELLS}: choose a coarser level or a smaller region");
                    return Err(LocationError::parameter("the number of cells", cells.len(), allowed));
                }
            }
            tree.push(cells);
            parents.push(above);
        }
        let index: Vec<BTreeMap<u64, usize>> =
            tree.iter().map(|cells| cells.iter().enumerate().map(|(number, &cell)| (cell, number)).collect()).collect();
        let mut counts: Vec<Vec<i64>> = tree.iter().map(|cells| vec![0; cells.len()]).collect();
        for &place in places {
            let cell = system.cell(place, finest)?;
            for level in 0..levels {
                if let Some(&number) = index[level].get(&system.parent(cell, coarsest + level as u8)?) {
                    counts[level][number] += 1;
                }
            }
        }
        // Dividing rounds to nearest; a part in 10^15 less keeps the sum within epsilon.
        let each = self.epsilon / (levels as f64 * self.rows_per_person as f64) * (1.0 - 1e-15);
        let mut noise = DiscreteLaplace::new(each, key)?;
        let mut noisy: Vec<Vec<f64>> = Vec::with_capacity(levels);
        for level in &counts {
            noisy.push(
                level.iter().map(|&count| Ok((count + noise.draw()?) as f64)).collect::<Result<_, LocationError>>()?,
            );
        }
        let consistent = consistent(&noisy, &parents);
        let statement = PlaceStatement::new(Guarantee::DifferentialPrivacy {
            mechanism: "counts of cells with discrete Laplace noise".into(),
            epsilon: self.epsilon,
            delta: 0.0,
            is_bound: true,
            of: "one person under add-or-remove-one adjacency".into(),
            accountant: String::new(),
            local: false,
        })
        .fact("Levels", format!("{coarsest} to {finest}, epsilon {} each", round_up_for_display(each)))
        .fact("Cells of the finest level", tree[levels - 1].len())
        .fact("Consistency", "cells add up to the one they divide, by least squares")
        .assumption(format!("each person has at most {} rows", self.rows_per_person))
        .assumption("the cells of the coarsest level were chosen without looking at the rows")
        .not_covered("rows outside these cells, which count nowhere, and the running time")
        .seeded(!key.is_private());
        let mut cells = Vec::new();
        for (level, (numbers, estimates)) in tree.iter().zip(&consistent).enumerate() {
            cells.extend(numbers.iter().zip(estimates).map(|(&cell, &count)| CellCount {
                level: coarsest + level as u8,
                cell,
                count,
            }));
        }
        Ok(CountedCells { cells, statement })
    }
}

/// The least-squares estimate of a tree of counts with equal noise: from the leaves up, a cell's count is combined with its
/// children's sum by their variances; from the root down, children share what is missing by theirs.
fn consistent(noisy: &[Vec<f64>], parents: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let mut best: Vec<Vec<f64>> = noisy.to_vec();
    let mut variance: Vec<Vec<f64>> = noisy.iter().map(|level| vec![1.0; level.len()]).collect();
    let sums = |best: &[f64], variance: &[f64], above: &[usize], cells: usize| {
        let (mut sum, mut spread) = (vec![0.0; cells], vec![0.0; cells]);
        for (child, &parent) in above.iter().enumerate() {
            sum[parent] += best[child];
            spread[parent] += variance[child];
        }
        (sum, spread)
    };
    for level in (0..noisy.len().saturating_sub(1)).rev() {
        let cells = noisy[level].len();
        let (sum, spread) = sums(&best[level + 1], &variance[level + 1], &parents[level + 1], cells);
        for cell in 0..cells {
            // Its own count has the variance 1.
            let weight = spread[cell] / (1.0 + spread[cell]);
            best[level][cell] = weight * noisy[level][cell] + (1.0 - weight) * sum[cell];
            variance[level][cell] = weight;
        }
    }
    for level in 1..noisy.len() {
        let (sum, spread) = sums(&best[level], &variance[level], &parents[level], noisy[level - 1].len());
        for (child, &parent) in parents[level].iter().enumerate() {
            let missing = best[level - 1][parent] - sum[parent];
            best[level][child] += variance[level][child] / spread[parent] * missing;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::Entropy;

    use super::*;
    use crate::geodesy::displaced;

    fn town() -> Vec<Place> {
        let center = Place::new(47.37, 8.54).unwrap();
        (0..3_000_u32).map(|home| displaced(center, f64::from(home), 3.0 * f64::from(home % 1_000))).collect()
    }

    #[test]
    fn small_cells_are_left_out() {
        for system in [CellSystem::H3, CellSystem::S2] {
            let counted = count_cells(system, &town(), 8, 5).unwrap();
            assert!(!counted.cells.is_empty() && counted.cells.iter().all(|cell| cell.count >= 5.0));
            assert!(counted.cells.iter().map(|cell| cell.count).sum::<f64>() <= 3_000.0);
        }
        assert!(
            count_cells(CellSystem::H3, &town(), 8, 1).is_err() && count_cells(CellSystem::H3, &town(), 16, 5).is_err()
        );
    }

    #[test]
    fn noisy_levels_add_up_and_are_better_than_the_noise() {
        let key = PrivacyKey::draw(Entropy::seeded(5)).unwrap();
        for (system, coarsest, finest) in [(CellSystem::H3, 6, 9), (CellSystem::S2, 10, 14)] {
            let public = system.cells_of(town().into_iter(), coarsest).unwrap();
            let plan = NoisyCounts { system, coarsest, finest, public: &public, epsilon: 1.0, rows_per_person: 1 };
            let released = plan.release(&town(), &key).unwrap();
            assert!(released.statement.to_string().contains("(1, 0)-differential privacy"), "{}", released.statement);
            let mut above: BTreeMap<(u8, u64), f64> = BTreeMap::new();
            for cell in released.cells.iter().filter(|cell| cell.level > coarsest) {
                *above.entry((cell.level - 1, system.parent(cell.cell, cell.level - 1).unwrap())).or_insert(0.0) +=
                    cell.count;
            }
            let mut error = 0.0;
            for cell in released.cells.iter().filter(|cell| cell.level < finest) {
                assert!((above[&(cell.level, cell.cell)] - cell.count).abs() < 1e-6);
                if cell.level == coarsest {
                    let truth =
                        town().iter().filter(|place| system.cell(**place, coarsest).unwrap() == cell.cell).count();
                    error += (cell.count - truth as f64).abs();
                }
            }
            // Noise of scale L / epsilon each: 30 times that would be e^-30.
            assert!(error < 30.0 * f64::from(finest - coarsest + 1) * public.len() as f64, "{error}");
        }
    }

    #[test]
    fn consistency_is_least_squares() {
        // One parent, two children, equal variances: the residual is shared by thirds.
        let best = consistent(&[vec![10.0], vec![3.0, 4.0]], &[vec![], vec![0, 0]]);
        assert!(
            (best[0][0] - 9.0).abs() < 1e-12 && (best[1][0] - 4.0).abs() < 1e-12 && (best[1][1] - 5.0).abs() < 1e-12
        );
    }
}
