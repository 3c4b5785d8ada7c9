//! The program `affordability_dp` from the outside.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{command, text};
use burn_privacy::ledger::Ledger;

fn run(arguments: &[&str], out: &Path) -> Output {
    command("affordability_dp", arguments, out).output().unwrap()
}

/// Mean R2 of a mode and a setting in the table.
fn score(table: &str, row: &str) -> f64 {
    let line = table.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{row}: {table}"));
    line.split('|').nth(3).unwrap().trim().parse().unwrap()
}

#[test]
fn all_modes_are_compared_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["--epsilon", "8", "--repeats", "1", "--teachers", "10", "--queries", "20"], folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let (plain, gradient) = (score(&shown, "| no privacy"), score(&shown, "| gradient (DP-SGD) | epsilon 8"));
    assert!(plain > 0.6 && gradient > 0.6, "{shown}");
    // Noise on every row, and on few teachers' answers, costs more.
    let (cells, local) = (score(&shown, "| input (every cell) |"), score(&shown, "| input (local gradients) |"));
    let (networks, student) =
        (score(&shown, "| output (networks) |"), score(&shown, "| output (small teachers, student) |"));
    assert!(cells < gradient && networks < plain, "{shown}");
    // What was changed about both places buys much. 0.75 and 0.85 on average, against about 0.
    assert!(local > 0.5 && local > cells && student > 0.6 && student > networks, "{shown}");
    assert!(score(&shown, "| input (every cell, corrected) |") > cells, "{shown}");
    assert!(shown.contains("All runs in the ledger"), "{shown}");
    // What no epsilon covers, and what no ledger counts, is said: three local modes at 8.
    assert!(shown.contains("figures of `no privacy`") && !shown.contains("no figure of the others"), "{shown}");
    assert!(shown.contains("Not in the ledger") && shown.contains("epsilon 24, local"), "{shown}");
    for name in ["scores.csv", "table.md", "statements.md", "r2.png", "r2.svg"] {
        assert!(folder.path().join(name).metadata().unwrap().len() > 100, "{name}");
    }
    let statements = fs::read_to_string(folder.path().join("statements.md")).unwrap();
    for words in [
        "DP-SGD: (8, 1e-5)",
        "Output perturbation, all 20 answers together",
        "together: (8, 1e-5)-differential privacy",
        "ocal",
    ] {
        assert!(statements.contains(words), "{words}: {statements}");
    }
    let charges = Ledger::read(folder.path().join("privacy-ledger.jsonl")).unwrap().charges();
    assert_eq!(charges.iter().map(|charge| charge.steps).collect::<Vec<_>>(), [1_000, 20, 20]);
}

#[test]
fn the_handouts_obfuscation_says_what_it_amounts_to() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["--mode", "obfuscation", "--repeats", "1"], folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for deviation in ["10", "500", "1000", "5000"] {
        assert!(shown.contains(&format!("| obfuscation | standard deviation {deviation} ")), "{shown}");
    }
    assert!(shown.contains("income") && shown.contains("epsilon"), "{shown}");
}

#[test]
fn objective_is_another_name_for_gradient_and_data_of_ones_own_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("households.csv");
    let written = run(&["--write-data", file.to_str().unwrap()], folder.path());
    assert!(written.status.success());
    let csv = fs::read_to_string(&file).unwrap();
    assert!(
        csv.starts_with("name,email,postcode,age,") && csv.contains("@example.invalid") && csv.lines().count() > 20_000
    );
    // A few rows are enough, one of them with nonsense in it.
    let few: String =
        csv.lines().take(400).map(|line| format!("{line}\n")).collect::<String>() + "x,y,z,old,,1e99,NaN,2\n";
    fs::write(&file, few).unwrap();
    let arguments = ["--data", file.to_str().unwrap(), "--mode", "objective", "--epsilon", "4", "--repeats", "1"];
    let schema = folder.path().join("schema.toml");
    fs::write(&schema, "[[column]]\nname = \"income\"\nlo = 0\nhi = 400000\n").unwrap();
    let more = ["--delta", "1e-3", "--nominal-size", "500", "--schema", schema.to_str().unwrap()];
    let output = run(&[&arguments[..], &more].concat(), folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("| gradient (DP-SGD) | epsilon 4 |"), "{shown}");
    assert!(shown.contains("no figure of the others") && !shown.contains("no privacy"), "{shown}");
    // Rate, divisor and everything that is shown are made with the stated number, whatever there is.
    assert!(shown.contains("nominally 400 to train on") && shown.contains("given as --nominal-size"), "{shown}");
    let statements = fs::read_to_string(folder.path().join("statements.md")).unwrap();
    for words in
        ["| Nominal data-set size | 400 |", "| Expected batch size | 20 |", "400 is public (four fifths of 500, given"]
    {
        assert!(statements.contains(words), "{words}: {statements}");
    }
}

