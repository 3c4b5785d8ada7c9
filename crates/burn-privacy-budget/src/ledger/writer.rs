//! The ledger as its one writer holds it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::block::BlockReservation;
use super::error::LedgerError;
use super::file::LedgerFile;
use super::history::{Charge, History, Replayed, Run, RunId, is_torn_header};
use super::record::{Chain, FIRST_VERSION, FORMAT, Header, Record, SOFTWARE, TORN, now};
use super::run_description::RunDescription;

/// A ledger open for writing: it holds the file's exclusive lock until it is dropped or the process ends.
///
/// Dropping it writes nothing: a run that was not [closed](Self::close) stays charged with all that is reserved. See
/// the [module documentation](super) for what is guaranteed.
#[derive(Debug)]
pub struct Ledger {
    file: LedgerFile,
    history: History,
    chain: Chain,
    active: Vec<ActiveRun>,
    target: Duration,
}

/// A run that is going on.
#[derive(Debug)]
struct ActiveRun {
    run: RunId,
    /// Steps released in all; never above those charged.
    released: u64,
    blocks: BlockReservation,
    /// When the current block was reserved, and the steps released by then.
    block_start: Option<(Instant, u64)>,
}

impl Ledger {
    /// Opens the ledger of a data set, or creates it.
    ///
    /// `dataset` is a name that the user chooses, not empty, and the same at every opening. The folder of `path` must
    /// exist. What is in the file is checked line by line and made durable.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Locked`] if another writer has it; [`LedgerError::NotALedger`], [`LedgerError::Version`],
    /// [`LedgerError::Dataset`] or [`LedgerError::Corrupt`] if the file is not a sound ledger of this data set (it is
    /// then left as it was); [`LedgerError::Invalid`] for an empty name; [`LedgerError::Io`].
    pub fn open(path: impl AsRef<Path>, dataset: &str) -> Result<Self, LedgerError> {
        let path = path.as_ref();
        if dataset.is_empty() {
            let allowed = "name the data set, the same way every time";
            return Err(LedgerError::Invalid { what: "the data set's name", given: "empty".into(), allowed });
        }
        let Some((mut file, bytes)) = LedgerFile::open(path)? else {
            return Err(LedgerError::Locked { path: path.to_owned(), holder: holder(path) });
        };
        if is_torn_header(&bytes) {
            if !bytes.is_empty() {
                file.clear_torn_header()?;
            }
            return Self::create(file, dataset);
        }
        let Replayed { history, chain, torn_bytes } = History::replay(path, &bytes)?;
        if history.dataset() != dataset {
            let (found, asked) = (history.dataset().to_owned(), dataset.to_owned());
            return Err(LedgerError::Dataset { path: path.to_owned(), found, asked });
        }
        file.settle()?;
        let mut ledger = Self::assemble(file, history, chain);
        if torn_bytes > 0 {
            ledger.file.append(&[TORN, b"\n"].concat())?;
            ledger.history.count_torn_line();
        }
        Ok(ledger)
    }

    /// Writes the header of a new ledger.
    fn create(file: LedgerFile, dataset: &str) -> Result<Self, LedgerError> {
        let mut ledger = Self::assemble(file, History::new(dataset, FIRST_VERSION), Chain::default());
        ledger.append(&Header {
            format: FORMAT.to_owned(),
            version: FIRST_VERSION,
            dataset: dataset.to_owned(),
            software: SOFTWARE.to_owned(),
            time: now(),
        })?;
        ledger.file.settle()?;
        Ok(ledger)
    }

    fn assemble(file: LedgerFile, history: History, chain: Chain) -> Self {
        Self { file, history, chain, active: Vec::new(), target: Duration::from_secs(1) }
    }

