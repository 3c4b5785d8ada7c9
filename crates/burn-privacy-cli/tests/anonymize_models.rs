//! `burn-privacy anonymize`: models, methods, attacks, risks, sets and sampled releases, through the binary.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use common::{Shown, run, temporary};
use serde_json::Value;

const PEOPLE: &str = "name;age;city;illness;pay\n\
    Ann;21;Bonn;flu;10\nBob;23;Bonn;flu;20\nCid;25;Bonn;gout;30\nDan;41;Kiel;flu;10\nEve;43;Kiel;gout;20\nFay;62;Kiel;flu;30\n";
const AGES: &str = "21;20s;*\n23;20s;*\n25;20s;*\n41;40s;*\n43;40s;*\n62;60s;*\n";
const CITIES: &str = "Bonn;*\nKiel;*\n";
const ILLNESSES: &str = "flu;mild;*\ngout;hard;*\n";

struct Case {
    data: String,
    folder: String,
}

impl Case {
    fn new(name: &str, table: &str) -> Self {
        let data = temporary(&format!("{name}.csv"), table);
        let folder = Path::new(&data).with_extension("hierarchies");
        std::fs::create_dir_all(&folder).unwrap();
        for (column, text) in [("age", AGES), ("city", CITIES), ("illness", ILLNESSES)] {
            std::fs::write(folder.join(format!("people_hierarchy_{column}.csv")), text).unwrap();
        }
        Self { data, folder: folder.to_str().unwrap().to_owned() }
    }

    fn run(&self, command: &str, more: &str) -> Shown {
        let mut args = vec!["anonymize", command, &self.data, "--separator", ";", "--hierarchies", &self.folder];
        args.extend(more.split(' ').filter(|word| !word.is_empty()));
        run(&args)
    }
}

fn json(shown: &Shown) -> Value {
    assert!(shown.ok, "{}", shown.err);
    serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error}: {}", shown.out))
}

/// Classes of a released file by all columns but `without`: rows, and values of `without`.
fn classes(file: &str, without: &str) -> Vec<(usize, Vec<String>)> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let place = lines.next().unwrap().split(';').position(|name| name == without).unwrap();
    let mut classes = std::collections::BTreeMap::new();
    for line in lines {
        let mut cells: Vec<String> = line.split(';').map(str::to_owned).collect();
        let value = cells.remove(place);
        let class: &mut Vec<String> = classes.entry(cells).or_default();
        class.push(value);
    }
    classes.into_values().map(|values: Vec<String>| (values.len(), values)).collect()
}

#[test]
fn every_model_is_met_by_search_and_by_recode() {
    let case = Case::new("models", PEOPLE);
    let output = format!("{}.out.csv", case.data);
    let two_values = |values: &[String]| values.iter().any(|value| value != &values[0]);
    for command in ["search", "recode"] {
        for (models, sensitive) in [
            ("--distinct-l 2", "illness"),
            ("--entropy-l 1.8", "illness"),
            ("--recursive-l 2 --recursive-c 3", "illness"),
            ("--equal-t 0.2", "illness"),
            ("--hierarchical-t 0.2", "illness"),
            ("--beta 0.4", "illness"),
            ("--enhanced-beta 0.4", "illness"),
            ("--delta-disclosure 0.4", "illness"),
            ("--ordered-t 0.2", "pay"),
        ] {
            let more = format!("--k 2 {models} --sensitive {sensitive} --force --json --output {output}");
            let found = json(&case.run(command, &more));
            assert!(found["class_min"].as_u64() >= Some(2), "{command} {models}: {found}");
            let found = classes(&output, sensitive);
            assert!(!found.is_empty() && found.iter().all(|(_, values)| two_values(values)), "{command} {models}");
        }
    }
    let shown = case.run("search", "--k 2 --ordered-t 0.2 --sensitive illness");
    assert!(shown.code == 1 && shown.err.contains("order of texts"), "{}", shown.err);
    let shown = case.run("search", "--k 2 --recursive-l 2 --sensitive illness");
    assert!(!shown.ok && shown.err.contains("--recursive-c"), "{}", shown.err);
    std::fs::remove_file(Path::new(&case.folder).join("people_hierarchy_illness.csv")).unwrap();
    let shown = case.run("search", "--k 2 --hierarchical-t 0.2 --sensitive illness");
    assert!(shown.code == 1 && shown.err.contains("needs a hierarchy of \"illness\""), "{}", shown.err);
}

