//! Sweeps from the outside: what is tried, what is recorded, what is charged, and what is refused.
//!
//! Long because: all tests share one small model and its sweep.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant, RunCount};
use burn_privacy_budget::ledger::{Ledger, compose_charges};
use burn_privacy_budget::plan::{NoiseTarget, PrivacyPlan};
use burn_privacy_mechanisms::Entropy;
use burn_privacy_sweep::{
    PrivateSelection, Setting, Sweep, SweepConfig, SweepDescription, SweepSummary, TRIALS_FILE, Trial, TrialOutcome,
    TrialResult,
};

const ADD: Adjacency = Adjacency::AddOrRemoveOne;

/// Three noise multipliers, two learning rates, two runs each.
fn config() -> SweepConfig {
    SweepConfig::new("people", 1_000)
        .with_noise_multipliers([1.0, 2.0])
        .with_epsilons([3.0])
        .with_learning_rates([0.1, 0.5])
        .with_batch_sizes([100])
        .with_epochs(2.0)
        .with_delta(1e-4)
        .with_repeats(2)
}

/// A score that tells setting and repeat.
fn score(plan: &PrivacyPlan, trial: &Trial) -> TrialResult {
    let rate = trial.setting().map_or(0.0, |setting| setting.learning_rate);
    Ok(TrialOutcome::score(plan.noise_multiplier() + 10.0 * rate + 100.0 * f64::from(trial.repeat())))
}

fn quiet(_: burn_privacy_sweep::SweepProgress) {}

fn whole(folder: &Path, jobs: usize) -> SweepSummary {
    let sweep = Sweep::open(config(), folder, None).unwrap().with_jobs(jobs);
    sweep.run(score, quiet).unwrap();
    sweep.summary().unwrap()
}

#[test]
fn every_setting_runs_as_often_as_asked_whatever_the_number_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let summary = whole(folder.path(), 1);
    assert_eq!(summary.settings.len(), 6);
    for row in &summary.settings {
        let planned = row.planned.as_ref().unwrap();
        let base = planned.plan.noise_multiplier() + 10.0 * planned.setting.learning_rate;
        assert_eq!(row.scores, [base, base + 100.0]);
        assert_eq!(planned.plan.steps(), 20);
        assert!((row.mean() - base - 50.0).abs() < 1e-12);
        assert!((row.standard_deviation().unwrap() - 100.0 / 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(row.range(), (base, base + 100.0));
    }
    let targeted = summary.settings[2].planned.as_ref().unwrap();
    assert_eq!(targeted.setting.noise, NoiseTarget::Epsilon(3.0));
    assert!(targeted.figures.epsilon_pld <= 3.0 && targeted.figures.epsilon_pld > 2.99);
    assert!(targeted.figures.epsilon_rdp >= targeted.figures.epsilon_pld);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(whole(other.path(), 4).to_csv(), summary.to_csv());
}

#[test]
fn the_cost_is_that_of_all_trials_composed() {
    let folder = tempfile::tempdir().unwrap();
    let summary = whole(folder.path(), 2);
    let charges = Ledger::read(folder.path().join("privacy-ledger.jsonl")).unwrap().charges();
    assert_eq!((charges.len(), summary.charged_trials, summary.other_runs), (12, 12, 0));
    assert!(charges.iter().all(|charge| charge.steps == 20 && charge.closed && charge.private));
    // By hand: each of the three kinds of step runs 2 x 2 x 20 times.
    let (mut tight, mut renyi) = (PldAccountant::new(ADD), RdpAccountant::new(ADD));
    for row in &summary.settings[..3] {
        let step = row.planned.as_ref().unwrap().plan.step_event().unwrap();
        tight.compose(&step, 80).unwrap();
        renyi.compose(&step, 80).unwrap();
    }
    let found: Vec<f64> = summary.composed.iter().map(|report| report.epsilon).collect();
    assert_eq!(found, [tight.epsilon(1e-4).unwrap(), renyi.epsilon(1e-4).unwrap()]);
    let largest =
        summary.settings.iter().map(|row| row.planned.as_ref().unwrap().figures.epsilon_pld).fold(0.0, f64::max);
    assert!(found[0] > largest);
    assert!(summary.to_markdown("score").contains("12 charged trials of this sweep together cost"));
}

#[test]
fn a_trial_is_charged_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    let ledger = folder.path().join("privacy-ledger.jsonl");
    let seen = AtomicUsize::new(0);
    sweep
        .run(
            |plan, trial| {
                let charges = Ledger::read(&ledger).unwrap().charges();
                assert_eq!(charges.len(), seen.fetch_add(1, Ordering::SeqCst) + 1);
                let last = charges.last().unwrap();
                assert_eq!(
                    (last.steps, last.name.contains(&format!("trial {} ", trial.number()))),
                    (plan.steps(), true)
                );
                Ok(TrialOutcome::score(0.0))
            },
            quiet,
        )
        .unwrap();
    assert_eq!(sweep.summary().unwrap().settings.iter().map(|row| row.scores.len()).sum::<usize>(), 12);
}

