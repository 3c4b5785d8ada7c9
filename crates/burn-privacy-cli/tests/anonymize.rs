//! `burn-privacy anonymize`: runs the binary.
#![allow(missing_docs)]

mod common;

use std::path::{Path, PathBuf};

use common::{Shown, run, run_with_input, temporary};
use serde_json::Value;

const PEOPLE: &str = "name;age;city;illness\n\
    Ann;21;Bonn;flu\nBob;23;Bonn;flu\nCid;25;Bonn;gout\nDan;41;Kiel;flu\nEve;43;Kiel;gout\nFay;62;Kiel;flu\n";
const AGES: &str = "21;20s;*\n23;20s;*\n25;20s;*\n41;40s;*\n43;40s;*\n62;60s;*\n";
const CITIES: &str = "Bonn;*\nKiel;*\n";

/// The table and a folder with its hierarchies; another table for another `name`.
fn people(name: &str, table: &str) -> (String, String) {
    let data = temporary(&format!("{name}.csv"), table);
    let folder = Path::new(&data).with_extension("hierarchies");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("people_hierarchy_age.csv"), AGES).unwrap();
    std::fs::write(folder.join("people_hierarchy_city.csv"), CITIES).unwrap();
    (data, folder.to_str().unwrap().to_owned())
}

fn anonymize(command: &str, (data, folder): &(String, String), more: &str) -> Shown {
    let mut args = vec!["anonymize", command, data, "--separator", ";", "--hierarchies", folder];
    args.extend(more.split(' ').filter(|word| !word.is_empty()));
    run(&args)
}

fn json(shown: &Shown) -> Value {
    assert!(shown.ok, "{}", shown.err);
    serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error}: {}", shown.out))
}

#[test]
fn search_prints_the_optimum_with_its_levels_and_classes() {
    let people = people("search", PEOPLE);
    let found = json(&anonymize("search", &people, "--k 2 --metric loss --suppression 0.2 --json"));
    // Ages by decade lose 2/5 for the twenties and 1/5 for the forties; the one of sixty is suppressed and loses 2.
    let loss = (3.0 * 0.4 + 2.0 * 0.2 + 2.0) / 12.0;
    assert!((found["optimum"].as_f64().unwrap() - loss).abs() < 1e-12, "{found}");
    assert_eq!(found["levels"], serde_json::json!({"age": 1, "city": 0}));
    assert_eq!((&found["suppressed"], &found["classes"]), (&Value::from(1), &Value::from(2)));
    assert_eq!((&found["class_min"], &found["class_max"]), (&Value::from(2), &Value::from(3)));
    assert_eq!(found["proved"], true);
    // With two illnesses in each class, and illness no quasi-identifier.
    let found =
        json(&anonymize("search", &people, "--k 2 --distinct-l 2 --sensitive illness --suppression 0.2 --json"));
    assert!((found["optimum"].as_f64().unwrap() - loss).abs() < 1e-12, "{found}");
    for (metric, value) in [("discernibility", 9.0 + 9.0), ("aecs", 2.0)] {
        let found = json(&anonymize("search", &people, &format!("--k 2 --metric {metric} --suppression 0.2 --json")));
        assert_eq!(found["optimum"].as_f64(), Some(value), "{metric}");
    }
}

#[test]
fn a_release_is_written_whole_with_its_statement_and_never_twice() {
    let people = people("release", PEOPLE);
    let output = format!("{}.out.csv", people.0);
    let more = format!("--k 2 --suppression 0.2 --output {output}");
    let shown = anonymize("search", &people, &more);
    assert!(shown.ok, "{}", shown.err);
    let text = std::fs::read_to_string(&output).unwrap();
    // No names, no illnesses that were not asked for, no row that is suppressed, sorted.
    assert_eq!(text, "age;city\n20s;Bonn\n20s;Bonn\n20s;Bonn\n40s;Kiel\n40s;Kiel\n");
    let statement = std::fs::read_to_string(format!("{output}.statement.txt")).unwrap();
    assert!(statement.starts_with("Statement of generalization\n2-anonymity of the released rows"), "{statement}");
    assert!(!statement.contains("epsilon"), "{statement}");
    let statement: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{output}.statement.json")).unwrap()).unwrap();
    assert_eq!(statement["grade"], "syntactic");
    let again = anonymize("search", &people, &more);
    assert!(!again.ok && again.err.contains("exists already"), "{}", again.err);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), text);
    assert!(anonymize("search", &people, &format!("{more} --force --keep illness")).ok);
    assert!(std::fs::read_to_string(&output).unwrap().starts_with("age;city;illness\n20s;Bonn;flu\n"));
}

