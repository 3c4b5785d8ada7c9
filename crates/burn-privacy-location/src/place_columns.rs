//! Places as columns of a table's schema: the treatment `place` of `burn_privacy_anonymize::columns`, for a column pair of
//! degrees or one column of text, with every mask of this crate.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn_privacy_anonymize::columns::{ColumnParts, RowTreatment, RowTreatmentReader, RowWriter};
use burn_privacy_anonymize::decimal_sum::sum_as_written;
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_mechanisms::{Entropy, PrivacyKey};
use serde::Deserialize;

use super::error::LocationError;
use super::kept_draws::KeptDraws;
use super::mask::PointMask;
use super::mask_choice::{MaskChoice, MaskMethod};
use super::place_table::{PlaceColumns, read_population};
use super::place_text::PlaceText;
use super::place_writer::{PlaceCellsOf, PlaceWriter, RowDraws, locked};
use super::repeated_reports::ReportCharge;

/// The schema's keys of a place's first column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceKeys {
    longitude: Option<String>,
    format: Option<PlaceText>,
    method: MaskMethod,
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

impl PlaceTreatments {
    /// True if no schema that was read has places.
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
        // Whatever can be refused of any is refused before the first is charged.
        let mut written = Vec::with_capacity(made.len());
        for treatment in made.iter() {
            charge.price(treatment.mask.as_ref())?;
            let writer = locked(&treatment.last).clone();
            let writer = writer.ok_or_else(|| LocationError::parameter("the table", "missing", "transformed first"))?;
            written.push((treatment, writer));
        }
        let begun = written.iter().map(|(treatment, writer)| {
            let run = match made.len() {
                1 => charge.run.clone(),
                _ => format!("{}: {}", charge.run, treatment.reads[0]),
            };
            let charge = ReportCharge { run, ..charge.clone() };
            charge.begin(ledger, treatment.mask.as_ref(), writer.count(), !writer.is_seeded())
        });
        let begun = begun.collect::<Result<Vec<_>, _>>()?;
        let spent = begun.into_iter().map(|begun| begun.charge(ledger)).collect::<Result<Vec<_>, _>>()?;
        Ok(sum_as_written(&spent))
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
            let treatment =
                PlaceTreatment::read(name, keys, folder).map_err(|error| format!("column {name:?}: {error}"))?;
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
        let own = [Some(name), keys.longitude.as_deref()];
        if [&keys.subject, &keys.period].into_iter().flatten().any(|other| own.contains(&Some(other.as_str()))) {
            return Err(LocationError::parameter("the subject or period", "the place itself", "another column"));
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

    fn ready(&self, key: Option<&PseudonymKey>, entropy: Entropy) -> Result<Arc<dyn RowWriter>, String> {
        let draws = match self.keys.draws {
            DrawsName::Fresh => RowDraws::Fresh(PrivacyKey::draw(entropy).map_err(|error| error.to_string())?),
            DrawsName::Kept => {
                let key = key.ok_or("draws are kept under a key: give it (`anonymize key` makes one)")?;
                RowDraws::Kept(KeptDraws::new(key))
            }
        };
        let own = 1 + usize::from(self.keys.longitude.is_some());
        let subject = self.keys.subject.is_some().then_some(own);
        let cells = PlaceCellsOf {
            text: self.keys.format,
            subject,
            period: self.keys.period.is_some().then_some(own + 1),
            period_length: self.keys.period_length.unwrap_or(usize::MAX),
        };
        let seeded = matches!(draws, RowDraws::Fresh(_)) && !entropy.is_private();
        let writer = Arc::new(PlaceWriter::new(Arc::clone(&self.mask), draws, cells, seeded));
        *locked(&self.last) = Some(Arc::clone(&writer));
        Ok(writer)
    }
}
