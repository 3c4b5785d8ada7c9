//! The program `sweep_noise` from the outside.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use burn_privacy::ledger::Ledger;
use support::{command, text};

/// Two settings, and trials that take half a second; how many is said apart.
const SMALL: [&str; 8] = ["--noise-multipliers", "1,4", "--epochs", "10", "--seed", "3", "--task", "affordability"];

fn run(arguments: &[&str], out: &Path) -> Output {
    command("sweep_noise", arguments, out).output().unwrap()
}

fn lines(folder: &Path) -> usize {
    fs::read_to_string(folder.join("trials.jsonl")).map_or(0, |text| text.matches('\n').count())
}

#[test]
fn a_sweep_leaves_table_plots_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let small = [&SMALL[..], &["--seeds", "2"]].concat();
    let output = run(&small, folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for words in
        ["| 1 | 1000 |", "| no privacy |", "NOT PRIVATE: fixed seed", "4 charged trials of this sweep together"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    for name in ["score_over_epsilon", "score_over_noise", "epsilon_over_steps"] {
        assert!(fs::read(folder.path().join(format!("{name}.png"))).unwrap().starts_with(b"\x89PNG"));
        assert!(fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap().contains("δ"));
    }
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("--noise-multipliers 1,4") && page.contains("sweep_noise"), "the exact command");
    let csv = fs::read_to_string(folder.path().join("summary.csv")).unwrap();
    let fields = |line: &str| line.split(',').count();
    assert!(csv.lines().all(|line| fields(line) == fields(csv.lines().next().unwrap())), "{csv}");
    let mean = |line: usize| csv.lines().nth(line).unwrap().split(',').nth(10).unwrap().parse::<f64>().unwrap();
    // Privacy costs accuracy (how much noise hardly counts in batches of 1,000), and what is left is far from nothing.
    let no_privacy = mean(3);
    assert!([mean(1), mean(2)].iter().all(|mean| (0.3..no_privacy).contains(mean)) && no_privacy < 1.0, "{csv}");
    assert_eq!(lines(folder.path()), 1 + 4 + 2);
    // The same command again repeats nothing.
    assert!(run(&small, folder.path()).status.success());
    assert_eq!(lines(folder.path()), 1 + 4 + 2);
    // Another sweep does not get in.
    let output = run(&[&small[..], &["--delta", "1e-6"]].concat(), folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another sweep (delta = "), "{}", text(&output.stderr));
}

#[test]
fn killed_in_the_middle_it_goes_on_to_the_same_summary() {
    let longer = [&SMALL[..], &["--seeds", "4"]].concat();
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(run(&longer, whole.path()).status.success());

    let mut child =
        command("sweep_noise", &longer, killed.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while lines(killed.path()) < 4 {
        assert!(
            start.elapsed() < Duration::from_secs(300) && child.try_wait().unwrap().is_none(),
            "too fast or too slow"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let left = lines(killed.path());
    assert!((4..13).contains(&left) && !killed.path().join("summary.csv").exists(), "{left}");

    assert!(run(&longer, killed.path()).status.success());
    let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read(killed.path(), "summary.csv"), read(whole.path(), "summary.csv"));
    let table =
        |folder: &Path| read(folder, "summary.md").lines().filter(|line| line.starts_with('|')).collect::<String>();
    assert_eq!(table(killed.path()), table(whole.path()));
    // What was interrupted stays charged.
    let charges = |folder: &Path| Ledger::read(folder.join("privacy-ledger.jsonl")).unwrap().charges().len();
    assert_eq!(charges(whole.path()), 8);
    assert!(charges(killed.path()) >= 8);
}

#[test]
fn a_file_says_the_same_as_options_and_the_command_line_has_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sweep.toml");
    let settings =
        "[[settings]]\nnoise = { noise_multiplier = 4.0 }\nclip = 0.2\nlearning_rate = 0.03\nbatch_size = 500\n";
    let options = "task = \"affordability\"\nepsilons = [2.0, 8.0]\nepochs = 3.0\nseeds = 1\nno_baseline = true\n";
    fs::write(&file, format!("{options}{settings}")).unwrap();
    let out = folder.path().join("out");
    let output = run(&["--config", file.to_str().unwrap(), "--noise-multipliers", "3"], &out);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let csv = fs::read_to_string(out.join("summary.csv")).unwrap();
    let starts: Vec<String> =
        csv.lines().skip(1).map(|line| line.split(',').take(6).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(starts, ["3,,1000,0.1,0.03,60", "4,,500,0.2,0.03,120"]);

    fs::write(&file, "noise = [1.0]\n").unwrap();
    let output = run(&["--config", file.to_str().unwrap()], &out);
    assert!(text(&output.stderr).contains("unknown field `noise`"), "{}", text(&output.stderr));
    fs::write(&file, "task = \"imagenet\"\n").unwrap();
    let output = run(&["--config", file.to_str().unwrap()], &out);
    assert!(text(&output.stderr).contains("unknown variant `imagenet`"), "{}", text(&output.stderr));
}

#[test]
fn a_private_selection_shows_the_winner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let select = ["--select", "private", "--expected-trials", "2", "--noise-multipliers", "2,4", "--epochs", "2"];
    let output = run(&select, folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["privacy-ledger.jsonl", "winner.bpk", "winner.json", "winner.md"]);
    assert!(fs::read_to_string(folder.path().join("winner.md")).unwrap().contains("Papernot and Steinke"));
    let charges = Ledger::read(folder.path().join("privacy-ledger.jsonl")).unwrap().charges();
    assert_eq!((charges.len(), charges[0].steps), (1, 1));
    // A score on private records adds to the second charge.
    let output = run(&[&select[..], &["--score-noise", "30"]].concat(), folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let charges = Ledger::read(folder.path().join("privacy-ledger.jsonl")).unwrap().charges();
    assert!(charges.len() == 2 && charges[1].event.to_string().contains("30.0"), "{charges:?}");
}

#[test]
fn bad_input_is_one_sentence_before_any_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let (out, below_a_file) = (folder.path().join("out"), file.join("out"));
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "noise_multipliers = []\n").unwrap();
    for (arguments, out, words) in [
        (&["--config", empty.to_str().unwrap()][..], &out, "no noise multiplier or epsilon"),
        (&["--noise-multipliers", "1,0"], &out, "noise multiplier = 0 is not possible"),
        (&["--noise-multipliers=-1"], &out, "noise multiplier = -1"),
        (&["--epsilons", "NaN"], &out, "epsilon = NaN"),
        (&["--task", "imagenet"], &out, "possible values: affordability, cifar, mnist"),
        (&["--task", "cifar", "--preset", "slow", "--data", "generated"], &out, "quick, tanh, handout, wrn"),
        (&["--preset", "quick"], &out, "knows no --preset"),
        (&["--task", "mnist", "--data", "/no/such/folder"], &out, "/no/such/folder"),
        (&["--task", "cifar", "--data", "generated", "--preset", "scatter-linear"], &out, "can't be swept"),
        (&["--task", "mnist", "--preset", "scatter-linear"], &out, "can't be swept"),
        (&["--noise-multipliers", "1"], &below_a_file, "file"),
        (&["--select", "private", "--seed", "1"], &out, "secret randomness"),
        (&["--select", "private", "--seeds", "3"], &out, "--seeds"),
        (&["--task", "cifar", "--data", "generated", "--average", "1"], &out, "below 1"),
        (&["--average", "0.9"], &out, "knows no --average"),
        (&["--score-noise", "3"], &out, "--select private"),
        (&["--select", "private", "--expected-trials", "1"], &out, "--expected-trials 1"),
        (&["--delta", "0.1"], &out, "delta"),
    ] {
        // Where no data set lies in a default folder.
        let output = command("sweep_noise", arguments, out).current_dir(folder.path()).output().unwrap();
        let message = text(&output.stderr);
        assert!(!output.status.success() && message.contains(words), "{arguments:?}: {words:?} is not in: {message}");
        assert!(message.starts_with("error: "), "{message}");
        assert!(!text(&output.stdout).contains('|'), "{arguments:?}");
    }
    assert!(lines(&out) == 0 && !out.join("privacy-ledger.jsonl").exists());
}
