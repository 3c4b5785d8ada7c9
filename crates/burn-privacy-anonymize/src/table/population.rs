//! The population that a table's people belong to, for models that compare with it (k-map, delta-presence).

use std::collections::HashMap;

use super::dataset::Table;
use super::models::PrivacyModel;
use crate::AnonymizeError;

impl Table {
    /// Says which people there are in all: a table with the same quasi-identifiers and hierarchies (no sensitive column
    /// needed), in which this table's people are.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if the quasi-identifiers differ, or if the table has more rows of some tuple than the
    /// population: then its people are not among them, and no share of them would mean anything.
    pub fn with_population(mut self, population: Self) -> Result<Self, AnonymizeError> {
        if population.columns() != self.columns() {
            let names: Vec<&str> = population.columns().iter().map(|column| column.name.as_str()).collect();
            let allowed = "those of the table, with the same hierarchies";
            return Err(AnonymizeError::parameter("the population's quasi-identifiers", names.join(", "), allowed));
        }
        let mut left = population.rows_by_tuple();
        for index in 0..self.tuples() {
            let rows = self.count(index);
            match left.get_mut(self.tuple(index)) {
                Some(there) if *there >= rows => *there -= rows,
                _ => {
                    let cells = self.tuple(index).iter().zip(self.columns());
                    let labels: Vec<&str> = cells.map(|(&code, column)| column.hierarchy.label(0, code)).collect();
                    let allowed = "at least as many rows of each tuple as the table has: its people must be among them";
                    let given = format!("one with fewer rows of ({})", labels.join(", "));
                    return Err(AnonymizeError::parameter("the population", given, allowed));
                }
            }
        }
        self.population = Some(Box::new(population));
        Ok(self)
    }

    /// The population, if it is known.
    pub fn population(&self) -> Option<&Self> {
        self.population.as_deref()
    }

    /// Refuses models that compare with a population that is not known.
    pub(crate) fn check_population(&self, models: &[PrivacyModel]) -> Result<(), AnonymizeError> {
        match models.iter().find(|model| model.needs_population()) {
            Some(model) if self.population.is_none() => {
                let allowed = format!("given for {model}: a table in which this one's people are");
                Err(AnonymizeError::parameter("the population", "missing", allowed))
            }
            _ => Ok(()),
        }
    }

    /// Rows of the population under each generalized tuple.
    pub(crate) fn population_at(&self, levels: &[usize]) -> Option<HashMap<Vec<u32>, u64>> {
        let population = self.population()?;
        let mut rows: HashMap<Vec<u32>, u64> = HashMap::new();
        for index in 0..population.tuples() {
            let cells = population.tuple(index).iter().zip(population.columns()).zip(levels);
            let codes = cells.map(|((&leaf, column), &level)| column.hierarchy.generalize(leaf, level)).collect();
            *rows.entry(codes).or_insert(0) += population.count(index);
        }
        Some(rows)
    }

    /// Rows of the population that cells (level and code of each quasi-identifier) cover.
    pub(crate) fn population_under(&self, cells: &[(usize, u32)]) -> Option<u64> {
        Some(self.population()?.rows_under(cells))
    }

    /// Rows that cells (level and code of each quasi-identifier) cover.
    pub fn rows_under(&self, cells: &[(usize, u32)]) -> u64 {
        let covered = |index: &usize| {
            let leaves = self.tuple(*index).iter().zip(self.columns()).zip(cells);
            leaves.into_iter().all(|((&leaf, column), &(level, code))| column.hierarchy.generalize(leaf, level) == code)
        };
        (0..self.tuples()).filter(covered).map(|index| self.count(index)).sum()
    }

    /// Rows of each tuple of quasi-identifiers, whatever the sensitive value.
    pub fn rows_by_tuple(&self) -> HashMap<&[u32], u64> {
        let mut rows: HashMap<&[u32], u64> = HashMap::new();
        (0..self.tuples()).for_each(|index| *rows.entry(self.tuple(index)).or_insert(0) += self.count(index));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Hierarchy};

    fn table(rows: &[(u32, u64)]) -> Table {
        let lines = ["1;low;*", "2;low;*", "3;high;*"].map(|line| line.split(';').map(str::to_owned).collect());
        let column = Column { name: "a".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        Table::from_tuples(vec![column], None, rows.iter().map(|&(code, rows)| (vec![code], rows))).unwrap()
    }

    #[test]
    fn the_population_holds_the_table() {
        let all = table(&[(0, 5), (1, 2), (2, 1)]);
        let some = table(&[(0, 5), (2, 1)]).with_population(all.clone()).unwrap();
        assert_eq!(some.population_under(&[(1, 0)]), Some(7));
        assert_eq!(some.population_at(&[1]).unwrap()[&vec![0]], 7);
        let error = table(&[(2, 2)]).with_population(all).unwrap_err().to_string();
        assert!(error.contains("fewer rows of (3)"), "{error}");
        assert!(table(&[(0, 1)]).check_population(&[PrivacyModel::KMap { k: 2 }]).is_err());
    }
}