#[test]
fn a_sweep_goes_on_where_it_stopped_and_repeats_nothing() {
    let (folder, reference) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = whole(reference.path(), 1).to_csv();
    whole(folder.path(), 1);
    // Five trials are left of a file that a crash cut off within the sixth, whose charge is in the ledger.
    let file = folder.path().join(TRIALS_FILE);
    let text = fs::read_to_string(&file).unwrap();
    let kept: usize = text.split_inclusive('\n').take(6).map(str::len).sum();
    fs::write(&file, &text[..kept + 40]).unwrap();

    let ran = Mutex::new(Vec::new());
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    let started = Mutex::new(None);
    sweep
        .run(
            |plan, trial| {
                ran.lock().unwrap().push(trial.number());
                score(plan, trial)
            },
            |progress| {
                started.lock().unwrap().get_or_insert((progress.done, progress.total));
                // A program may print the table after each trial.
                assert!(sweep.summary().is_ok());
            },
        )
        .unwrap();
    assert_eq!(*ran.lock().unwrap(), (5..12).collect::<Vec<usize>>());
    assert_eq!(*started.lock().unwrap(), Some((5, 12)));
    let summary = sweep.summary().unwrap();
    assert_eq!(summary.to_csv(), expected);
    // Interrupted attempts stay charged, and the repetitions are charged again.
    assert_eq!(summary.charged_trials, 12 + 7);
    let charges = Ledger::read(sweep.ledger_path()).unwrap().charges();
    assert!(charges.iter().any(|charge| charge.name.ends_with("trial 5 attempt 2")));
    drop(sweep);

    // Nothing is left.
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    sweep.run(|_, _| panic!("there is nothing to run"), quiet).unwrap();
    assert_eq!(sweep.summary().unwrap().to_csv(), expected);
}

#[test]
fn every_cut_of_the_file_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let expected = whole(folder.path(), 1).to_csv();
    let text = fs::read(folder.path().join(TRIALS_FILE)).unwrap();
    for cut in (0..text.len()).step_by(97).chain([1, 30]) {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join(TRIALS_FILE), &text[..cut]).unwrap();
        let whole_lines = text[..cut].iter().filter(|byte| **byte == b'\n').count();
        let ran = AtomicUsize::new(0);
        let sweep = Sweep::open(config(), other.path(), None).unwrap();
        let counted = |plan: &PrivacyPlan, trial: &Trial| {
            ran.fetch_add(1, Ordering::SeqCst);
            score(plan, trial)
        };
        sweep.run(counted, quiet).unwrap();
        assert_eq!(ran.into_inner(), 12 - whole_lines.saturating_sub(1), "{cut}");
        assert_eq!(sweep.summary().unwrap().to_csv(), expected, "{cut}");
    }
}