    /// Reads a ledger without its lock, also while a run charges it: the state at this moment.
    ///
    /// Nothing is written, not even to a last line that a crash, or a write that is going on, left incomplete; such a
    /// line is ignored. (On Windows, where locks keep readers out, a ledger in use cannot be read.)
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`], [`LedgerError::NotALedger`], [`LedgerError::Version`] or [`LedgerError::Corrupt`].
    pub fn read(path: impl AsRef<Path>) -> Result<History, LedgerError> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| LedgerError::Io { action: "read", path: path.to_owned(), source })?;
        Ok(History::replay(path, &bytes)?.history)
    }

    /// How long the steps of one reservation shall last, one second unless told otherwise. It applies to runs that
    /// begin or resume afterwards. Zero reserves every step by itself: a crash then charges no step too many, and every
    /// step waits for the disk.
    pub const fn with_block_target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// Begins a new run, durably, with no steps charged.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetExceeded`] if the data set has a budget and not all planned steps fit into what is left of it;
    /// [`LedgerError::NotCounted`] if it has one and the run is seeded, under another adjacency, or of an event that the
    /// Rényi accountant does not know;
    /// [`LedgerError::NameInUse`] if the ledger has a run of this name, whatever its state; [`LedgerError::Invalid`]
    /// for a description that [`RunDescription`] does not allow; errors of writing.
    pub fn begin(&mut self, description: RunDescription) -> Result<RunId, LedgerError> {
        description.check()?;
        if let Some((_, run)) = self.history.named(&description.name) {
            let (charged, planned) = (run.charged, run.description.planned_steps);
            return Err(LedgerError::NameInUse { name: description.name, charged, planned });
        }
        self.history.fitting(&description, description.planned_steps, description.planned_steps)?;
        let run = RunId(self.history.runs().len() as u64);
        let (process, software) = (std::process::id(), SOFTWARE.to_owned());
        self.record(Record::Begin { run: run.0, description, process, software, time: now() })?;
        self.activate(run, 0);
        Ok(run)
    }

    /// Continues a run, crashed or closed, under the description with which it began. The steps that it has left are
    /// the planned minus the [charged](Self::charged); the charged ones count as released.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NoSuchName`]; [`LedgerError::PlanDiffers`] if the descriptions are not equal;
    /// [`LedgerError::BudgetSpent`] if no steps remain; [`LedgerError::BudgetExceeded`] if the data set's budget has no room
    /// for one of them; [`LedgerError::AlreadyActive`]; errors of writing.
    pub fn resume(&mut self, description: &RunDescription) -> Result<RunId, LedgerError> {
        let name = description.name.clone();
        let Some((run, recorded)) = self.history.named(&name) else {
            let known = self.history.runs().iter().map(|run| run.description.name.clone()).collect();
            return Err(LedgerError::NoSuchName { name, known });
        };
        if let Some((field, recorded, given)) = recorded.description.difference(description) {
            return Err(LedgerError::PlanDiffers { name, field, recorded, given });
        }
        if self.active.iter().any(|active| active.run == run) {
            return Err(LedgerError::AlreadyActive { name });
        }
        let charged = recorded.charged;
        if charged == description.planned_steps {
            return Err(LedgerError::BudgetSpent { name, planned: charged, charged, asked: 1 });
        }
        self.history.fitting(description, 1, 1)?;
        let (process, software) = (std::process::id(), SOFTWARE.to_owned());
        self.record(Record::Resume { run: run.0, charged, process, software, time: now() })?;
        self.activate(run, charged);
        Ok(run)
    }

    /// Begins the run of this description, or [resumes](Self::resume) the one of its name.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin) and [`resume`](Self::resume).
    pub fn begin_or_resume(&mut self, description: RunDescription) -> Result<RunId, LedgerError> {
        match self.history.named(&description.name) {
            Some(_) => self.resume(&description),
            None => self.begin(description),
        }
    }

    /// Reserves `steps` more steps, durably. When this returns, they are charged, whatever happens next.
    ///
    /// [`charge_step`](Self::charge_step) does this by itself, in blocks; call this to size the blocks yourself. Zero
    /// steps reserve nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetSpent`] if fewer steps remain, [`LedgerError::BudgetExceeded`] if fewer fit into the data set's
    /// budget (none is reserved then); [`LedgerError::NotActive`]; errors of writing.
    pub fn reserve(&mut self, run: RunId, steps: u64) -> Result<(), LedgerError> {
        let at = self.find(run)?;
        if steps == 0 {
            return Ok(());
        }
        let recorded = self.recorded(run)?;
        let (planned, charged) = (recorded.description.planned_steps, recorded.charged);
        if steps > planned - charged {
            let name = recorded.description.name.clone();
            return Err(LedgerError::BudgetSpent { name, planned, charged, asked: steps });
        }
        self.history.fitting(&recorded.description, steps, steps)?;
        self.record(Record::Reserve { run: run.0, steps, charged: charged + steps, time: now() })?;
        let active = &mut self.active[at];
        active.block_start = Some((Instant::now(), active.released));
        Ok(())
    }

    /// Charges one step and returns the steps released in all, this one included. The step may be released from
    /// then on.
    ///
    /// Within a reserved block this writes nothing, but looks whether the ledger's path still leads to the same file. When the block is used up, the next is reserved durably, sized by
    /// [`BlockReservation`] from the time that the steps took.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetSpent`] if all planned steps are charged; [`LedgerError::BudgetExceeded`] if the data set's
    /// budget has no room for one more; [`LedgerError::Changed`]; [`LedgerError::NotActive`]; errors of writing.
    /// The step must not be made then.
    pub fn charge_step(&mut self, run: RunId) -> Result<u64, LedgerError> {
        let at = self.find(run)?;
        let recorded = self.recorded(run)?;
        let (planned, charged) = (recorded.description.planned_steps, recorded.charged);
        let active = &mut self.active[at];
        if active.released >= charged {
            if let Some((start, released)) = active.block_start {
                active.blocks.observe(active.released - released, start.elapsed());
            }
            // Of a spent plan one step is asked for, and refused.
            let block = active.blocks.next_block(planned - charged).max(1);
            let block = self.history.fitting(&self.recorded(run)?.description, 1, block)?;
            self.reserve(run, block)?;
        }
        // What was reserved is charged only as long as the file is there.
        self.file.check_unchanged()?;
        let active = &mut self.active[at];
        active.released += 1;
        Ok(active.released)
    }

    /// Ends a run and writes the steps that it released in all, those before a resume included, instead of those
    /// reserved.
    ///
    /// Usually `true_count` is [`released`](Self::released). A caller that counts steps itself after
    /// [`reserve`](Self::reserve) gives its own count. A closed run can be resumed while steps remain.
    ///
    /// # Errors
    ///
    /// [`LedgerError::CloseCount`] if the count lies below the steps that [`charge_step`](Self::charge_step) released,
    /// or that were charged at begin or resume, or above those reserved; [`LedgerError::NotActive`]; errors of writing,
    /// after which the reserved steps count.
    pub fn close(&mut self, run: RunId, true_count: u64) -> Result<(), LedgerError> {
        let at = self.find(run)?;
        let recorded = self.recorded(run)?;
        let (least, most) = (self.active[at].released, recorded.charged);
        if !(least..=most).contains(&true_count) {
            let name = recorded.description.name.clone();
            return Err(LedgerError::CloseCount { name, given: true_count, least, most });
        }
        self.record(Record::Close { run: run.0, charged: true_count, time: now() })?;
        self.active.remove(at);
        Ok(())
    }

    /// Steps that can still be released: those planned minus those charged, plus those reserved and not yet released.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotActive`].
    pub fn remaining(&self, run: RunId) -> Result<u64, LedgerError> {
        Ok(self.recorded(run)?.description.planned_steps - self.released(run)?)
    }

    /// Steps released in all, those charged when the run was last resumed included.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotActive`].
    pub fn released(&self, run: RunId) -> Result<u64, LedgerError> {
        Ok(self.active[self.find(run)?].released)
    }

    /// Steps charged in the file, reserved ones included: what counts after a crash at this moment.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotActive`] if the ledger has no such run at all; a closed run has its charge still.
    pub fn charged(&self, run: RunId) -> Result<u64, LedgerError> {
        Ok(self.recorded(run)?.charged)
    }

    /// What each run of the data set has cost, in the order in which they began, with all that is reserved.
    pub fn charges(&self) -> Vec<Charge> {
        self.history.charges()
    }

    /// The data set whose ledger this is, as its user named it.
    pub fn dataset(&self) -> &str {
        self.history.dataset()
    }

    /// The ledger's contents.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The ledger's file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// How many lines this writer has made durable: the number of waits for the disk.
    pub fn durable_writes(&self) -> u64 {
        self.file.syncs()
    }

    /// Writes a record durably, then takes it in; before it the version of the format that it needs, where the file has an older one.
    pub(super) fn record(&mut self, record: Record) -> Result<(), LedgerError> {
        if record.version() > self.history.version().max(FIRST_VERSION) {
            self.record(Record::Version { version: record.version(), software: SOFTWARE.to_owned(), time: now() })?;
        }
        self.append(&record)?;
        // Cannot fail: each caller checks the same conditions first.
        self.history.apply(&record).map_err(|reason| LedgerError::Corrupt {
            path: self.file.path().to_owned(),
            line: 0,
            offset: 0,
            reason,
        })
    }

    /// Writes a line durably and moves the chain on.
    fn append<T: Serialize>(&mut self, object: &T) -> Result<(), LedgerError> {
        let (line, chain) = self.chain.seal(object).map_err(|error| LedgerError::Io {
            action: "encode a line of",
            path: self.file.path().to_owned(),
            source: error.into(),
        })?;
        self.file.append(&line)?;
        self.chain = chain;
        Ok(())
    }

    fn activate(&mut self, run: RunId, released: u64) {
        let blocks = BlockReservation::new(self.target);
        self.active.push(ActiveRun { run, released, blocks, block_start: None });
    }

    /// Where an active run is in the list.
    fn find(&self, run: RunId) -> Result<usize, LedgerError> {
        self.active.iter().position(|active| active.run == run).ok_or(LedgerError::NotActive { run: run.0 })
    }

    fn recorded(&self, run: RunId) -> Result<&Run, LedgerError> {
        self.history.run(run).ok_or(LedgerError::NotActive { run: run.0 })
    }
}

/// Who holds a ledger's lock: the last run that is not closed, as far as the file can be read.
fn holder(path: &Path) -> String {
    let Ok(history) = Ledger::read(path) else {
        return "the file does not tell which".to_owned();
    };
    match history.runs().iter().rev().find(|run| !run.closed) {
        Some(run) => format!("probably run {:?} of process {}", run.description.name, run.process),
        None => "no run of it is going on yet".to_owned(),
    }
}