#[test]
fn recode_releases_classes_of_k_and_says_what_none_can_do_better() {
    let people = people("recode", PEOPLE);
    let output = format!("{}.recoded.csv", people.0);
    let found = json(&anonymize("recode", &people, &format!("--k 2 --json --output {output}")));
    let (loss, bound) = (found["loss"].as_f64().unwrap(), found["lower_bound"].as_f64().unwrap());
    assert!(bound > 0.0 && bound <= loss && loss < 1.0, "{found}");
    assert!(found["class_min"].as_u64() >= Some(2));
    let mut counts = std::collections::HashMap::new();
    for line in std::fs::read_to_string(&output).unwrap().lines().skip(1) {
        *counts.entry(line.to_owned()).or_insert(0) += 1;
    }
    assert!(counts.values().all(|&count| count >= 2), "{counts:?}");
    assert_eq!(counts.values().sum::<i32>(), 6);
}

#[test]
fn edges_are_answered_or_refused_and_no_class_is_ever_below_k() {
    for (name, table, more, code, part) in [
        ("crlf", PEOPLE.replace('\n', "\r\n"), "--k 2 --suppression 0.2", 0, "k"),
        ("quotes", PEOPLE.replace("Bonn", "\"Bonn\""), "--k 2 --suppression 0.2", 0, "k"),
        ("k-above-n", PEOPLE.to_owned(), "--k 7", 3, "6 rows in all"),
        ("k-above-n-suppressed", PEOPLE.to_owned(), "--k 7 --suppression 1", 0, "k"),
        ("one-row", "age;city\n21;Bonn\n".to_owned(), "--k 1", 0, "k"),
        ("k-of-one", PEOPLE.to_owned(), "--k 1", 0, "k"),
        ("k-of-zero", PEOPLE.to_owned(), "--k 0", 1, "at least 1"),
        ("no-rows", "age;city\n".to_owned(), "--k 2", 3, "no rows"),
        ("empty", String::new(), "--k 2", 1, "no header"),
        ("twice", "age;age\n21;21\n".to_owned(), "--k 2", 1, "two columns are named \"age\""),
        ("unknown", PEOPLE.replace("62", "99"), "--k 2", 1, "line 7: column \"age\" holds \"99\""),
        ("null", PEOPLE.replace("62", ""), "--k 2", 1, "an empty cell is a value like any other"),
        ("short", PEOPLE.replace("Fay;", ""), "--k 2", 1, "line 7: 3 cells where the first line has 4"),
        ("limit", PEOPLE.to_owned(), "--k 2 --suppression 1.5", 1, "from 0 to 1"),
        ("nan", PEOPLE.to_owned(), "--k 2 --suppression NaN", 1, "from 0 to 1"),
        ("sensitive", PEOPLE.to_owned(), "--k 2 --distinct-l 2 --sensitive ill", 1, "no column \"ill\""),
        ("unnamed", PEOPLE.to_owned(), "--k 2 --distinct-l 2", 2, "--sensitive"),
    ] {
        let people = people(name, &table);
        for command in ["search", "recode"] {
            if command == "recode" && more.contains("suppression") {
                continue;
            }
            let shown = anonymize(command, &people, &format!("{more} --json"));
            assert_eq!(shown.code, code, "{command} {name}: {} {}", shown.out, shown.err);
            if code == 0 {
                let found = json(&shown);
                let k: u64 = more.split(' ').nth(1).unwrap().parse().unwrap();
                assert!(found["classes"] == 0 || found["class_min"].as_u64() >= Some(k), "{name}: {found}");
            } else if command == "search" {
                assert!(shown.err.contains(part) && shown.out.is_empty(), "{name}: {}", shown.err);
            }
            assert!(!shown.err.contains("panicked"), "{}", shown.err);
        }
    }
}

