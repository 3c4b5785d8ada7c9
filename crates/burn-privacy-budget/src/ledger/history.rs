//! What a ledger says: its runs and their charges.

use std::path::Path;

use serde_json::Value;

use super::budget::Budget;
use super::error::LedgerError;
use super::record::{Chain, FORMAT, HEADER_START, Header, Record, TORN, VERSION};
use super::run_description::RunDescription;
use super::unit::Unit;

/// A run of one ledger, by its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub(super) u64);

impl RunId {
    /// The run's number in its ledger, from 0.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What one run has cost so far: `steps` times the event. Epsilon of the data set composes all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The run.
    pub run: RunId,
    /// Its name.
    pub name: String,
    /// The event of one step, as the JSON document that was recorded.
    pub event: Value,
    /// The steps charged: all that were released and, until the run is closed, all that are reserved.
    pub steps: u64,
    /// The steps planned.
    pub planned_steps: u64,
    /// The adjacency under which the event is meant.
    pub adjacency: String,
    /// What neighbors differ in.
    pub unit: Unit,
    /// Whether the run's randomness is private: false for a fixed seed.
    pub private: bool,
    /// The delta that the run reports at, if it has one.
    pub delta: Option<f64>,
    /// What runs, in words, if it was recorded.
    pub mechanism: Option<String>,
    /// Whether the run was closed, so that `steps` is the true count since its last begin or resume. A run that is not
    /// closed is going on or has crashed.
    pub closed: bool,
}

/// The contents of a ledger at the time it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    dataset: String,
    budget: Option<Budget>,
    runs: Vec<Run>,
    torn_lines: u64,
    /// Of the format.
    version: u64,
}

/// A run as the lines tell it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub description: RunDescription,
    /// Steps charged: the reservations, or the true count once closed.
    pub charged: u64,
    /// Steps charged when the run was last begun or resumed; a close cannot go below it.
    pub base: u64,
    pub closed: bool,
    /// The process that last began or resumed it.
    pub process: u32,
}

/// A ledger's contents and where they end, for a writer to go on.
pub(super) struct Replayed {
    pub history: History,
    pub chain: Chain,
    /// Bytes after the last line feed: a write that was cut off.
    pub torn_bytes: usize,
}

impl History {
    /// An empty ledger.
    pub(super) fn new(dataset: &str, version: u64) -> Self {
        Self { dataset: dataset.to_owned(), budget: None, runs: Vec::new(), torn_lines: 0, version }
    }

    /// The version of the format that is said so far.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// The data set whose ledger this is.
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// The data set's budget, if it has one.
    pub const fn budget(&self) -> Option<&Budget> {
        self.budget.as_ref()
    }

    /// What each run has cost, in the order in which they began.
    pub fn charges(&self) -> Vec<Charge> {
        let charge = |(number, run): (usize, &Run)| Charge {
            run: RunId(number as u64),
            name: run.description.name.clone(),
            event: run.description.event_per_step.clone(),
            steps: run.charged,
            planned_steps: run.description.planned_steps,
            adjacency: run.description.adjacency.clone(),
            unit: run.description.protected(),
            private: run.description.private,
            delta: run.description.delta,
            mechanism: run.description.mechanism.clone(),
            closed: run.closed,
        };
        self.runs.iter().enumerate().map(charge).collect()
    }

    /// How many lines were cut off by a crash in mid-write; none of them was acknowledged, and none counts.
    pub const fn torn_lines(&self) -> u64 {
        self.torn_lines
    }

    /// Notes that a torn line was completed.
    pub(super) fn count_torn_line(&mut self) {
        self.torn_lines += 1;
    }

    /// Steps charged to all runs.
    pub(super) fn charged_steps(&self) -> u64 {
        self.runs.iter().map(|run| run.charged).fold(0, u64::saturating_add)
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(super) fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.get(usize::try_from(run.0).ok()?)
    }

    /// The run of a name.
    pub(super) fn named(&self, name: &str) -> Option<(RunId, &Run)> {
        let at = self.runs.iter().position(|run| run.description.name == name)?;
        Some((RunId(at as u64), &self.runs[at]))
    }

