//! Whole files.

use std::fs;
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::perturb::{
    PerturbOptions, PerturbationStatement, Progress, TableError, TableFormat, TableSchema, perturb_table,
    schema_template,
};
use burn_privacy_mechanisms::Entropy;

const SCHEMA: &str = r#"
    epsilon = 6.0

    [[column]]
    name = "number"
    kind = "real"
    lo = -1.0
    hi = 1.0
    default = 0.25
    treatment = "randomize"
    mechanism = "piecewise"

    [[column]]
    name = "whole"
    kind = "integer"
    lo = 0
    hi = 100
    default = 10
    treatment = "randomize"

    [[column]]
    name = "kind"
    kind = "category"
    values = ["a", "b,c", "quo\"te"]
    other = "?"
    treatment = "randomize"

    [[column]]
    name = "id"
    treatment = "keep"

    [[column]]
    name = "secret"
    treatment = "drop"
"#;

fn schema() -> TableSchema {
    TableSchema::parse(SCHEMA, None).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path("in.csv"), text).unwrap();
        self.path("in.csv")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn seeded(chunk_records: usize) -> PerturbOptions {
    PerturbOptions { chunk_records, ..PerturbOptions::new(Entropy::seeded(9)) }
}

fn perturb(input: &Path, output: &Path, chunk_records: usize) -> Result<PerturbationStatement, TableError> {
    perturb_table(&schema(), input, output, &seeded(chunk_records), &mut |_| {})
}

/// What a table becomes under the fixed seed.
fn perturbed(text: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    let input = folder.write(text);
    let _ = perturb(&input, &folder.path("out.csv"), 1_000).unwrap();
    fs::read_to_string(folder.path("out.csv")).unwrap()
}

const HEADER: &str = "id,number,whole,kind,secret\n";

#[test]
fn cells_that_are_missing_unknown_or_out_of_bounds_count_as_default_or_bound() {
    // Same seed, same places: outputs are equal if and only if the values that were perturbed are.
    let plain = perturbed(format!("{HEADER}1,0.25,10,?,s\n2,1,100,b,s\n3,-1,0,?,s\n"));
    let odd = perturbed(format!("{HEADER}1,,NA,nothing,t\n2,7e9,1e99,\"  \",\n3,-inf,-5,,\"\n\"\n"));
    assert_eq!(plain, odd);
    let nan = perturbed(format!("{HEADER}1,NaN,nan,\"?\",s\n2,inf,inf,?,s\n3,-1.5, 0 ,x,s\n"));
    assert_eq!(plain, nan);
    let mut not_utf8 = format!("{HEADER}1,").into_bytes();
    not_utf8.extend([0xFF, b',', 0xFE, b',', 0xC0, b',', 0xFF, b'\n']);
    not_utf8.extend(b"2,1,100,b,s\n3,-1,0,?,s\n");
    assert_eq!(perturbed(not_utf8), plain);
    // And values do matter.
    assert_ne!(perturbed(format!("{HEADER}1,-0.9,10,?,s\n2,1,100,b,s\n3,-1,0,?,s\n")), plain);
}

#[test]
fn output_is_a_table_with_the_released_columns_in_the_inputs_order() {
    let text = perturbed("secret,kind,id,whole,number\r\nx,\"b,c\",\"a \"\"b\"\"\nc\",3,0.5\r\ny,a,\"\",4,0.5\r\n");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["kind", "id", "whole", "number"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &rows[0][1], &rows[1][1]), (2, "a \"b\"\nc", ""));
    for row in &rows {
        assert!(["a", "b,c", "quo\"te", "?"].contains(&&row[0]), "{row:?}");
        assert!(row[2].parse::<i64>().is_ok() && row[3].parse::<f64>().is_ok(), "{row:?}");
    }
    assert_eq!(perturbed(HEADER), "id,number,whole,kind\n");
}

