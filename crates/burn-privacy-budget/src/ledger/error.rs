//! What can go wrong with a ledger.

use std::io;
use std::path::PathBuf;

use super::unit::Unit;

/// An error of a ledger. Each message says what was found or given, what is allowed, and what to do.
///
/// After any error of [`charge_step`](super::Ledger::charge_step) or [`reserve`](super::Ledger::reserve) no step was
/// released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot {action} the privacy ledger {}: {source}; no step was released by this call", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The ledger's file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },

    /// Another process, or another `Ledger` of this one, has the file open for writing.
    #[error(
        "the privacy ledger {} is in use by another writer ({holder}): two runs cannot charge one ledger at a time; \
         wait until the other run ends, or end it, then try again; `Ledger::read` shows the ledger meanwhile",
        path.display()
    )]
    Locked {
        /// The ledger's file.
        path: PathBuf,
        /// Who holds it, as far as the file tells.
        holder: String,
    },

    /// The file is something else.
    #[error(
        "{} is not a privacy ledger ({reason}); nothing was changed: name another file, or one that does not exist yet",
        path.display()
    )]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },

    /// The file was written by an incompatible version.
    #[error(
        "the privacy ledger {} has format version {found}, and this program reads version {supported}: use the \
         program version that wrote it, or a newer one; do not start a new ledger for the same data",
        path.display()
    )]
    Version {
        /// The ledger's file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The version that this program reads and writes.
        supported: u64,
    },

    /// The ledger belongs to another data set.
    #[error(
        "the privacy ledger {} is that of data set {found:?}, not {asked:?}: one ledger counts one data set; name \
         its own ledger, or correct the data set's name",
        path.display()
    )]
    Dataset {
        /// The ledger's file.
        path: PathBuf,
        /// The data set in the file.
        found: String,
        /// The data set asked for.
        asked: String,
    },

    /// A complete line does not make sense.
    #[error(
        "the privacy ledger {} is damaged at line {line}, byte {offset}: {reason}; what was spent is no longer \
         known, so nothing is charged to it: restore the file from a copy that is not older than the last run, or \
         add the missing charges by hand to your total",
        path.display()
    )]
    Corrupt {
        /// The ledger's file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte at which the line starts, from 0.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },

    /// The path does not lead to the file as this process left it.
    #[error(
        "the privacy ledger {} was changed while this run holds its lock ({found}): someone replaced, removed or edited it, \
         and the steps that this run charged may be missing there; no step was released by this call. {}", path.display(),
        way_back(saved)
    )]
    Changed {
        /// The ledger's file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// A copy of the ledger as this run has it.
        saved: Option<PathBuf>,
    },

    /// An earlier write failed, and the state of the file is unknown.
    #[error(
        "an earlier write to the privacy ledger {} failed, so nothing more is charged to it: remove the cause (a full \
         disk?), open the ledger again and resume the run",
        path.display()
    )]
    Failed {
        /// The ledger's file.
        path: PathBuf,
    },

    /// A name or a description that cannot be recorded.
    #[error("{what} is {given}, which a privacy ledger cannot record: {allowed}")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: &'static str,
    },

    /// A new run was to have the name of an old one.
    #[error(
        "the privacy ledger has a run {name:?} already ({charged} of {planned} steps charged): resume it, or give the \
         new run a name of its own"
    )]
    NameInUse {
        /// The name.
        name: String,
        /// Steps charged to the run of this name.
        charged: u64,
        /// Steps planned for it.
        planned: u64,
    },

    /// There is no run of this name.
    #[error("the privacy ledger has no run {name:?} to resume: begin it; its runs are {known:?}")]
    NoSuchName {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },

    /// A run was to be resumed under another plan.
    #[error(
        "run {name:?} was recorded with {field} = {recorded}, and is to be resumed with {given}: a run keeps its plan; \
         restore it, or begin a run with a new name"
    )]
    PlanDiffers {
        /// The run.
        name: String,
        /// The first field that differs.
        field: &'static str,
        /// Its value in the ledger.
        recorded: String,
        /// Its value now.
        given: String,
    },

    /// The run is going on in this very ledger.
    #[error("run {name:?} is going on already: close it before it is resumed")]
    AlreadyActive {
        /// The run.
        name: String,
    },

    /// The run is not going on, or the id is that of another ledger.
    #[error("run {run} is not going on in this ledger: begin or resume it first, and use the id that this returns")]
    NotActive {
        /// The id given.
        run: u64,
    },

    /// More steps were asked for than remain.
    #[error(
        "budget spent: run {name:?} has {charged} of {planned} planned steps charged (steps reserved before a crash \
         count), and {asked} more are asked for; stop here, or begin a run with a new name, which spends more privacy"
    )]
    BudgetSpent {
        /// The run.
        name: String,
        /// Steps planned.
        planned: u64,
        /// Steps charged.
        charged: u64,
        /// Steps asked for.
        asked: u64,
    },

    /// The data set's budget has no room for a run or a step.
    #[error(
        "the data set's budget of ({epsilon}, {delta}) does not cover run {name:?}: {asked} steps are asked for, and \
         {fitting} of them fit; plan fewer steps or more noise, or stop here: nothing more may be released from these data \
         than the budget allows"
    )]
    BudgetExceeded {
        /// The run.
        name: String,
        /// The budget's epsilon.
        epsilon: f64,
        /// The budget's delta.
        delta: f64,
        /// Steps asked for.
        asked: u64,
        /// Steps that fit.
        fitting: u64,
    },

    /// A budget was to be set that can't be set any more.
    #[error(
        "the budget of data set {dataset:?} can't be set now: {reason}. It is fixed before the first step is charged, \
         since a budget that was chosen by looking at results bounds nothing; go on as it is"
    )]
    BudgetFixed {
        /// The data set.
        dataset: String,
        /// What there is already.
        reason: String,
    },

    /// A run that a budget can't count.
    #[error(
        "run {name:?} can't be charged to a data set with a budget: {reason}. Plan it as the budget counts, or keep it off \
         these data"
    )]
    NotCounted {
        /// The run.
        name: String,
        /// Why.
        reason: String,
    },

    /// Runs under different adjacencies do not compose.
    #[error(
        "adjacency = {found} in run {name:?} is not possible: {expected} here, and runs under different adjacencies do not \
         compose; compose each kind by itself"
    )]
    OtherAdjacency {
        /// The run.
        name: String,
        /// Its adjacency.
        found: String,
        /// The total's.
        expected: String,
    },

    /// Runs that protect different units do not compose.
    #[error(
        "run {name:?} protects {found}, and not {expected} as the budget or the other runs here: such guarantees do not compose; \
         keep a ledger for each unit, or compose each kind by itself"
    )]
    OtherUnit {
        /// The run.
        name: String,
        /// What it protects.
        found: Unit,
        /// What the budget or the others protect.
        expected: Unit,
    },

    /// The accounting of a run or a budget refused.
    #[error(transparent)]
    Accounting(#[from] burn_privacy_accounting::AccountingError),

    /// A run was to be closed at an impossible number of steps.
    #[error(
        "run {name:?} cannot be closed at {given} steps: {least} were released or charged before, and {most} are \
         reserved; give the number of steps released in all"
    )]
    CloseCount {
        /// The run.
        name: String,
        /// The count given.
        given: u64,
        /// The smallest count possible.
        least: u64,
        /// The largest count possible.
        most: u64,
    },
}

/// What to do about a ledger that was replaced.
fn way_back(saved: &Option<PathBuf>) -> String {
    match saved {
        Some(saved) => format!(
            "This run's ledger was saved as {}: put it in its place (if nothing was charged to the other file), and resume \
             the run",
            saved.display()
        ),
        None => "Put the original back and resume the run, or add this run's steps by hand to your total".to_owned(),
    }
}
