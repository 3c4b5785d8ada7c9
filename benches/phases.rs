//! Adds up how long the library's spans were entered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

#[derive(Default)]
struct Times {
    /// Name of each span made so far; a span's number is its place plus one.
    names: Vec<&'static str>,
    entered: Vec<(u64, Instant)>,
    total: BTreeMap<&'static str, Duration>,
}

/// A subscriber for one thread that trains. Off until it is [switched on](Self::switch).
#[derive(Clone, Default)]
pub(crate) struct Phases {
    times: Arc<Mutex<Times>>,
    on: Arc<AtomicBool>,
}

impl Phases {
    /// Whether spans that begin from now on are timed, which costs some microseconds a step.
    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// What was added up since the last call, in milliseconds by name.
    pub(crate) fn take_milliseconds(&self) -> BTreeMap<&'static str, f64> {
        let total = std::mem::take(&mut self.times.lock().expect("no holder panics").total);
        total.into_iter().map(|(name, time)| (name, time.as_secs_f64() * 1e3)).collect()
    }
}

impl Subscriber for Phases {
    /// To be asked each time, as the switch may be turned.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.on.load(Ordering::Relaxed) && metadata.is_span() && metadata.target().starts_with("burn_privacy")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut times = self.times.lock().expect("no holder panics");
        times.names.push(span.metadata().name());
        Id::from_u64(times.names.len() as u64)
    }

    fn enter(&self, span: &Id) {
        self.times.lock().expect("no holder panics").entered.push((span.into_u64(), Instant::now()));
    }

    fn exit(&self, span: &Id) {
        let mut times = self.times.lock().expect("no holder panics");
        let Some((number, since)) = times.entered.pop() else { return };
        assert_eq!(number, span.into_u64(), "spans are left in the order they were entered");
        let name = times.names[number as usize - 1];
        *times.total.entry(name).or_default() += since.elapsed();
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}
