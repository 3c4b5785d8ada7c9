//! The program `adult_dp` from the outside, on a few invented records.

use crate::support::program;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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
    let output = run(folder.path(), &["--epsilon", "8", "--seeds", "1", "--nominal-size", "3000"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let accuracy = |row: &str| -> f64 {
        let line = shown.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{row}: {shown}"));
        line.split('|').nth(2).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(accuracy("| none") > 95.0, "{shown}");
    assert!(shown.contains("these runs protect nobody"), "{shown}");
    for row in [
        "| input: labels",
        "| gradients",
        "| output: weights, pure",
        "| output: weights, G",
        "| objective, pure (ball)",
        "| objective, pure (rows' hull)",
        "| objective, pure (rows' hull, hinge loss)",
        "| residuals: boosted",
    ] {
        assert!(accuracy(row) > 75.0, "{row}: {shown}");
    }
    assert!(accuracy("| input: rows") > 0.0 && accuracy("| objective, Gaussian") > 75.0, "{shown}");
    // Accuracies first, then areas under the curve.
    let areas: Vec<f64> = shown
        .lines()
        .filter(|line| line.starts_with("| none"))
        .map(|line| line.split('|').nth(2).unwrap().trim().parse().unwrap())
        .collect();
    assert!(areas.len() == 2 && (0.95..=1.0).contains(&areas[1]), "{shown}");
    for file in ["table.md", "pure.png", "pure.svg", "delta.png", "delta.svg"] {
        assert!(fs::metadata(folder.path().join("runs/adult_dp").join(file)).unwrap().len() > 500, "{file}");
    }
    // The same seeds, the same table.
    assert_eq!(
        run(folder.path(), &["--epsilon", "8", "--seeds", "1", "--nominal-size", "3000"]).stdout,
        shown.as_bytes()
    );
}

const DPSGD: [&str; 6] = ["--epsilon", "8", "--seeds", "1", "--mode", "gradient"];

fn words(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn folder_with(train: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("adult.data"), train).unwrap();
    fs::write(folder.path().join("adult.test"), records(200)).unwrap();
    folder
}

/// The same records in the forms in which copies of the data set come.
#[test]
fn copies_in_other_forms_give_the_same_table() {
    let plain = records(1_000);
    let header = "age,workclass,fnlwgt,education,educational-num,marital.status,occupation,relationship,race,gender,\
                  capital-gain,capital-loss,hours-per-week,native-country,income";
    let zero_one = plain.replace(">50K", "1").replace("<=50K", "0");
    assert!(zero_one.contains(", 1\n") && zero_one.contains(", 0\n"));
    let quoted: String = plain
        .lines()
        .map(|line| format!("{}\r\n", line.split(", ").map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",")))
        .collect();
    let tables = [
        plain.clone(),
        zero_one,
        format!("\u{feff}{header}\n{plain}"),
        quoted,
        format!("{}\n\n", plain.replace("50K\n", "50K.\n")),
    ]
    .map(|text| {
        let folder = folder_with(&text);
        // Packed, and with a name that doesn't say so.
        let packed = folder.path().join("adult.data");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        fs::write(packed, encoder.finish().unwrap()).unwrap();
        let output = run(folder.path(), &[&DPSGD[..], &["--nominal-size", "1000"]].concat());
        assert!(output.status.success(), "{}", words(&output));
        String::from_utf8(output.stdout).unwrap().replace(folder.path().to_str().unwrap(), "")
    });
    assert!(tables[0].contains("given as --nominal-size"), "{}", tables[0]);
    for table in &tables[1..] {
        assert_eq!(*table, tables[0]);
    }
}

/// Under add-or-remove-one adjacency the number of records is private; where a record is exchanged for another it is public.
#[test]
fn the_number_of_records_is_stated_and_not_counted() {
    let folder = folder_with(&records(1_000));
    let out = |folder: &tempfile::TempDir, more: &[&str]| run(folder.path(), &[&DPSGD[..], more].concat());
    let with = out(&folder, &["--nominal-size", "1000"]);
    let without = out(&folder_with(&records(999)), &["--nominal-size", "1000"]);
    assert!(with.status.success() && without.status.success(), "{}", words(&without));
    let shown = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    let about = |output: &Output| shown(output).lines().next().unwrap().to_owned();
    assert!(about(&with).starts_with("1000 records"), "{}", shown(&with));
    assert_eq!(about(&with), about(&without));
    // The published number, unless another one is stated.
    assert!(about(&out(&folder, &[])).starts_with("32561 records"));
    let refused = run(folder.path(), &["--mode", "output", "--nominal-size", "999"]);
    assert!(words(&refused).contains("adult.data does not hold 999 records"), "{}", words(&refused));
}

#[test]
fn missing_and_broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(words(&run(folder.path(), &[])).contains("neither adult.data nor adult.data.gz is here"));
    let good = records(200);
    for (text, expected) in [
        (records(10), "at least 100"),
        ("old, a, b, c, d, e, f, g, h, i, j, k, l, m, n\n".repeat(200), "line 1: no number in the column age"),
        (good.replacen("20, Private", "nan, Private", 1), "line 1: no number in the column age: \"nan\""),
        (good.replacen(", Cuba", "", 1), "line 1: 14 cells, but there must be 15"),
        (format!("{good}39, Private\n"), "line 201: 2 cells"),
        (good.replace(", ", ";"), "line 1: 1 cells, but there must be 15, separated by commas"),
        (good.replacen(">50K", "rich", 1), "no label (>50K or <=50K, 1 or 0) in the column income: \"rich\""),
        (good.replace("<=50K", ">50K"), "all labels are the same"),
        (good.replace("Sales", "7"), "no record has a known category in the column occupation"),
        (
            format!(
                "id,age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,\
                  capital-gain,capital-loss,hours-per-week,native-country\n{good}"
            ),
            "the header has \"id\" where the column age must be",
        ),
        ("<!DOCTYPE html><html>".into(), "this is a web page"),
    ] {
        fs::write(folder.path().join("adult.data"), text).unwrap();
        let output = run(folder.path(), &[]);
        assert!(!output.status.success() && words(&output).contains(expected), "{expected}: {}", words(&output));
    }
    assert!(!run(folder.path(), &["--epsilon", "many"]).status.success());
}

/// The real data, where they are: in the folder `adult` of `BURN_PRIVACY_DATA`.
#[test]
fn the_real_data_are_read_whole() {
    let variable = std::env::var_os("BURN_PRIVACY_DATA").filter(|value| !value.is_empty());
    let Some(data) = variable.map(|folder| Path::new(&folder).join("adult")).filter(|folder| folder.is_dir()) else {
        println!("skipped: Adult is not here");
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(program("adult_dp"))
        .current_dir(out.path())
        .arg("--data")
        .arg(data)
        .args(["--epsilon", "4", "--seeds", "1", "--mode", "objective"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("32561 records") && shown.contains("16281 others to test on"), "{shown}");
}
