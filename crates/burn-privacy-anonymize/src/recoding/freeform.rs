//! Freeform generalization (Doka, Xue, Tsoumakos and Karras 2015, "k-Anonymization by Freeform Generalization"): rows need no
//! classes. Each released row covers k people, by k perfect matchings of people to released rows that share no pair.
//!
//! The first matching gives each person their own row; each further one is built greedily, each row taking the free person
//! that widens it least, and where none is free nearby, by exchanging with a row that can spare one. A released row shows in
//! each column the lowest label of all people that it is matched with. Each person then fits at least k released rows, each
//! of which is theirs in one assignment of all people to all rows: nobody can be told to be any of them.
//!
//! That is not k-anonymity by classes: a released row can be the only one of its kind, so counts of equal rows say nothing.

use super::judge::Judge;
use super::pair_losses::{Joined, PairLosses};
use super::{RecodedClass, Recoding, common_cells};
use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{PrivacyModel, Table};
use burn_privacy_budget::statement::Grade;

/// Near people that a row looks at first; all others come after them.
const NEAREST: usize = 256;

/// A freeform recoding: its cells, and the matchings that prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeformRecoding {
    /// What each row shows, a class of its own for each row.
    pub recoding: Recoding,
    /// The tuple of each row.
    tuples: Vec<u32>,
    /// For each matching, the person (a row number) of each released row.
    matchings: Vec<Vec<u32>>,
}

/// Recodes a table by `k` disjoint perfect matchings. Time and memory grow with rows times distinct tuples.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0, [`AnonymizeError::Hierarchy`] for hierarchies without a top,
/// [`AnonymizeError::Unreachable`] for fewer rows than k.
pub fn recode_freeform(table: &Table, k: u64) -> Result<FreeformRecoding, AnonymizeError> {
    let models = [PrivacyModel::KAnonymity { k }];
    Judge::new(table, &models)?.check_whole()?;
    let pairs = PairLosses::new(table)?;
    let tuples: Vec<u32> = (0..table.tuples() as u32)
        .flat_map(|tuple| std::iter::repeat_n(tuple, table.count(tuple as usize) as usize))
        .collect();
    let mut builder = Builder::new(&pairs, &tuples);
    for _ in 1..k {
        builder.add_matching();
    }
    let matchings = builder.matchings;
    let mut assigned: Vec<Vec<(usize, u64)>> = vec![Vec::new(); table.tuples()];
    let mut classes = Vec::with_capacity(tuples.len());
    for row in 0..tuples.len() {
        let covered = matchings.iter().map(|matching| tuples[matching[row] as usize] as usize);
        // Hierarchies have a top, which the judge has checked.
        let Some(cells) = common_cells(table, covered) else { continue };
        assigned[tuples[row] as usize].push((classes.len(), 1));
        classes.push(RecodedClass { cells, rows: 1 });
    }
    let found = FreeformRecoding { recoding: Recoding { classes, assigned }, tuples, matchings };
    found.verify(table, k)?;
    Ok(found)
}

impl FreeformRecoding {
    /// Checks the proof: `k` matchings, each of them a permutation, no two with a pair in common, all of whose pairs are
    /// covered by what is shown.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Unreachable`] says what fails; the table must not be released.
    pub fn verify(&self, table: &Table, k: u64) -> Result<(), AnonymizeError> {
        let wrong = |reason: &str| Err(AnonymizeError::Unreachable { reason: reason.to_owned() });
        let rows = self.tuples.len();
        if (self.matchings.len() as u64) < k || self.recoding.classes.len() != rows || rows as u64 != table.rows() {
            return wrong("there are fewer matchings or rows than promised");
        }
        let mut places: Vec<usize> = vec![0; table.tuples()];
        let mut partners: Vec<Vec<u32>> = vec![Vec::new(); rows];
        for matching in &self.matchings {
            let mut seen = vec![false; rows];
            for (row, &person) in matching.iter().enumerate() {
                if std::mem::replace(&mut seen[person as usize], true) {
                    return wrong("a matching gives one person two rows");
                }
                if partners[row].contains(&person) {
                    return wrong("two matchings share a pair");
                }
                partners[row].push(person);
            }
        }
        for (row, &tuple) in self.tuples.iter().enumerate() {
            let place = &mut places[tuple as usize];
            let Some(&(class, 1)) = self.recoding.assigned[tuple as usize].get(*place) else {
                return wrong("a row is not released once");
            };
            *place += 1;
            for &person in &partners[row] {
                let leaves = table.tuple(self.tuples[person as usize] as usize);
                let cells = self.recoding.classes[class].cells.iter().zip(leaves).zip(table.columns());
                if cells
                    .into_iter()
                    .any(|((&(level, code), &leaf), column)| column.hierarchy.generalize(leaf, level) != code)
                {
                    return wrong("a row does not cover a person that it is matched with");
                }
            }
        }
        Ok(())
    }

