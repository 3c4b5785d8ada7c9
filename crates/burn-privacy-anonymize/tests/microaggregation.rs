//! MDAV and its kin: the classical sets where they are at hand (`BURN_PRIVACY_ORACLES`), and the edges of the input.
#![allow(missing_docs)]

use burn_privacy_anonymize::microaggregation::{Records, mdav, optimal_univariate, variable_mdav};
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
            println!("{name} k {k}: MDAV {ours:.4} %, V-MDAV with gain 0, 0.2, 1.1: {variable:.4?} %");
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