#[test]
fn a_failed_trial_is_recorded_and_ends_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = Sweep::open(config(), folder.path(), None).unwrap().with_jobs(3);
    sweep
        .run(
            |plan, trial| match trial.number() {
                0 => Err("the disk is full".into()),
                1 => panic!("index out of range"),
                3 => Ok(TrialOutcome::score(f64::NAN)),
                _ => score(plan, trial),
            },
            quiet,
        )
        .unwrap();
    let summary = sweep.summary().unwrap();
    let errors: Vec<&str> = summary.settings.iter().flat_map(|row| &row.errors).map(String::as_str).collect();
    assert_eq!((errors.len(), errors[0], errors[2]), (3, "the disk is full", "the score is NaN"));
    // A panic's message shows values, private ones perhaps.
    assert!(errors[1].starts_with("the trial panicked") && !errors[1].contains("range"), "{}", errors[1]);
    assert_eq!(summary.settings.iter().map(|row| row.scores.len()).sum::<usize>(), 9);
    assert!(summary.to_markdown("score").contains("1 failed trials of noise multiplier 1"));
    assert!(summary.to_csv().lines().nth(1).unwrap().contains(",2,1,"));
    // A failure is an end: it is not tried again.
    drop(sweep);
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    sweep.run(|_, _| panic!("there is nothing to run"), quiet).unwrap();
    assert_eq!(sweep.summary().unwrap(), summary);
}

#[test]
fn bad_sweeps_are_refused_before_any_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let empty = || SweepConfig::new("people", 1_000);
    let setting = Setting { noise: NoiseTarget::Epsilon(1.0), clip: 1.0, learning_rate: 0.1, batch_size: 0 };
    for (config, words) in [
        (empty(), "no noise multiplier or epsilon"),
        (config().with_learning_rates([]), "no learning rate"),
        (config().with_batch_sizes([]), "no batch size"),
        (config().with_noise_multipliers([0.0]), "noise multiplier = 0"),
        (config().with_noise_multipliers([-1.0]), "noise multiplier = -1"),
        (config().with_noise_multipliers([f64::NAN]), "noise multiplier = NaN"),
        (config().with_epsilons([0.0]), "epsilon = 0"),
        (config().with_clips([f64::INFINITY]), "clipping norm = inf"),
        (config().with_settings([setting]), "batch size = 0"),
        (config().with_batch_sizes([1_001]), "expected batch size = 1001"),
        (config().with_epochs(0.0), "epochs = 0"),
        (config().with_delta(0.5), "delta = 5e-1"),
        (config().with_repeats(0), "number of runs of a setting = 0"),
        (config().with_repeats(1_000_000), "number of trials"),
        (config().simulated_at_batch(Some(101)), "simulated batch size = 101"),
    ] {
        let error = Sweep::open(config, folder.path().join("new"), None).err().unwrap().to_string();
        assert!(error.contains(words), "{words:?} is not in: {error}");
    }
    assert!(!folder.path().join("new").exists());
    let error = Sweep::open(config(), file.join("below"), None).err().unwrap().to_string();
    assert!(error.contains("give a folder that can be written to"), "{error}");
}

#[test]
fn another_sweeps_folder_a_damaged_one_and_one_in_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sweep::open(config(), folder.path(), None).unwrap();
    let error = Sweep::open(config(), folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("in use"), "{error}");
    first.run(score, quiet).unwrap();
    drop(first);
    let before = fs::read(folder.path().join(TRIALS_FILE)).unwrap();
    for (other, words) in [
        (config().with_epochs(3.0), "epochs = 2.0 there, 3.0 here"),
        (config().with_seed(Some(1)), "seed = null there, 1 here"),
        (config().with_label("another model"), "another model"),
    ] {
        let error = Sweep::open(other, folder.path(), None).err().unwrap().to_string();
        assert!(error.contains("another sweep") && error.contains(words), "{error}");
    }
    assert_eq!(fs::read(folder.path().join(TRIALS_FILE)).unwrap(), before);

    let mut file = OpenOptions::new().append(true).open(folder.path().join(TRIALS_FILE)).unwrap();
    file.write_all(b"nonsense\n").unwrap();
    let error = Sweep::open(config(), folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("line 14"), "{error}");
    fs::write(folder.path().join(TRIALS_FILE), "my notes").unwrap();
    let error = Sweep::open(config(), folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("line 1: it is not a list of trials"), "{error}");
    assert_eq!(fs::read(folder.path().join(TRIALS_FILE)).unwrap(), b"my notes");
}

