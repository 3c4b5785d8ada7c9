//! The program `mnist_dp` from the outside, on a few images that this test draws.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;

use crate::support::{command, text};
use burn_privacy::report::{Protection, RunReport};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// Bars whose place tells the class, in MNIST's format: 300 images to train on, 50 to test on.
fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 300_u32), ("t10k", 50)] {
        let images: Vec<u8> = (0..count as usize)
            .flat_map(|index| {
                (0..784).map(move |at| if at / 28 / 2 == index % 10 + 2 { 255 - (index % 40) as u8 } else { 0 })
            })
            .collect();
        let header = [0x0803, count, 28, 28].map(u32::to_be_bytes).concat();
        fs::write(folder.path().join(format!("{part}-images-idx3-ubyte")), [header, images].concat()).unwrap();
        let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&[[0x0801, count].map(u32::to_be_bytes).concat(), labels].concat()).unwrap();
        let name = format!("{part}-labels-idx1-ubyte.gz");
        fs::write(folder.path().join(name), packed.finish().unwrap()).unwrap();
    }
    folder
}

fn run(data: &Path, more: &[&str], out: &Path) -> Output {
    let arguments = [&["--device", "cpu", "--data", data.to_str().unwrap()], more].concat();
    command("mnist_dp", &arguments, out).output().unwrap()
}

