//! Mondrian over hierarchies (LeFevre et al. 2006, strict): a class is divided by the labels of one column's next lower
//! level, as long as all parts meet the models; the column that saves most loss comes first.

use super::judge::{Group, Judge};
use super::{Recoding, common_cells};
use crate::AnonymizeError;
use crate::table::{PrivacyModel, Table};

/// Recodes a table by Mondrian, in time that grows with the number of distinct tuples times the depth of the hierarchies.
/// It loses more than [`super::recode_locally`], and serves tables that are too large for that.
///
/// # Errors
///
/// Those of [`super::recode_locally`].
pub fn recode_by_mondrian(table: &Table, models: &[PrivacyModel]) -> Result<Recoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let mondrian = Mondrian { judge };
    let whole: Group = (0..table.tuples()).map(|tuple| (tuple, table.count(tuple))).collect();
    let mut open = vec![whole];
    let mut done: Vec<Group> = Vec::new();
    while let Some(group) = open.pop() {
        match mondrian.divide(&group) {
            Some(parts) => open.extend(parts),
            None => done.push(group),
        }
    }
    let recoding = Recoding::local(table, &done)?;
    recoding.verify(table, models)?;
    Ok(recoding)
}

struct Mondrian<'a> {
    judge: Judge<'a>,
}

impl Mondrian<'_> {
    /// The best division of a group into parts that all meet the models, if there is one that saves loss.
    fn divide(&self, group: &Group) -> Option<Vec<Group>> {
        let table = self.judge.table;
        let cells = common_cells(table, group.iter().map(|&(tuple, _)| tuple))?;
        let before = self.judge.loss(group)?;
        let mut best: Option<(f64, Vec<Group>)> = None;
        for (place, &(level, _)) in cells.iter().enumerate().filter(|(_, (level, _))| *level > 0) {
            let hierarchy = &table.columns()[place].hierarchy;
            let code = |tuple: usize| hierarchy.generalize(table.tuple(tuple)[place], level - 1);
            let mut sorted = group.clone();
            sorted.sort_unstable_by_key(|&(tuple, _)| (code(tuple), tuple));
            let parts: Vec<Group> =
                sorted.chunk_by(|one, other| code(one.0) == code(other.0)).map(<[_]>::to_vec).collect();
            let Some(parts) = self.pooled(parts) else { continue };
            let after: Option<f64> = parts.iter().map(|part| self.judge.loss(part)).sum();
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
        let meets = |group: &Group| self.judge.meets(group.iter().copied());
        let (mut met, failing): (Vec<Group>, Vec<Group>) = parts.into_iter().partition(meets);
        let mut rest: Group = failing.concat();
        met.sort_by_key(|part| std::cmp::Reverse(part.iter().map(|(_, rows)| *rows).sum::<u64>()));
        while !rest.is_empty() && !meets(&rest) {
            rest.extend(met.pop()?);
        }
        if !rest.is_empty() {
            met.push(rest);
        }
        (met.len() > 1).then_some(met)
    }
}