#[test]
fn hierarchies_that_are_missing_or_double_are_named() {
    let people = people("folders", PEOPLE);
    let shown =
        run(&["anonymize", "search", &people.0, "--separator", ";", "--hierarchies", "/no/such/folder", "--k", "2"]);
    assert!(shown.code == 1 && shown.err.contains("/no/such/folder"), "{}", shown.err);
    std::fs::write(PathBuf::from(&people.1).join("other_hierarchy_age.csv"), AGES).unwrap();
    let shown = anonymize("search", &people, "--k 2");
    assert!(shown.code == 1 && shown.err.contains("column \"age\" has two hierarchies"), "{}", shown.err);
}

#[test]
fn mdav_prints_the_information_loss_and_writes_means() {
    let data = temporary("mdav.csv", "a,b\n1,10\n2,20\n8,80\n9,90\n");
    let shown = run(&["anonymize", "mdav", &data, "--k", "2", "--json"]);
    // Both columns are the same up to scale: 4 x 0.25 of 4 x (4^2 + 3^2) / 2 each.
    let loss = json(&shown)["information_loss_percent"].as_f64().unwrap();
    assert!((loss - 100.0 * 1.0 / 50.0).abs() < 1e-9, "{loss}");
    let output = format!("{data}.means.csv");
    assert!(run(&["anonymize", "mdav", &data, "--k", "2", "--output", &output]).ok);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "a,b\n1.5,15\n1.5,15\n8.5,85\n8.5,85\n");
    let shown = run(&["anonymize", "mdav", &temporary("words.csv", "a\nx\n"), "--k", "1"]);
    assert!(shown.code == 1 && shown.err.contains("line 2: column \"a\" holds \"x\""), "{}", shown.err);
    assert_eq!(run(&["anonymize", "mdav", &data, "--k", "5"]).code, 3);
}

#[test]
fn hashes_fall_to_a_dictionary_and_keyed_pseudonyms_do_not() {
    let data = temporary(
        "mails.csv",
        "mail,phone,amount\nann@example.org,+49 171 1234567,5\nbob@example.org,,6\n,0170 7654321,7\n",
    );
    let key = format!("{data}.key");
    let _ = std::fs::remove_file(&key);
    assert!(run(&["anonymize", "key", &key]).ok);
    assert!(!run(&["anonymize", "key", &key]).ok, "a key is never replaced");
    let (hashed, keyed) = (format!("{data}.hashed.csv"), format!("{data}.keyed.csv"));
    let shown = run(&[
        "anonymize",
        "pseudonymize",
        &data,
        "--unkeyed-hash",
        "mail",
        "--keep",
        "amount",
        "--output",
        &hashed,
        "--force",
    ]);
    assert!(
        shown.ok && shown.out.starts_with("Statement of disguise\ndisguised: No guarantee"),
        "{} {}",
        shown.out,
        shown.err
    );
    let shown = run(&[
        "anonymize",
        "pseudonymize",
        &data,
        "--key",
        &key,
        "--hmac",
        "mail",
        "--ff1",
        "phone",
        "--output",
        &keyed,
        "--force",
    ]);
    assert!(
        shown.ok && shown.out.starts_with("Statement of pseudonymization\npseudonymized: "),
        "{} {}",
        shown.out,
        shown.err
    );
    for text in [&shown.out, &run(&["anonymize", "attack", "--help"]).out] {
        assert!(!text.contains("anonymous") && !text.contains("epsilon"), "{text}");
    }
    let text = std::fs::read_to_string(&keyed).unwrap();
    assert!(text.starts_with("mail,phone\n") && !text.contains("example") && !text.contains("1234567"), "{text}");
    assert!(text.lines().last().unwrap().starts_with(','), "an empty cell stays empty: {text}");

    let candidates: String = (0..2000).map(|number| format!("user{number}@example.org\n")).collect();
    let candidates = candidates + "ann@example.org\r\nbob@example.org\n";
    let attack = |data: &str, column: &str| {
        let args = ["anonymize", "attack", "dictionary", data, "--column", column, "--candidates", "-", "--json"];
        json(&run_with_input(&args, candidates.as_bytes()))
    };
    assert_eq!(attack(&hashed, "mail")["rows_undone"], 2);
    assert_eq!(attack(&hashed, "mail")["candidates"], 2002);
    assert_eq!(attack(&keyed, "mail")["rows_undone"], 0);
    let shown = run(&["anonymize", "pseudonymize", &data, "--hmac", "mail", "--output", &keyed, "--force"]);
    assert!(shown.code == 1 && shown.err.contains("the key is missing"), "{}", shown.err);
    // A value that can't be encrypted leaves what was there before, and is not repeated.
    let bad = temporary("bad.csv", "phone\n+49 171 1234567\n12345\n");
    let shown =
        run(&["anonymize", "pseudonymize", &bad, "--key", &key, "--ff1", "phone", "--output", &keyed, "--force"]);
    assert!(shown.code == 1 && shown.err.contains("line 3") && !shown.err.contains("12345"), "{}", shown.err);
    assert_eq!(std::fs::read_to_string(&keyed).unwrap(), text);
}

