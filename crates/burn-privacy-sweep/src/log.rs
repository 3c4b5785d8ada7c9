//! The trials of a sweep as a file of JSON lines: each is durable before it counts as done.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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
    path: PathBuf,
    file: File,
    records: Vec<TrialRecord>,
    /// Whether a write failed: a line may be half there, which the next opener drops.
    failed: bool,
}

impl TrialLog {
    /// Opens the folder's list of trials, or begins one. A last line that a crash cut off is dropped.
    pub(super) fn open(folder: &Path, config: &SweepConfig) -> Result<Self, SweepError> {
        let path = folder.join(TRIALS_FILE);
        let failed = |source| SweepError::File { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(|source| SweepError::File { path: folder.to_owned(), source })?;
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SweepError::InUse { path }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let mut log = Self { path: path.clone(), file, records: Vec::new(), failed: false };
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
            let record = serde_json::from_slice(text).map_err(|error| malformed(line, error.to_string()))?;
            log.records.push(record);
        }
        log.file.set_len(whole as u64).and_then(|()| log.file.seek(SeekFrom::End(0))).map_err(failed)?;
        if header.is_none() {
            log.append_line(&Header {
                schema: SCHEMA.into(),
                version: VERSION,
                fingerprint: config.fingerprint(),
                sweep: config.to_json(),
            })?;
            if let Ok(folder) = File::open(folder) {
                // Makes the new name last through a power cut, where the system can do that for a folder.
                let _ = folder.sync_all();
            }
        }
        Ok(log)
    }

    pub(super) fn records(&self) -> &[TrialRecord] {
        &self.records
    }

    /// Adds a trial; durable when it returns.
    pub(super) fn append(&mut self, record: TrialRecord) -> Result<(), SweepError> {
        self.append_line(&record)?;
        self.records.push(record);
        Ok(())
    }

    fn append_line(&mut self, line: &impl Serialize) -> Result<(), SweepError> {
        let failed = |source| SweepError::File { path: self.path.clone(), source };
        if self.failed {
            return Err(failed(std::io::Error::other("an earlier write failed")));
        }
        let mut bytes = serde_json::to_vec(line).map_err(std::io::Error::from).map_err(failed)?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        self.failed = written.is_err();
        written.map_err(failed)
    }
}

/// Whether the first line was cut off as it was written; nothing was recorded then.
fn is_cut_header(text: &[u8]) -> bool {
    const START: &[u8] = br#"{"schema":"burn-privacy/sweep-trials""#;
    text.iter().zip(START).all(|(found, expected)| found == expected)
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
