//! A ledger for people: its runs, and whether its file is sound.

use std::fmt;
use std::path::Path;

use burn_privacy_output::printable;

use super::error::LedgerError;
use super::history::History;
use super::writer::Ledger;

/// What a check of a whole ledger file found. There is one only for a sound file: anything else is an error that names the
/// line.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// Complete lines, the header included.
    pub lines: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of a last line that was cut off in mid-write, or is being written; it was never acknowledged.
    pub torn_bytes: u64,
    /// What the lines say.
    pub history: History,
}

impl Ledger {
    /// Checks a ledger without its lock, and changes nothing: the check sums of all lines, that each can follow those before
    /// it, and that the data set's budget, if it has one, is kept.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`LedgerError::BudgetExceeded`] and [`LedgerError::NotCounted`].
    pub fn verify(path: impl AsRef<Path>) -> Result<Verification, LedgerError> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| LedgerError::Io { action: "read", path: path.to_owned(), source })?;
        let replayed = History::replay(path, &bytes)?;
        replayed.history.budget_spent()?;
        Ok(Verification {
            lines: bytes.iter().filter(|&&byte| byte == b'\n').count() as u64,
            bytes: bytes.len() as u64,
            torn_bytes: replayed.torn_bytes as u64,
            history: replayed.history,
        })
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sound: {} lines, {} bytes, all check sums fit", self.lines, self.bytes)?;
        let torn = self.history.torn_lines();
        if torn > 0 {
            writeln!(f, "{torn} lines were cut off in mid-write; none was acknowledged")?;
        }
        if self.torn_bytes > 0 {
            writeln!(f, "the last {} bytes are a line that is incomplete; it was not acknowledged", self.torn_bytes)?;
        }
        Ok(())
    }
}

impl fmt::Display for History {
    /// The data set, its budget, and a line for each run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Data set  {}", printable(self.dataset()))?;
        match self.budget() {
            Some(budget) => writeln!(f, "Budget    {budget}")?,
            None => writeln!(f, "Budget    none")?,
        }
        let charges = self.charges();
        if charges.is_empty() {
            return writeln!(f, "Runs      none");
        }
        let width = charges.iter().map(|charge| printable(&charge.name).chars().count()).max().unwrap_or(0).max(3);
        writeln!(f, "\n{:width$}  {:>12}  {:>12}  {:17}  state", "run", "charged", "planned", "adjacency")?;
        for charge in charges {
            let state = match (charge.closed, charge.steps == charge.planned_steps) {
                (true, true) => "spent",
                (true, false) => "closed",
                (false, _) => "going on, or crashed",
            };
            let void = if charge.private { "" } else { "; NOT PRIVATE: fixed seed" };
            writeln!(
                f,
                "{:width$}  {:>12}  {:>12}  {:17}  {state}{void}",
                printable(&charge.name),
                charge.steps,
                charge.planned_steps,
                charge.adjacency
            )?;
            if let Some(mechanism) = &charge.mechanism {
                writeln!(f, "{:width$}  {mechanism}", "")?;
            }
        }
        Ok(())
    }
}