#[cfg(unix)]
#[test]
fn a_list_of_trials_that_is_replaced_stops_the_sweep_and_loses_no_trial_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join(TRIALS_FILE);
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    let replaced = |plan: &PrivacyPlan, trial: &Trial| {
        if trial.number() == 2 {
            // A copy of the same length, as a synchronization tool makes it: what is written to the old file is lost.
            let copy = folder.path().join("copy");
            fs::copy(&list, &copy).unwrap();
            fs::rename(&copy, &list).unwrap();
        }
        score(plan, trial)
    };
    let error = sweep.run(replaced, quiet).unwrap_err().to_string();
    assert!(error.contains("another file") && error.contains("open the sweep again"), "{error}");
    assert_eq!(sweep.summary().unwrap().settings.iter().map(|row| row.scores.len()).sum::<usize>(), 2);
    drop(sweep);
    // The third trial was charged and is not in the list: it is repeated, and charged again.
    let summary = whole(folder.path(), 1);
    assert_eq!(summary.settings.iter().map(|row| row.scores.len()).sum::<usize>(), 12);
    assert_eq!(summary.charged_trials, 13);
}

#[test]
fn a_fixed_seed_is_the_same_for_a_repeat_of_every_setting_and_voids_everything() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = Sweep::open(config().with_seed(Some(7)), folder.path(), None).unwrap();
    let seeds = Mutex::new(BTreeMap::<u32, Vec<Option<u64>>>::new());
    sweep
        .run(
            |plan, trial| {
                assert_eq!(trial.entropy(), Entropy::seeded(trial.seed().unwrap()));
                seeds.lock().unwrap().entry(trial.repeat()).or_default().push(trial.seed());
                score(plan, trial)
            },
            quiet,
        )
        .unwrap();
    assert_eq!(*seeds.lock().unwrap(), BTreeMap::from([(0, vec![Some(7); 6]), (1, vec![Some(8); 6])]));
    let summary = sweep.summary().unwrap();
    assert!(summary.notes()[0].starts_with("NOT PRIVATE"));
    assert!(Ledger::read(sweep.ledger_path()).unwrap().charges().iter().all(|charge| !charge.private));
}

#[test]
fn epochs_are_as_many_steps_as_in_a_plan_and_on_the_command_line() {
    let steps = |epochs, batch| {
        let config = SweepConfig::new("people", 50_000).with_noise_multipliers([1.0]).with_batch_sizes([batch]);
        config.with_epochs(epochs).planned().unwrap()[0].plan.steps()
    };
    assert_eq!((steps(9.0, 30), steps(1.1, 10)), (15_000, 5_500));
}

#[test]
fn a_simulation_keeps_batch_over_noise_and_the_steps_and_says_what_it_stands_for() {
    let planned = config().simulated_at_batch(Some(10)).planned().unwrap();
    for (simulated, large) in planned.iter().zip(config().planned().unwrap()) {
        let (plan, figures) = simulated.shown();
        assert_eq!((plan, figures), (&large.plan, large.figures));
        assert_eq!(simulated.plan.steps(), large.plan.steps());
        assert_eq!(simulated.plan.sampling().expected_batch_size(), 10);
        let ratio = |plan: &PrivacyPlan| plan.sampling().expected_batch_size() as f64 / plan.noise_multiplier();
        assert!((ratio(&simulated.plan) / ratio(&large.plan) - 1.0).abs() < 1e-12);
        // Less noise with a smaller batch costs far more.
        assert!(simulated.figures.epsilon_pld > 2.0 * figures.epsilon_pld);
    }
}

#[test]
fn trials_without_privacy_are_recorded_but_not_charged() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    sweep.run(score, quiet).unwrap();
    sweep.run_without_privacy(|trial| Ok(TrialOutcome::score(f64::from(trial.repeat()))), quiet).unwrap();
    let summary = sweep.summary().unwrap();
    assert_eq!((summary.charged_trials, summary.settings.len()), (12, 7));
    let plain = summary.settings.last().unwrap();
    assert_eq!((plain.planned.is_none(), plain.scores.as_slice()), (true, &[0.0, 1.0][..]));
    assert!(summary.notes().iter().any(|note| note.contains("no ε covers them")));
}

