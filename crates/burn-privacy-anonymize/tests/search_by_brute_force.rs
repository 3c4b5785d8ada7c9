//! The search against all levels counted one by one, on thousands of small random tables.
#![allow(missing_docs)]

mod support;

use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::recoding::Recoding;
use burn_privacy_anonymize::search::{SearchOptions, optimum};
use burn_privacy_anonymize::table::{Metric, Partition, PrivacyModel, Table};
use proptest::prelude::*;

const METRICS: [Metric; 4] = [Metric::Loss, Metric::Discernibility, Metric::AverageClassSize, Metric::Entropy];

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

/// The search proves what all levels one by one have, or finds nothing where they have nothing.
fn agrees_with_all_levels(table: &Table, options: &SearchOptions) -> Result<(), TestCaseError> {
    match (optimum(table, options), by_brute_force(table, options)) {
        (Ok(found), Some(value)) => {
            prop_assert!(found.proved);
            prop_assert_eq!(found.lower_bound, found.quality.value);
            prop_assert!((found.quality.value - value).abs() <= 1e-9 * value.abs(), "{found:?} for {value}");
            prop_assert!(found.quality.suppressed <= (options.suppression_limit * table.rows() as f64) as u64);
            // No class below k is ever released.
            prop_assert!(found.partition.released().all(|class| class.rows >= options.models[0].least_rows()));
            Recoding::full_domain(table, &found.partition).verify(table, &options.models).unwrap();
        }
        (Err(AnonymizeError::Unreachable { .. }), None) => {}
        (found, value) => prop_assert!(false, "{found:?} for {value:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_optimum_is_that_of_all_levels(
        table in support::tables(39),
        models in support::models(),
        metric in 0_usize..4,
        limit in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0],
    ) {
        let options =
            SearchOptions { models, metric: METRICS[metric], suppression_limit: limit, max_choices: u64::MAX };
        agrees_with_all_levels(&table, &options)?;
    }

    #[test]
    fn a_population_counts_as_by_all_levels(
        table in support::tables(20),
        more in prop::collection::vec(any::<[u8; 4]>(), 0..20),
        k in 1_u64..6,
        bounds in (0.0..1.0, 0.0..1.0),
        presence in any::<bool>(),
        limit in 0.0..1.0,
    ) {
        let others = more.iter().map(|row| {
            let leaves = table.columns().iter().zip(row);
            (leaves.map(|(column, &byte)| u32::from(byte) % column.hierarchy.leaves() as u32).collect(), 1)
        });
        let own = (0..table.tuples()).map(|tuple| (table.tuple(tuple).to_vec(), table.count(tuple)));
        let population = Table::from_tuples(table.columns().to_vec(), None, own.chain(others)).unwrap();
        let model = match presence {
            true => PrivacyModel::DeltaPresence { lower: f64::min(bounds.0, bounds.1), upper: f64::max(bounds.0, bounds.1) },
            false => PrivacyModel::KMap { k },
        };
        let models = vec![PrivacyModel::KAnonymity { k: 1 }, model];
        let options =
            SearchOptions { models, metric: Metric::Loss, suppression_limit: limit, max_choices: u64::MAX };
        prop_assert!(optimum(&table, &options).unwrap_err().to_string().contains("the population is missing"));
        let table = table.with_population(population).unwrap();
        match (optimum(&table, &options), by_brute_force(&table, &options)) {
            (Ok(found), Some(value)) => {
                prop_assert!(found.proved);
                prop_assert!((found.quality.value - value).abs() <= 1e-9 * value.abs(), "{found:?} for {value}");
                Recoding::full_domain(&table, &found.partition).verify(&table, &options.models).unwrap();
                // Who fits no released class is known to be absent, which a lower bound forbids.
                let forbidden = matches!(&options.models[1], PrivacyModel::DeltaPresence { lower, .. } if *lower > 0.0);
                if forbidden && found.partition.released().next().is_some() {
                    for person in table.population().unwrap().rows_by_tuple().keys() {
                        let cells = table.columns().iter().zip(*person).zip(&found.levels);
                        let codes: Vec<u32> =
                            cells.map(|((column, &leaf), &level)| column.hierarchy.generalize(leaf, level)).collect();
                        prop_assert!(found.partition.released().any(|class| class.codes == codes), "{codes:?}");
                    }
                }
            }
            (Err(AnonymizeError::Unreachable { .. }), None) => {}
            (found, value) => prop_assert!(false, "{found:?} for {value:?}"),
        }
    }

    #[test]
    fn a_search_that_ends_early_bounds_the_optimum(
        table in support::tables(39),
        models in support::models(),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_optimum_of_tables_with_many_rows_a_tuple_is_that_of_all_levels(
        table in support::weighted_tables(60),
        models in support::models(),
        metric in 0_usize..4,
        limit in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0],
    ) {
        let options =
            SearchOptions { models, metric: METRICS[metric], suppression_limit: limit, max_choices: u64::MAX };
        agrees_with_all_levels(&table, &options)?;
    }
}
