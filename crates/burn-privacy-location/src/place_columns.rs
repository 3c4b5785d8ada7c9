//! Places as columns of a table's schema: the treatment `place` of `burn_privacy_anonymize::columns`, for a column pair of
//! degrees or one column of text, with every mask of this crate.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_privacy_anonymize::columns::{
    ColumnParts, RowTreatment, RowTreatmentReader, RowWorth, RowWriter, WriteRow,
};
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_budget::statement::Statement;
use burn_privacy_mechanisms::{Entropy, PrivacyKey};
use serde::Deserialize;

use super::error::LocationError;
use super::kept_draws::KeptDraws;
use super::mask::PointMask;
use super::mask_choice::MaskChoice;
use super::place::{DECIMALS, Place};
use super::place_table::{PlaceColumns, read_population};
use super::place_text::PlaceText;
use super::randomness::PointRandomness;
use super::repeated_reports::{ReportCharge, ReportCount, statement_of_draws};

/// The schema's keys of a place's first column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceKeys {
    longitude: Option<String>,
    format: Option<PlaceText>,
    method: super::mask_choice::MaskMethod,
    epsilon: Option<f64>,
    grid: Option<f64>,
    radius: Option<f64>,
    inner: Option<f64>,
    k: Option<f64>,
    population: Option<PathBuf>,
    population_latitude: Option<String>,
    population_longitude: Option<String>,
    people: Option<String>,
    subject: Option<String>,
    period: Option<String>,
    period_length: Option<usize>,
    #[serde(default)]
    draws: DrawsName,
}

/// Whether a subject has one draw for each place and period, or one for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DrawsName {
    #[default]
    Fresh,
    Kept,
}

/// The treatment `place` of a schema: hand it to [`ColumnSchema::parse_with`], and afterwards [charge](Self::charge) what the
/// table's places cost, before the table is given to anybody.
///
/// [`ColumnSchema::parse_with`]: burn_privacy_anonymize::columns::ColumnSchema::parse_with
///
/// Keys of a place's column; the second one of a pair has `latitude`, the first one's name, alone:
///
/// | key | meaning |
/// |---|---|
/// | `longitude` | the column of longitudes, this one being that of latitudes |
/// | `format` | instead: both are in this column, `lat,lon`, `lon,lat` or `wkt` (`POINT (lon lat)`) |
/// | `method`, `epsilon`, `grid`, `radius`, `inner`, `k` | the mask: see [`MaskChoice`] |
/// | `population`, `people`, `population_latitude`, `population_longitude` | a public CSV file of where people live, its column of numbers of people, and those of degrees (`latitude` and `longitude` unless given) |
/// | `subject` | the column that says whose place it is; without it each row counts as another subject's only report |
/// | `draws` | `fresh` (for each row), or `kept`: one for each subject, place and period, under the table's key |
/// | `period`, `period_length` | for kept draws: the column of periods or times, and how many bytes of it count |
///
/// A place for which the mask releases nothing becomes an empty cell.
#[derive(Debug, Default)]
pub struct PlaceTreatments {
    made: Mutex<Vec<Arc<PlaceTreatment>>>,
}

/// One place of a schema's rows.
struct PlaceTreatment {
    keys: PlaceKeys,
    /// One column of text, or those of latitude and longitude; then the subject's and the period's.
    reads: Vec<String>,
    mask: Arc<dyn PointMask>,
    /// The writer of the last table.
    last: Mutex<Option<Arc<PlaceWriter>>>,
}

