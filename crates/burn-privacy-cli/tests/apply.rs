//! `burn-privacy anonymize apply` and `sql`: runs the binary.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use burn_privacy_accounting::{Adjacency, DpEvent};
use burn_privacy_budget::ledger::{Ledger, RunDescription};
use common::{run, run_with_input, temporary};

const KEY: &str = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";
const SCHEMA: &str = "[[column]]\nname = \"id\"\nrole = \"identifier\"\ntreatment = \"pseudonym\"\nmethod = \"hmac\"\n\
                      [[column]]\nname = \"pay\"\nrole = \"sensitive\"\ntreatment = \"round\"\nto = 10\n";

#[test]
fn pipes_files_and_formats_give_the_same_rows_and_a_statement() {
    let (schema, key) = (temporary("pipe.toml", SCHEMA), temporary("pipe.key", KEY));
    let csv = run_with_input(&["anonymize", "apply", &schema, "-", "-", "--key", &key], b"id,pay\nann,12\n,\n");
    assert!(csv.ok && csv.err.contains("pseudonymized"), "{}", csv.err);
    let pseudonym = csv.out.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert_eq!(csv.out, format!("id,pay\n{pseudonym},10\n,\n"));
    let lines = b"{\"id\":\"ann\",\"pay\":12}\n{\"pay\":null}\n";
    let json = run_with_input(&["anonymize", "apply", &schema, "-", "-", "--key", &key, "--from", "jsonl"], lines);
    assert_eq!(json.out, format!("{{\"id\":\"{pseudonym}\",\"pay\":10}}\n{{\"id\":null,\"pay\":null}}\n"));

    let input = temporary("people.csv", "id,pay\nann,12\n,\n");
    let output = Path::new(&input).with_file_name("people.jsonl.zst");
    let back = Path::new(&input).with_file_name("back.csv");
    let (output, back) = (output.to_str().unwrap(), back.to_str().unwrap());
    let args = ["anonymize", "apply", &schema, &input, output, "--key", &key];
    let first = run(&args);
    assert!(first.ok, "{}", first.err);
    let statement = fs::read_to_string(format!("{output}.statement.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&statement).is_ok());
    let again = run(&args);
    assert!(!again.ok && again.err.contains("exists already"), "{}", again.err);
    let kept = "[[column]]\nname = \"id\"\nrole = \"insensitive\"\ntreatment = \"keep\"\n\
                [[column]]\nname = \"pay\"\nrole = \"sensitive\"\ntreatment = \"keep\"\n";
    let unpacked = run(&["anonymize", "apply", &temporary("kept.toml", kept), output, back]);
    assert!(unpacked.ok, "{}", unpacked.err);
    assert_eq!(fs::read_to_string(back).unwrap(), csv.out);
    let keyless = run_with_input(&["anonymize", "apply", &schema, "-", "-"], b"id,pay\n");
    assert!(!keyless.ok && keyless.out.is_empty() && keyless.err.contains("the key is missing"), "{}", keyless.err);
}

#[test]
fn a_recipe_of_the_search_applies_to_new_rows_with_k_checked_again() {
    let data = temporary("recipe.csv", "name,age,ill\nAnn,21,flu\nBob,23,flu\nCid,41,gout\nDan,43,flu\n");
    let folder = Path::new(&data).with_extension("hierarchies");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("hierarchy_age.csv"), "21;20s;*\n23;20s;*\n41;40s;*\n43;40s;*\n").unwrap();
    let recipe = Path::new(&data).with_file_name("recipe.toml");
    let recipe = recipe.to_str().unwrap();
    let folder = folder.to_str().unwrap();
    let search =
        ["anonymize", "search", &data, "--hierarchies", folder, "--k", "2", "--sensitive", "ill", "--recipe", recipe];
    let found = run(&search);
    assert!(found.ok, "{}", found.err);
    let released = Path::new(&data).with_file_name("recipe-released.csv");
    let released = released.to_str().unwrap();
    let more = temporary("recipe-more.csv", "name,age,ill\nEve,43,flu\nFay,41,flu\nGus,43,flu\n");
    let applied = run(&["anonymize", "apply", recipe, &more, released]);
    assert!(applied.ok && applied.out.contains("2-anonymity"), "{} {}", applied.err, applied.out);
    assert_eq!(fs::read_to_string(released).unwrap(), "age,ill\n40s,flu\n40s,flu\n40s,flu\n");
    // The suppression of the search, none, holds for new rows too.
    let lone = temporary("recipe-lone.csv", "name,age,ill\nEve,43,flu\nFay,41,flu\nGus,21,flu\n");
    let refused = run(&["anonymize", "apply", recipe, &lone, released, "--force"]);
    assert!(refused.code == 3 && refused.err.contains("1 of 3 rows"), "{}", refused.err);
    for (dialect, part) in
        [("duckdb", "ELSE \"rows_of_class\" >= 2 END;"), ("spark", "CASE coalesce(CAST(`age` AS STRING), '')")]
    {
        let sql = run(&["anonymize", "sql", recipe, "--dialect", dialect, "--table", "people"]);
        assert!(sql.ok && sql.out.contains(part) && !sql.out.contains("name"), "{}", sql.out);
    }
}

#[test]
fn a_run_that_is_killed_in_mid_file_leaves_no_output() {
    let (schema, key) = (temporary("kill.toml", SCHEMA), temporary("kill.key", KEY));
    let output = Path::new(&schema).with_file_name("killed.csv");
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-privacy"))
        .args(["anonymize", "apply", &schema, "-", output.to_str().unwrap(), "--key", &key])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"id,pay\n").unwrap();
    // More than a pipe and the chunks in memory hold: rows were written by the time that this returns.
    let rows = "someone,1234\n".repeat(1 << 16);
    for _ in 0..20 {
        stdin.write_all(rows.as_bytes()).unwrap();
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    drop(stdin);
    assert!(!output.exists());
    let left = fs::read_dir(output.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".unfinished")).collect();
    // Where the system has files without a name, nothing at all is left.
    assert!(!has_nameless_files(output.parent().unwrap()) || left.is_empty(), "{left:?}");
}

