//! What an attacker can count in the files that are written: classes by what their rows show, whatever the hierarchies' labels
//! and the cells are.
#![allow(missing_docs)]

use std::collections::HashMap;
use std::path::Path;

use burn_privacy_anonymize::microaggregation::categorical_mdav;
use burn_privacy_anonymize::recoding::{
    Recoding, recode_by_clusters, recode_by_medians, recode_by_mondrian, recode_iterated, recode_top_down,
};
use burn_privacy_anonymize::search::{SearchOptions, optimum};
use burn_privacy_anonymize::table::{Column, Hierarchy, Metric, PrivacyModel, Table, TableRoles};
use burn_privacy_anonymize::{AnonymizeError, ReleaseOptions, write_release};
use proptest::prelude::*;

/// Lines with empty cells, with quotes and separators, with labels that read as values of a lower level, of unequal depth, and
/// with numbers that are equal but for their text.
const HIERARCHIES: [&[&[&str]]; 3] = [
    &[&["", "unknown", "*"], &["a;b", "low", "*"], &["\"q\"", "low", "*"], &["low", "low", "*"], &["z", "*"]],
    &[&["0", "few", "*"], &["-0.0", "few", "*"], &["1e3", "many", "*"], &["1000", "many", "*"], &["", "*"]],
    &[&["one", "*"], &["*", "*"]],
];

fn columns() -> Vec<Column> {
    (0..)
        .zip(HIERARCHIES)
        .map(|(place, lines)| {
            let lines: Vec<Vec<String>> =
                lines.iter().map(|line| line.iter().map(|&label| label.to_owned()).collect()).collect();
            let name = format!("c{place}");
            Column { hierarchy: Hierarchy::new(&name, &lines).unwrap(), name }
        })
        .collect()
}

fn write(path: &Path, rows: &[[u8; 4]]) {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_path(path).unwrap();
    writer.write_record(["s", "c0", "c1", "c2", "name"]).unwrap();
    for (place, row) in rows.iter().enumerate() {
        let cell = |column: usize| HIERARCHIES[column][row[column] as usize % HIERARCHIES[column].len()][0];
        let sensitive = ["", "flu", "gout"][row[3] as usize % 3];
        writer.write_record([sensitive, cell(0), cell(1), cell(2), &format!("person {place}")]).unwrap();
    }
    writer.flush().unwrap();
}

/// Number of rows and distinct sensitive values of each class that a file shows.
fn classes(path: &Path) -> Vec<(u64, usize)> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    assert_eq!(reader.headers().unwrap(), vec!["s", "c0", "c1", "c2"]);
    let mut classes: HashMap<Vec<String>, Vec<String>> = HashMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        let shown = record.iter().skip(1).map(str::to_owned).collect();
        classes.entry(shown).or_default().push(record[0].to_owned());
    }
    let counted = classes.into_values().map(|mut values| {
        let rows = values.len() as u64;
        values.sort();
        values.dedup();
        (rows, values.len())
    });
    counted.collect()
}