#[test]
fn joins_survive_pseudonyms() {
    let one = temporary("one.csv", "mail,a\nann@example.org,1\nbob@example.org,2\ncid@example.org,3\n");
    let two = temporary("two.csv", "address,b\ncid@example.org,4\nann@example.org,5\ndan@example.org,6\n");
    let key = temporary("join.key", &"1f".repeat(32));
    let pseudonyms = |data: &str, column: &str, kept: &str| -> Vec<String> {
        let output = format!("{data}.pseudonyms.csv");
        let shown = run(&[
            "anonymize",
            "pseudonymize",
            data,
            "--key",
            &key,
            "--hmac",
            column,
            "--keep",
            kept,
            "--output",
            &output,
            "--force",
        ]);
        assert!(shown.ok, "{}", shown.err);
        std::fs::read_to_string(output).unwrap().lines().skip(1).map(str::to_owned).collect()
    };
    let (one, two) = (pseudonyms(&one, "mail", "a"), pseudonyms(&two, "address=mail", "b"));
    let mut joined: Vec<String> = Vec::new();
    for (left, right) in one.iter().flat_map(|left| two.iter().map(move |right| (left, right))) {
        let ((mail, a), (address, b)) = (left.split_once(',').unwrap(), right.split_once(',').unwrap());
        if mail == address {
            joined.push(format!("{a}{b}"));
        }
    }
    assert_eq!(joined, ["15", "34"]);
}

#[test]
fn homogeneity_and_linkage_find_what_is_there() {
    let release = temporary(
        "release.csv",
        "age,city,illness\n20s,Bonn,flu\n20s,Bonn,flu\n40s,Kiel,flu\n40s,Kiel,gout\n60s,Kiel,gout\n",
    );
    let shown = run(&[
        "anonymize",
        "attack",
        "homogeneity",
        &release,
        "--quasi-identifiers",
        "age,city",
        "--sensitive",
        "illness",
        "--json",
    ]);
    let found = json(&shown);
    assert_eq!((&found["exposed_rows"], &found["class_min"]), (&Value::from(3), &Value::from(1)));
    assert_eq!(found["homogeneous_classes"], 2);
    let register = temporary("register.csv", "name,age,city\nAnn,20s,Bonn\nFay,60s,Kiel\nGil,80s,Kiel\n");
    let shown = run(&["anonymize", "attack", "linkage", &release, "--with", &register, "--on", "age,city", "--json"]);
    let found = json(&shown);
    assert_eq!((&found["singled_out"], &found["matched"]), (&Value::from(1), &Value::from(2)));
}