#[test]
fn figures_of_private_rows_without_noise_are_shown_only_when_asked_for_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("households.csv");
    let rows: String =
        (0..400).map(|age| format!("{},{},30000,400000,0.{}\n", 20 + age % 60, 40_000 + age, 1 + age % 7)).collect();
    fs::write(&file, format!("age,income,expenditure,house_price,affordability\n{rows}")).unwrap();
    let data = ["--data", file.to_str().unwrap(), "--nominal-size", "400", "--delta", "1e-3", "--epsilon", "4"];
    let few = ["--repeats", "1", "--teachers", "2", "--queries", "5"];
    let shown = |mode: &str| {
        let output = run(&[&data[..], &few, &["--mode", mode]].concat(), folder.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    for mode in ["none", "obfuscation"] {
        let shown = shown(mode);
        assert!(shown.contains("not protected") && !shown.contains("no figure of the others"), "{shown}");
    }
    let all = shown("all");
    assert!(all.contains("no figure of the others") && !all.contains("no privacy"), "{all}");
    assert!(all.contains("epsilon 12, local"), "{all}");
}

#[test]
fn bad_input_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.csv");
    fs::write(&wrong, "a,b\n1,2\n").unwrap();
    let broken = folder.path().join("broken.csv");
    fs::write(&broken, "age,income,expenditure,house_price,affordability\n1,2,3\n").unwrap();
    let schema = folder.path().join("schema.toml");
    fs::write(&schema, "[[column]]\nname = \"age\"\nlo = 5\nhi = 5\n").unwrap();
    let few = folder.path().join("few.csv");
    fs::write(&few, "age,income,expenditure,house_price,affordability\n1,2,3,4,0.5\n").unwrap();
    let good = folder.path().join("good.csv");
    let rows: String = (0..200).map(|age| format!("{age},1,2,3,0.5\n")).collect();
    fs::write(&good, format!("age,income,expenditure,house_price,affordability\n{rows}")).unwrap();
    for (arguments, words) in [
        (
            vec!["--data", good.to_str().unwrap(), "--nominal-size", "200", "--schema", schema.to_str().unwrap()],
            "lo must be below hi",
        ),
        (vec!["--epsilon", "0"], "above 0"),
        (vec!["--epsilon", "NaN"], "above 0"),
        (vec!["--delta", "1"], "between 0 and 1"),
        (vec!["--delta", "0.1", "--mode", "gradient"], "delta"),
        (vec!["--data", good.to_str().unwrap()], "--nominal-size N is needed"),
        (vec!["--data", good.to_str().unwrap(), "--nominal-size", "7"], "--nominal-size"),
        (vec!["--data", "/no/such/file.csv", "--nominal-size", "200"], "/no/such/file.csv: cannot be read"),
        (vec!["--data", wrong.to_str().unwrap(), "--nominal-size", "200"], "no column `age`"),
        (vec!["--data", broken.to_str().unwrap(), "--nominal-size", "200"], "line"),
        (vec!["--data", few.to_str().unwrap(), "--nominal-size", "200"], "fewer than 100"),
    ] {
        let output = run(&arguments, folder.path());
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}
