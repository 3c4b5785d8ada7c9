//! `burn-privacy anonymize apply` and `sql`: runs the binary.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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
        [("duckdb", "WHERE rows_of_class >= 2"), ("spark", "CASE coalesce(CAST(`age` AS STRING), '')")]
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
}
