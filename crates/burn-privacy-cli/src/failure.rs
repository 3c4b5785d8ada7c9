//! What ends the command early, and the exit code that says so.

use std::fmt;
use std::io;
use std::process::ExitCode;

use burn_privacy_accounting::AccountingError;
use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::perturb::TableError;
use burn_privacy_audit::AuditError;
use burn_privacy_budget::ledger::LedgerError;
use burn_privacy_location::LocationError;
use burn_privacy_output::{InvalidValue, OutputError};

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// A value was refused.
    Accounting(AccountingError),
    /// A value of the command line or of a query was refused.
    Invalid(InvalidValue),
    /// A table could not be anonymized.
    Anonymize(AnonymizeError),
    /// An audit was refused.
    Audit(AuditError),
    /// Places could not be masked, counted or drawn.
    Location(LocationError),
    /// A sentence about the input.
    Input(String),
    /// A schema or a table was refused.
    Table(TableError),
    /// A ledger was refused, or refuses.
    Ledger(LedgerError),
    /// A file could not be written, or a picture not be drawn.
    Output(OutputError),
    /// Reading or writing failed.
    Io(io::Error),
}

impl Failure {
    /// 3 for a target that nothing reaches, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Accounting(AccountingError::UnreachableTarget { .. })
            | Self::Ledger(LedgerError::Accounting(AccountingError::UnreachableTarget { .. }))
            | Self::Anonymize(AnonymizeError::Unreachable { .. })
            | Self::Location(LocationError::Unreachable { .. }) => ExitCode::from(3),
            _ => ExitCode::from(1),
        }
    }

    /// True if the reader of the output went away, which is no error of ours.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounting(error) => error.fmt(f),
            Self::Invalid(error) => error.fmt(f),
            Self::Anonymize(error) => error.fmt(f),
            Self::Location(error) => error.fmt(f),
            Self::Table(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::Ledger(error) => error.fmt(f),
            Self::Output(error) => error.fmt(f),
            Self::Input(sentence) => f.write_str(sentence),
            Self::Io(error) => write!(f, "could not read or write: {error}"),
        }
    }
}

impl From<AccountingError> for Failure {
    fn from(error: AccountingError) -> Self {
        Self::Accounting(error)
    }
}

impl From<InvalidValue> for Failure {
    fn from(error: InvalidValue) -> Self {
        Self::Invalid(error)
    }
}

impl From<AnonymizeError> for Failure {
    fn from(error: AnonymizeError) -> Self {
        Self::Anonymize(error)
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl From<LocationError> for Failure {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