#[test]
fn a_population_is_compared_with() {
    let case = Case::new("population", PEOPLE);
    std::fs::remove_file(Path::new(&case.folder).join("people_hierarchy_illness.csv")).unwrap();
    let more: String = ["21;Bonn", "41;Kiel", "43;Kiel", "62;Kiel", "62;Kiel"].map(|row| format!("{row}\n")).concat();
    let own = PEOPLE.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(';').collect();
        format!("{};{}\n", cells[1], cells[2])
    });
    let population = temporary("population-all.csv", &format!("age;city\n{}{more}", own.collect::<String>()));
    let found = json(&case.run("search", &format!("--k 1 --k-map 2 --population {population} --suppression 1 --json")));
    // By decade each class has two people at least in the population: four, four and three.
    let map = json(&case.run("search", &format!("--k 1 --k-map 3 --population {population} --json")));
    assert_eq!(map["levels"], serde_json::json!({"age": 1, "city": 0}));
    assert_eq!((&map["class_min"], &map["risk"]["journalist_highest"]), (&Value::from(1), &Value::from(1.0 / 3.0)));
    assert!(found["optimum"].as_f64() <= map["optimum"].as_f64());
    let presence = format!("--k 1 --presence 0,0.6 --population {population} --json");
    assert_eq!(json(&case.run("search", &presence))["levels"]["age"], 2);
    let shown = case.run("recode", &presence);
    assert!(!shown.ok && shown.err.contains("cells of local recodings overlap"), "{}", shown.err);
    let fewer = temporary("population-fewer.csv", "age;city\n21;Bonn\n");
    let shown = case.run("search", &format!("--k 1 --k-map 2 --population {fewer}"));
    assert!(shown.code == 1 && shown.err.contains("fewer rows of (23, Bonn)"), "{}", shown.err);
    assert!(!case.run("search", "--k 1 --k-map 2").ok);
}

#[test]
fn people_known_to_be_absent_break_a_lower_bound_of_presence() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let data = file("t.csv", "age\n21\n21\n");
    file("hierarchy_age.csv", "21;*\n61;*\n");
    let population = file("all.csv", &format!("age\n{}{}", "21\n".repeat(4), "61\n".repeat(4)));
    let hierarchies = folder.path().display().to_string();
    let search = |presence: &str| {
        let models = format!("--k 1 --presence {presence} --population {population} --json");
        let line = format!("anonymize search {data} --hierarchies {hierarchies} {models}");
        run(&line.split(' ').collect::<Vec<_>>())
    };
    // At level 0 half of the 21-year-olds are there, and no 61-year-old; at level 1, 2 of 8.
    assert_eq!(json(&search("0.2,0.6"))["levels"]["age"], 1);
    assert_eq!(json(&search("0,0.6"))["levels"]["age"], 0);
    let shown = search("0.3,0.6");
    assert!(
        shown.code == 3 && shown.out.is_empty() && shown.err.contains("nothing reaches"),
        "{} {}",
        shown.out,
        shown.err
    );
}

#[test]
fn what_is_refused_leaves_no_release() {
    let case = Case::new("refused", PEOPLE);
    let beside = |ending: &str| format!("{}{ending}", case.data);
    let (output, recipe, report) = (beside(".out.csv"), beside(".toml"), beside(".html"));
    let taken = temporary("taken.html", "taken");
    for (command, more, words) in [
        ("search", format!("--k 1 --sensitive pay --ordered-t 0.5 --recipe {recipe}"), "has no key for"),
        ("search", format!("--k 1 --recipe {taken}"), "exists already"),
        ("search", format!("--k 1 --report {taken}"), "exists already"),
        ("recode", format!("--k 1 --report {taken}"), "exists already"),
        ("search", format!("--k 1 --population-size 2 --report {report}"), "population"),
        ("recode", format!("--k 1 --population-size 2 --report {report}"), "population"),
    ] {
        let shown = case.run(command, &format!("{more} --output {output} --json"));
        assert!(!shown.ok && shown.out.is_empty() && shown.err.contains(words), "{more}: {} {}", shown.out, shown.err);
        for file in [&output, &format!("{output}.statement.txt"), &format!("{output}.statement.json"), &recipe, &report]
        {
            assert!(!Path::new(file).exists(), "{more}: {file}");
        }
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "taken");
}

