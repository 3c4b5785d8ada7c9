//! The search against all levels counted one by one, on thousands of small random tables.
#![allow(missing_docs)]

use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::search::{SearchOptions, optimum};
use burn_privacy_anonymize::table::{Column, Hierarchy, Metric, Partition, PrivacyModel, Sensitive, Table};
use proptest::prelude::*;

const METRICS: [Metric; 4] = [Metric::Loss, Metric::Discernibility, Metric::AverageClassSize, Metric::Entropy];

/// A hierarchy of `leaves` values: each level joins labels of the one below as `joins` says.
fn hierarchy(leaves: usize, joins: &[u32], name: &str) -> Hierarchy {
    let mut lines: Vec<Vec<String>> = (0..leaves).map(|leaf| vec![format!("v{leaf}")]).collect();
    let mut labels: Vec<usize> = (0..leaves).collect();
    for (level, &join) in joins.iter().enumerate() {
        for (line, label) in lines.iter_mut().zip(&mut labels) {
            *label = *label * 7 % (1 + join as usize);
            line.push(format!("l{level}-{label}"));
        }
        // A label of the level below must go to one label here: the new one is a function of the old.
    }
    Hierarchy::new(name, &lines).unwrap()
}

fn tables() -> impl Strategy<Value = Table> {
    let column = (1_usize..6, prop::collection::vec(0_u32..4, 0..3));
    (prop::collection::vec(column, 1..4), prop::collection::vec(any::<[u8; 4]>(), 1..40)).prop_map(|(columns, rows)| {
        let columns: Vec<Column> = columns
            .iter()
            .enumerate()
            .map(|(index, (leaves, joins))| {
                let name = format!("c{index}");
                Column { hierarchy: hierarchy(*leaves, joins, &name), name }
            })
            .collect();
        let sensitive = Sensitive { name: "s".to_owned(), values: ["0", "1", "2"].map(str::to_owned).to_vec() };
        let tuples: Vec<(Vec<u32>, u64)> = rows
            .iter()
            .map(|row| {
                let mut tuple: Vec<u32> = columns
                    .iter()
                    .zip(row)
                    .map(|(column, &byte)| u32::from(byte) % column.hierarchy.leaves() as u32)
                    .collect();
                tuple.push(u32::from(row[3]) % 3);
                (tuple, 1)
            })
            .collect();
        Table::from_tuples(columns, Some(sensitive), tuples).unwrap()
    })
}

fn models() -> impl Strategy<Value = Vec<PrivacyModel>> {
    let second = prop_oneof![
        3 => Just(None),
        1 => (1_u64..4).prop_map(|l| Some(PrivacyModel::DistinctLDiversity { l })),
        1 => (1.0..3.0).prop_map(|l| Some(PrivacyModel::EntropyLDiversity { l })),
        1 => (0.5..3.0, 1_u64..3).prop_map(|(c, l)| Some(PrivacyModel::RecursiveLDiversity { c, l })),
        1 => (0.0..1.0).prop_map(|t| Some(PrivacyModel::EqualTCloseness { t })),
        1 => (0.0..1.0).prop_map(|t| Some(PrivacyModel::OrderedTCloseness { t })),
        1 => (0.1..3.0).prop_map(|beta| Some(PrivacyModel::BetaLikeness { beta, enhanced: false })),
    ];
    // Up to more rows than the table has.
    (prop_oneof![4 => 1_u64..6, 1 => Just(50)], second)
        .prop_map(|(k, second)| [Some(PrivacyModel::KAnonymity { k }), second].into_iter().flatten().collect())
}

/// The smallest value over all levels.
fn by_brute_force(table: &Table, options: &SearchOptions) -> Option<f64> {
    let limit = (options.suppression_limit * table.rows() as f64).floor() as u64;
    let heights: Vec<usize> = table.columns().iter().map(|column| column.hierarchy.levels()).collect();
    let mut levels = vec![0; heights.len()];
    let mut best: Option<f64> = None;
    loop {
        let partition = Partition::full_domain(table, &levels, &options.models).unwrap();
        let quality = options.metric.quality(table, &partition);
        if quality.suppressed <= limit && best.is_none_or(|best| quality.value < best) {
            best = Some(quality.value);
        }
        let Some(place) = (0..levels.len()).find(|&place| levels[place] + 1 < heights[place]) else { return best };
        levels[..place].fill(0);
        levels[place] += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_optimum_is_that_of_all_levels(
        table in tables(),
        models in models(),
        metric in 0_usize..4,
        limit in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0],
    ) {
        let options =
            SearchOptions { models, metric: METRICS[metric], suppression_limit: limit, max_choices: u64::MAX };
        match (optimum(&table, &options), by_brute_force(&table, &options)) {
            (Ok(found), Some(value)) => {
                prop_assert!(found.proved);
                prop_assert_eq!(found.lower_bound, found.quality.value);
                prop_assert!((found.quality.value - value).abs() <= 1e-9 * value.abs(), "{found:?} for {value}");
                prop_assert!(found.quality.suppressed <= (limit * table.rows() as f64) as u64);
                // No class below k is ever released.
                prop_assert!(found.partition.released().all(|class| class.rows >= options.models[0].least_rows()));
            }
            (Err(AnonymizeError::Unreachable { .. }), None) => {}
            (found, value) => prop_assert!(false, "{found:?} for {value:?}"),
        }
    }

    #[test]
    fn a_search_that_ends_early_bounds_the_optimum(
        table in tables(),
        models in models(),
        metric in 0_usize..4,
        max_choices in 1_u64..30,
    ) {
        let options = SearchOptions { models, metric: METRICS[metric], suppression_limit: 1.0, max_choices };
        let value = by_brute_force(&table, &options).unwrap();
        if let Ok(found) = optimum(&table, &options) {
            prop_assert!(found.lower_bound <= value * (1.0 + 1e-9) + 1e-12, "{found:?} for {value}");
            prop_assert!(found.quality.value >= value * (1.0 - 1e-9));
            prop_assert!(!found.proved || found.quality.value <= value * (1.0 + 1e-9) + 1e-12);
        }
    }
}