#[test]
fn the_report_is_one_page_without_scripts_and_with_escaped_text() {
    let folder = tempfile::tempdir().unwrap();
    let config = SweepConfig::new("<script>alert(1)</script> & people", 1_000)
        .with_noise_multipliers([1.0])
        .with_batch_sizes([100]);
    let config = config.with_delta(1e-4);
    let sweep = Sweep::open(config, folder.path(), None).unwrap();
    sweep.run(score, quiet).unwrap();
    let description = SweepDescription {
        score: "Test accuracy (%)".into(),
        command: "sweep --name \"a<b>\"".into(),
        facts: vec![("Model".into(), "a & b".into())],
    };
    let written = sweep.summary().unwrap().write(folder.path(), &description).unwrap();
    assert!(written.iter().all(|file| file.metadata().unwrap().len() > 100));
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    for words in
        ["sweep --name &quot;a&lt;b&gt;&quot;", "a &amp; b", env!("CARGO_PKG_VERSION"), "0.22.1", "Test accuracy"]
    {
        assert!(page.contains(words), "{words}");
    }
    // Nothing is fetched from elsewhere: the only address is a namespace.
    assert!(page.matches("http").count() == page.matches("http://www.w3.org/2000/svg").count(), "{page}");
    if cfg!(feature = "plot") {
        assert_eq!(page.matches("<svg").count(), 3);
    }
}

#[test]
fn a_private_selection_charges_the_worst_setting_once_and_gives_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.jsonl");
    let runs = RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 0.05 };
    let config = config().with_batch_sizes([50, 100]).with_repeats(1);
    let selection = PrivateSelection::new(config.clone(), runs).unwrap();

    // The least noise, the highest rate and the most steps of any setting.
    let step = DpEvent::poisson_sampled(0.1, DpEvent::gaussian(least_noise(&config)).unwrap()).unwrap();
    let run = DpEvent::composed(vec![DpEvent::self_composed(step, 40).unwrap()]).unwrap();
    assert_eq!(selection.event().unwrap(), DpEvent::repeat_and_select(runs, run).unwrap());
    // It bounds every setting's own selection.
    for planned in config.planned().unwrap() {
        let mut accountant = RdpAccountant::new(ADD);
        accountant.compose(&DpEvent::repeat_and_select(runs, planned.plan.event().clone()).unwrap(), 1).unwrap();
        assert!(accountant.epsilon(1e-4).unwrap() <= selection.epsilon().unwrap());
        assert!(planned.figures.epsilon_rdp < selection.epsilon().unwrap());
    }

    let tried = Mutex::new(Vec::new());
    let winner = selection
        .run(&ledger, "first", |plan, trial| {
            assert_eq!(Ledger::read(&ledger).unwrap().charges().len(), 1);
            assert_eq!((trial.number(), trial.repeat(), trial.seed()), (0, 0, None));
            let score = plan.noise_multiplier();
            tried.lock().unwrap().push(score);
            Ok(TrialOutcome { score, model: score.to_le_bytes().to_vec() })
        })
        .unwrap()
        .unwrap();
    let best = tried.into_inner().unwrap().into_iter().fold(0.0, f64::max);
    assert_eq!((winner.score, winner.plan.noise_multiplier()), (best, best));
    assert_eq!(winner.model, best.to_le_bytes());
    let charges = Ledger::read(&ledger).unwrap().charges();
    assert_eq!((charges.len(), charges[0].steps, charges[0].private), (1, 1, true));
    let mut accountant = RdpAccountant::new(ADD);
    compose_charges(&charges, &mut accountant).unwrap();
    assert_eq!(accountant.epsilon(1e-4).unwrap(), selection.epsilon().unwrap());

    // The same name again would be a second use under the first one's charge.
    assert!(selection.run(&ledger, "first", score).unwrap_err().to_string().contains("first"));
    // Failures count as the worst score; if there is nothing else, nothing is released.
    assert_eq!(selection.run(&ledger, "second", |_, _| Err("no".into())).unwrap(), None);
    // A paid score costs more.
    let paid = selection.clone().with_score_event(DpEvent::gaussian(5.0).unwrap()).unwrap();
    assert!(paid.epsilon().unwrap() > selection.epsilon().unwrap());
}