#[test]
fn every_method_of_recoding_keeps_k_and_the_best_is_the_best() {
    let case = Case::new("methods", PEOPLE);
    std::fs::remove_file(Path::new(&case.folder).join("people_hierarchy_illness.csv")).unwrap();
    let output = format!("{}.out.csv", case.data);
    let mut losses = Vec::new();
    for method in
        ["clusters", "k-member", "mondrian", "mondrian-strict", "mondrian-relaxed", "top-down", "iterated", "best"]
    {
        let more = format!("--k 2 --method {method} --keep illness --force --json --output {output}");
        let found = json(&case.run("recode", &more));
        let (loss, bound) = (found["loss"].as_f64().unwrap(), found["lower_bound"].as_f64().unwrap());
        assert!(bound <= loss && found["class_min"].as_u64() >= Some(2), "{method}: {found}");
        assert!(classes(&output, "illness").iter().all(|(rows, _)| *rows >= 2), "{method}");
        assert!((found["measures"]["loss"].as_f64().unwrap() - loss).abs() < 1e-12);
        losses.push(loss);
    }
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses.last(), Some(&least));
    let found = json(&case.run("recode", &format!("--k 2 --method freeform --force --json --output {output}")));
    // It begins from the clusters; no row is suppressed, as others may do.
    assert!(found["loss"].as_f64().unwrap() <= losses[0] + 1e-12 && found["lower_bound"].is_null(), "{found}");
    let statement = std::fs::read_to_string(format!("{output}.statement.txt")).unwrap();
    assert!(
        statement.contains("freeform 2-anonymity") && statement.contains("not k-anonymity by classes"),
        "{statement}"
    );
    let found = json(&case.run("recode", &format!("--k 2 --method categorical-mdav --force --json --output {output}")));
    assert!(found["class_min"].as_u64() >= Some(2) && found["distance"].as_f64() > Some(0.0), "{found}");
    assert!(!std::fs::read_to_string(&output).unwrap().contains("20s"), "values stay values");
    let shown = case.run("recode", "--k 2 --method freeform --distinct-l 2 --sensitive illness");
    assert!(shown.code == 1 && shown.err.contains("no classes"), "{}", shown.err);
    assert_eq!(case.run("recode", "--k 7 --method best").code, 3);
}

#[test]
fn a_page_is_written_once_and_loads_nothing() {
    let case = Case::new("report", PEOPLE);
    let report = format!("{}.html", case.data);
    let _ = std::fs::remove_file(&report);
    let more = format!("--k 2 --suppression 0.5 --report {report} --population-size 100 --json");
    let found = json(&case.run("search", &more));
    assert!(found["risk"]["population_uniques"]["chosen_by"].is_string(), "{found}");
    let page = std::fs::read_to_string(&report).unwrap();
    for part in ["2-anonymity of the released rows", "<svg", "Prosecutor, highest", "unique in the population"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("src="));
    let again = case.run("search", &more);
    assert!(!again.ok && again.err.contains("exists already"), "{}", again.err);
    assert!(case.run("recode", &format!("--k 2 --report {report} --force")).ok);
}

#[test]
fn a_release_that_is_no_coarser_than_needed_is_downcoded() {
    // Ann and Bob need no label; Dan and Eve get that of the forties, both of whose ages occur then.
    let people = "name;age;city\nAnn;21;Bonn\nBob;21;Bonn\nDan;41;Kiel\nEve;43;Kiel\n";
    let case = Case::new("downcode", people);
    std::fs::remove_file(Path::new(&case.folder).join("people_hierarchy_illness.csv")).unwrap();
    let output = format!("{}.out.csv", case.data);
    assert!(case.run("recode", &format!("--k 2 --force --output {output}")).ok);
    let args = |data: &str| {
        let data = data.to_owned();
        let parts = [
            "anonymize",
            "attack",
            "downcode",
            &data,
            "--separator",
            ";",
            "--hierarchies",
            &case.folder,
            "--truth",
            &case.data,
            "--json",
        ];
        json(&run(&parts))
    };
    let found = args(&output);
    assert_eq!(found["wrong_claims"], 0, "{found}");
    assert!(found["rows_downcoded"].as_u64() >= Some(2), "{found}");
    assert!(case.run("search", &format!("--k 2 --force --output {output}")).ok);
    assert_eq!(args(&output)["one_level_a_column"], true);
}

