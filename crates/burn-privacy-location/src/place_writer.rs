//! The places of one table's rows: moved, written, and counted by subject.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_privacy_anonymize::columns::{RowWorth, RowWriter, WriteRow};
use burn_privacy_budget::statement::{Caveats, Statement};
use burn_privacy_mechanisms::PrivacyKey;

use super::error::LocationError;
use super::kept_draws::KeptDraws;
use super::mask::PointMask;
use super::place::{DECIMALS, Place};
use super::place_text::{PlaceText, of_degrees};
use super::randomness::PointRandomness;
use super::repeated_reports::{JITTER, ReportCount, statement_of_draws};

/// What a mutex holds, also after a thread with it has panicked: counts are never half made.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the randomness of rows comes from.
pub(super) enum RowDraws {
    Fresh(PrivacyKey),
    Kept(KeptDraws),
}

/// What a pass over a table has seen.
#[derive(Default)]
struct Seen {
    rows: u64,
    unplaced: u64,
    /// Rows for which the mask released nothing.
    withheld: u64,
    /// Rows whose first draws failed the mask's own check, so that it was widened.
    widened: u64,
    /// Draws of each subject.
    draws: HashMap<u64, u64>,
    /// Kept draws that were counted.
    kept: HashSet<u64>,
}

/// Where a place and its subject are among the cells that are read of a row.
pub(super) struct PlaceCellsOf {
    /// How one column has both; none for a pair.
    pub(super) text: Option<PlaceText>,
    pub(super) subject: Option<usize>,
    pub(super) period: Option<usize>,
    /// How many bytes of the period count.
    pub(super) period_length: usize,
}

/// A place of one table's rows.
pub(super) struct PlaceWriter {
    mask: Arc<dyn PointMask>,
    draws: RowDraws,
    cells: PlaceCellsOf,
    seeded: bool,
    /// Keyed by chance of this process: nobody can choose names that collide.
    hasher: RandomState,
    seen: Mutex<Seen>,
    /// Of pairs: what was released in the rows from a number on, until the other column has been written, too.
    halves: Mutex<HashMap<u64, Vec<Option<Place>>>>,
}

/// The rows of a block that one thread has seen; added to all when it is done.
struct Block<'a> {
    writer: &'a PlaceWriter,
    first: u64,
    unplaced: u64,
    withheld: u64,
    widened: u64,
    /// What was released, of a pair.
    released: Vec<Option<Place>>,
    /// Subject and, of a kept draw, its number.
    draws: Vec<(u64, Option<u64>)>,
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        let mut seen = locked(&self.writer.seen);
        seen.unplaced += self.unplaced;
        seen.withheld += self.withheld;
        seen.widened += self.widened;
        seen.rows += self.draws.len() as u64;
        for (subject, kept) in self.draws.drain(..) {
            // A collision of 64 bits would count one draw too few: below 1e-7 for a million of them.
            let new = kept.is_none_or(|draw| seen.kept.insert(draw));
            if self.writer.cells.subject.is_some() {
                *seen.draws.entry(subject).or_insert(0) += u64::from(new);
            }
        }
        drop(seen);
        if self.writer.cells.text.is_none() {
            locked(&self.writer.halves).insert(self.first, std::mem::take(&mut self.released));
        }
    }
}

impl PlaceWriter {
    pub(super) fn new(mask: Arc<dyn PointMask>, draws: RowDraws, cells: PlaceCellsOf, seeded: bool) -> Self {
        let hasher = RandomState::new();
        Self { mask, draws, cells, seeded, hasher, seen: Mutex::default(), halves: Mutex::default() }
    }

    /// True if a fixed seed makes everything void.
    pub(super) fn is_seeded(&self) -> bool {
        self.seeded
    }

    /// How often subjects report, in the last pass.
    pub(super) fn count(&self) -> ReportCount {
        let seen = locked(&self.seen);
        let (subjects, most_draws) = match self.cells.subject {
            Some(_) => (seen.draws.len() as u64, seen.draws.values().copied().max().unwrap_or(0)),
            None => (seen.rows, seen.rows.min(1)),
        };
        ReportCount { rows: seen.rows, unplaced: seen.unplaced, subjects, most_draws }
    }

    /// The place of a row; none where its cells are empty.
    fn place(&self, cells: &[Option<&[u8]>]) -> Result<Option<Place>, String> {
        match self.cells.text {
            Some(text) => text.read(cells[0].unwrap_or_default()),
            None => of_degrees(cells[0].unwrap_or_default(), cells[1].unwrap_or_default()),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self.draws, RowDraws::Kept(_))
    }
}