    /// Reads the lines of a file.
    pub(super) fn replay(path: &Path, bytes: &[u8]) -> Result<Replayed, LedgerError> {
        let mut offset = 0;
        let mut chain = Chain::default();
        let mut history: Option<Self> = None;
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            let corrupt = |reason: String| LedgerError::Corrupt {
                path: path.to_owned(),
                line: number,
                offset: offset as u64,
                reason,
            };
            match &mut history {
                None => {
                    check_format(path, text)?;
                    let (object, next) = chain.verify(text).map_err(corrupt)?;
                    let header: Header = serde_json::from_slice(&object).map_err(|e| corrupt(e.to_string()))?;
                    history = Some(Self::new(&header.dataset, header.version));
                    chain = next;
                }
                Some(history) if text.ends_with(TORN) => history.torn_lines += 1,
                // A write whose end reached the disk and whose beginning did not: zeros are in no line that was acknowledged.
                Some(_) if text.contains(&0) => match after_torn(&bytes[offset + line.len()..]) {
                    AfterTorn::Marked => {}
                    AfterTorn::Unmarked => break,
                    AfterTorn::Records => return Err(corrupt("zeros are in it, and lines follow".to_owned())),
                },
                Some(history) => {
                    let (object, next) = chain.verify(text).map_err(corrupt)?;
                    let record = serde_json::from_slice(&object).map_err(|e| corrupt(e.to_string()))?;
                    if let Record::Version { version, .. } = record
                        && version > VERSION
                    {
                        return Err(LedgerError::Version { path: path.to_owned(), found: version, supported: VERSION });
                    }
                    history.apply(&record).map_err(corrupt)?;
                    chain = next;
                }
            }
            offset += line.len();
        }
        let torn_bytes = bytes.len() - offset;
        match history {
            Some(history) => Ok(Replayed { history, chain, torn_bytes }),
            None => Err(LedgerError::NotALedger {
                path: path.to_owned(),
                reason: match bytes {
                    [] => "it is empty".to_owned(),
                    _ => "it has no complete header line".to_owned(),
                },
            }),
        }
    }

    /// Takes in one record, or says why it cannot follow what came before.
    pub(super) fn apply(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Begin { run, description, process, .. } => {
                description.check().map_err(|error| error.to_string())?;
                if *run != self.runs.len() as u64 {
                    return Err(format!("run {run} begins after {} runs", self.runs.len()));
                }
                if self.named(&description.name).is_some() {
                    return Err(format!("the name {:?} is used twice", description.name));
                }
                let description = description.clone();
                self.runs.push(Run { description, charged: 0, base: 0, closed: false, process: *process });
            }
            Record::Resume { run, charged, process, .. } => {
                let run = self.run_mut(*run)?;
                if *charged != run.charged {
                    return Err(format!("the run is resumed at {charged} steps, with {} charged", run.charged));
                }
                run.base = run.charged;
                run.closed = false;
                run.process = *process;
            }
            Record::Reserve { run, steps, charged, .. } => {
                let run = self.run_mut(*run)?;
                let total = run.charged.checked_add(*steps).filter(|&total| total <= run.description.planned_steps);
                if run.closed || *steps == 0 || total != Some(*charged) {
                    return Err(format!("{steps} steps to {charged} in all cannot follow {}", run.charged));
                }
                run.charged = *charged;
            }
            Record::Close { run, charged, .. } => {
                let run = self.run_mut(*run)?;
                if run.closed || !(run.base..=run.charged).contains(charged) {
                    return Err(format!("a close at {charged} steps with {} to {} charged", run.base, run.charged));
                }
                run.charged = *charged;
                run.closed = true;
            }
            Record::Budget { budget, .. } => {
                budget.filter().map_err(|error| error.to_string())?;
                if self.budget.is_some() || self.charged_steps() > 0 {
                    return Err("a budget after another one, or after the first charge".to_owned());
                }
                self.budget = Some(budget.clone());
            }
            Record::Version { version, .. } => {
                if *version <= self.version {
                    return Err(format!("version {version} of the format after version {}", self.version));
                }
                self.version = *version;
            }
        }
        Ok(())
    }

    fn run_mut(&mut self, run: u64) -> Result<&mut Run, String> {
        let known = self.runs.len();
        usize::try_from(run)
            .ok()
            .and_then(|run| self.runs.get_mut(run))
            .ok_or_else(|| format!("run {run} is used and only {known} have begun"))
    }
}

/// What follows a line with zeros.
enum AfterTorn {
    /// The line that says so.
    Marked,
    /// Nothing, or the beginning of that line.
    Unmarked,
    /// Something else.
    Records,
}

fn after_torn(rest: &[u8]) -> AfterTorn {
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) if rest[..end].ends_with(TORN) => AfterTorn::Marked,
        None if rest.iter().all(|byte| *byte == 0) || TORN.starts_with(rest) => AfterTorn::Unmarked,
        _ => AfterTorn::Records,
    }
}

/// Whether the bytes can be a header that was cut off in mid-write: a beginning of one, or one whose length reached the disk before
/// its first sector or another, so that it has zeros.
pub(super) fn is_torn_header(bytes: &[u8]) -> bool {
    const SECTOR: usize = 512;
    let begins = bytes.iter().zip(HEADER_START).all(|(byte, expected)| byte == expected);
    let begins_with_zeros = bytes.iter().take(SECTOR).all(|byte| *byte == 0);
    match bytes.iter().position(|&byte| byte == b'\n') {
        None => begins || begins_with_zeros,
        Some(end) => end + 1 == bytes.len() && bytes.contains(&0) && (begins || begins_with_zeros),
    }
}

/// Checks format and version before anything that may differ between versions.
fn check_format(path: &Path, header: &[u8]) -> Result<(), LedgerError> {
    let not_a_ledger = |reason: &str| LedgerError::NotALedger { path: path.to_owned(), reason: reason.to_owned() };
    let value: Value =
        serde_json::from_slice(header).map_err(|_| not_a_ledger("its first line is not a JSON object"))?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(not_a_ledger("its first line does not name the format burn-privacy-ledger"));
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(1..=VERSION) => Ok(()),
        Some(found) => Err(LedgerError::Version { path: path.to_owned(), found, supported: VERSION }),
        None => Err(not_a_ledger("its first line has no version number")),
    }
}
