//! Freeform generalization (Doka, Xue, Tsoumakos and Karras 2015, "k-Anonymization by Freeform Generalization"): rows need no
//! classes. Each released row covers k people, by k perfect matchings of people to released rows that share no pair.
//!
//! The matchings begin from a recoding by classes, each class being turned round k - 1 times, so that no row loses more than there;
//! then rows exchange people within a matching as long as that loses less. (The paper builds them greedily from nothing, which
//! lost more on the tables that we tried.) A released row shows in each column the lowest label of all people that it is matched
//! with. Each person then fits at least k released rows, each of which is theirs in one assignment of all people to all rows:
//! nobody can be told to be any of them.
//!
//! That is not k-anonymity by classes: a released row can be the only one of its kind, so counts of equal rows say nothing.

use super::judge::Judge;
use super::local::recode_by_clusters;
use super::pair_losses::{Joined, PairLosses};
use super::{RecodedClass, Recoding, common_cells};
use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{PrivacyModel, Table};
use burn_privacy_budget::statement::Grade;

/// Near tuples whose people a row asks for.
const NEAREST: usize = 48;

/// People of each of those that it asks for.
const PEOPLE: usize = 3;

/// Passes over all rows at most.
const PASSES: usize = 8;

/// Passes of improving the classes to begin with.
const CLASS_PASSES: usize = 6;

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

/// Recodes a table by `k` disjoint perfect matchings. Time grows with the square of the distinct tuples.
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
    let classes = recode_by_clusters(table, &models, CLASS_PASSES)?;
    let mut exchange = Exchange::new(&pairs, &tuples, turned(table, &classes, k as usize));
    for _ in 0..PASSES {
        if !exchange.pass() {
            break;
        }
    }
    let matchings = exchange.people;
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

/// The matchings in which each class is turned round: row i of a class of s rows goes to person i, i + 1, ... i + k - 1, modulo s.
fn turned(table: &Table, classes: &Recoding, k: usize) -> Vec<Vec<u32>> {
    let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); classes.classes().len()];
    let mut next = 0_u32;
    for tuple in 0..table.tuples() {
        for &(class, rows) in classes.assigned(tuple) {
            rows_of[class].extend(next..next + rows as u32);
            next += rows as u32;
        }
    }
    let mut matchings = vec![vec![0; next as usize]; k];
    for rows in rows_of {
        for (place, &row) in rows.iter().enumerate() {
            for (turn, matching) in matchings.iter_mut().enumerate() {
                matching[row as usize] = rows[(place + turn) % rows.len()];
            }
        }
    }
    matchings
}

/// The new person of a row, the row that has them, and what both lose after the exchange.
type Offer = (u32, u32, (f64, f64));

/// Rows that exchange people, matching by matching. The first matching stays: it gives each person their own row.
struct Exchange<'a> {
    pairs: &'a PairLosses,
    tuples: &'a [u32],
    /// The person of each row, by matching.
    people: Vec<Vec<u32>>,
    /// The row of each person, by matching.
    holders: Vec<Vec<u32>>,
    /// What each row loses, summed over columns.
    losses: Vec<f64>,
    /// For each tuple the nearest tuples, itself among them.
    nearest: Vec<Vec<u32>>,
    rows_of: Vec<Vec<u32>>,
}

impl<'a> Exchange<'a> {
    fn new(pairs: &'a PairLosses, tuples: &'a [u32], people: Vec<Vec<u32>>) -> Self {
        let all: Vec<u32> = (0..pairs.tuples() as u32).collect();
        let mut losses = Vec::new();
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
                near
            })
            .collect();
        let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); pairs.tuples()];
        (0..).zip(tuples).for_each(|(row, &tuple)| rows_of[tuple as usize].push(row));
        let holder = |matching: &Vec<u32>| {
            let mut rows = vec![0; matching.len()];
            (0..).zip(matching).for_each(|(row, &person)| rows[person as usize] = row);
            rows
        };
        let holders = people.iter().map(holder).collect();
        let mut exchange = Self { pairs, tuples, people, holders, losses: Vec::new(), nearest, rows_of };
        exchange.losses = (0..tuples.len() as u32).map(|row| exchange.joined(row, usize::MAX).loss()).collect();
        exchange
    }

    /// What a row's people show together, but for the one of a matching.
    fn joined(&self, row: u32, without: usize) -> Joined {
        let mut joined = Joined::alone(self.pairs, self.tuples[self.people[0][row as usize] as usize]);
        for (place, matching) in self.people.iter().enumerate().skip(1) {
            if place != without {
                joined.join(self.pairs, self.tuples[matching[row as usize] as usize]);
            }
        }
        joined
    }

    fn with(&self, joined: &Joined, person: u32) -> f64 {
        joined.loss_with(self.pairs, &Joined::alone(self.pairs, self.tuples[person as usize]))
    }

    /// True if a row has a person in some matching.
    fn knows(&self, row: u32, person: u32) -> bool {
        self.people.iter().any(|matching| matching[row as usize] == person)
    }

    /// Each row asks, in each matching, for near people in place of its own; true if any exchange lost less.
    fn pass(&mut self) -> bool {
        let mut changed = false;
        for row in 0..self.tuples.len() as u32 {
            for matching in 1..self.people.len() {
                if self.losses[row as usize] <= 0.0 {
                    break;
                }
                let rest = self.joined(row, matching);
                let Some((person, other, lost)) = self.best_exchange(row, matching, &rest) else { continue };
                let own = self.people[matching][row as usize];
                self.people[matching][row as usize] = person;
                self.people[matching][other as usize] = own;
                self.holders[matching][person as usize] = row;
                self.holders[matching][own as usize] = other;
                self.losses[row as usize] = lost.0;
                self.losses[other as usize] = lost.1;
                changed = true;
            }
        }
        changed
    }

    /// The exchange of a row's person in a matching that saves most.
    fn best_exchange(&self, row: u32, matching: usize, rest: &Joined) -> Option<Offer> {
        let own = self.people[matching][row as usize];
        let now = self.losses[row as usize];
        let mut best: Option<(f64, Offer)> = None;
        for &tuple in &self.nearest[self.tuples[row as usize] as usize] {
            let mine = rest.loss_with(self.pairs, &Joined::alone(self.pairs, tuple));
            if mine >= now {
                continue;
            }
            for &person in self.rows_of[tuple as usize].iter().take(PEOPLE) {
                let other = self.holders[matching][person as usize];
                let before = now + self.losses[other as usize];
                if other == row || self.knows(row, person) || self.knows(other, own) {
                    continue;
                }
                let theirs = self.with(&self.joined(other, matching), own);
                let saved = before - mine - theirs;
                if saved > 1e-9 && best.as_ref().is_none_or(|(known, _)| saved > *known) {
                    best = Some((saved, (person, other, (mine, theirs))));
                }
            }
        }
        best.map(|(_, exchange)| exchange)
    }
}
