//! `burn-privacy perturb`: runs the binary.
#![allow(missing_docs)]

mod common;

use std::path::{Path, PathBuf};

use common::{Shown, run, run_with_input, temporary};

const SCHEMA: &str = r#"
epsilon = 4.0

[[column]]
name = "age"
kind = "integer"
lo = 0
hi = 120
default = 40
treatment = "randomize"

[[column]]
name = "smoker"
kind = "category"
values = ["yes", "no"]
other = "unknown"
treatment = "randomize"
label = true

[[column]]
name = "name"
treatment = "drop"
"#;

const PEOPLE: &str = "name,age,smoker\n\"Doe, J.\",31,yes\nRoe,,maybe\nPoe,NaN,no\n";

/// Runs `perturb run` on a schema and a table; gives the output's path too.
fn perturb(name: &str, schema: &str, table: &str, more: &[&str]) -> (Shown, PathBuf) {
    let schema = temporary(&format!("{name}.toml"), schema);
    let input = temporary(&format!("{name}.csv"), table);
    let output = format!("{input}.out.csv");
    let mut args = vec!["perturb", "run", "--schema", &schema, "--input", &input, "--output", &output];
    args.extend(more);
    (run(&args), output.into())
}

fn read(path: &Path, ending: &str) -> String {
    std::fs::read_to_string(format!("{}{ending}", path.display())).unwrap()
}

#[test]
fn a_table_is_perturbed_and_its_statement_written_beside_it() {
    let (shown, output) = perturb("plain", SCHEMA, PEOPLE, &[]);
    assert!(shown.ok, "{}", shown.err);
    // The same words for every table.
    assert!(shown.err.starts_with("note: cells that are missing"), "{}", shown.err);
    let (other, _) = perturb("plain-other", SCHEMA, &PEOPLE.replace("31", "\"1,234\""), &[]);
    assert_eq!(other.err, shown.err);
    assert!(
        shown.out.starts_with("Statement of input perturbation\n4-local differential privacy (LOCAL DP) of each row\n"),
        "{}",
        shown.out
    );
    let table = read(&output, "");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "age,smoker"));
    for line in &lines[1..] {
        let (age, smoker) = line.split_once(',').unwrap();
        assert!(age.parse::<i64>().is_ok() && ["yes", "no", "unknown"].contains(&smoker), "{line}");
    }
    let markdown = read(&output, ".statement.md");
    assert!(markdown.starts_with("## Statement of input perturbation"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&read(&output, ".statement.json")).unwrap();
    assert_eq!((json["level"].as_str(), json["epsilon"].as_f64()), (Some("row"), Some(4.0)));
    assert_eq!((json["entropy"].as_str(), json["unprotected_rows"].as_u64()), (Some("os"), Some(3)));
}

#[test]
fn columns_that_seem_unreadable_are_told_for_an_epsilon() {
    let schema = format!("readability_epsilon = 2.0\n{SCHEMA}");
    let table = format!("name,age,smoker\n{}", "x,\"1,234.50\",yes\n".repeat(40));
    let (shown, output) = perturb("unreadable", &schema, &table, &[]);
    assert!(shown.ok && shown.err.starts_with("warning: most cells of \"age\" seem"), "{}", shown.err);
    assert!(read(&output, ".statement.json").contains("\"unreadable_columns\": [\n    \"age\"\n  ]"));
    let (shown, _) = perturb("readable", &schema, &table.replace("\"1,234.50\"", "34"), &[]);
    assert_eq!(shown.err, "");
    let (shown, output) = perturb("stated", &schema.replace("lo = 0", "lo = 0\nthousands = ','"), &table, &[]);
    assert_eq!(shown.err, "");
    assert!(read(&output, ".statement.json").contains("\"unreadable_columns\": []"));
}

