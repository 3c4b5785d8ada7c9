//! The versioned JSON document that holds an event.

use serde::{Deserialize, Serialize};

use super::kinds::DpEvent;
use crate::{AccountingError, Result};

/// Name of the schema of an event document.
pub const EVENT_SCHEMA: &str = "burn-privacy/dp-event";

/// Version of the schema of an event document.
///
/// Within one version fields are never renamed and their meaning never changes.
pub const EVENT_SCHEMA_VERSION: u64 = 1;

/// An event with the name and the version of its schema.
///
/// ```json
/// {"schema": "burn-privacy/dp-event", "version": 1, "event": {"gaussian": {"noise_multiplier": 1.1}}}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedDocument")]
pub struct EventDocument {
    schema: String,
    version: u64,
    event: DpEvent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedDocument {
    schema: String,
    version: u64,
    // Read only after schema and version are known to be ours.
    event: serde_json::Value,
}

impl EventDocument {
    /// Puts an event into a document of the present schema.
    pub fn new(event: DpEvent) -> Self {
        Self { schema: EVENT_SCHEMA.to_owned(), version: EVENT_SCHEMA_VERSION, event }
    }

    /// The event.
    pub fn event(&self) -> &DpEvent {
        &self.event
    }

    /// Takes the event out.
    pub fn into_event(self) -> DpEvent {
        self.event
    }
}

impl TryFrom<UncheckedDocument> for EventDocument {
    type Error = AccountingError;

    fn try_from(document: UncheckedDocument) -> Result<Self> {
        if document.schema != EVENT_SCHEMA || document.version != EVENT_SCHEMA_VERSION {
            return Err(AccountingError::WrongSchema {
                schema: document.schema,
                version: document.version,
                expected_schema: EVENT_SCHEMA,
                expected_version: EVENT_SCHEMA_VERSION,
            });
        }
        let event = serde_json::from_value(document.event).map_err(malformed)?;
        Ok(Self::new(event))
    }
}

impl DpEvent {
    /// The event as a JSON document with schema name and version. Numbers survive the round trip exactly.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&EventDocument::new(self.clone()))
            .expect("an event holds finite numbers and string keys only")
    }

    /// Reads a JSON document with the checks of the constructors.
    ///
    /// # Errors
    ///
    /// [`AccountingError::MalformedJson`] or [`AccountingError::WrongSchema`].
    pub fn from_json(text: &str) -> Result<Self> {
        let document: UncheckedDocument = serde_json::from_str(text).map_err(malformed)?;
        Ok(EventDocument::try_from(document)?.into_event())
    }
}

pub(crate) fn malformed(error: serde_json::Error) -> AccountingError {
    AccountingError::MalformedJson { reason: error.to_string() }
}
