//! The program `cifar_dp` from the outside: what it prints, what it leaves behind, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{command, program, text};
use burn::module::Module;
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::report::{Protection, RunReport};
use burn_privacy_pretrained::EfficientNetLite0;
use tempfile::TempDir;

/// A run so small that it takes a second.
const TINY: [&str; 12] = [
    "--data",
    "generated",
    "--device",
    "cpu",
    "--batch-size",
    "20",
    "--limit-train",
    "200",
    "--limit-test",
    "40",
    "--max-steps",
    "2",
];

fn run(arguments: &[&str], out: &Path) -> Output {
    command("cifar_dp", arguments, out).output().unwrap()
}

/// A tiny run that must succeed: its folder, its output, its report.
fn tiny(more: &[&str]) -> (TempDir, String, RunReport) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&[&TINY, more].concat(), folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = report(folder.path());
    (folder, text(&output.stdout), report)
}

fn report(folder: &Path) -> RunReport {
    RunReport::from_json(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn help_shows_options_by_topic_defaults_presets_and_examples() {
    let output = Command::new(program("cifar_dp")).arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = text(&output.stdout);
    for words in [
        "What is trained:",
        "Privacy (",
        "Optimization (",
        "Data:",
        "Running:",
        "[default: quick]",
        "[default: auto]",
        "runs/cifar_dp",
        "Presets:",
        "--noise-multiplier",
        "NOT private",
        "Examples:",
        "cifar_dp --epsilon 1",
        "BURN_PRIVACY_DATA",
        "Ctrl-C",
        "130 interrupted",
    ] {
        let in_one_line = help.split_whitespace().collect::<Vec<&str>>().join(" ");
        assert!(in_one_line.contains(words), "{words:?} is not in:\n{help}");
    }
    for hidden in ["--limit-train", "--limit-test", "--max-steps"] {
        assert!(!help.contains(hidden));
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn wrong_usage_is_refused_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (arguments, words) in [
        (&["--epsilon", "3", "--noise-multiplier", "1"][..], "cannot be used with"),
        (&["--no-privacy", "--epsilon", "3"], "cannot be used with"),
        (&["--no-privacy", "--clip", "3"], "cannot be used with"),
        (&["--nonsense"], "--nonsense"),
        (&["--device", "abacus"], "auto, cpu"),
        (&["--preset", "slow"], "quick"),
        (&["--batch-size", "0"], "--batch-size"),
        (&["--views", "0"], "--views"),
        (&["--no-privacy", "--views", "2"], "cannot be used with"),
        (&["--epochs=-1"], "--epochs"),
        (&["--epsilon", "0"], "above 0"),
        (&["--epsilon", "NaN"], "above 0"),
        (&["--noise-multiplier=-1"], "0 or above"),
        (&["--momentum", "1"], "below 1"),
        (&["--learning-rate", "inf"], "above 0"),
        (&["--download", "--data", "generated"], "no download"),
    ] {
        let output = run(arguments, &out);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(words), "{words:?} is not in: {message}");
        assert!(output.stdout.is_empty());
    }
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_done_is_one_sentence_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let below_a_file = file.join("out");
    let out = folder.path().join("out");
    for (arguments, out, words) in [
        (&["--data", "/no/such/folder"][..], &out, "/no/such/folder: there is no such file or folder"),
        (&[&TINY[..], &["--delta", "0.5"]].concat(), &out, "delta = 5e-1 is not possible"),
        (&[&TINY[..], &["--clip", "1e13"]].concat(), &out, "clipping norm"),
        (&[&TINY[..], &["--batch-size", "201"]].concat(), &out, "expected batch size"),
        (&TINY, &below_a_file, "--out"),
    ] {
        let output = run(arguments, out);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.starts_with("error: ") && message.contains(words), "{words:?} is not in: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    }
}

#[test]
fn a_private_run_says_what_it_does_and_leaves_everything_behind() {
    let (folder, output, report) = tiny(&["--epsilon", "2.5"]);
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some("Training on: generated images (not CIFAR-10), 200 train / 40 test"));
    for words in [
        "Device:      cpu (flex)",
        "parameters",
        "calibrated to epsilon 2.5",
        "epsilon so far",
        "test accuracy",
        "declared public",
        "Privacy statement",
        "Test accuracy: ",
        "(2.5, 1e-5)-differential privacy",
        "generated training images (not CIFAR-10)",
    ] {
        assert!(output.contains(words), "{words:?} is not in:\n{output}");
    }
    let while_training = output.split("Privacy statement").next().unwrap();
    assert!(!output.contains("NOT PRIVATE") && !while_training.to_lowercase().contains("loss"), "{output}");

    assert_eq!(
        names(folder.path()),
        [
            "curve.csv",
            "curve.png",
            "curve.svg",
            "model.bpk",
            "privacy-ledger-generated.jsonl",
            "report.json",
            "statement.md"
        ]
    );
    assert!(!report.interrupted && report.epsilon > 1.0 && report.epsilon <= 2.5);
    assert_eq!(report.settings["privacy"]["noise"]["epsilon"], 2.5);
    assert_eq!(report.settings["batch_size"], 20);
    let Protection::DifferentialPrivacy { plan, statement } = &report.protection else { panic!("{report:?}") };
    assert_eq!(
        (plan.steps(), statement.charged_steps, statement.dataset.as_str()),
        (2, 2, "generated training images (not CIFAR-10)")
    );
    assert_eq!(report.curve.last().unwrap().step, 2);
    assert_eq!(report.curve.last().map(|point| point.accuracy), report.test_accuracy);
    assert!(fs::read(folder.path().join("curve.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(folder.path().join("statement.md")).unwrap().contains("(2.5, 1e-5)"));
    let charges = Ledger::read(folder.path().join("privacy-ledger-generated.jsonl")).unwrap().charges();
    assert_eq!((charges.len(), charges[0].steps, charges[0].name.as_str()), (1, 2, report.run.as_str()));
}

#[test]
fn a_second_run_into_the_same_folder_adds_to_the_ledger() {
    let (folder, ..) = tiny(&[]);
    let output = run(&[&TINY[..], &["--noise-multiplier", "2", "--holdout"]].concat(), folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let first = text(&output.stdout).lines().next().unwrap().to_owned();
    assert_eq!(
        first,
        "Training on: generated images (not CIFAR-10), 200 train / 40 validation / 40 test held out of the training set"
    );
    assert!(text(&output.stdout).contains("validation accuracy"));
    let charges = Ledger::read(folder.path().join("privacy-ledger-generated.jsonl")).unwrap().charges();
    assert_eq!(charges.iter().map(|charge| charge.steps).collect::<Vec<u64>>(), [2, 2]);
    assert!(
        fs::read_to_string(folder.path().join("curve.csv"))
            .unwrap()
            .starts_with("step,epoch,epsilon,validation_accuracy")
    );
}

#[test]
fn augmented_views_are_reported_and_cost_no_epsilon() {
    let (_, alone, plain) = tiny(&["--epsilon", "2.5"]);
    let (_, output, report) = tiny(&["--epsilon", "2.5", "--views", "3"]);
    assert!(output.contains("Views:       3 of each image, clipped as one"), "{output}");
    assert!(!alone.contains("Views:"), "{alone}");
    assert_eq!(report.settings["privacy"]["views"], 3);
    assert_eq!(report.epsilon.to_bits(), plain.epsilon.to_bits());
}

#[test]
fn the_wide_residual_network_trains_with_its_views_and_average() {
    // Two examples of 16 views at a time: validation passes over several such batches.
    let few = [
        ["--preset", "wrn"],
        ["--batch-size", "2"],
        ["--physical-batch", "32"],
        ["--limit-train", "40"],
        ["--limit-test", "4"],
        ["--max-steps", "1"],
    ];
    let few = few.concat();
    let (_, output, report) = tiny(&few);
    assert!(output.contains("2,753,818 parameters"), "{output}");
    assert!(output.contains("Views:       16 of each image, clipped as one"), "{output}");
    assert_eq!(report.settings["privacy"]["views"], 16);
    assert_eq!(report.settings["average"], 0.9999);
}

#[test]
fn the_cnn_on_scattering_features_trains() {
    let features = tempfile::tempdir().unwrap();
    let scatter = ["--preset", "scatter-cnn", "--features", features.path().to_str().unwrap()];
    let (_, output, report) = tiny(&scatter);
    // 9 x 243 x 64 + 64, 9 x 64 x 64 + 64, 256 x 10 + 10.
    assert!(output.contains("179,530 parameters"), "{output}");
    assert_eq!(report.settings["average"], 0.98);
    // Train and test images, kept for the next run.
    assert_eq!(names(features.path()).len(), 2);
}

#[test]
fn scattering_features_and_patches_are_joined_for_one_head() {
    let features = tempfile::tempdir().unwrap();
    let (_, output, report) = tiny(&["--preset", "scatter-patches", "--features", features.path().to_str().unwrap()]);
    assert!(output.contains("243 scattering channels of 8 x 8, 1600 channels of patches"), "{output}");
    assert!(matches!(report.protection, Protection::PhasedDifferentialPrivacy { .. }), "{:?}", report.protection);
    // Both of train and test images.
    assert_eq!(names(features.path()).len(), 4);
}

#[test]
fn a_seeded_run_repeats_bit_for_bit_and_says_that_it_is_not_private() {
    let reports = [(); 2].map(|()| {
        let (folder, output, mut report) = tiny(&["--seed", "7"]);
        assert!(output.contains("NOT PRIVATE: fixed seed"), "{output}");
        assert!(fs::read_to_string(folder.path().join("statement.md")).unwrap().contains("NOT PRIVATE: fixed seed"));
        assert_eq!(report.epsilon, f64::INFINITY);
        // Times, and the name that is made of them.
        report.run.clear();
        report.timing.started.clear();
        report.timing.total_seconds = 0.0;
        report.timing.training_seconds = 0.0;
        report.timing.evaluation_seconds = 0.0;
        report.timing.examples_per_second = 0.0;
        (report.to_json().unwrap(), fs::read(folder.path().join("curve.png")).unwrap())
    });
    assert_eq!(reports[0], reports[1]);
}

#[test]
fn a_run_without_privacy_says_so_everywhere() {
    let (folder, output, report) = tiny(&["--no-privacy", "--model", "linear"]);
    assert!(output.matches("NOT PRIVATE").count() >= 3, "{output}");
    assert_eq!((report.epsilon, report.protection), (f64::INFINITY, Protection::NotPrivate));
    assert_eq!(report.model.parameters, 30_730);
    assert!(report.settings["privacy"].is_null());
    assert!(report.curve.iter().all(|point| point.epsilon == f64::INFINITY));
    for file in ["statement.md", "curve.svg"] {
        assert!(fs::read_to_string(folder.path().join(file)).unwrap().contains("NOT PRIVATE"), "{file}");
    }
    assert!(!folder.path().join("privacy-ledger-generated.jsonl").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_cleanly_with_the_true_count_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let endless = [&TINY[..10], &["--epochs", "1000000", "--noise-multiplier", "50"]].concat();
    let mut child =
        command("cifar_dp", &endless, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("1/1000000") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the output ended early");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{rest}");
    assert!(text(&ended.stderr).contains("finishing the current step"), "{}", text(&ended.stderr));
    assert!(rest.contains("Interrupted after"), "{rest}");

    let report = report(folder.path());
    let Protection::DifferentialPrivacy { statement, .. } = &report.protection else { panic!("{report:?}") };
    assert!(report.interrupted && statement.charged_steps < statement.planned_steps);
    assert_eq!(report.curve.last().unwrap().step, statement.charged_steps);
    assert!(report.test_accuracy.is_some());
    let charges = Ledger::read(folder.path().join("privacy-ledger-generated.jsonl")).unwrap().charges();
    assert_eq!(charges[0].steps, statement.charged_steps);
    assert!(folder.path().join("model.bpk").is_file());
    assert!(!names(folder.path()).iter().any(|name| name.contains("unfinished")));
}

#[test]
fn a_run_starts_from_the_weights_of_another_and_says_so() {
    let (first, _, _) = tiny(&[]);
    let weights = first.path().join("model.bpk");
    let weights = weights.to_str().unwrap();
    let (_, stdout, report) = tiny(&["--pretrained", weights, "--keep", "^output"]);
    assert!(stdout.contains("Pretrained:  4 of 6 weights"), "{stdout}");
    let Protection::DifferentialPrivacy { statement, .. } = report.protection else {
        panic!("{:?}", report.protection)
    };
    assert!(statement.assumptions.iter().any(|text| text.contains(weights) && text.contains("taken to be public")));
    assert_eq!(report.settings["pretrained"], weights);

    // A model of another shape, and names that are not there.
    let folder = tempfile::tempdir().unwrap();
    for (more, words) in [
        (&["--model", "tanh"][..], "Not in the file: convolutions.0."),
        (&["--rename", "^conv1=first"], "with no place in the module: first."),
        (&["--rename", "(=x"], "no regular expression"),
        (&["--preset", "scatter-linear"], "no weights to load"),
        (&["--preset", "scatter-patches"], "no weights to load"),
        (&["--preset", "public-linear"], "Not in the file: blocks.0."),
    ] {
        let output = run(&[&TINY[..], &["--pretrained", weights], more].concat(), folder.path());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{more:?}: {message}");
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    let without = run(&[&TINY[..], &["--preset", "public-linear"]].concat(), folder.path());
    assert!(text(&without.stderr).contains("--pretrained FILE with EfficientNet-Lite0"), "{}", text(&without.stderr));
}

#[test]
fn a_head_on_public_features_names_the_public_network_and_its_data() {
    let folder = tempfile::tempdir().unwrap();
    // Weights that nobody trained have the same shapes.
    let weights = folder.path().join("efficientnet.bpk");
    EfficientNetLite0::new(1000, &Device::flex()).save_file(&weights).unwrap();
    let features = folder.path().join("features");
    let more = ["--preset", "public-linear", "--pretrained", weights.to_str().unwrap(), "--side", "32", "--features"];
    let (out, stdout, report) = tiny(&[&more[..], &[features.to_str().unwrap()]].concat());
    assert!(stdout.contains("1280 of EfficientNet-Lite0, trained on ImageNet"), "{stdout}");
    let Protection::PhasedDifferentialPrivacy { statement } = report.protection else {
        panic!("{:?}", report.protection)
    };
    assert!(statement.to_string().contains("features of EfficientNet-Lite0, trained on ImageNet"));
    assert!(statement.assumptions.iter().any(|text| text.contains("its training data are not protected")));
    assert!(names(out.path()).contains(&"head.npy".to_owned()));
    // Training and test images, each once: their normalization needs no others.
    assert_eq!(names(&features).len(), 2);
    assert!(statement.to_string().contains("each image's normalized by itself"));
}
