//! What was done to private data, as data: a checked tree of events, and its versioned JSON form.

mod dp_event;
mod json;
mod kinds;

pub use dp_event::MAX_EVENT_DEPTH;
pub use json::{EVENT_SCHEMA, EVENT_SCHEMA_VERSION, EventDocument};
pub use kinds::{DpEvent, EventKind, MAX_COUNT, RunCount};