#[cfg(target_os = "linux")]
fn has_nameless_files(folder: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    // O_TMPFILE, O_DIRECTORY in it, as on x86-64.
    let made = fs::OpenOptions::new().write(true).custom_flags(0o20_200_000).open(folder);
    cfg!(target_arch = "x86_64") && made.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn has_nameless_files(_: &Path) -> bool {
    false
}

/// Homes along a street, two columns of degrees and one of text, three reports each.
fn homes() -> String {
    let mut rows = "who,day,lat,lon,work\n".to_owned();
    for row in 0..90 {
        let home = row % 30;
        rows += &format!("u{home},2026-11-{:02},60.{home:02},10.5,\"POINT (11.{home:02} 60.5)\"\n", 1 + row / 30);
    }
    rows
}

const PLACES: &str = "[[column]]\nname = \"who\"\nrole = \"identifier\"\ntreatment = \"drop\"\n\
    [[column]]\nname = \"day\"\nrole = \"insensitive\"\ntreatment = \"keep\"\n\
    [[column]]\nname = \"lat\"\ntreatment = \"place\"\nlongitude = \"lon\"\nmethod = \"planar-laplace\"\nepsilon = 0.01\nsubject = \"who\"\n\
    [[column]]\nname = \"lon\"\ntreatment = \"place\"\nlatitude = \"lat\"\n\
    [[column]]\nname = \"work\"\ntreatment = \"place\"\nformat = \"wkt\"\nmethod = \"disc\"\nradius = 300\n";

#[test]
fn places_are_columns_of_a_schema_counted_stated_and_charged() {
    let (schema, data) = (temporary("places.toml", PLACES), temporary("homes.csv", &homes()));
    let beside = |name: &str| Path::new(&data).with_file_name(name).to_str().unwrap().to_owned();
    let (moved, ledger) = (beside("moved.csv"), beside("homes.ledger"));
    let charged = ["--ledger", &ledger, "--dataset", "homes", "--within", "10"];
    let shown = run(&[["anonymize", "apply", &schema, &data, &moved].as_slice(), &charged].concat());
    // The disc has no epsilon: nothing is written, whatever was transformed.
    assert!(!shown.ok && shown.err.contains("epsilon") && !Path::new(&moved).exists(), "{}", shown.err);
    let schema = temporary(
        "places.toml",
        &PLACES.replace("method = \"disc\"\nradius = 300", "method = \"planar-laplace\"\nepsilon = 0.02"),
    );
    let charged = ["--ledger", &ledger, "--dataset", "homes", "--within", "10", "--run", "second"];
    let shown = run(&[["anonymize", "apply", &schema, &data, &moved].as_slice(), &charged].concat());
    assert!(shown.ok && shown.out.contains("Charged to the ledger"), "{} {}", shown.out, shown.err);
    // Three draws of a subject at 0.01, and one (no subject is named) at 0.02, add up to 0.05 per meter of both places.
    assert!(
        shown.out.contains("geo-indistinguishability at 0.05 per meter") && shown.out.contains("all 3 draws"),
        "{}",
        shown.out
    );
    let text = fs::read_to_string(&moved).unwrap();
    assert!(text.starts_with("day,lat,lon,work\n2026-11-01,") && text.lines().count() == 91, "{text}");
    for (line, raw) in text.lines().zip(homes().lines()).skip(1) {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        let given: Vec<&str> = raw.splitn(5, ',').collect();
        let near = |one: &str, other: &str| {
            let (one, other): (f64, f64) = (one.parse().unwrap(), other.parse().unwrap());
            ((one - other).abs() < 0.2).then_some(one != other)
        };
        // One of the two degrees alone comes out as it was once in 50,000 rows.
        let moved = near(cells[1], given[2]).zip(near(cells[2], given[3]));
        assert!(moved.is_some_and(|(latitude, longitude)| latitude || longitude), "{line} {raw}");
        assert!(cells[3].starts_with("POINT (1") && !cells[3].contains("11.00 60.5"), "{line}");
    }
    let total = run(&["ledger", "total", &ledger, "--delta", "1e-6"]);
    assert!(total.ok && total.out.contains("Charged   4 steps of 2 runs"), "{} {}", total.out, total.err);
    // One column's run has a name that is taken: the other one's is not charged either.
    {
        let mut ledger = Ledger::open(Path::new(&ledger), "homes").unwrap();
        let event = DpEvent::epsilon_delta(0.5, 0.0).unwrap();
        let run = RunDescription::of_steps("third: work", event, 1, Adjacency::ReplaceOne).unwrap();
        ledger.begin(run.with_delta(1e-9).with_private_randomness(true)).unwrap();
    }
    let charged_again = ["--ledger", &ledger, "--dataset", "homes", "--within", "10", "--run", "third", "--force"];
    let shown = run(&[["anonymize", "apply", &schema, &data, &moved].as_slice(), &charged_again].concat());
    assert!(!shown.ok && shown.err.contains("third: work"), "{}", shown.err);
    let total = run(&["ledger", "total", &ledger, "--delta", "1e-6"]);
    assert!(total.out.contains("Charged   4 steps of"), "{} {}", total.out, total.err);
    let no_place =
        run(&[["anonymize", "apply", &temporary("kept.toml", SCHEMA), &data, "-"].as_slice(), &charged].concat());
    assert!(!no_place.ok && no_place.err.contains("none"), "{}", no_place.err);
}

#[test]
fn kept_draws_of_places_are_the_same_again_and_need_the_key_and_k_counts_cells_of_a_grid() {
    let data = temporary("kept-homes.csv", &homes());
    let key = temporary("places.key", KEY);
    let kept = PLACES.replace("subject = \"who\"", "subject = \"who\"\ndraws = \"kept\"");
    let schema = temporary("kept-places.toml", &kept);
    let of = |input: &str| {
        let shown = run(&["anonymize", "apply", &schema, input, "-", "--key", &key]);
        assert!(shown.ok && shown.err.contains("draws kept") && !shown.err.contains("all 3 draws"), "{}", shown.err);
        let places = |line: &str| line.splitn(4, ',').skip(1).take(2).collect::<Vec<_>>().join(",");
        shown.out.lines().skip(1).map(places).collect::<Vec<_>>()
    };
    let (first, again) = (of(&data), of(&data));
    assert_eq!(first, again);
    assert!(first[0] == first[30] && first[0] == first[60] && first[0] != first[1]);
    let keyless = run(&["anonymize", "apply", &schema, &data, "-"]);
    assert!(!keyless.ok && keyless.out.is_empty() && keyless.err.contains("under a key"), "{}", keyless.err);

    let grid = "k = 40\n[[column]]\nname = \"who\"\nrole = \"identifier\"\ntreatment = \"drop\"\n\
        [[column]]\nname = \"day\"\nrole = \"insensitive\"\ntreatment = \"drop\"\n\
        [[column]]\nname = \"lat\"\ntreatment = \"place\"\nlongitude = \"lon\"\nmethod = \"grid\"\ngrid = 20000\n\
        [[column]]\nname = \"lon\"\ntreatment = \"place\"\nlatitude = \"lat\"\n\
        [[column]]\nname = \"work\"\nrole = \"sensitive\"\ntreatment = \"drop\"\n";
    let shown = run(&["anonymize", "apply", &temporary("grid.toml", grid), &data, "-"]);
    assert!(shown.ok && shown.err.contains("40-anonymity"), "{}", shown.err);
    let mut classes = std::collections::HashMap::new();
    shown.out.lines().skip(1).for_each(|line| *classes.entry(line).or_insert(0) += 1);
    assert!(!classes.is_empty() && classes.values().all(|&rows| rows >= 40), "{classes:?}");

    for (from, to, part) in [
        ("latitude = \"lat\"", "latitude = \"lat\"\nepsilon = 1.0", "epsilon belongs to"),
        ("longitude = \"lon\"\n", "", "one of them"),
        ("treatment = \"place\"\nlatitude = \"lat\"", "treatment = \"drop\"", "needs treatment"),
        ("epsilon = 0.01", "epsilon = 0.01\nradius = 5.0", "does not use it"),
        ("epsilon = 0.01", "epsilon = 0.01\nperiod = \"day\"", "not kept"),
        ("subject = \"who\"", "subject = \"nobody\"", "\"nobody\""),
        ("subject = \"who\"", "subject = \"work\"", "has noise"),
        ("method = \"disc\"", "method = \"round\"", "round"),
        ("treatment = \"keep\"", "treatment = \"redact-text\"\ncolumns = [\"lat\"]", "has noise"),
    ] {
        let shown = run(&["anonymize", "apply", &temporary("wrong.toml", &PLACES.replace(from, to)), &data, "-"]);
        assert!(!shown.ok && shown.err.contains(part), "{to}: {}", shown.err);
    }
    // A cell that is no place is not shown.
    let shown = run(&[
        "anonymize",
        "apply",
        &temporary("p.toml", PLACES),
        &temporary("bad.csv", "who,day,lat,lon,work\na,b,12.3456,999,\n"),
        "-",
    ]);
    assert!(
        !shown.ok && shown.err.contains("line 2") && !shown.err.contains("999") && !shown.err.contains("12.3456"),
        "{}",
        shown.err
    );
}
