//! `burn-privacy ledger` through the binary, on ledgers that programs wrote.

mod common;

use std::fs;
use std::path::Path;

use burn_privacy_accounting::{Adjacency, DpEvent};
use burn_privacy_budget::ledger::{Budget, COMPOSITION_CAVEAT, Ledger, LedgerError, RunDescription, Unit};
use common::{Shown, run, temporary};
use serde_json::{Value, json};

/// Where no ledger is yet.
fn place(name: &str) -> String {
    let path = temporary(name, "");
    fs::remove_file(&path).unwrap();
    path
}

fn command(line: &str) -> Shown {
    run(&line.split(' ').collect::<Vec<_>>())
}

/// The answer's one JSON object.
#[track_caller]
fn answer(line: &str) -> Value {
    let shown = command(&format!("{line} --json"));
    assert!(shown.code == 0 && shown.out.lines().count() == 1, "{line}: {} {}", shown.out, shown.err);
    serde_json::from_str(&shown.out).unwrap()
}

/// Refused with exit code 1 and a sentence that has these words; what is in the file stays.
#[track_caller]
fn refused(line: &str, words: &[&str]) {
    let shown = command(line);
    assert!(shown.code == 1 && shown.out.is_empty(), "{line}: {} {}", shown.code, shown.out);
    assert!(shown.err.starts_with("error: ") && shown.err.lines().count() == 1, "{}", shown.err);
    for word in words {
        assert!(shown.err.contains(word), "{word:?} is not in: {}", shown.err);
    }
}

/// A step at sampling rate 0.005 with noise multiplier 1.1.
fn step() -> DpEvent {
    DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1).unwrap()).unwrap()
}

/// A run of such steps.
fn described(name: &str, steps: u64, private: bool) -> RunDescription {
    let run = RunDescription::of_steps(name, step(), steps, Adjacency::AddOrRemoveOne).unwrap();
    run.with_delta(1e-5).with_private_randomness(private)
}

/// A budget for runs of such steps.
fn for_usual_step(epsilon: f64) -> Budget {
    Budget::for_expected(Adjacency::AddOrRemoveOne, &step(), epsilon, 1e-5).unwrap()
}

/// A ledger of 2,000 steps of three runs: one spent, one closed early, one that crashed.
fn three_runs(path: impl AsRef<Path>) {
    let mut ledger = Ledger::open(path, "patients 2024").unwrap();
    for (name, planned, charged) in [("first", 1_000, 1_000), ("second", 900, 400), ("third", 600, 600)] {
        let run = ledger.begin(described(name, planned, true)).unwrap();
        ledger.reserve(run, charged).unwrap();
        if name != "third" {
            ledger.close(run, charged).unwrap();
        }
    }
}

#[test]
fn show_lists_every_run() {
    let path = place("show.ledger");
    three_runs(&path);
    let shown = command(&format!("ledger show {path}"));
    assert!(shown.ok && shown.err.is_empty(), "{}", shown.err);
    let words = |name: &str| -> Vec<String> {
        let line = shown.out.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words("Data set"), ["Data", "set", "patients", "2024"]);
    assert_eq!(words("Budget"), ["Budget", "none"]);
    assert_eq!(words("first"), ["first", "1000", "1000", "add-or-remove-one", "spent"]);
    assert_eq!(words("second"), ["second", "400", "900", "add-or-remove-one", "closed"]);
    assert_eq!(words("third")[..3], ["third", "600", "600"]);
    assert!(shown.out.contains("going on, or crashed"));

    let shown = answer(&format!("ledger show {path}"));
    assert_eq!((&shown["dataset"], &shown["budget"]), (&json!("patients 2024"), &Value::Null));
    assert_eq!(shown["runs"].as_array().unwrap().len(), 3);
    let second = &shown["runs"][1];
    assert_eq!((&second["charged_steps"], &second["planned_steps"]), (&json!(400), &json!(900)));
    assert_eq!((&second["private"], &second["closed"], &second["delta"]), (&json!(true), &json!(true), &json!(1e-5)));
    assert_eq!(second["event_per_step"], described("second", 900, true).event_per_step);
}