fn by_every_method(table: &Table, models: &[PrivacyModel]) -> Vec<(&'static str, Result<Recoding, AnonymizeError>)> {
    let options =
        SearchOptions { models: models.to_vec(), metric: Metric::Loss, suppression_limit: 1.0, max_choices: u64::MAX };
    vec![
        ("search", optimum(table, &options).map(|found| Recoding::full_domain(table, &found.partition))),
        ("clusters", recode_by_clusters(table, models, 2)),
        ("mondrian", recode_by_mondrian(table, models)),
        ("strict medians", recode_by_medians(table, models, false)),
        ("relaxed medians", recode_by_medians(table, models, true)),
        ("top-down", recode_top_down(table, models)),
        ("iterated", recode_iterated(table, models, 1.0, u64::MAX)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_file_shows_a_class_that_is_too_small(
        rows in prop::collection::vec(any::<[u8; 4]>(), 1..40),
        k in 1_u64..6,
        l in 1_u64..3,
        keep_order in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in.csv");
        write(&input, &rows);
        let roles = TableRoles { quasi_identifiers: columns(), sensitive: Some("s".to_owned()) };
        let table = Table::read(&input, b';', roles).unwrap();
        let models = [PrivacyModel::KAnonymity { k }, PrivacyModel::DistinctLDiversity { l }];
        for (method, found) in by_every_method(&table, &models) {
            let Ok(recoding) = found else { continue };
            let output = folder.path().join("out.csv");
            let options = ReleaseOptions { keep: Vec::new(), keep_order, replace: true };
            let written = write_release(&input, b';', &table, &recoding, &output, &options).unwrap();
            let found = classes(&output);
            prop_assert!(found.iter().all(|&(rows, values)| rows >= k && values as u64 >= l), "{method}: {found:?}");
            prop_assert_eq!(found.iter().map(|(rows, _)| rows).sum::<u64>(), written, "{}", method);
        }
        if let Ok(found) = categorical_mdav(&table, k) {
            let output = folder.path().join("out.csv");
            let options = ReleaseOptions { keep: Vec::new(), keep_order, replace: true };
            write_release(&input, b';', &table, &found.recoding, &output, &options).unwrap();
            prop_assert!(classes(&output).iter().all(|&(rows, _)| rows >= k));
        }
    }

    #[test]
    fn classes_of_local_recodings_have_enough_people_in_the_population(
        rows in prop::collection::vec(any::<[u8; 4]>(), 1..20),
        more in prop::collection::vec(any::<[u8; 4]>(), 0..30),
        k in 1_u64..9,
    ) {
        let code = |row: &[u8; 4]| -> Vec<u32> {
            (0..3).map(|column| u32::from(row[column]) % HIERARCHIES[column].len() as u32).collect()
        };
        let of = |rows: &[&[u8; 4]]| Table::from_tuples(columns(), None, rows.iter().map(|row| (code(row), 1))).unwrap();
        let own: Vec<&[u8; 4]> = rows.iter().collect();
        let all: Vec<&[u8; 4]> = rows.iter().chain(&more).collect();
        let table = of(&own).with_population(of(&all)).unwrap();
        let models = [PrivacyModel::KAnonymity { k: 1 }, PrivacyModel::KMap { k }];
        for (method, found) in by_every_method(&table, &models) {
            let Ok(recoding) = found else { continue };
            for class in recoding.classes() {
                // By what they show: people whose values lie under labels of this text, on any one level of it.
                prop_assert!(of(&all).rows_under(&class.cells) >= k, "{}", method);
            }
        }
        let presence = [PrivacyModel::DeltaPresence { lower: 0.0, upper: 0.5 }];
        prop_assert!(recode_by_mondrian(&table, &presence).unwrap_err().to_string().contains("overlap"));
    }
}

#[test]
fn a_tuple_of_very_many_rows_needs_no_memory_for_each() {
    let many = 1 << 40;
    let rows = [(vec![0, 0, 0], many), (vec![1, 1, 0], 1), (vec![2, 1, 0], many + 1), (vec![4, 4, 1], 3)];
    let table = Table::from_tuples(columns(), None, rows).unwrap();
    for k in [1, 2, 5] {
        let models = [PrivacyModel::KAnonymity { k }];
        for (method, found) in by_every_method(&table, &models) {
            if method == "search" || method == "iterated" {
                assert!(found.unwrap_err().to_string().contains("below 2^32"), "{method}");
                continue;
            }
            let recoding = found.unwrap();
            recoding.verify(&table, &models).unwrap();
            assert!(recoding.classes().iter().all(|class| class.rows >= k), "{method}");
            assert_eq!(recoding.released_rows(), table.rows(), "{method}");
        }
    }
}

#[test]
fn no_release_replaces_what_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.csv");
    write(&input, &[[0; 4], [0; 4]]);
    let before = std::fs::read_to_string(&input).unwrap();
    let roles = TableRoles { quasi_identifiers: columns(), sensitive: Some("s".to_owned()) };
    let table = Table::read(&input, b';', roles).unwrap();
    let recoding = recode_by_mondrian(&table, &[PrivacyModel::KAnonymity { k: 2 }]).unwrap();
    let options = ReleaseOptions { keep: Vec::new(), keep_order: true, replace: true };
    let same = folder.path().join(".").join("in.csv");
    let refused = write_release(&input, b';', &table, &recoding, &same, &options).unwrap_err().to_string();
    assert!(refused.contains("another file"), "{refused}");
    assert_eq!(std::fs::read_to_string(&input).unwrap(), before);
}
