//! The program `anonymize_table` from the outside.

use std::fs;

use crate::support::{command, text};

#[test]
fn hashes_fall_pseudonyms_stand_and_each_level_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--k", "50", "--epsilon", "8", "--repeats", "1"];
    let output = command("anonymize_table", &arguments, folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("undoes 20000 of 20000") && shown.contains("undoes 0 of"), "{shown}");
    assert!(shown.contains("classes of "), "{shown}");
    let score = |row: &str| -> f64 {
        let line = shown.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{row}: {shown}"));
        line.split('|').nth(4).unwrap().trim().parse().unwrap()
    };
    let (plain, private) = (score("| no protection"), score("| differentially private"));
    assert!(plain > 0.6 && private > 0.5 && private < plain + 0.05, "{shown}");
    assert!(score("| k-anonymous by means of groups") < plain + 0.05, "{shown}");
    for name in ["table.md", "r2.png", "r2.svg", "rounded-50.statement.txt", "grouped-50.statement.txt"] {
        assert!(folder.path().join(name).metadata().unwrap().len() > 100, "{name}");
    }
    let statement = fs::read_to_string(folder.path().join("rounded-50.statement.txt")).unwrap();
    assert!(statement.contains("pseudonymized") && statement.contains("50-anonymity"), "{statement}");
    assert!(!fs::read_to_string(folder.path().join("rounded-50.csv")).unwrap().contains("example.invalid"));
}