    /// What the recoding is worth.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, table: &Table) -> Result<TableStatement, AnonymizeError> {
        let k = self.matchings.len();
        let columns: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        Ok(TableStatement::new(
            Grade::Syntactic,
            format!(
                "freeform {k}-anonymity: each person fits at least {k} released rows, each of which is theirs in one of {k} \
                 assignments of all people to all rows that share no pair; against whoever knows at most the \
                 quasi-identifiers of all people and nothing about how rows were matched."
            ),
        )?
        .fact("quasi-identifiers", columns.join(", "))
        .fact("rows", table.rows())
        .fact("mean loss of a cell, 0 to 1", format!("{:.6}", self.recoding.loss(table)))
        .caveat("rows can be the only ones of their kind: this is not k-anonymity by classes, and tools that count equal rows find 1")
        .caveat("an attacker who knows how the matchings were chosen: each row's own values are among those that it covers")
        .caveat("two releases of overlapping tables: their intersection can single out rows")
        .caveat("sensitive values: nothing bounds how often one value occurs among the rows that a person fits"))
    }
}

/// The matchings so far.
struct Builder<'a> {
    pairs: &'a PairLosses,
    tuples: &'a [u32],
    matchings: Vec<Vec<u32>>,
    joined: Vec<Joined>,
    /// For each tuple, the nearest tuples, itself among them.
    nearest: Vec<Vec<u32>>,
    /// Rows of each tuple.
    rows_of: Vec<Vec<u32>>,
    /// Rows by how lonely they are, the loneliest first.
    order: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn new(pairs: &'a PairLosses, tuples: &'a [u32]) -> Self {
        let all: Vec<u32> = (0..pairs.tuples() as u32).collect();
        let mut losses = Vec::new();
        let mut loneliness = vec![0.0; all.len()];
        let nearest = all
            .iter()
            .map(|&tuple| {
                pairs.with_each(&Joined::alone(pairs, tuple), &all, &mut losses);
                let by_loss = |one: &u32, other: &u32| {
                    losses[*one as usize].total_cmp(&losses[*other as usize]).then(one.cmp(other))
                };
                let mut near = all.clone();
                if near.len() > NEAREST {
                    near.select_nth_unstable_by(NEAREST, by_loss);
                    near.truncate(NEAREST);
                }
                near.sort_unstable_by(by_loss);
                loneliness[tuple as usize] = near.iter().take(8).map(|&other| losses[other as usize]).sum();
                near
            })
            .collect();
        let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); pairs.tuples()];
        (0..).zip(tuples).for_each(|(row, &tuple)| rows_of[tuple as usize].push(row));
        let mut order: Vec<u32> = (0..tuples.len() as u32).collect();
        let lonely = |row: u32| loneliness[tuples[row as usize] as usize];
        order.sort_by(|one, other| lonely(*other).total_cmp(&lonely(*one)).then(one.cmp(other)));
        Self {
            pairs,
            tuples,
            matchings: vec![(0..tuples.len() as u32).collect()],
            joined: tuples.iter().map(|&tuple| Joined::alone(pairs, tuple)).collect(),
            nearest,
            rows_of,
            order,
        }
    }

    /// True if a row was matched with a person before.
    fn knows(&self, row: u32, person: u32) -> bool {
        self.matchings.iter().any(|matching| matching[row as usize] == person)
    }

    /// Adds one perfect matching that shares no pair with those before.
    fn add_matching(&mut self) {
        const FREE: u32 = u32::MAX;
        let rows = self.tuples.len();
        let mut matching = vec![FREE; rows];
        // Free people of each tuple, and tuples that have some.
        let mut free: Vec<Vec<u32>> = self.rows_of.clone();
        let mut open: Vec<u32> = (0..self.pairs.tuples() as u32).collect();
        let mut losses = Vec::new();
        for index in 0..rows {
            let row = self.order[index];
            let joined = &self.joined[row as usize];
            let candidate = |tuple: u32| free[tuple as usize].iter().rposition(|&person| !self.knows(row, person));
            let mut best: Option<(f64, u32, usize)> = None;
            for &tuple in &self.nearest[self.tuples[row as usize] as usize] {
                if let Some(place) = candidate(tuple) {
                    let loss = joined.loss_with(self.pairs, &Joined::alone(self.pairs, tuple));
                    if best.is_none_or(|(known, ..)| loss < known) {
                        best = Some((loss, tuple, place));
                    }
                }
            }
            if best.is_none() {
                open.retain(|&tuple| !free[tuple as usize].is_empty());
                self.pairs.with_each(joined, &open, &mut losses);
                let mut by_loss: Vec<(f64, u32)> = losses.iter().copied().zip(open.iter().copied()).collect();
                by_loss.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
                best = by_loss.into_iter().find_map(|(loss, tuple)| candidate(tuple).map(|place| (loss, tuple, place)));
            }
            match best {
                Some((_, tuple, place)) => matching[row as usize] = free[tuple as usize].swap_remove(place),
                None => self.exchange(row, &mut matching, &mut free),
            }
        }
        self.improve(&mut matching);
        for (row, &person) in matching.iter().enumerate() {
            self.joined[row].join(self.pairs, self.tuples[person as usize]);
        }
        self.matchings.push(matching);
    }

    /// All free people were matched with `row` before: another row gives it its person and takes a free one. Such a row
    /// exists: fewer than k people are known to `row`, and the pairs allowed form a regular bipartite graph with n - (number
    /// of matchings) edges a row, in which alternating paths reach every free person (Hall's theorem).
    fn exchange(&self, row: u32, matching: &mut [u32], free: &mut [Vec<u32>]) {
        // Breadth first over rows: who could hand on their person to the row before.
        let mut before: Vec<Option<u32>> = vec![None; matching.len()];
        let mut seen = vec![false; matching.len()];
        seen[row as usize] = true;
        let mut queue = std::collections::VecDeque::from([row]);
        while let Some(at) = queue.pop_front() {
            let unused = free.iter_mut().find_map(|people| {
                people.iter().position(|&person| !self.knows(at, person)).map(|place| people.swap_remove(place))
            });
            if let Some(mut person) = unused {
                let mut taker = at;
                loop {
                    let given = std::mem::replace(&mut matching[taker as usize], person);
                    match before[taker as usize] {
                        Some(next) => (taker, person) = (next, given),
                        None => return,
                    }
                }
            }
            for other in 0..matching.len() as u32 {
                let person = matching[other as usize];
                if !seen[other as usize] && person != u32::MAX && !self.knows(at, person) {
                    seen[other as usize] = true;
                    before[other as usize] = Some(at);
                    queue.push_back(other);
                }
            }
        }
    }

    /// Rows exchange their people where that loses less: each row with the rows that hold its nearest people.
    fn improve(&self, matching: &mut [u32]) {
        let mut holder = vec![0_u32; matching.len()];
        matching.iter().enumerate().for_each(|(row, &person)| holder[person as usize] = row as u32);
        let loss = |row: u32, person: u32| {
            self.joined[row as usize].loss_with(self.pairs, &Joined::alone(self.pairs, self.tuples[person as usize]))
        };
        for _ in 0..2 {
            let mut changed = false;
            for &row in &self.order {
                let now = loss(row, matching[row as usize]);
                let least = self.joined[row as usize].loss();
                if now <= least + 1e-12 {
                    continue;
                }
                let near = &self.nearest[self.tuples[row as usize] as usize];
                'found: for &tuple in near.iter().take(64) {
                    for &person in self.rows_of[tuple as usize].iter().take(4) {
                        let other = holder[person as usize];
                        let own = matching[row as usize];
                        if other == row || self.knows(row, person) || self.knows(other, own) {
                            continue;
                        }
                        if loss(row, person) + loss(other, own) < now + loss(other, person) - 1e-9 {
                            (matching[row as usize], matching[other as usize]) = (person, own);
                            (holder[person as usize], holder[own as usize]) = (row, other);
                            changed = true;
                            break 'found;
                        }
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }
}