#[test]
fn two_releases_are_held_against_each_other() {
    let people = people("intersection", PEOPLE);
    let release = |name: &str, text: &str| temporary(name, text);
    let by_age = release("by-age.csv", "age;city;illness\n20s;*;flu\n20s;*;gout\n40s;*;flu\n40s;*;gout\n");
    let by_city = release("by-city.csv", "age;city;illness\n*;Bonn;flu\n*;Kiel;gout\n*;Kiel;mumps\n");
    let shown = run(&[
        "anonymize",
        "attack",
        "intersection",
        &people.0,
        "--separator",
        ";",
        "--hierarchies",
        &people.1,
        "--sensitive",
        "illness",
        "--release",
        &by_age,
        "--release",
        &by_city,
        "--json",
    ]);
    // The three of Bonn by the second alone; the two of forty in Kiel by both together.
    assert_eq!(json(&shown), serde_json::json!({"people": 6, "exposed_by_each": [0, 3], "exposed_together": 5}));
}

#[test]
fn inspect_proposes_roles() {
    let rows: String = (0..40)
        .map(|row| format!("p{row}@example.org,{},{},x\n", row % 20, if row < 20 { "f" } else { "m" }))
        .collect();
    let data = temporary("inspect.csv", &format!("mail,age,sex,same\n{rows}"));
    let found = json(&run(&["anonymize", "inspect", &data, "--json"]));
    let roles: Vec<&str> =
        found["columns"].as_array().unwrap().iter().map(|column| column["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["identifier", "quasi-identifier", "quasi-identifier", "other"]);
    assert_eq!(found["columns"][0]["looks_like"], "e-mail address");
    assert_eq!((&found["rows_singled_out"], &found["uniques_by_size"][1]), (&Value::from(40), &Value::from(40)));
    assert!((found["columns"][2]["separation"].as_f64().unwrap() - 400.0 / 780.0).abs() < 1e-12);
    assert!(run(&["anonymize", "inspect", &data]).out.contains("40 of 40 rows are singled out"));
}

#[test]
fn no_output_replaces_what_is_read() {
    let people = people("input", PEOPLE);
    let (data, folder) = (people.0.as_str(), people.1.as_str());
    let numbers = temporary("input-numbers.csv", "a;b\n1;2\n3;4\n5;6\n");
    let items = temporary("input-items.csv", "basket\na b\na\n");
    let hierarchy = temporary("input-items-hierarchy.csv", "a;*\nb;*\n");
    let table = ["--separator", ";", "--hierarchies", folder];
    for (command, read, more) in [
        ("search", data, [&table[..], &["--k", "2", "--output", data]].concat()),
        ("search", data, [&table[..], &["--k", "2", "--recipe", data]].concat()),
        ("search", data, [&table[..], &["--k", "2", "--report", data]].concat()),
        ("recode", data, [&table[..], &["--k", "2", "--output", data]].concat()),
        (
            "sample",
            data,
            [&table[..], &["--levels", "age=1", "--epsilon", "1", "--delta", "0.01", "--output", data]].concat(),
        ),
        ("mdav", &numbers, vec!["--separator", ";", "--k", "2", "--output", &numbers]),
        (
            "sets",
            &items,
            vec!["--column", "basket", "--hierarchy", &hierarchy, "--k", "2", "--m", "1", "--output", &items],
        ),
    ] {
        let before = std::fs::read_to_string(read).unwrap();
        let shown = run(&[&["anonymize", command, read][..], &more, &["--force"]].concat());
        assert!(
            shown.code == 1 && shown.err.contains("the output is the input"),
            "{command}: {} {}",
            shown.out,
            shown.err
        );
        assert_eq!(std::fs::read_to_string(read).unwrap(), before, "{command}");
    }
}
