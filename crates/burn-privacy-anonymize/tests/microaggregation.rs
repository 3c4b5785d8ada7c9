//! MDAV and its kin: the classical sets where they are at hand (`BURN_PRIVACY_ORACLES`), and the edges of the input.
#![allow(missing_docs)]

use burn_privacy_anonymize::microaggregation::{
    Records, information_loss_lower_bound_percent, mdav, optimal_univariate, t_close_mdav, variable_mdav,
};
use burn_privacy_anonymize::table::{PrivacyModel, SensitiveDistribution};
use proptest::prelude::*;

#[test]
fn mdav_loses_what_it_does_in_the_literature() {
    let Some(folder) = std::env::var_os("BURN_PRIVACY_ORACLES").map(std::path::PathBuf::from) else {
        println!("skipped: BURN_PRIVACY_ORACLES names no folder with the classical sets");
        return;
    };
    for (name, losses) in [
        ("tarragona", [16.9326, 19.5460, 22.4619, 33.1929]),
        ("cascrefmicrodata", [5.6922, 7.4947, 9.0884, 14.1559]),
        ("eia", [0.4829, 0.6713, 1.6667, 3.8397]),
    ] {
        let records = Records::read(&folder.join(format!("mdav_{name}.csv")), b',').unwrap();
        for (k, loss) in [3, 4, 5, 10].into_iter().zip(losses) {
            let grouping = mdav(&records, k).unwrap();
            let ours = grouping.information_loss_percent(&records);
            let variable = [0.0, 0.2, 1.1].map(|gain| {
                let grouping = variable_mdav(&records, k, gain).unwrap();
                assert!(grouping.smallest() >= k);
                grouping.information_loss_percent(&records)
            });
            let bound = information_loss_lower_bound_percent(&records, k).unwrap();
            println!(
                "{name} k {k}: MDAV {ours:.4} %, V-MDAV with gain 0, 0.2, 1.1: {variable:.4?} %, none below {bound:.4} %"
            );
            assert!(variable.iter().chain([&ours]).all(|loss| bound <= *loss));
            assert!((ours - loss).abs() < 5.1e-5, "{name} k {k}: {ours} for {loss}");
            assert_eq!(grouping.groups().iter().map(Vec::len).sum::<usize>(), records.len());
        }
    }
}

proptest! {
    #[test]
    fn every_group_has_k_records_and_every_record_a_group(
        rows in prop::collection::vec(prop::collection::vec(-5_i32..5, 2), 1..60),
        k in 1_usize..7,
    ) {
        let rows: Vec<Vec<f64>> = rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect();
        let records = Records::new(vec!["x".to_owned(), "y".to_owned()], &rows).unwrap();
        for grouping in [mdav(&records, k), variable_mdav(&records, k, 0.8)] {
            let Ok(grouping) = grouping else {
                prop_assert!(rows.len() < k);
                continue;
            };
            prop_assert!(grouping.smallest() >= k);
            let mut all: Vec<usize> = grouping.groups().concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<usize>>());
            // Means stay where they were.
            let after = grouping.aggregate(&records);
            let mean = |records: &Records| (0..records.len()).map(|index| records.record(index)[0]).sum::<f64>();
            prop_assert!((mean(&after) - mean(&records)).abs() < 1e-9);
            prop_assert!((0.0..=100.0 + 1e-9).contains(&grouping.information_loss_percent(&records)));
            if k == 1 {
                prop_assert!(grouping.information_loss_percent(&records) < 1e-9);
            }
        }
    }
}

/// The smallest loss over all groupings in groups of at least k.
fn least_loss(records: &Records, k: usize) -> f64 {
    fn place(records: &Records, k: usize, groups: &mut Vec<Vec<usize>>, next: usize) -> f64 {
        if next == records.len() {
            return match groups.iter().all(|group| group.len() >= k) {
                true => loss(records, groups),
                false => f64::INFINITY,
            };
        }
        let mut best = f64::INFINITY;
        for group in 0..=groups.len() {
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(next);
            best = best.min(place(records, k, groups, next + 1));
            groups[group].pop();
            if groups[group].is_empty() {
                groups.pop();
            }
        }
        best
    }
    place(records, k, &mut Vec::new(), 0)
}

