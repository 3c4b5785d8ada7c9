//! Minimal sample uniques (SUDA2; Manning, Haglin and Keane 2008): sets of columns on which a row is the only one of its
//! kind, while it is on none of their subsets.

use std::collections::HashMap;

use crate::AnonymizeError;

/// The minimal sample uniques of a table, counted.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleUniques {
    /// Number of minimal sample uniques of 1, 2, .. columns.
    pub by_size: Vec<u64>,
    /// Rows that have one at least.
    pub rows: u64,
    /// For each column: the share of the minimal sample uniques that it is part of.
    pub share_by_column: Vec<f64>,
}

/// Combinations that are looked at, at most.
const MOST_COMBINATIONS: u128 = 100_000;

impl SampleUniques {
    /// Finds them in columns of codes of equal length, up to `most` columns a set. Every set is grouped once; a row that is
    /// unique on a subset already is left out there.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for `most` = 0, more sets than 100,000, or columns of unequal length.
    pub fn find(columns: &[&[u32]], most: usize) -> Result<Self, AnonymizeError> {
        if most == 0 {
            return Err(AnonymizeError::parameter("the number of columns of a combination", most, "at least 1"));
        }
        let most = most.min(columns.len());
        let mut combinations = 0_u128;
        let mut of_size = 1_u128;
        for size in 1..=most as u128 {
            of_size = of_size * (columns.len() as u128 + 1 - size) / size;
            combinations += of_size;
            // Before the next size is counted: the numbers of many columns are beyond any integer.
            if combinations > MOST_COMBINATIONS {
                let given = format!("{combinations} or more");
                let allowed = "at most 100000: look at fewer columns, or at smaller combinations";
                return Err(AnonymizeError::parameter("the number of combinations", given, allowed));
            }
        }
        let rows = columns.first().map_or(0, |column| column.len());
        if let Some(other) = columns.iter().find(|column| column.len() != rows) {
            let allowed = format!("{rows}, as the first column has");
            return Err(AnonymizeError::parameter("the number of rows of a column", other.len(), allowed));
        }
        let mut found = Self { by_size: vec![0; most], rows: 0, share_by_column: vec![0.0; columns.len()] };
        // For each row the sets on which it is a minimal unique so far.
        let mut sets: Vec<Vec<Vec<usize>>> = vec![Vec::new(); rows];
        for size in 1..=most {
            let mut chosen: Vec<usize> = (0..size).collect();
            loop {
                found.look_at(columns, &chosen, &mut sets);
                let Some(place) = (0..size).rev().find(|&place| chosen[place] + size - place < columns.len()) else {
                    break;
                };
                chosen[place] += 1;
                for next in place + 1..size {
                    chosen[next] = chosen[next - 1] + 1;
                }
            }
        }
        found.rows = sets.iter().filter(|sets| !sets.is_empty()).count() as u64;
        let all: u64 = found.by_size.iter().sum();
        if all > 0 {
            found.share_by_column.iter_mut().for_each(|share| *share /= all as f64);
        }
        Ok(found)
    }

    /// The rows that are unique on the chosen columns and on no subset.
    fn look_at(&mut self, columns: &[&[u32]], chosen: &[usize], sets: &mut [Vec<Vec<usize>>]) {
        // The first row of each kind, and whether there is another.
        let mut kinds: HashMap<Vec<u32>, (usize, bool)> = HashMap::with_capacity(sets.len());
        // A row is an index into several columns.
        #[allow(clippy::needless_range_loop)]
        for row in 0..sets.len() {
            let key = chosen.iter().map(|&column| columns[column][row]).collect();
            kinds.entry(key).and_modify(|(_, more)| *more = true).or_insert((row, false));
        }
        for (row, _) in kinds.into_values().filter(|(_, more)| !more) {
            let within = |set: &Vec<usize>| set.iter().all(|column| chosen.contains(column));
            if sets[row].iter().any(within) {
                continue;
            }
            sets[row].push(chosen.to_vec());
            self.by_size[chosen.len() - 1] += 1;
            chosen.iter().for_each(|&column| self.share_by_column[column] += 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniques_are_minimal() {
        // The last row is unique by its first column; the first two by both together; the third and fourth are alike.
        let (one, two): (&[u32], &[u32]) = (&[0, 1, 0, 1, 0, 1, 2], &[0, 0, 1, 1, 1, 1, 1]);
        let found = SampleUniques::find(&[one, two], 2).unwrap();
        assert_eq!((found.by_size.as_slice(), found.rows), (&[1, 2][..], 3));
        assert_eq!(found.share_by_column, [1.0, 2.0 / 3.0]);
        let none = SampleUniques::find(&[], 3).unwrap();
        assert_eq!((none.by_size.len(), none.rows), (0, 0));
        assert!(SampleUniques::find(&[one], 0).is_err());
        let many = vec![one; 200];
        assert!(SampleUniques::find(&many, 3).unwrap_err().to_string().contains("1333500"));
        // The number of all sets of a thousand columns is beyond 128 bits.
        assert!(SampleUniques::find(&vec![one; 1000], 1000).unwrap_err().to_string().contains("at most 100000"));
        assert!(SampleUniques::find(&[one, &two[1..]], 2).unwrap_err().to_string().contains("number of rows"));
    }
}
