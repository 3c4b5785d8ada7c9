//! The classes that a full-domain generalization makes, counted plainly: the reference that the search's answer is
//! checked against before it is given out.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use super::dataset::Table;
use super::models::PrivacyModel;
use crate::AnonymizeError;

/// Rows that a release can't tell apart by their quasi-identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquivalenceClass {
    /// The code of each quasi-identifier, on its level.
    pub codes: Vec<u32>,
    /// Number of rows.
    pub rows: u64,
    /// Number of rows with each sensitive value, by code; empty without a sensitive column.
    pub histogram: Vec<u64>,
    /// True if the class meets every model, and all people whom a model speaks of fit such a class; its rows are suppressed
    /// otherwise.
    pub released: bool,
}

/// All classes of a table at some levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The level of each quasi-identifier.
    pub levels: Vec<usize>,
    /// The classes, suppressed ones among them, in the order of their first row.
    pub classes: Vec<EquivalenceClass>,
}

impl Partition {
    /// Generalizes each quasi-identifier to its level and says which classes meet all models.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if the levels are not the columns', or if a model refuses the table.
    pub fn full_domain(table: &Table, levels: &[usize], models: &[PrivacyModel]) -> Result<Self, AnonymizeError> {
        let columns = table.columns();
        if levels.len() != columns.len()
            || levels.iter().zip(columns).any(|(&level, column)| level >= column.hierarchy.levels())
        {
            let allowed = "a level of its hierarchy for each quasi-identifier";
            return Err(AnonymizeError::parameter("the list of levels", format!("{levels:?}"), allowed));
        }
        let distribution = table.sensitive_distribution();
        for model in models {
            model.check(distribution.as_ref())?;
        }
        table.check_population(models)?;
        let values = table.sensitive().map_or(0, |sensitive| sensitive.values.len());
        let mut places: FxHashMap<Vec<u32>, usize> = FxHashMap::default();
        let mut classes: Vec<EquivalenceClass> = Vec::new();
        let mut codes: Vec<u32> = Vec::with_capacity(columns.len());
        for index in 0..table.tuples() {
            codes.clear();
            let cells = table.tuple(index).iter().zip(columns).zip(levels);
            codes.extend(cells.map(|((&leaf, column), &level)| column.hierarchy.generalize(leaf, level)));
            let place = match places.get(codes.as_slice()) {
                Some(&place) => place,
                None => {
                    let (rows, histogram) = (0, vec![0; values]);
                    classes.push(EquivalenceClass { codes: codes.clone(), rows, histogram, released: false });
                    places.insert(codes.clone(), classes.len() - 1);
                    classes.len() - 1
                }
            };
            classes[place].rows += table.count(index);
            if let Some(code) = table.sensitive_code(index) {
                classes[place].histogram[code as usize] += table.count(index);
            }
        }
        let needed = models.iter().any(PrivacyModel::needs_population);
        let population = if needed { table.population_at(levels) } else { None };
        for class in &mut classes {
            let people = population.as_ref().and_then(|rows| rows.get(&class.codes).copied());
            class.released =
                models.iter().all(|model| model.is_met(class.rows, &class.histogram, distribution.as_ref(), people));
        }
        if let Some(people) = population.filter(|_| models.iter().any(PrivacyModel::needs_everybody)) {
            let released: HashSet<&[u32]> =
                classes.iter().filter(|class| class.released).map(|class| class.codes.as_slice()).collect();
            if !people.keys().all(|codes| released.contains(codes.as_slice())) {
                classes.iter_mut().for_each(|class| class.released = false);
            }
        }
        Ok(Self { levels: levels.to_vec(), classes })
    }

    /// The classes that are released.
    pub fn released(&self) -> impl Iterator<Item = &EquivalenceClass> {
        self.classes.iter().filter(|class| class.released)
    }

    /// Number of suppressed rows.
    pub fn suppressed(&self) -> u64 {
        self.classes.iter().filter(|class| !class.released).map(|class| class.rows).sum()
    }
}