#[test]
fn people_of_a_register_are_found_under_the_labels_of_a_release() {
    let case = Case::new("linkage", PEOPLE);
    let release = temporary("linkage-out.csv", "age;city;illness\n20s;Bonn;flu\n40s;Kiel;gout\n40s;Kiel;flu\n");
    let register =
        temporary("linkage-register.csv", "who;age;city\nAnn;21;Bonn\nDan;41;Kiel\nEve;43;Kiel\nXan;62;Kiel\n");
    let more = ["--with", &register, "--on", "age,city", "--hierarchies", &case.folder, "--separator", ";"];
    let mut args = vec!["anonymize", "attack", "linkage", &release];
    args.extend(more);
    let shown = run(&args);
    assert!(shown.ok && shown.out.contains("21, Bonn is the row 20s, Bonn"), "{} {}", shown.out, shown.err);
    args.push("--json");
    let found = json(&run(&args));
    assert_eq!((&found["singled_out"], &found["matched"]), (&Value::from(1), &Value::from(3)));
}

#[test]
fn risks_are_counted_and_uniques_estimated() {
    let rows: String =
        (0..300).map(|row| format!("{},{}\n", row % 50, if row < 120 { row } else { row % 5 })).collect();
    let data = temporary("risk.csv", &format!("a,b\n{rows}"));
    let args = ["anonymize", "risk", &data, "--quasi-identifiers", "a,b", "--population-size", "3000", "--json"];
    let found = json(&run(&args));
    assert_eq!(found["prosecutor_highest"], 1.0);
    let uniques = &found["population_uniques"];
    assert!(uniques["chosen"].as_f64() > Some(0.0) && uniques["chosen"].as_f64() < Some(3000.0), "{found}");
    let shown = run(&args[..args.len() - 1]);
    assert!(shown.out.contains("estimates, no bounds"), "{}", shown.out);
    let shown = run(&["anonymize", "risk", &data, "--quasi-identifiers", "a", "--population-size", "3"]);
    assert!(shown.code == 1 && shown.err.contains("at least the 300 rows"), "{}", shown.err);
}

#[test]
fn sets_of_items_are_generalized() {
    let data = temporary("sets.csv", "who,items\n1,a d\n2,a d\n3,b d\n4,b\n5,\"b c\"\n6,\n");
    let tree = temporary("sets-tree.csv", "a;x;*\nb;x;*\nc;x;*\nd;y;*\n");
    let output = format!("{data}.out.csv");
    let _ = std::fs::remove_file(&output);
    let more = ["--column", "items", "--hierarchy", &tree, "--k", "2", "--m", "2", "--force", "--json"];
    let mut args = vec!["anonymize", "sets", &data, "--output", &output];
    args.extend(more);
    assert_eq!(json(&run(&args))["rows"], 6);
    let text = std::fs::read_to_string(&output).unwrap();
    // Only the column of items, sorted, and no pair in one row alone.
    assert!(text.starts_with("items\n") && text.lines().count() == 7, "{text}");
    let with = |one: &str, other: &str| {
        text.lines()
            .filter(|line| line.split(' ').any(|item| item == one) && line.split(' ').any(|item| item == other))
            .count()
    };
    assert!(with("a", "d") != 1 && with("b", "d") != 1 && with("x", "d") != 1, "{text}");
    assert!(std::fs::read_to_string(format!("{output}.statement.txt")).unwrap().contains("2^2-anonymity"));
    assert_eq!(
        run(&["anonymize", "sets", &data, "--column", "items", "--hierarchy", &tree, "--k", "9", "--m", "1"]).code,
        3
    );
}