impl std::fmt::Debug for PlaceTreatment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaceTreatment").field("keys", &self.keys).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PlaceTreatments {
    /// True if no schema that was read has places.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        locked(&self.made).is_empty()
    }

    /// Charges the places of the table that was transformed last, each column's draws as a run of its own (`charge.run`, with the
    /// column's name where there are several). The epsilon of all.
    ///
    /// # Errors
    ///
    /// As [`ReportCharge::charge`]; [`LocationError::Parameter`] without places, or without a table.
    pub fn charge(&self, charge: &ReportCharge, ledger: &mut Ledger) -> Result<f64, LocationError> {
        let made = locked(&self.made);
        if made.is_empty() {
            return Err(LocationError::parameter("the ledger", "given", "left out: the schema has no place"));
        }
        // Before any is charged.
        for treatment in made.iter() {
            charge.price(treatment.mask.as_ref())?;
        }
        let mut sum = 0.0;
        for treatment in made.iter() {
            let writer = locked(&treatment.last).clone();
            let writer = writer.ok_or_else(|| LocationError::parameter("the table", "missing", "transformed first"))?;
            let run = match made.len() {
                1 => charge.run.clone(),
                _ => format!("{}: {}", charge.run, treatment.reads[0]),
            };
            let charge = ReportCharge { run, ..charge.clone() };
            sum += charge.charge(ledger, treatment.mask.as_ref(), writer.count(), !writer.seeded)?;
        }
        Ok(sum * (1.0 + made.len() as f64 * f64::EPSILON))
    }
}

impl RowTreatmentReader for PlaceTreatments {
    fn name(&self) -> &str {
        "place"
    }

    fn read(&self, columns: &[(String, toml::Table)], folder: Option<&Path>) -> Result<ColumnParts, String> {
        let of_pair = |keys: &toml::Table| keys.get("latitude").and_then(toml::Value::as_str).map(str::to_owned);
        let mut treatments: Vec<(&String, Arc<PlaceTreatment>)> = Vec::new();
        for (name, keys) in columns.iter().filter(|(_, keys)| of_pair(keys).is_none()) {
            let treatment = PlaceTreatment::read(name, keys, folder).map_err(|error| format!("column {name:?}: {error}"))?;
            if let Some(longitude) = &treatment.keys.longitude {
                let partner = columns.iter().find(|(other, _)| other == longitude);
                if partner.and_then(|(_, keys)| of_pair(keys)).as_ref() != Some(name) {
                    return Err(format!(
                        "column {name:?}: its longitude {longitude:?} needs treatment = \"place\" and latitude = {name:?}"
                    ));
                }
            }
            treatments.push((name, Arc::new(treatment)));
        }
        let mut parts: ColumnParts = Vec::with_capacity(columns.len());
        for (name, keys) in columns {
            let (first, part) = match of_pair(keys) {
                None => (name.clone(), 0),
                Some(latitude) => {
                    if let Some(key) = keys.keys().find(|key| key.as_str() != "latitude") {
                        return Err(format!("column {name:?}: {key} belongs to the column {latitude:?}"));
                    }
                    (latitude, 1)
                }
            };
            let treatment = treatments.iter().find(|(known, _)| **known == first).map(|(_, treatment)| treatment);
            let treatment = treatment.filter(|treatment| part == 0 || treatment.keys.longitude.as_ref() == Some(name));
            let treatment = treatment
                .ok_or_else(|| format!("column {name:?}: {first:?} is no place whose longitude is {name:?}"))?;
            parts.push((Arc::clone(treatment) as Arc<dyn RowTreatment>, part));
        }
        locked(&self.made).extend(treatments.into_iter().map(|(_, treatment)| treatment));
        Ok(parts)
    }
}

impl PlaceTreatment {
    fn read(name: &str, keys: &toml::Table, folder: Option<&Path>) -> Result<Self, LocationError> {
        let keys: PlaceKeys = keys.clone().try_into().map_err(|error: toml::de::Error| {
            LocationError::parameter("the treatment", error.to_string().trim_end(), "a place's")
        })?;
        if keys.longitude.is_some() == keys.format.is_some() {
            let (given, allowed) = ("both or neither of longitude and format", "one of them");
            return Err(LocationError::parameter("the place", given, allowed));
        }
        if keys.draws == DrawsName::Kept && keys.subject.is_none() {
            return Err(LocationError::parameter("the subject", "missing", "a column, since draws are kept for each"));
        }
        if keys.draws == DrawsName::Fresh && (keys.period.is_some() || keys.period_length.is_some()) {
            return Err(LocationError::parameter("the period", "given", "left out: draws are not kept"));
        }
        if keys.period_length.is_some() && keys.period.is_none() {
            return Err(LocationError::parameter("the period's length", "given", "left out without a period"));
        }
        let choice = MaskChoice {
            method: keys.method,
            epsilon: keys.epsilon,
            grid: keys.grid,
            radius: keys.radius,
            inner: keys.inner,
            k: keys.k,
        };
        if !choice.needs_population() && keys.population.is_some() {
            return Err(LocationError::parameter("the population", "given", "left out: this method does not use it"));
        }
        let mask = choice.mask(|| {
            let file = keys.population.as_ref().ok_or_else(|| {
                LocationError::parameter("the population", "missing", "a public file of where people live")
            })?;
            let file = folder.map_or_else(|| file.clone(), |folder| folder.join(file));
            let or = |name: &Option<String>, usual: &str| name.clone().unwrap_or_else(|| usual.to_owned());
            let columns = PlaceColumns {
                latitude: or(&keys.population_latitude, "latitude"),
                longitude: or(&keys.population_longitude, "longitude"),
                ..PlaceColumns::default()
            };
            Ok::<_, LocationError>(Arc::new(read_population(&file, &columns, keys.people.as_deref())?))
        })?;
        let reads = [Some(name.to_owned()), keys.longitude.clone(), keys.subject.clone(), keys.period.clone()];
        Ok(Self { reads: reads.into_iter().flatten().collect(), keys, mask, last: Mutex::new(None) })
    }
}

