//! Mondrian over hierarchies (LeFevre et al. 2006, strict): a class is divided by the labels of one column's next lower
//! level, as long as all parts meet the models; the column that saves most loss comes first.

use super::{Recoding, common_cells};
use crate::AnonymizeError;
use crate::table::{PrivacyModel, SensitiveDistribution, Table};

/// Tuples with their rows: a tuple is in one class only.
type Group = Vec<usize>;

/// Recodes a table by Mondrian, in time that grows with the number of distinct tuples times the depth of the hierarchies.
/// It loses more than [`super::recode_locally`], and serves tables that are too large for that.
///
/// # Errors
///
/// Those of [`super::recode_locally`].
pub fn recode_by_mondrian(table: &Table, models: &[PrivacyModel]) -> Result<Recoding, AnonymizeError> {
    let distribution = table.sensitive_distribution();
    for model in models {
        model.check(distribution.as_ref())?;
    }
    if models.iter().any(PrivacyModel::needs_population) {
        return Err(AnonymizeError::parameter("a model", "one about a population", "about the table alone here"));
    }
    let mondrian = Mondrian { table, models, distribution };
    let whole: Group = (0..table.tuples()).collect();
    if !mondrian.meets(&whole) {
        let reason = format!("all {} rows in one class fail the models: lower the target", table.rows());
        return Err(AnonymizeError::Unreachable { reason });
    }
    for column in table.columns().iter().filter(|column| column.hierarchy.labels_at(column.hierarchy.levels() - 1) > 1)
    {
        let problem = "has no label above all values: add a top level (*)".to_owned();
        return Err(AnonymizeError::Hierarchy { column: column.name.clone(), problem });
    }
    let mut open = vec![whole];
    let mut done: Vec<Vec<(usize, u64)>> = Vec::new();
    while let Some(group) = open.pop() {
        match mondrian.divide(&group) {
            Some(parts) => open.extend(parts),
            None => done.push(group.iter().map(|&tuple| (tuple, table.count(tuple))).collect()),
        }
    }
    let recoding = Recoding::local(table, &done)?;
    recoding.verify(table, models)?;
    Ok(recoding)
}

struct Mondrian<'a> {
    table: &'a Table,
    models: &'a [PrivacyModel],
    distribution: Option<SensitiveDistribution>,
}

impl Mondrian<'_> {
    /// The best division of a group into parts that all meet the models, if there is one that saves loss.
    fn divide(&self, group: &Group) -> Option<Vec<Group>> {
        let cells = common_cells(self.table, group.iter().copied())?;
        let before = self.loss(group)?;
        let mut best: Option<(f64, Vec<Group>)> = None;
        for (place, &(level, _)) in cells.iter().enumerate().filter(|(_, (level, _))| *level > 0) {
            let hierarchy = &self.table.columns()[place].hierarchy;
            let code = |tuple: usize| hierarchy.generalize(self.table.tuple(tuple)[place], level - 1);
            let mut sorted = group.clone();
            sorted.sort_unstable_by_key(|&tuple| (code(tuple), tuple));
            let parts: Vec<Group> =
                sorted.chunk_by(|&one, &other| code(one) == code(other)).map(<[usize]>::to_vec).collect();
            let Some(parts) = self.pooled(parts) else { continue };
            let after: Option<f64> = parts.iter().map(|part| self.loss(part)).sum();
            let saved = before - after?;
            if saved > 1e-9 && best.as_ref().is_none_or(|(known, _)| saved > *known) {
                best = Some((saved, parts));
            }
        }
        best.map(|(_, parts)| parts)
    }

    /// The parts that meet the models, and one of all others, which smaller parts join until it meets them too; none if
    /// nothing is divided.
    fn pooled(&self, parts: Vec<Group>) -> Option<Vec<Group>> {
        let (mut met, failing): (Vec<Group>, Vec<Group>) = parts.into_iter().partition(|part| self.meets(part));
        let mut rest: Group = failing.concat();
        met.sort_by_key(|part| std::cmp::Reverse(self.rows(part)));
        while !rest.is_empty() && !self.meets(&rest) {
            rest.extend(met.pop()?);
        }
        if !rest.is_empty() {
            met.push(rest);
        }
        (met.len() > 1).then_some(met)
    }

    fn rows(&self, group: &Group) -> u64 {
        group.iter().map(|&tuple| self.table.count(tuple)).sum()
    }

    fn meets(&self, group: &Group) -> bool {
        let mut histogram = vec![0; self.table.sensitive().map_or(0, |sensitive| sensitive.values.len())];
        for &tuple in group {
            if let Some(code) = self.table.sensitive_code(tuple) {
                histogram[code as usize] += self.table.count(tuple);
            }
        }
        let rows = self.rows(group);
        self.models.iter().all(|model| model.is_met(rows, &histogram, self.distribution.as_ref(), None))
    }

    /// Loss of a group's rows in one class, summed over rows and columns.
    fn loss(&self, group: &Group) -> Option<f64> {
        let cells = common_cells(self.table, group.iter().copied())?;
        let columns = cells.iter().zip(self.table.columns());
        let of_row: f64 = columns.map(|(&(level, code), column)| column.hierarchy.loss(level, code)).sum();
        Some(of_row * self.rows(group) as f64)
    }
}