impl RowWriter for PlaceWriter {
    fn begin(&self) {
        *locked(&self.seen) = Seen::default();
        locked(&self.halves).clear();
    }

    fn rows(&self, part: usize, first: u64, rows: usize) -> Result<WriteRow<'_>, String> {
        // Both columns of a pair are written from the same draw, which is made, and counted, with whichever comes first.
        if let Some(released) = locked(&self.halves).remove(&first) {
            let mut released = released.into_iter();
            return Ok(Box::new(move |_: &[Option<&[u8]>], out: &mut Vec<u8>| {
                if let Some(place) = released.next().flatten() {
                    write_part(part, place, out);
                }
                Ok(())
            }));
        }
        let fresh = match &self.draws {
            RowDraws::Fresh(key) => PointRandomness::fresh_rows(key, first, rows).map_err(|error| error.to_string())?,
            RowDraws::Kept(_) => Vec::new(),
        };
        let (released, draws) = (Vec::new(), Vec::with_capacity(rows));
        let mut block = Block { writer: self, first, unplaced: 0, withheld: 0, widened: 0, released, draws };
        let mut next = 0;
        Ok(Box::new(move |cells: &[Option<&[u8]>], out: &mut Vec<u8>| {
            // All of it is this closure's, so that it is added up when the closure ends.
            let block = &mut block;
            let row = next;
            next += 1;
            let Some(place) = self.place(cells)? else {
                block.unplaced += 1;
                block.released.push(None);
                return Ok(());
            };
            let subject = self.cells.subject.and_then(|at| cells[at]).unwrap_or_default();
            let period = self.cells.period.and_then(|at| cells[at]).unwrap_or_default();
            let period = &period[..period.len().min(self.cells.period_length)];
            let (masked, failures) = match &self.draws {
                RowDraws::Fresh(_) => self.mask.mask_checked(place, &fresh[row]),
                RowDraws::Kept(draws) => draws.report_checked(self.mask.as_ref(), subject, period, place),
            };
            let of = self.hasher.hash_one(subject);
            let drawn_for = self.mask.drawn_for(place);
            block.draws.push((of, self.is_kept().then(|| self.hasher.hash_one((of, period, drawn_for)))));
            block.withheld += u64::from(masked.is_none());
            block.widened += u64::from(masked.is_some() && failures > 0);
            if self.cells.text.is_none() {
                block.released.push(masked);
            }
            let Some(masked) = masked else { return Ok(()) };
            match self.cells.text {
                Some(text) => text.write(masked, out),
                None => write_part(part, masked, out),
            }
            Ok(())
        }))
    }

    fn is_number(&self, _: usize) -> bool {
        self.cells.text.is_none()
    }

    fn worth(&self) -> Result<RowWorth, String> {
        let count = self.count();
        let said = |error: LocationError| error.to_string();
        let statement = statement_of_draws(self.mask.statement().map_err(said)?.seeded(self.seeded), count);
        let (withheld, widened) = {
            let seen = locked(&self.seen);
            (seen.withheld, seen.widened)
        };
        let mut caveats: Vec<String> = Vec::new();
        for Caveats { title, sentences } in statement.caveats() {
            let assumed = if title == "Assumptions" { "it is assumed that " } else { "" };
            caveats.extend(sentences.into_iter().map(|sentence| format!("{assumed}{sentence}")));
        }
        if self.cells.subject.is_none() {
            caveats.push("it is assumed that each row is another subject's, and its only report".to_owned());
        }
        if self.is_kept() {
            caveats
                .push("it is assumed that nobody else has the key, which undoes every mask made under it".to_owned());
            caveats.push("that a subject was at the same place again, which equal reports show".to_owned());
            caveats.push(JITTER.to_owned());
        }
        if widened > 0 {
            caveats.push(format!(
                "{widened} places failed the mask's check at first: their rings were widened until they passed"
            ));
        }
        if withheld > 0 {
            caveats.push(format!("{withheld} places were left empty: nothing near them has what the mask promises"));
        }
        Ok(RowWorth {
            what: format!(
                "place moved, {}",
                if self.is_kept() { "draws kept under the key" } else { "drawn anew for each row" }
            ),
            fact: statement.headline(),
            guarantee: statement.guarantee(),
            caveats,
            seeded: statement.is_void(),
        })
    }
}

/// Writes a place's latitude (part 0) or longitude.
fn write_part(part: usize, place: Place, out: &mut Vec<u8>) {
    let degrees = if part == 0 { place.latitude() } else { place.longitude() };
    // Memory does not fail.
    let _ = write!(out, "{degrees:.DECIMALS$}");
}