impl RowTreatment for PlaceTreatment {
    fn reads(&self) -> &[String] {
        &self.reads
    }

    fn needs_key(&self) -> bool {
        self.keys.draws == DrawsName::Kept
    }

    fn ready(&self, key: Option<&PseudonymKey>, entropy: &Entropy) -> Result<Arc<dyn RowWriter>, String> {
        let draws = match self.keys.draws {
            DrawsName::Fresh => RowDraws::Fresh(PrivacyKey::draw(entropy).map_err(|error| error.to_string())?),
            DrawsName::Kept => {
                let key = key.ok_or("draws are kept under a key: give it (`anonymize key` makes one)")?;
                RowDraws::Kept(KeptDraws::new(key))
            }
        };
        let own = 1 + usize::from(self.keys.longitude.is_some());
        let subject = self.keys.subject.is_some().then_some(own);
        let writer = Arc::new(PlaceWriter {
            mask: Arc::clone(&self.mask),
            text: self.keys.format,
            seeded: matches!(draws, RowDraws::Fresh(_)) && !entropy.is_private(),
            draws,
            subject,
            period: self.keys.period.is_some().then_some(own + 1),
            period_length: self.keys.period_length.unwrap_or(usize::MAX),
            hasher: RandomState::new(),
            seen: Mutex::default(),
        });
        *locked(&self.last) = Some(Arc::clone(&writer));
        Ok(writer)
    }
}

enum RowDraws {
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
    /// Draws of each subject.
    draws: HashMap<u64, u64>,
    /// Kept draws that were counted.
    kept: HashSet<u64>,
}

/// A place of one table's rows.
struct PlaceWriter {
    mask: Arc<dyn PointMask>,
    /// How one column has both; none for a pair.
    text: Option<PlaceText>,
    draws: RowDraws,
    /// Where among the cells that are read.
    subject: Option<usize>,
    period: Option<usize>,
    period_length: usize,
    seeded: bool,
    /// Keyed by chance of this process: nobody can choose names that collide.
    hasher: RandomState,
    seen: Mutex<Seen>,
}

/// The rows of a block that one thread has seen; added to all when it is done.
struct Block<'a> {
    writer: &'a PlaceWriter,
    unplaced: u64,
    withheld: u64,
    /// Subject and, of a kept draw, its number.
    draws: Vec<(u64, Option<u64>)>,
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        let mut seen = locked(&self.writer.seen);
        seen.unplaced += self.unplaced;
        seen.withheld += self.withheld;
        seen.rows += self.draws.len() as u64;
        for (subject, kept) in self.draws.drain(..) {
            // A collision of 64 bits would count one draw too few: below 1e-7 for a million of them.
            let new = kept.is_none_or(|draw| seen.kept.insert(draw));
            if self.writer.subject.is_some() {
                *seen.draws.entry(subject).or_insert(0) += u64::from(new);
            }
        }
    }
}