#[test]
fn a_total_is_the_epsilon_of_all_runs_together_with_its_condition() {
    let path = place("total.ledger");
    three_runs(&path);
    let shown = command(&format!("ledger total {path} --delta 1e-5"));
    assert!(shown.ok && shown.err.is_empty(), "{}", shown.err);
    assert!(shown.out.contains("2000 steps of 3 runs") && shown.out.contains("1.008 at delta"), "{}", shown.out);
    assert!(shown.out.lines().any(|line| line.trim() == format!("({COMPOSITION_CAVEAT})")), "{}", shown.out);
    // The runs' steps are equal: 2,000 of them cost what one run of 2,000 costs.
    let one =
        answer("epsilon --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --delta 1e-5")["epsilon"].clone();
    let total = answer(&format!("ledger total {path} --delta 1e-5"));
    let (one, all) = (one.as_f64().unwrap(), total["epsilon"].as_f64().unwrap());
    assert!((all / one - 1.0).abs() < 1e-3 && all >= 1.007_673_204, "{all} {one}");
    assert_eq!((&total["runs"], &total["steps"], &total["accountant"]), (&json!(3), &json!(2_000), &json!("pld")));
    assert!(total["epsilon_by_rdp"].as_f64().unwrap() > all);
    assert_eq!((&total["caveat"], &total["void_runs"]), (&json!(COMPOSITION_CAVEAT), &json!([])));
    assert!(total.get("warning").is_none());

    for delta in ["0", "1", "NaN", "-1e-5"] {
        refused(&format!("ledger total {path} --delta {delta}"), &["delta"]);
    }
    assert_eq!(command(&format!("ledger total {path}")).code, 2);
    let weak = command(&format!("ledger total {path} --delta 1e-3 --dataset-size 1000"));
    assert!(weak.ok && weak.err.starts_with("warning: delta 0.001 is not below 1/1000"), "{}", weak.err);
}

#[test]
fn a_run_with_a_fixed_seed_voids_the_total() {
    let path = place("void.ledger");
    three_runs(&path);
    let mut ledger = Ledger::open(&path, "patients 2024").unwrap();
    let seeded = ledger.begin(described("seeded", 10, false)).unwrap();
    // Nothing of it is charged yet, so that nothing is void.
    assert!(!command(&format!("ledger total {path} --delta 1e-5")).out.contains("NOT PRIVATE"));
    ledger.charge_step(seeded).unwrap();
    let shown = command(&format!("ledger total {path} --delta 1e-5"));
    assert!(shown.ok && shown.out.starts_with("*** NOT PRIVATE: runs with a fixed seed: seeded ***"), "{}", shown.out);
    assert!(shown.out.contains("Epsilon   inf at delta"), "{}", shown.out);
    assert!(command(&format!("ledger show {path}")).out.contains("NOT PRIVATE: fixed seed"));
    let total = answer(&format!("ledger total {path} --delta 1e-5"));
    assert_eq!((&total["epsilon"], &total["void_runs"]), (&json!("inf"), &json!(["seeded"])));
    assert_eq!(answer(&format!("ledger show {path}"))["runs"][3]["private"], json!(false));
}

#[test]
fn a_line_that_a_crash_cut_off_counts_for_nothing() {
    let path = place("torn.ledger");
    three_runs(&path);
    let whole = fs::read(&path).unwrap();
    let sound = answer(&format!("ledger verify {path}"));
    assert_eq!((&sound["sound"], &sound["lines"], &sound["torn_bytes"]), (&json!(true), &json!(9), &json!(0)));
    assert_eq!(sound["bytes"], json!(whole.len()));
    // The last line, which charges 600 steps.
    let cut = &whole[..whole.len() - 20];
    fs::write(&path, cut).unwrap();
    let shown = command(&format!("ledger verify {path}"));
    assert!(shown.ok && shown.out.starts_with("sound: 8 lines"), "{}", shown.out);
    assert!(shown.out.contains("a line that is incomplete; it was not acknowledged"), "{}", shown.out);
    let torn = cut.len() - cut.iter().rposition(|&byte| byte == b'\n').unwrap() - 1;
    assert_eq!(answer(&format!("ledger verify {path}"))["torn_bytes"], json!(torn));
    assert_eq!(answer(&format!("ledger total {path} --delta 1e-5"))["steps"], json!(1_400));
    assert_eq!(fs::read(&path).unwrap(), cut, "nothing is written");
    // The next writer marks it.
    drop(Ledger::open(&path, "patients 2024").unwrap());
    assert_eq!(answer(&format!("ledger verify {path}"))["torn_lines"], json!(1));
    assert!(command(&format!("ledger verify {path}")).out.contains("1 lines were cut off in mid-write"));
}