#[test]
fn standard_streams_stand_for_files_everywhere() {
    let schema = temporary("streams.toml", &format!("\u{feff}{SCHEMA}"));
    let (file, output) = perturb("streams-file", SCHEMA, PEOPLE, &["--seed", "7"]);
    assert!(file.ok, "{}", file.err);
    let expected = read(&output, "");
    let args = ["perturb", "run", "--schema", &schema, "--input", "-", "--output", "-", "--seed", "7"];
    let shown = run_with_input(&args, PEOPLE.as_bytes());
    assert!(shown.ok, "{}", shown.err);
    assert_eq!(shown.out, expected);
    assert!(shown.err.contains("*** NOT PRIVATE: fixed seed ***\n"), "{}", shown.err);
    // A broken table writes nothing at all, and is named.
    let shown = run_with_input(&args, format!("{PEOPLE}1\n").as_bytes());
    assert!(
        shown.code == 1 && shown.out.is_empty() && shown.err.contains("standard input:5: 1 cells"),
        "{}",
        shown.err
    );
    // From a pipe to a file, with the statements elsewhere.
    let table = temporary("streams.out.csv", "");
    std::fs::remove_file(&table).unwrap();
    let stem = format!("{table}.elsewhere");
    let args = [
        "perturb",
        "run",
        "--schema",
        &schema,
        "--input",
        "-",
        "--output",
        &table,
        "--seed",
        "7",
        "--statement",
        &stem,
    ];
    assert!(run_with_input(&args, PEOPLE.as_bytes()).ok);
    assert_eq!(std::fs::read_to_string(&table).unwrap(), expected);
    assert!(Path::new(&format!("{stem}.statement.json")).exists());
    let again = run_with_input(&args, PEOPLE.as_bytes());
    assert!(again.code == 1 && again.err.contains("exists already"), "{}", again.err);
    // Schemas and headers too, but not both from one stream.
    let check = run_with_input(&["perturb", "check", "--schema", "-"], SCHEMA.as_bytes());
    assert!(check.ok && check.out.contains("4-local"), "{}", check.err);
    let template = run_with_input(&["perturb", "schema-template", "--input", "-"], b",age\n");
    assert!(template.ok && template.out.contains("name = \"\" # a column without a name"), "{}", template.out);
    let both = run_with_input(&["perturb", "run", "--schema", "-", "--input", "-", "--output", "-"], b"");
    assert!(both.code == 1 && both.err.contains("both schema and table"), "{}", both.err);
}

