//! The list of trials of a sweep, durable line by line.

use std::fs;
use std::path::Path;

use burn_privacy_output::DurableLog;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::{Setting, SweepConfig};
use super::error::SweepError;
use super::planned::PlanFigures;

/// Name of the file in the sweep's folder.
pub const TRIALS_FILE: &str = "trials.jsonl";

/// What the first line says.
const SCHEMA: &str = "burn-privacy/sweep-trials";
const VERSION: u32 = 1;

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// It gave a score.
    Score(f64),
    /// It failed.
    Error(String),
}

/// One trial as it is recorded: a line of `trials.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// Number of the trial, from 0.
    pub trial: usize,
    /// What it was made with; nothing for a trial without privacy.
    pub setting: Option<Setting>,
    /// Its plan's figures, if it has a plan.
    pub figures: Option<PlanFigures>,
    /// Which run of its setting it is, from 0.
    pub repeat: u32,
    /// Name of its run in the ledger; nothing for a trial without privacy.
    pub ledger_run: Option<String>,
    /// How it ended.
    pub end: TrialEnd,
    /// How long it took.
    pub seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    schema: String,
    version: u32,
    fingerprint: String,
    sweep: Value,
}

/// The trials of one sweep in its folder, each durable once it is appended.
#[derive(Debug)]
pub(super) struct TrialLog {
    log: DurableLog,
    records: Vec<TrialRecord>,
}

impl TrialLog {
    /// Opens the folder's list of trials, or begins one. A last line that a crash cut off is dropped.
    pub(super) fn open(folder: &Path, config: &SweepConfig) -> Result<Self, SweepError> {
        let path = folder.join(TRIALS_FILE);
        fs::create_dir_all(folder).map_err(|source| SweepError::File { path: folder.to_owned(), source })?;
        let (mut log, text) = DurableLog::open(&path)?;
        let whole = acknowledged(&text);
        let mut records = Vec::new();
        let mut lines = (1..).zip(text[..whole].split_inclusive(|&byte| byte == b'\n'));
        let malformed = |line, reason: String| SweepError::Malformed { path: path.clone(), line, reason };
        let header: Option<Header> = match lines.next() {
            Some((line, text)) => {
                Some(serde_json::from_slice(text).map_err(|error| malformed(line, error.to_string()))?)
            }
            None if is_cut_header(&text) => None,
            None => return Err(malformed(1, "it is not a list of trials".into())),
        };
        if let Some(header) = &header {
            require_same(&path, header, config)?;
        }
        for (line, text) in lines {
            records.push(serde_json::from_slice(text).map_err(|error| malformed(line, error.to_string()))?);
        }
        if whole < text.len() {
            log.truncate(whole as u64)?;
        }
        if header.is_none() {
            log.append_json(&Header {
                schema: SCHEMA.into(),
                version: VERSION,
                fingerprint: config.fingerprint(),
                sweep: config.to_json(),
            })?;
        }
        log.settle()?;
        Ok(Self { log, records })
    }

    pub(super) fn records(&self) -> &[TrialRecord] {
        &self.records
    }

    /// Adds a trial; durable when it returns.
    pub(super) fn append(&mut self, record: TrialRecord) -> Result<(), SweepError> {
        self.log.append_json(&record)?;
        self.records.push(record);
        Ok(())
    }
}

/// The length of the whole lines. A last line with zeros in it is none: its length reached the disk, its bytes did not.
fn acknowledged(text: &[u8]) -> usize {
    let end_of = |text: &[u8]| text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let whole = end_of(text);
    let last = end_of(&text[..whole.saturating_sub(1)]);
    if text[last..whole].contains(&0) { last } else { whole }
}

/// Whether the first line was cut off as it was written; nothing was recorded then.
fn is_cut_header(text: &[u8]) -> bool {
    const START: &[u8] = br#"{"schema":"burn-privacy/sweep-trials""#;
    text.iter().zip(START).all(|(found, expected)| found == expected) || text.first() == Some(&0)
}

fn require_same(path: &Path, header: &Header, config: &SweepConfig) -> Result<(), SweepError> {
    let other = |difference| Err(SweepError::OtherSweep { path: path.to_owned(), difference });
    let found = format!("{} version {}", header.schema, header.version);
    let known = format!("{SCHEMA} version {VERSION}");
    if found != known {
        return other(format!("its format is {found}, not {known}"));
    }
    if header.fingerprint == config.fingerprint() {
        return Ok(());
    }
    let asked = config.to_json();
    let differs = |name: &&String| header.sweep.get(name.as_str()) != asked.get(name.as_str());
    match asked.as_object().and_then(|fields| fields.keys().find(differs)) {
        Some(name) => {
            let value = |of: &Value| of.get(name).map_or("nothing".into(), Value::to_string);
            other(format!("{name} = {} there, {} here", value(&header.sweep), value(&asked)))
        }
        None => other("its first line was altered".into()),
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_output::trace::{mark, power_cuts, record};

    use super::*;

    fn trial(number: usize) -> TrialRecord {
        let (setting, figures, ledger_run) = (None, None, Some(format!("trial {number}: {}", "long ".repeat(60))));
        TrialRecord { trial: number, setting, figures, repeat: 0, ledger_run, end: TrialEnd::Score(0.5), seconds: 1.0 }
    }

    #[test]
    fn every_power_cut_leaves_the_trials_that_were_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let config = SweepConfig::new("people", 1_000).with_noise_multipliers([1.0]).with_batch_sizes([100]);
        let ((), operations) = record(folder.path(), || {
            for first in [0, 2] {
                let mut log = TrialLog::open(folder.path(), &config).unwrap();
                for number in first..first + 2 {
                    log.append(trial(number)).unwrap();
                    mark("acknowledged");
                }
            }
        });
        let cuts = power_cuts(&operations);
        // Six lines were written, each of which may be there, torn or gone.
        assert!(cuts.len() >= 12, "{}", cuts.len());
        let place = folder.path().join("left");
        for cut in &cuts {
            cut.write_to(&place).unwrap();
            let mut log = TrialLog::open(&place, &config).unwrap_or_else(|error| panic!("{error}: {cut:?}"));
            let found = log.records().len();
            assert!((cut.marks.len()..=cut.marks.len() + 1).contains(&found), "{found} of {}", cut.marks.len());
            assert!(log.records().iter().enumerate().all(|(number, record)| *record == trial(number)));
            log.append(trial(found)).unwrap();
            drop(log);
            assert_eq!(TrialLog::open(&place, &config).unwrap().records().len(), found + 1);
        }
    }
}