impl PlaceWriter {
    /// How often subjects report, in the last pass.
    fn count(&self) -> ReportCount {
        let seen = locked(&self.seen);
        let (subjects, most_draws) = match self.subject {
            Some(_) => (seen.draws.len() as u64, seen.draws.values().copied().max().unwrap_or(0)),
            None => (seen.rows, seen.rows.min(1)),
        };
        ReportCount { rows: seen.rows, unplaced: seen.unplaced, subjects, most_draws }
    }

    /// The place of a row; none where its cells are empty.
    fn place(&self, cells: &[Option<&[u8]>]) -> Result<Option<Place>, String> {
        match self.text {
            Some(text) => text.read(cells[0].unwrap_or_default()),
            None => super::place_text::of_degrees(cells[0].unwrap_or_default(), cells[1].unwrap_or_default()),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self.draws, RowDraws::Kept(_))
    }
}

impl RowWriter for PlaceWriter {
    fn begin(&self) {
        *locked(&self.seen) = Seen::default();
    }

    fn rows(&self, part: usize, first: u64, rows: usize) -> Result<WriteRow<'_>, String> {
        let fresh = match &self.draws {
            RowDraws::Fresh(key) => {
                PointRandomness::fresh_rows(key, first, rows).map_err(|error| error.to_string())?
            }
            RowDraws::Kept(_) => Vec::new(),
        };
        let mut block = Block { writer: self, unplaced: 0, withheld: 0, draws: Vec::new() };
        let mut next = 0;
        Ok(Box::new(move |cells: &[Option<&[u8]>], out: &mut Vec<u8>| {
            // All of it is this closure's, so that it is added up when the closure ends.
            let block = &mut block;
            let row = next;
            next += 1;
            let Some(place) = self.place(cells)? else {
                block.unplaced += u64::from(part == 0);
                return Ok(());
            };
            let subject = self.subject.and_then(|at| cells[at]).unwrap_or_default();
            let period = self.period.and_then(|at| cells[at]).unwrap_or_default();
            let period = &period[..period.len().min(self.period_length)];
            let masked = match &self.draws {
                RowDraws::Fresh(_) => self.mask.mask(place, &fresh[row]),
                RowDraws::Kept(draws) => {
                    let [subject, period] = [subject, period].map(String::from_utf8_lossy);
                    draws.report(self.mask.as_ref(), &subject, &period, place)
                }
            };
            // Both columns of a pair are written from the same draw; it is counted with the first.
            if part == 0 {
                let of = self.hasher.hash_one(subject);
                let drawn_for = self.mask.drawn_for(place);
                block.draws.push((of, self.is_kept().then(|| self.hasher.hash_one((of, period, drawn_for)))));
                block.withheld += u64::from(masked.is_none());
            }
            let Some(masked) = masked else { return Ok(()) };
            match (self.text, part) {
                (Some(text), _) => text.write(masked, out),
                (None, 0) => write_degrees(masked.latitude(), out),
                (None, _) => write_degrees(masked.longitude(), out),
            }
            Ok(())
        }))
    }

    fn is_number(&self, _: usize) -> bool {
        self.text.is_none()
    }

    fn worth(&self) -> Result<RowWorth, String> {
        let count = self.count();
        let said = |error: LocationError| error.to_string();
        let statement = statement_of_draws(self.mask.statement().map_err(said)?.seeded(self.seeded), count);
        let withheld = locked(&self.seen).withheld;
        let mut caveats: Vec<String> = statement.caveats().into_iter().flat_map(|caveats| caveats.sentences).collect();
        if self.subject.is_none() {
            caveats.push("each row is another subject's, and its only report".to_owned());
        }
        if self.is_kept() {
            caveats.push("nobody else has the key, which undoes every mask made under it".to_owned());
            caveats.push("that a subject was at the same place again, which equal reports show".to_owned());
        }
        if withheld > 0 {
            caveats.push(format!("{withheld} places were left empty: nothing near them has what the mask promises"));
        }
        Ok(RowWorth {
            what: format!("place moved, {}", if self.is_kept() { "draws kept under the key" } else { "drawn anew for each row" }),
            fact: statement.headline(),
            guarantee: statement.guarantee(),
            caveats,
            seeded: statement.is_void(),
        })
    }
}

fn write_degrees(degrees: f64, out: &mut Vec<u8>) {
    // Memory does not fail.
    let _ = write!(out, "{degrees:.DECIMALS$}");
}