#[test]
fn a_sampled_release_is_differentially_private_and_says_by_which_theorem() {
    let rows: String =
        (0..4000).map(|row| format!("{};{}\n", ["21", "23", "41"][row % 3], ["Bonn", "Kiel"][row % 2])).collect();
    let case = Case::new("sample", &format!("age;city\n{rows}62;Kiel\n"));
    let plan = json(&case.run("sample", "--levels age=1,city=0 --epsilon 1 --delta 1e-6 --json"));
    assert!(plan["delta"].as_f64() <= Some(1e-6) && plan["beta"].as_f64() <= Some(0.6322), "{plan}");
    assert!(plan["event"]["schema"].is_string(), "{plan}");
    let output = format!("{}.out.csv", case.data);
    let more = format!("--levels age=1,city=0 --epsilon 1 --delta 1e-6 --force --output {output}");
    let shown = case.run("sample", &more);
    assert!(
        shown.ok && shown.out.contains("-differential privacy of one row under add-or-remove-one"),
        "{}{}",
        shown.out,
        shown.err
    );
    assert!(shown.out.contains("chosen without looking at the data"), "{}", shown.out);
    let text = std::fs::read_to_string(&output).unwrap();
    let k = plan["k"].as_u64().unwrap() as usize;
    let mut counts = std::collections::HashMap::new();
    text.lines().skip(1).for_each(|line| *counts.entry(line).or_insert(0_usize) += 1);
    assert!(counts.values().all(|&rows| rows >= k) && !text.contains("60s"), "{counts:?}");
    // Some 2,530 of 4,001 rows are kept, 30 of standard deviation, and the order is no order of people.
    assert!(
        text.lines().skip(1).is_sorted() && (2000..3000).contains(&text.lines().count()),
        "{}",
        text.lines().count()
    );
    let statement: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{output}.statement.json")).unwrap()).unwrap();
    assert_eq!(statement["grade"], "differential privacy");
    let seeded = case.run("sample", &format!("{more} --seed 5"));
    assert!(seeded.out.contains("NOT PRIVATE"), "{}", seeded.out);
    let shown = case.run("sample", "--levels age=1 --epsilon 0.1 --beta 0.5 --k 9");
    assert!(shown.code == 1 && shown.err.contains("beta is 0.5"), "{}", shown.err);
    assert!(!case.run("sample", &format!("--levels pay=1 --epsilon 1 --delta 1e-6 --output {output} --force")).ok);
}

#[test]
fn microaggregation_has_three_methods_a_bound_and_closeness() {
    let rows: String = (0..60).map(|row| format!("{},{},{}\n", row * row % 31, row * 7 % 17, row % 12)).collect();
    let data = temporary("micro.csv", &format!("a,b,pay\n{rows}"));
    let mut losses = Vec::new();
    for method in ["mdav", "v-mdav"] {
        let found = json(&run(&["anonymize", "mdav", &data, "--k", "3", "--method", method, "--bound", "--json"]));
        let loss = found["information_loss_percent"].as_f64().unwrap();
        assert!(
            found["lower_bound_percent"].as_f64() <= Some(loss) && found["group_min"].as_u64() >= Some(3),
            "{found}"
        );
        losses.push(loss);
    }
    let shown = run(&["anonymize", "mdav", &data, "--k", "3", "--method", "univariate"]);
    assert!(shown.code == 1 && shown.err.contains("this is univariate"), "{}", shown.err);
    let one = temporary("micro-one.csv", "a\n1\n2\n3\n10\n11\n12\n50\n51\n52\n53\n");
    let found = json(&run(&["anonymize", "mdav", &one, "--k", "3", "--method", "univariate", "--bound", "--json"]));
    let (loss, bound) = (&found["information_loss_percent"], &found["lower_bound_percent"]);
    assert!((loss.as_f64().unwrap() - bound.as_f64().unwrap()).abs() < 1e-6, "the optimum is its own bound: {found}");
    let output = format!("{data}.out.csv");
    let args = [
        "anonymize",
        "mdav",
        &data,
        "--k",
        "3",
        "--sensitive",
        "pay",
        "--ordered-t",
        "0.1",
        "--force",
        "--output",
        &output,
    ];
    let shown = run(&args);
    assert!(shown.ok && shown.out.contains("0.1-closeness of pay"), "{} {}", shown.out, shown.err);
    assert!(std::fs::read_to_string(&output).unwrap().starts_with("a,b,pay\n"));
}