#[test]
fn damaged_lost_and_foreign_files_are_refused() {
    let path = place("damaged.ledger");
    three_runs(&path);
    let whole = fs::read_to_string(&path).unwrap();
    let all = [
        format!("ledger show {path}"),
        format!("ledger verify {path}"),
        format!("ledger total {path} --delta 1e-5"),
        format!("ledger budget {path}"),
        format!("ledger budget {path} --epsilon 1 --delta 1e-5"),
    ];
    let without_third: String =
        whole.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| format!("{line}\n")).collect();
    for (text, words) in [
        // Fewer steps than were charged.
        (whole.replacen("\"charged\":1000", "\"charged\":1", 1), "damaged at line 3"),
        (without_third, "damaged at line 3"),
        (whole.replacen("\"version\":3", "\"version\":9", 1), "format version 9"),
        ("name,age\nAnn,41\n".to_owned(), "is not a privacy ledger"),
        (String::new(), "it is empty"),
    ] {
        assert_ne!(text, whole);
        fs::write(&path, &text).unwrap();
        for line in &all {
            refused(line, &[words, "damaged.ledger"]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing is written");
    }
    fs::remove_file(&path).unwrap();
    for line in &all {
        refused(line, &["damaged.ledger"]);
    }
    assert!(!Path::new(&path).exists(), "no ledger is begun in its place");
    for line in all {
        refused(&line.replace(&path, "-"), &["the ledger is -"]);
    }
    assert_eq!(command("ledger").code, 2);
    assert_eq!(command("ledger show").code, 2);
}

/// A ledger's lines changed, with check sums that fit again, as a forger would write them: FNV-1a over the digits of the line
/// before and the line's bytes.
fn forge(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut digits = String::new();
    let mut forged = String::new();
    for line in text.lines() {
        let body = change(line.split_once(",\"check\":").unwrap().0);
        let hash = digits
            .bytes()
            .chain(body.bytes())
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        digits = format!("{hash:016x}");
        forged.push_str(&format!("{body},\"check\":\"{digits}\"}}\n"));
    }
    forged
}

#[test]
fn a_forged_charge_beyond_the_budget_is_found_although_its_check_sums_fit() {
    let path = place("forged.ledger");
    let mut ledger = Ledger::open(&path, "patients 2024").unwrap();
    ledger.set_budget(for_usual_step(1.0)).unwrap();
    let run = ledger.begin(described("first", 2, true)).unwrap();
    ledger.reserve(run, 2).unwrap();
    drop(ledger);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(forge(&text, str::to_owned), text, "the check sums are those of the format");
    let more = |line: &str| {
        line.replace("\"planned_steps\":2", "\"planned_steps\":1000000")
            .replace("\"steps\":2,\"charged\":2", "\"steps\":1000000,\"charged\":1000000")
    };
    fs::write(&path, forge(&text, more)).unwrap();
    assert_eq!(answer(&format!("ledger show {path}"))["runs"][0]["charged_steps"], json!(1_000_000));
    for line in ["verify PATH", "total PATH --delta 1e-5", "budget PATH"] {
        refused(&format!("ledger {}", line.replace("PATH", &path)), &["budget of (1, ", "\"first\""]);
    }
}

#[test]
fn a_ledger_in_use_can_be_read_and_not_written_and_its_saved_copy_is_a_ledger() {
    let path = place("busy.ledger");
    let mut ledger = Ledger::open(&path, "patients 2024").unwrap();
    refused(&format!("ledger budget {path} --epsilon 1 --delta 1e-5"), &["in use by another writer"]);
    let run = ledger.begin(described("first", 1_000, true)).unwrap();
    ledger.reserve(run, 500).unwrap();
    assert_eq!(answer(&format!("ledger show {path}"))["runs"][0]["charged_steps"], json!(500));
    if cfg!(unix) {
        // An older copy takes its place, of which a sound file says nothing; the run finds out and keeps what it charged.
        let copy = format!("{path}.copy");
        let whole = fs::read_to_string(&path).unwrap();
        let older: String = whole.split_inclusive('\n').take(2).collect();
        fs::write(&copy, older).unwrap();
        fs::rename(&copy, &path).unwrap();
        let Err(LedgerError::Changed { saved: Some(saved), .. }) = ledger.charge_step(run) else { panic!("charged") };
        assert_eq!(answer(&format!("ledger show {path}"))["runs"][0]["charged_steps"], json!(0));
        let saved = saved.display();
        assert_eq!(answer(&format!("ledger verify {saved}"))["bytes"], json!(whole.len()));
        assert_eq!(answer(&format!("ledger total {saved} --delta 1e-5"))["steps"], json!(500));
    }
}

#[test]
fn a_budget_is_set_once_and_kept() {
    let path = place("budget.ledger");
    let set = format!("ledger budget {path} --epsilon 1 --delta 1e-5 --noise-multiplier 1.1 --sampling-rate 0.005");
    refused(&set, &["there is no ledger", "--dataset NAME"]);
    for (flags, words) in [
        ("--epsilon 0 --delta 1e-5", "a budget's epsilon is 0"),
        ("--epsilon inf --delta 1e-5", "a budget's epsilon is inf"),
        ("--epsilon NaN --delta 1e-5", "a budget's epsilon is NaN"),
        ("--epsilon 1 --delta 1", "delta"),
        ("--epsilon 1 --delta 1e-5 --noise-multiplier -1", "noise_multiplier is -1"),
        ("--epsilon 1 --delta 1e-5 --noise-multiplier 1 --sampling-rate 2", "sampling"),
    ] {
        refused(&format!("ledger budget {path} --dataset patients {flags}"), &[words]);
    }
    assert!(!Path::new(&path).exists(), "a value that is refused begins no ledger");
    for flags in ["--epsilon 1", "--delta 1e-5", "--adjacency zero-out", "--dataset patients"] {
        assert_eq!(command(&format!("ledger budget {path} {flags}")).code, 2, "{flags}");
    }

    let shown = command(&format!("{set} --dataset patients"));
    assert!(shown.ok && shown.out.contains("Data set  patients\nBudget    (1, "), "{} {}", shown.out, shown.err);
    assert!(
        shown.out.contains("under add-or-remove-one adjacency for one record, enforced by a Rényi filter of order")
    );
    let lines = fs::read_to_string(&path).unwrap();
    let expected = for_usual_step(1.0);
    assert_eq!(Ledger::read(&path).unwrap().budget(), Some(&expected));
    // The same again is no other one.
    assert!(command(&set).ok);
    assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    refused(&set.replace("--epsilon 1", "--epsilon 2"), &["can't be set now"]);
    refused(&format!("{set} --adjacency zero-out"), &["can't be set now"]);
    refused(&format!("{set} --unit user"), &["can't be set now", "for one record"]);
    let users = place("budget-of-users.ledger");
    assert!(command(&format!("ledger budget {users} --dataset patients --epsilon 1 --delta 1e-5 --unit user")).ok);
    assert_eq!(Ledger::read(&users).unwrap().budget().unwrap().unit(), Some(Unit::User));
    refused(&format!("{set} --dataset clients"), &["patients", "clients"]);

    // A run of 1,000 steps fits; one of 2,000 more doesn't.
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(described("first", 1_000, true)).unwrap();
    ledger.reserve(run, 1_000).unwrap();
    ledger.close(run, 1_000).unwrap();
    assert!(matches!(ledger.begin(described("second", 2_000, true)), Err(LedgerError::BudgetExceeded { .. })));
    drop(ledger);
    let budget = answer(&format!("ledger budget {path}"));
    let spent = budget["budget_spent"].as_f64().unwrap();
    assert!((0.3..1.0).contains(&spent), "{spent}");
    assert_eq!(budget["budget"], serde_json::to_value(&expected).unwrap());
    let shown = command(&format!("ledger total {path} --delta 1e-5"));
    assert!(shown.out.contains("however the runs were chosen, they never exceed it"), "{}", shown.out);
    let percent = format!("{:.1} % of it is charged", (spent * 1000.0).ceil() / 10.0);
    assert!(shown.out.contains(&percent) && command(&format!("ledger budget {path}")).out.contains(&percent));
    assert!(answer(&format!("ledger total {path} --delta 1e-5"))["epsilon"].as_f64().unwrap() < 1.0);
}

#[test]
fn a_budget_after_the_first_step_is_refused() {
    let path = place("late.ledger");
    three_runs(&path);
    let before = fs::read(&path).unwrap();
    refused(&format!("ledger budget {path} --epsilon 8 --delta 1e-5"), &["2000 steps are charged", "can't be set now"]);
    assert_eq!(fs::read(&path).unwrap(), before);
    let shown = command(&format!("ledger budget {path}"));
    assert!(shown.ok && shown.out.ends_with("Budget    none\n"), "{}", shown.out);
    assert_eq!(answer(&format!("ledger budget {path}"))["budget_spent"], Value::Null);
}

#[test]
fn names_in_a_ledger_do_not_act_on_the_terminal() {
    let path = place("sneaky.ledger");
    let sneaky = "a\u{1b}[2J\u{9b}31m\u{202e}\rb\nEpsilon   0";
    let mut ledger = Ledger::open(&path, sneaky).unwrap();
    let charged = ledger.begin(described(sneaky, 10, false)).unwrap();
    ledger.reserve(charged, 10).unwrap();
    ledger.close(charged, 10).unwrap();
    drop(ledger);
    for line in
        [format!("ledger show {path}"), format!("ledger total {path} --delta 1e-5"), format!("ledger budget {path}")]
    {
        let shown = command(&line);
        assert!(shown.ok, "{}", shown.err);
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.out.contains(acts) && !shown.err.contains(acts), "{:?}", shown.out);
        assert!(!shown.out.lines().any(|line| line == "Epsilon   0"), "{}", shown.out);
        assert!(shown.out.contains("a\\u{1b}[2J"), "{}", shown.out);
    }
    // Errors, too.
    let shown = run(&["ledger", "show", "no\u{1b}[2Jsuch"]);
    assert!(shown.code == 1 && shown.err.contains("no\\u{1b}[2Jsuch"), "{:?}", shown.err);
}