#[test]
fn a_broken_table_names_file_and_line_and_leaves_no_output() {
    for (text, expected) in [
        (format!("{HEADER}1,1,1,a,s\n2,1,1,a\n"), "in.csv:3: 4 cells, but the header has 5"),
        (format!("{HEADER}1,1,1,a,s,t\n"), "in.csv:2: 6 cells, but the header has 5"),
        (format!("{HEADER}\"1\n\",1,1,a,s\n2\n"), "in.csv:4: 1 cells"),
        (format!("{HEADER}1,\"1,1,a,s\n2,1,1,a,s\n"), "in.csv:2: broken quoting"),
        (format!("{HEADER}1,1\"1,1,a,s\n"), "in.csv:2: broken quoting"),
        (format!("{HEADER}1,1,1,a,s\n\n2,1,1,a,s\n"), "in.csv:3: an empty line"),
        (format!("{HEADER}{}2,1,1,a\n", "1,1,1,a,s\n".repeat(50_000)), "in.csv:50002: 4 cells"),
        ("id,number,whole,kind\n".to_owned(), "in.csv:1: the header has no column \"secret\""),
        ("id,number,whole,kind,secret,new\n".to_owned(), "in.csv:1: the header's column \"new\" is not in the schema"),
        ("id,id,number,whole,kind,secret\n".to_owned(), "in.csv:1: the header has column \"id\" twice"),
        (String::new(), "in.csv:1: no header"),
    ] {
        let folder = Folder::new();
        let input = folder.write(&text);
        for chunk in [1, 7, 100_000] {
            let error = perturb(&input, &folder.path("out.csv"), chunk).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(folder.names(), ["in.csv"]);
    }
}

#[test]
fn the_result_does_not_depend_on_chunks_or_threads() {
    let rows: String = (0..5_000).map(|i| format!("{i},{},{},a,s\n", f64::from(i) / 5e3, i % 101)).collect();
    let folder = Folder::new();
    let input = folder.write(format!("{HEADER}{rows}"));
    let mut results = Vec::new();
    for (index, chunk) in [0, 1, 1_000, 1_024, 3_333, 1 << 20].into_iter().enumerate() {
        let output = folder.path(&format!("out{index}.csv"));
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1 + index % 3).build().unwrap();
        let statement = threads.install(|| perturb(&input, &output, chunk)).unwrap();
        assert_eq!(statement.unprotected_rows, Some(5_000));
        results.push(fs::read(output).unwrap());
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    // A fresh key gives another result.
    let output = folder.path("fresh.csv");
    let fresh = PerturbOptions::new(Entropy::os());
    let _ = perturb_table(&schema(), &input, &output, &fresh, &mut |_| {}).unwrap();
    assert_ne!(fs::read(output).unwrap(), results[0]);
}

#[test]
fn equal_rows_and_columns_get_noise_of_their_own() {
    let text = perturbed(format!("{HEADER}{}", "1,0,50,a,s\n".repeat(1_000)));
    let numbers: std::collections::HashSet<_> = text.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert!(numbers.len() > 990, "{}", numbers.len());
}

#[test]
fn progress_ends_at_the_end() {
    let folder = Folder::new();
    let input = folder.write(format!("{HEADER}{}", "1,0,50,a,s\n".repeat(10_000)));
    let mut seen: Vec<Progress> = Vec::new();
    let options = seeded(1_000);
    let _ = perturb_table(&schema(), &input, &folder.path("out.csv"), &options, &mut |progress| seen.push(progress))
        .unwrap();
    assert_eq!(seen.len(), 10);
    assert!(seen.windows(2).all(|pair| pair[0].records < pair[1].records && pair[0].bytes <= pair[1].bytes));
    let last = seen.last().unwrap();
    assert_eq!((last.records, Some(last.bytes)), (10_000, last.total_bytes));
}

#[test]
fn files_are_replaced_on_demand_only_and_never_the_input() {
    let folder = Folder::new();
    let input = folder.write(format!("{HEADER}1,0,50,a,s\n"));
    let output = folder.path("out.csv");
    fs::write(&output, "old").unwrap();
    assert!(matches!(perturb(&input, &output, 1), Err(TableError::OutputExists { .. })));
    assert_eq!(fs::read_to_string(&output).unwrap(), "old");
    let replace = PerturbOptions { replace: true, ..seeded(1) };
    let _ = perturb_table(&schema(), &input, &output, &replace, &mut |_| {}).unwrap();
    assert!(fs::read_to_string(&output).unwrap().starts_with("id,number"));
    let error = perturb_table(&schema(), &input, &input, &replace, &mut |_| {});
    assert!(matches!(error, Err(TableError::SameFile { .. })));
    // A broken input leaves what was there.
    let input = folder.write(format!("{HEADER}1\n"));
    let before = fs::read(&output).unwrap();
    perturb_table(&schema(), &input, &output, &replace, &mut |_| {}).unwrap_err();
    assert_eq!(fs::read(&output).unwrap(), before);
    assert!(matches!(perturb(&folder.path("none.csv"), &folder.path("x"), 1), Err(TableError::Read { .. })));
    assert!(matches!(perturb(&folder.write(HEADER), &folder.path("no/x"), 1), Err(TableError::Write { .. })));
    assert_eq!(folder.names(), ["in.csv", "out.csv"]);
}

#[test]
fn a_template_names_every_column_and_drops_it() {
    let folder = Folder::new();
    let template =
        schema_template(&folder.write("\u{feff}a,\"b \"\"c\"\"\"\nnot,a\ntable\n"), &TableFormat::default()).unwrap();
    let parsed: toml::Table = toml::from_str(&template).unwrap();
    let columns = parsed["column"].as_array().unwrap();
    let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b \"c\""]);
    assert!(columns.iter().all(|column| column["treatment"].as_str() == Some("drop")));
    assert!(schema_template(&folder.write(""), &TableFormat::default()).unwrap_err().to_string().contains("no header"));
}
