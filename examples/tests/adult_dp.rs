//! The program `adult_dp` from the outside, on a few invented records.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::program;

fn run(folder: &Path, more: &[&str]) -> Output {
    Command::new(program("adult_dp")).current_dir(folder).arg("--data").arg(folder).args(more).output().unwrap()
}

/// Records whose income follows from age and education.
fn records(count: usize) -> String {
    (0..count)
        .map(|i| {
            let (age, education) = (20 + i * 37 % 60, 1 + i * 11 % 16);
            let income = if age / 4 + 2 * education > 30 { ">50K" } else { "<=50K" };
            format!(
                "{age}, Private, 1000, HS-grad, {education}, Divorced, Sales, Wife, White, Male, 0, 0, 40, Cuba, {income}\n"
            )
        })
        .collect()
}

#[test]
fn every_mode_has_a_row() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("adult.data"), records(3_000)).unwrap();
    fs::write(folder.path().join("adult.test"), format!("|1x3 Cross validator\n{}\n", records(500))).unwrap();
    let output = run(folder.path(), &["--epsilon", "8", "--seeds", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let accuracy = |row: &str| -> f64 {
        let line = shown.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{row}: {shown}"));
        line.split('|').nth(2).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(accuracy("| none") > 95.0, "{shown}");
    for row in [
        "| input: labels",
        "| gradients",
        "| output: weights, pure",
        "| output: weights, G",
        "| objective, pure (ball)",
        "| objective, pure (rows' hull)",
        "| objective, pure (rows' hull, hinge loss)",
    ] {
        assert!(accuracy(row) > 75.0, "{row}: {shown}");
    }
    assert!(accuracy("| input: rows") > 0.0 && accuracy("| objective, Gaussian") > 75.0, "{shown}");
    for file in ["table.md", "pure.png", "pure.svg", "delta.png", "delta.svg"] {
        assert!(fs::metadata(folder.path().join("runs/adult_dp").join(file)).unwrap().len() > 500, "{file}");
    }
    // The same seeds, the same table.
    assert_eq!(run(folder.path(), &["--epsilon", "8", "--seeds", "1"]).stdout, shown.as_bytes());
}

#[test]
fn missing_and_broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = |output: Output| String::from_utf8(output.stderr).unwrap();
    assert!(words(run(folder.path(), &[])).contains("adult.data"));
    fs::write(folder.path().join("adult.data"), records(10)).unwrap();
    assert!(words(run(folder.path(), &[])).contains("at least 100"));
    fs::write(folder.path().join("adult.data"), "old, a, b, c, d, e, f, g, h, i, j, k, l, m, n\n".repeat(200)).unwrap();
    assert!(words(run(folder.path(), &[])).contains("line 1: no number"));
    assert!(!run(folder.path(), &["--epsilon", "many"]).status.success());
}