/// 100 SSE / SST of standardized columns, written out.
fn loss(records: &Records, groups: &[Vec<usize>]) -> f64 {
    let (mut within, mut all) = (0.0, 0.0);
    for column in 0..records.names().len() {
        let value = |index: usize| records.record(index)[column];
        let mean = |group: &[usize]| group.iter().map(|&index| value(index)).sum::<f64>() / group.len() as f64;
        let spread = |group: &[usize]| group.iter().map(|&index| (value(index) - mean(group)).powi(2)).sum::<f64>();
        let total = spread(&(0..records.len()).collect::<Vec<_>>());
        if total > 1e-12 {
            within += groups.iter().map(|group| spread(group)).sum::<f64>() / total;
            all += 1.0;
        }
    }
    if all > 0.0 { 100.0 * within / all } else { 0.0 }
}

proptest! {
    #[test]
    fn no_grouping_is_below_the_bound(
        rows in prop::collection::vec(prop::collection::vec(-5_i32..5, 2), 1..8),
        k in 1_usize..4,
    ) {
        let rows: Vec<Vec<f64>> = rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect();
        let records = Records::new(vec!["x".to_owned(), "y".to_owned()], &rows).unwrap();
        match information_loss_lower_bound_percent(&records, k) {
            Ok(bound) => {
                let least = least_loss(&records, k);
                prop_assert!(bound <= least + 1e-9, "{} {}", bound, least);
                prop_assert!(bound >= 0.0);
            }
            Err(_) => prop_assert!(rows.len() < k),
        }
    }

    #[test]
    fn groups_are_t_close_to_the_table(
        rows in prop::collection::vec((-9_i32..9, -9_i32..9, 0_i32..40), 2..80),
        k in 1_usize..6,
        t in 0.02_f64..0.6,
    ) {
        let features: Vec<Vec<f64>> = rows.iter().map(|row| vec![f64::from(row.0), f64::from(row.1)]).collect();
        let sensitive: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
        let records = Records::new(vec!["x".to_owned(), "y".to_owned()], &features).unwrap();
        let Ok(found) = t_close_mdav(&records, &sensitive, k, t) else {
            prop_assert!(rows.len() < k);
            return Ok(());
        };
        let mut all: Vec<usize> = found.grouping.groups().concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows.len()).collect::<Vec<usize>>());
        prop_assert!(found.grouping.smallest() >= k);
        let names: Vec<String> = (0..40).map(|value| value.to_string()).collect();
        let histogram = |group: &[usize]| {
            let mut counts = vec![0_u64; 40];
            group.iter().for_each(|&index| counts[rows[index].2 as usize] += 1);
            counts
        };
        // The distance is over the values that occur.
        let everybody: Vec<usize> = (0..rows.len()).collect();
        let present: Vec<usize> = (0..40).filter(|&value| histogram(&everybody)[value] > 0).collect();
        let of = |group: &[usize]| present.iter().map(|&value| histogram(group)[value]).collect::<Vec<u64>>();
        let names: Vec<String> = present.iter().map(|&value| names[value].clone()).collect();
        let table = SensitiveDistribution::new(&names, of(&everybody));
        let model = PrivacyModel::OrderedTCloseness { t };
        for group in found.grouping.groups() {
            prop_assert!(model.is_met(group.len() as u64, &of(group), Some(&table), None));
        }
        let release = found.release(&records, "income", &sensitive);
        prop_assert_eq!(release.names().len(), 3);
        prop_assert_eq!(release.record(0)[2], sensitive[0]);
    }
}

#[test]
fn edges_are_answered_or_refused_with_a_sentence() {
    let name = || vec!["x".to_owned()];
    let one = Records::new(name(), &[vec![7.0]]).unwrap();
    assert_eq!(mdav(&one, 1).unwrap().information_loss_percent(&one), 0.0);
    assert!(mdav(&one, 2).unwrap_err().to_string().contains("k is 2, and there are 1 records"));
    assert!(mdav(&one, 0).is_err());
    let none = Records::new(name(), &[]).unwrap();
    assert!(optimal_univariate(&none, 1).is_err());
    assert!(Records::new(name(), &[vec![f64::NAN]]).unwrap_err().to_string().contains("no finite number"));
    // Huge and constant columns don't overflow or divide by zero.
    let huge = Records::new(vec!["x".to_owned(), "y".to_owned()], &[vec![1e300, 5.0], vec![-1e300, 5.0]]).unwrap();
    assert!((mdav(&huge, 2).unwrap().information_loss_percent(&huge) - 100.0).abs() < 1e-9);
}