#[test]
fn other_formats_are_read_or_named_with_the_flag_that_reads_them() {
    let table = PEOPLE.replace("\"Doe, J.\"", "Doe").replace(',', ";");
    let (shown, output) = perturb("semicolons", SCHEMA, &table, &[]);
    assert!(shown.code == 1 && shown.err.contains("give --separator ';'") && !output.exists(), "{}", shown.err);
    let (shown, output) = perturb("semicolons", SCHEMA, &table, &["--separator", ";"]);
    assert!(shown.ok && read(&output, "").starts_with("age;smoker\n"), "{}", shown.err);
    let tabs = table.replace(';', "\t");
    let (shown, _) = perturb("tabs", SCHEMA, &tabs, &[]);
    assert!(shown.code == 1 && shown.err.contains("give --separator tab"), "{}", shown.err);
    let (shown, output) = perturb("tabs", SCHEMA, &tabs, &["--separator", "tab"]);
    assert!(shown.ok && read(&output, "").starts_with("age\tsmoker\n"), "{}", shown.err);
    let commented = format!("# exported\n{PEOPLE}");
    let (shown, _) = perturb("comments", SCHEMA, &commented, &[]);
    assert!(shown.code == 1 && shown.err.contains("give --comment '#'"), "{}", shown.err);
    let (shown, _) = perturb("comments", SCHEMA, &commented, &["--comment", "#"]);
    assert!(shown.ok, "{}", shown.err);
    let utf16: Vec<u8> = format!("\u{feff}{PEOPLE}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let shown = run_with_input(&["perturb", "schema-template", "--input", "-"], &utf16);
    assert!(shown.code == 1 && shown.err.contains("UTF-16: save it as UTF-8"), "{}", shown.err);
    for odd in ["ab", "", "a", "\"", "é"] {
        let (shown, _) = perturb("odd", SCHEMA, PEOPLE, &["--separator", odd]);
        assert!([1, 2].contains(&shown.code) && shown.err.contains("one"), "{odd}: {}", shown.err);
    }
}

#[test]
fn a_seed_makes_the_run_reproducible_and_void() {
    let (first, output) = perturb("seeded", SCHEMA, PEOPLE, &["--seed", "7"]);
    let table = read(&output, "");
    assert_eq!(first.out.lines().next(), Some("*** NOT PRIVATE: fixed seed ***"));
    assert_eq!(read(&output, ".statement.md").lines().next(), Some("> **NOT PRIVATE: fixed seed**"));
    assert!(read(&output, ".statement.json").contains("\"warning\": \"NOT PRIVATE: fixed seed\""));
    let (second, output) = perturb("seeded", SCHEMA, PEOPLE, &["--seed", "7", "--force"]);
    assert!(second.ok, "{}", second.err);
    assert_eq!(read(&output, ""), table);
}

#[test]
fn an_output_that_exists_is_kept_without_force() {
    let (first, output) = perturb("kept", SCHEMA, PEOPLE, &[]);
    assert!(first.ok, "{}", first.err);
    let table = read(&output, "");
    let (again, _) = perturb("kept", SCHEMA, PEOPLE, &[]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("exists already") && again.err.contains("--force"), "{}", again.err);
    assert_eq!(read(&output, ""), table);
    // A statement alone is kept too.
    std::fs::remove_file(&output).unwrap();
    let (again, _) = perturb("kept", SCHEMA, PEOPLE, &[]);
    assert!(again.code == 1 && again.err.contains(".statement.md"), "{}", again.err);
}

#[test]
fn epsilon_can_be_overridden() {
    let (shown, _) = perturb("override", SCHEMA, PEOPLE, &["--epsilon", "1.5"]);
    assert!(shown.out.starts_with("Statement of input perturbation\n1.5-local"), "{}", shown.out);
    let (shown, output) = perturb("bad-override", SCHEMA, PEOPLE, &["--epsilon", "NaN"]);
    assert!(shown.code == 1 && shown.err.contains("above 0"), "{}", shown.err);
    assert!(!output.exists());
}

#[test]
fn a_broken_table_stops_with_its_line_and_leaves_nothing() {
    for (name, table, line) in [
        ("cells", "name,age,smoker\na,1,yes\nb,2\n", ":3: 2 cells"),
        ("quote", "name,age,smoker\na,\"1,yes\n", ":2: broken quoting"),
        ("header", "name,age\na,1\n", ":1: the header has no column \"smoker\""),
        ("more", "name,age,smoker,x\na,1,yes,2\n", ":1: the header's column \"x\""),
        ("empty", "", ":1: no header"),
    ] {
        let (shown, output) = perturb(name, SCHEMA, table, &[]);
        assert_eq!(shown.code, 1);
        assert!(shown.err.contains(&format!("{name}.csv{line}")), "{}", shown.err);
        assert!(!output.exists());
        assert!(!Path::new(&format!("{}.statement.md", output.display())).exists());
    }
}

#[test]
fn a_template_comes_from_the_header_alone_and_is_a_schema_to_fill_in() {
    // The second line would be refused, were it read.
    let input = temporary("header.csv", "\"a \"\"b\"\"\",c,d\n\"x\n");
    let shown = run(&["perturb", "schema-template", "--input", &input]);
    assert!(shown.ok, "{}", shown.err);
    for name in ["name = 'a \"b\"'", "name = \"c\"", "name = \"d\""] {
        assert!(shown.out.lines().any(|line| line == name), "{name}: {}", shown.out);
    }
    let schema = temporary("template.toml", &shown.out);
    let refused = run(&["perturb", "check", "--schema", &schema]);
    assert!(refused.code == 1 && refused.err.contains("perturbs no column"), "{}", refused.err);
    // The examples in the comments are a schema as well.
    let examples: String = shown
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with("[[") || line.contains(" = "))
        .filter(|line| !line.starts_with("Plain"))
        .map(|line| format!("{line}\n"))
        .collect();
    let schema = temporary("examples.toml", &examples);
    let shown = run(&["perturb", "check", "--schema", &schema]);
    assert!(shown.ok, "{}\n{examples}", shown.err);
}

#[test]
fn check_says_what_a_schema_amounts_to() {
    let schema = temporary("check.toml", &SCHEMA.replace("\"drop\"", "\"keep\""));
    let shown = run(&["perturb", "check", "--schema", &schema]);
    assert!(shown.ok && shown.out.contains("of the protected columns of each row"), "{}{}", shown.out, shown.err);
    assert!(shown.out.lines().any(|line| line.contains("Unprotected columns") && line.contains("name")));
    let schema = temporary("unknown.toml", &SCHEMA.replace("lo = 0", "low = 0"));
    let shown = run(&["perturb", "check", "--schema", &schema]);
    assert!(shown.code == 1 && shown.err.contains("low") && shown.err.contains("unknown.toml"), "{}", shown.err);
}

#[test]
fn usage_errors_have_their_own_code() {
    assert_eq!(run(&["perturb", "run", "--schema", "x"]).code, 2);
    assert_eq!(run(&["perturb"]).code, 2);
    let missing = run(&["perturb", "check", "--schema", "/nowhere/schema.toml"]);
    assert!(missing.code == 1 && missing.err.contains("could not read"), "{}", missing.err);
}