fn report(folder: &Path) -> RunReport {
    RunReport::from_json(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

const SMALL: [&str; 9] =
    ["--unverified", "--nominal-size", "300", "--batch-size", "50", "--epochs", "1", "--delta", "1e-4"];

#[test]
fn presets_are_those_that_were_published() {
    let (data, out) = (data(), tempfile::tempdir().unwrap());
    for (preset, noise, clip, rate, scaling, model) in [
        ("tf-1", 1.3, 1.5, 0.25, "unit", "keras"),
        ("tf-2", 1.1, 1.0, 0.15, "unit", "keras"),
        ("tf-3", 0.7, 1.5, 0.25, "unit", "keras"),
        ("opacus-3", 0.7, 1.5, 0.25, "mnist", "relu"),
        ("tanh", 1.23, 0.1, 0.5, "unit", "tanh"),
    ] {
        let output = run(data.path(), &[&SMALL[..], &["--preset", preset, "--max-steps", "1"]].concat(), out.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report = report(out.path());
        let Protection::DifferentialPrivacy { plan, .. } = &report.protection else { panic!("{report:?}") };
        assert_eq!((plan.noise_multiplier(), plan.clipping().norm()), (noise, clip));
        assert_eq!((report.model.parameters, report.data.train, report.data.test), (26_010, 300, 50));
        let settings = &report.settings;
        assert_eq!(
            (&settings["preset"], &settings["learning_rate"], &settings["pixel_scaling"], &settings["model"]),
            (&preset.into(), &rate.into(), &scaling.into(), &model.into())
        );
    }
}

#[test]
fn a_model_learns_with_little_noise_averaged_or_not_and_without_privacy() {
    let (data, out) = (data(), tempfile::tempdir().unwrap());
    let settings = ["--unverified", "--batch-size", "50", "--epochs", "20", "--seed", "1"];
    let private = ["--nominal-size", "300", "--delta", "1e-4", "--noise-multiplier", "0.3"];
    for more in [&private[..], &[&private[..], &["--average", "0.9"]].concat(), &["--no-privacy"]] {
        let output = run(data.path(), &[&settings[..], more].concat(), out.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("NOT PRIVATE"));
        let report = report(out.path());
        assert!(report.test_accuracy.unwrap() > 0.8, "{more:?}: {report:?}");
        assert_eq!(report.settings["average"].as_f64(), more.contains(&"--average").then_some(0.9));
    }
}

#[test]
fn every_style_of_clipping_and_users_are_in_the_statement_and_in_the_ledger() {
    let data = data();
    for (more, words) in [
        (&["--clipping", "normalized"][..], "automatic clipping"),
        (&["--clipping", "psac", "--clip", "0.5"], "per-sample adaptive clipping at norm 0.5"),
        (&["--clipping", "per-layer"], "layer by layer"),
        (&["--clipping", "quantile", "--batch-size", "100"], "0.5-quantile"),
        (&["--users", "30", "--batch-size", "10", "--delta", "1e-3"], "one user"),
    ] {
        let out = tempfile::tempdir().unwrap();
        let delta = if more.contains(&"--delta") { &[][..] } else { &["--delta", "1e-4"] };
        let output = run(data.path(), &[&SMALL[..3], &["--max-steps", "2"], more, delta].concat(), out.path());
        assert!(output.status.success(), "{more:?}: {}", text(&output.stderr));
        let Protection::DifferentialPrivacy { statement, .. } = report(out.path()).protection else { panic!() };
        assert!(statement.to_string().contains(words), "{words}: {statement}");
        let mut files = fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path());
        let ledger = files.find(|path| path.to_string_lossy().contains("privacy-ledger")).unwrap();
        assert!(fs::read_to_string(ledger).unwrap().contains(words), "{words}");
    }
    let out = tempfile::tempdir().unwrap();
    let output = run(data.path(), &[&SMALL[..], &["--clipping", "normalized", "--clip", "1"]].concat(), out.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no norm"), "{}", text(&output.stderr));
}

#[test]
fn a_run_is_resumed_from_its_checkpoint_and_another_one_is_not() {
    let (data, out) = (data(), tempfile::tempdir().unwrap());
    let settings = [&SMALL[..], &["--max-steps", "6"]].concat();
    let none = run(data.path(), &[&settings[..], &["--resume"]].concat(), out.path());
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("no checkpoint"), "{}", text(&none.stderr));

    // Killed after some checkpoints.
    let small: Vec<&str> = SMALL.iter().map(|word| if *word == "1" { "40" } else { word }).collect();
    let long = [&small[..], &["--max-steps", "60", "--checkpoint-every", "2"]].concat();
    let arguments = [&["--device", "cpu", "--data", data.path().to_str().unwrap()], &long[..]].concat();
    let mut child = command("mnist_dp", &arguments, out.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let third = out.path().join("checkpoints").join("checkpoint-000000000006.bpc");
    let begun = std::time::Instant::now();
    while !third.exists() && begun.elapsed().as_secs() < 50 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(third.exists() || out.path().join("report.json").exists());

    let other = [&small[..], &["--max-steps", "59", "--resume"]].concat();
    let other = run(data.path(), &other, out.path());
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("planned steps"), "{}", text(&other.stderr));

    let resumed = run(data.path(), &[&long[..], &["--resume"]].concat(), out.path());
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let Protection::DifferentialPrivacy { statement, .. } = report(out.path()).protection else { panic!() };
    assert_eq!((statement.charged_steps, statement.planned_steps), (60, 60));
    let newest =
        fs::read_dir(out.path().join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name()).max().unwrap();
    assert!(*newest.to_string_lossy() <= *"checkpoint-000000000060.bpc", "{newest:?}");
}

#[test]
fn a_head_on_scattering_features_learns_and_one_statement_covers_its_normalization() {
    let (data, out) = (data(), tempfile::tempdir().unwrap());
    let features = out.path().join("features");
    let scatter = ["--preset", "scatter-linear", "--features", features.to_str().unwrap(), "--unverified"];
    let small = ["--nominal-size", "300", "--batch-size", "100", "--epochs", "10", "--learning-rate", "20"];
    for (more, phases) in [
        (&["--epsilon", "200", "--delta", "1e-4"][..], 3),
        (&["--epsilon", "200", "--delta", "1e-4", "--seed", "1"], 3),
        (&["--no-privacy"], 0),
    ] {
        let output = run(data.path(), &[&scatter[..], &small, more].concat(), out.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report = report(out.path());
        match &report.protection {
            Protection::PhasedDifferentialPrivacy { statement } => {
                assert_eq!(statement.phases.len(), phases);
                let charged: u64 = statement.phases.iter().map(|phase| phase.charged_steps).sum();
                assert_eq!(charged, 32);
                assert!(statement.planned_epsilon.epsilon <= 200.0);
            }
            Protection::NotPrivate => assert_eq!(phases, 0),
            other => panic!("{other:?}"),
        }
        let void = more.contains(&"--seed") || phases == 0;
        assert_eq!(text(&output.stdout).contains("NOT PRIVATE"), void, "{}", text(&output.stdout));
        assert!(report.test_accuracy.unwrap() > 0.8, "{more:?}: {:?}", report.test_accuracy);
        assert_eq!(report.model.parameters, 10 * (81 * 49 + 1));
        assert!(out.path().join("head.npy").is_file() && out.path().join("normalization.json").is_file());
    }
    // Features are kept: one file for the training images, one for the test's.
    assert_eq!(fs::read_dir(features).unwrap().count(), 2);
    let ledger = fs::read_to_string(out.path().join("privacy-ledger-mnist.jsonl")).unwrap();
    assert!(ledger.contains(" / channel statistics") && ledger.contains(" / linear head"));
}

/// Under add-or-remove-one adjacency the number of images is private: nothing but the model may depend on it.
#[test]
fn nothing_that_is_shown_tells_how_many_images_there_are() {
    let (with, without) = (data(), data());
    // One image less.
    for (name, header, record) in [("train-images-idx3-ubyte", 16, 784), ("train-labels-idx1-ubyte", 8, 1)] {
        let mut bytes: Vec<u8> = match name {
            "train-images-idx3-ubyte" => fs::read(without.path().join(name)).unwrap(),
            _ => {
                [[0x0801, 300_u32].map(u32::to_be_bytes).concat(), (0..300).map(|i| (i % 10) as u8).collect()].concat()
            }
        };
        bytes.truncate(header + 299 * record);
        bytes[4..8].copy_from_slice(&299_u32.to_be_bytes());
        fs::write(without.path().join(name), bytes).unwrap();
    }
    let none = run(with.path(), &["--unverified"], with.path());
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("--nominal-size N is needed"), "{}", text(&none.stderr));
    for more in [&[][..], &["--holdout"]] {
        let [with, without] = [&with, &without].map(|folder| {
            let out = folder.path().join("out");
            let output = run(folder.path(), &[&SMALL[..], &["--seed", "1", "--max-steps", "2"], more].concat(), &out);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let report = report(&out);
            let Protection::DifferentialPrivacy { plan, statement } = report.protection else { panic!() };
            assert!(statement.assumptions.iter().any(|line| line.contains("given as --nominal-size")), "{statement}");
            let shown = text(&output.stdout);
            // Speed, time and accuracy aside, which the clock and the model make.
            let lines = shown.lines().filter(|line| !line.contains('%') && !line.contains("accuracy"));
            let lines = lines.map(|line| line.replace(folder.path().to_str().unwrap(), "DATA")).collect::<Vec<_>>();
            (plan, report.data.train, lines)
        });
        assert_eq!(with, without);
        assert_eq!(with.1, if more.is_empty() { 300 } else { 270 });
    }
}

#[test]
fn data_that_are_not_mnist_are_refused_with_a_sentence() {
    let (data, out) = (data(), tempfile::tempdir().unwrap());
    let empty = tempfile::tempdir().unwrap();
    for (folder, arguments, words) in [
        (data.path(), &[][..], "published is 6bbc9ace898e44ae57da46a324031adb"),
        (data.path(), &["--fashion"], "train-images-idx3-ubyte.gz"),
        (empty.path(), &[], "holds no MNIST file"),
        (Path::new("/no/such/folder"), &["--fashion"], "the Fashion-MNIST files"),
    ] {
        let output = run(folder, arguments, out.path());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.starts_with("error: ") && message.contains(words), "{words:?} is not in: {message}");
    }
}

/// Where no data lie in a default folder and nothing names another.
#[test]
fn fashion_mnist_falls_back_on_generated_digits() {
    let out = tempfile::tempdir().unwrap();
    let few = ["--fashion", "--device", "cpu", "--limit-train", "60", "--limit-test", "20", "--batch-size", "10"];
    let few = [&few[..], &["--max-steps", "1", "--delta", "1e-3"]].concat();
    let output =
        command("mnist_dp", &few, out.path()).current_dir(out.path()).env_remove("BURN_PRIVACY_DATA").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("generated digits (not Fashion-MNIST)"), "{}", text(&output.stdout));
}

/// The real data, where they are: `BURN_PRIVACY_DATA` names their folder or the one above.
#[test]
fn the_real_data_are_the_published_ones() {
    use burn_privacy::datasets::{Checksum, Mnist, MnistVariant, locate_mnist};
    let variable = std::env::var_os("BURN_PRIVACY_DATA").filter(|value| !value.is_empty());
    let Some(Ok(Some(folder))) = variable.map(|_| locate_mnist(MnistVariant::Digits, None)) else {
        println!("skipped: MNIST is not here");
        return;
    };
    let mnist = Mnist::load(MnistVariant::Digits, folder, Checksum::Verify).unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
    assert_eq!(mnist.train.labels()[..5], [5, 0, 4, 1, 9]);
}