fn least_noise(config: &SweepConfig) -> f64 {
    config.planned().unwrap().iter().map(|planned| planned.plan.noise_multiplier()).fold(f64::INFINITY, f64::min)
}

#[test]
fn what_protects_nobody_is_no_private_selection() {
    let runs = RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 0.1 };
    let refused = |config, runs| PrivateSelection::new(config, runs).unwrap_err().to_string();
    assert!(refused(config().with_seed(Some(1)), runs).contains("secret randomness"));
    assert!(refused(config().simulated_at_batch(Some(10)), runs).contains("releases the model"));
    assert!(refused(config(), RunCount::Poisson { mean: 1e9 }).contains("mean number of runs"));
    assert!(refused(config(), RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 1e-9 }).contains("stopping"));
    assert!(refused(config(), RunCount::TruncatedNegativeBinomial { shape: -2.0, gamma: 0.1 }).contains("shape"));
    // Of this shape every draw would be 1, where about 1,100 runs are paid for.
    assert!(
        refused(config(), RunCount::TruncatedNegativeBinomial { shape: 1_100.0, gamma: 0.5 }).contains("at most 10")
    );
}

#[test]
fn a_setting_that_is_given_twice_is_refused() {
    let message = config().with_learning_rates([0.1, 0.1]).planned().unwrap_err().to_string();
    assert!(message.contains("each setting once"), "{message}");
}

/// The variable that tells a test process to play the selection of the next test.
const PANICKING: &str = "BURN_PRIVACY_PANICKING_TRIALS";

/// Plays a sweep and a selection whose trials panic, here and in a thread of their own.
#[test]
fn panicking_trials() {
    if std::env::var_os(PANICKING).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let runs = RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 0.05 };
    let panics = |_: &PrivacyPlan, _: &Trial| -> TrialResult {
        let _ = std::thread::spawn(|| panic!("a helper met the label 73519")).join();
        panic!("the label was 73519")
    };
    let selection = PrivateSelection::new(config().with_repeats(1), runs).unwrap();
    assert_eq!(selection.run(&folder.path().join("ledger.jsonl"), "first", panics).unwrap(), None);
    let sweep = Sweep::open(config(), folder.path(), None).unwrap();
    sweep.run(|_, _| panic!("the label was 73519"), quiet).unwrap();
    assert!(!sweep.summary().unwrap().to_markdown("score").contains("73519"));
    drop(sweep);
    let everything: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert!(everything.iter().all(|text| !text.contains("73519")), "{everything:?}");
    // Other panics are shown as ever.
    let _ = std::thread::spawn(|| panic!("this one is public")).join();
}

#[test]
fn panicking_trials_print_nothing() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "panicking_trials", "--nocapture", "--test-threads=1"])
        .env(PANICKING, "")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(!text.contains("73519"), "{text}");
    assert_eq!(text.matches("panicked at").count(), 1, "{text}");
    assert!(text.contains("this one is public"), "{text}");
}

#[test]
fn a_seeded_sweeps_cost_is_infinite() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = Sweep::open(config().with_seed(Some(1)), folder.path(), None).unwrap();
    sweep.run(score, quiet).unwrap();
    let summary = sweep.summary().unwrap();
    for reports in [&summary.composed, &summary.ledger] {
        assert!(reports.len() == 2 && reports.iter().all(|report| report.epsilon == f64::INFINITY), "{reports:?}");
    }
    assert!(summary.to_markdown("score").contains("NOT PRIVATE: fixed seed"));
}

#[test]
fn charges_under_another_adjacency_do_not_compose() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path(), 1);
    let charges = Ledger::read(folder.path().join("privacy-ledger.jsonl")).unwrap().charges();
    let mut accountant = RdpAccountant::new(Adjacency::ReplaceOne);
    let error = compose_charges(&charges, &mut accountant).unwrap_err().to_string();
    assert!(error.contains("add-or-remove-one"), "{error}");
}
