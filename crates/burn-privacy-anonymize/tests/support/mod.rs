//! Random tables, and the tables that are measured against where they are at hand.
#![allow(dead_code, missing_docs)]

use std::path::{Path, PathBuf};

use burn_privacy_anonymize::table::{Column, Hierarchy, PrivacyModel, Sensitive, Table, TableRoles};
use proptest::prelude::*;

/// The folder, or a printed reason why there is no test.
pub fn oracles() -> Option<PathBuf> {
    let folder = std::env::var_os("BURN_PRIVACY_ORACLES").map(PathBuf::from);
    match folder.filter(|folder| folder.join("arx_optima_visible.json").exists()) {
        Some(folder) => Some(folder),
        None => {
            println!("skipped: BURN_PRIVACY_ORACLES names no folder with ARX's optima");
            None
        }
    }
}

pub const COLUMNS: [&str; 9] =
    ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class"];

pub fn adult(folder: &Path, sensitive: Option<&str>) -> Table {
    let quasi_identifiers = COLUMNS
        .into_iter()
        .filter(|name| sensitive != Some(name))
        .map(|name| Column {
            name: name.to_owned(),
            hierarchy: Hierarchy::read(name, &folder.join(format!("adult_hierarchy_{name}.csv"))).unwrap(),
        })
        .collect();
    let roles = TableRoles { quasi_identifiers, sensitive: sensitive.map(str::to_owned) };
    Table::read(&folder.join("adult.csv"), b';', roles).unwrap()
}

/// A hierarchy of `leaves` values: each level joins labels of the one below as `joins` says.
pub fn hierarchy(leaves: usize, joins: &[u32], name: &str) -> Hierarchy {
    let mut lines: Vec<Vec<String>> = (0..leaves).map(|leaf| vec![format!("v{leaf}")]).collect();
    let mut labels: Vec<usize> = (0..leaves).collect();
    for (level, &join) in joins.iter().enumerate() {
        for (line, label) in lines.iter_mut().zip(&mut labels) {
            *label = *label * 7 % (1 + join as usize);
            line.push(format!("l{level}-{label}"));
        }
        // A label of the level below must go to one label here: the new one is a function of the old.
    }
    lines.iter_mut().for_each(|line| line.push("*".to_owned()));
    Hierarchy::new(name, &lines).unwrap()
}

/// Columns of so many leaves, whose hierarchies join them so.
fn columns_of(given: &[(usize, Vec<u32>)]) -> Vec<Column> {
    let column = |(index, (leaves, joins)): (usize, &(usize, Vec<u32>))| {
        let name = format!("c{index}");
        Column { hierarchy: hierarchy(*leaves, joins, &name), name }
    };
    given.iter().enumerate().map(column).collect()
}

/// A table with a sensitive column of three values; each row is a byte a column and one for that.
fn table_of<const N: usize>(columns: Vec<Column>, rows: impl Iterator<Item = ([u8; N], u64)>) -> Table {
    let sensitive = Sensitive { name: "s".to_owned(), values: ["0", "1", "2"].map(str::to_owned).to_vec() };
    let tuple = |(row, count): ([u8; N], u64)| -> (Vec<u32>, u64) {
        let leaves = columns.iter().zip(row);
        let leaves = leaves.map(|(column, byte)| u32::from(byte) % column.hierarchy.leaves() as u32);
        (leaves.chain([u32::from(row[N - 1]) % 3]).collect(), count)
    };
    let tuples: Vec<(Vec<u32>, u64)> = rows.map(tuple).collect();
    Table::from_tuples(columns, Some(sensitive), tuples).unwrap()
}

pub fn tables(most_rows: usize) -> impl Strategy<Value = Table> {
    let column = (1_usize..6, prop::collection::vec(0_u32..4, 0..3));
    (prop::collection::vec(column, 1..4), prop::collection::vec(any::<[u8; 4]>(), 1..=most_rows))
        .prop_map(|(columns, rows)| table_of(columns_of(&columns), rows.into_iter().map(|row| (row, 1))))
}

/// Tables of more values a column, whose tuples stand for up to thousands of rows: sums that need rounding, tuples that are classes
/// alone, and more combinations of the last columns' values than the search looks at at once.
pub fn weighted_tables(most_tuples: usize) -> impl Strategy<Value = Table> {
    let column = (1_usize..24, prop::collection::vec(0_u32..12, 0..3));
    let rows = prop_oneof![3 => 1_u64..6, 1 => 1_u64..5000];
    (prop::collection::vec(column, 2..5), prop::collection::vec((any::<[u8; 5]>(), rows), 1..=most_tuples))
        .prop_map(|(columns, rows)| table_of(columns_of(&columns), rows.into_iter()))
}

pub fn models() -> impl Strategy<Value = Vec<PrivacyModel>> {
    let second = prop_oneof![
        3 => Just(None),
        1 => (1_u64..4).prop_map(|l| Some(PrivacyModel::DistinctLDiversity { l })),
        1 => (1.0..3.0).prop_map(|l| Some(PrivacyModel::EntropyLDiversity { l })),
        1 => (0.5..3.0, 1_u64..3).prop_map(|(c, l)| Some(PrivacyModel::RecursiveLDiversity { c, l })),
        1 => (0.0..1.0).prop_map(|t| Some(PrivacyModel::EqualTCloseness { t })),
        1 => (0.0..1.0).prop_map(|t| Some(PrivacyModel::OrderedTCloseness { t })),
        1 => (0.1..3.0).prop_map(|delta| Some(PrivacyModel::DeltaDisclosure { delta })),
        1 => (0.1..3.0).prop_map(|beta| Some(PrivacyModel::BetaLikeness { beta, enhanced: false })),
    ];
    // Up to more rows than the table has.
    (prop_oneof![4 => 1_u64..6, 1 => Just(50)], second)
        .prop_map(|(k, second)| [Some(PrivacyModel::KAnonymity { k }), second].into_iter().flatten().collect())
}

/// Nanoseconds of this thread on a processor, 0 where the system does not say.
pub fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
