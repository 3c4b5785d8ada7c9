//! What is fuzzed, and what must hold of what is accepted.

use std::cell::RefCell;
use std::path::Path;

use burn_privacy_accounting::DpEvent;
use burn_privacy_anonymize::perturb::{PerturbOptions, TableFormat, TableSchema, perturb_stream, schema_template_of};
use burn_privacy_anonymize::table::Hierarchy;
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_budget::plan::PrivacyPlan;
use burn_privacy_mechanisms::Entropy;

/// A name, which is also that of its corpus, and a function that takes any bytes.
pub type Harness = (&'static str, fn(&[u8]));

/// All harnesses.
pub const HARNESSES: [Harness; 6] = [
    ("event", event),
    ("plan", plan),
    ("ledger", ledger),
    ("table", table),
    ("template", template),
    ("hierarchy", hierarchy),
];

/// An event as JSON.
pub fn event(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(event) = DpEvent::from_json(text) {
        assert_eq!(DpEvent::from_json(&event.to_json()).expect("its own document"), event);
    }
}

/// A plan as JSON. One that is calibrated to a target is calibrated again when it is read, which takes milliseconds: only its
/// rejection is fuzzed.
pub fn plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains("target_epsilon") && !text.contains("\"target_epsilon\":null") {
        return;
    }
    if let Ok(plan) = serde_json::from_str::<PrivacyPlan>(text) {
        let again = serde_json::to_string(&plan).expect("a plan has a JSON form");
        assert_eq!(serde_json::from_str::<PrivacyPlan>(&again).expect("its own document"), plan);
        assert!(plan.noise_multiplier() >= 0.0 && plan.steps() > 0 && plan.sampling().rate() <= 1.0);
    }
}

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// Calls `use_it` with a file of these bytes, in memory where there is such a folder.
fn with_file(bytes: &[u8], use_it: impl FnOnce(&Path)) {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| {
            let memory = Path::new("/dev/shm");
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
        });
        let path = folder.path().join("input");
        std::fs::write(&path, bytes).expect("room for a file");
        use_it(&path);
    });
}

/// A ledger's file, read and then opened.
pub fn ledger(bytes: &[u8]) {
    with_file(bytes, |path| {
        let read = Ledger::read(path);
        let Ok(history) = read else {
            // What is refused is refused in the same way for writing, unless nothing was ever recorded; and left as it is.
            let fresh = !bytes.contains(&b'\n') || bytes.contains(&0);
            let opened = Ledger::open(path, "patients");
            assert!(opened.is_err() || fresh);
            if opened.is_err() {
                assert_eq!(std::fs::read(path).expect("the file"), bytes);
            }
            return;
        };
        let charges = history.charges();
        assert!(charges.iter().all(|charge| charge.steps <= charge.planned_steps));
        let Ok(ledger) = Ledger::open(path, history.dataset()) else { panic!("read but not opened") };
        assert_eq!(ledger.charges(), charges);
        assert!(std::fs::read(path).expect("the file").starts_with(bytes));
    });
}

/// A schema and a table, with a zero byte between them.
pub fn table(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let (Some(schema), Some(table)) = (parts.next(), parts.next()) else { return };
    let Ok(schema) = std::str::from_utf8(schema) else { return };
    let Ok(schema) = TableSchema::parse(schema, None) else { return };
    let run = || {
        let mut output = Vec::new();
        let options = PerturbOptions::new(Entropy::seeded(1));
        perturb_stream(&schema, table, "fuzzed", &mut output, &options, &mut |_| {}).map(|_| output)
    };
    if let Ok(output) = run() {
        assert_eq!(run().expect("the same again"), output);
        // A line of the output for each record of the input, and a header.
        assert!(!output.is_empty());
    }
}

/// A table of which a schema is to be proposed.
pub fn template(bytes: &[u8]) {
    let _ = schema_template_of(bytes, "fuzzed", &TableFormat::default());
}

/// A hierarchy of values in ARX's format.
pub fn hierarchy(bytes: &[u8]) {
    with_file(bytes, |path| {
        if let Ok(hierarchy) = Hierarchy::read("column", path) {
            assert!(hierarchy.levels() > 0);
        }
    });
}
