//! ARX's optima on its own benchmark table, where the table is at hand: the folder is named by
//! `BURN_PRIVACY_ORACLES` and holds `adult.csv`, its hierarchies and `arx_optima_visible.json`.
#![allow(missing_docs)]

mod support;

use burn_privacy_anonymize::search::{SearchOptions, optimum};
use burn_privacy_anonymize::table::{Metric, Partition, PrivacyModel};
use serde_json::Value;

fn options(setting: &Value) -> SearchOptions {
    let mut models = vec![PrivacyModel::KAnonymity { k: setting["k"].as_f64().unwrap() as u64 }];
    if let Some(l) = setting["distinct-l"].as_f64() {
        models.push(PrivacyModel::DistinctLDiversity { l: l as u64 });
    }
    if let Some(l) = setting["entropy-l"].as_f64() {
        models.push(PrivacyModel::EntropyLDiversity { l });
    }
    if let Some(t) = setting["equal-t"].as_f64() {
        models.push(PrivacyModel::EqualTCloseness { t });
    }
    let metric = match setting["metric"].as_str().unwrap() {
        "loss" => Metric::Loss,
        "discernibility" => Metric::Discernibility,
        "aecs" => Metric::AverageClassSize,
        "entropy" => Metric::Entropy,
        other => panic!("{other}"),
    };
    let suppression_limit = setting["suppression"].as_f64().unwrap();
    SearchOptions { models, metric, suppression_limit, max_choices: u64::MAX }
}

/// Value, suppressed rows, classes, smallest and largest class, levels of a setting that the entries don't have.
fn further() -> Vec<Value> {
    let row = |setting: &str, optimum: f64, levels: &str, suppressed: u64, sizes: [u64; 3]| {
        let setting: Value = serde_json::from_str(setting).unwrap();
        let levels: Vec<u64> = levels.split(',').map(|level| level.parse().unwrap()).collect();
        serde_json::json!({"setting": setting, "optimum": optimum, "levels": levels, "suppressed": suppressed,
            "classes": sizes[0], "class_min": sizes[1], "class_max": sizes[2]})
    };
    vec![
        row(
            r#"{"k": 5.0, "metric": "loss", "suppression": 0.02}"#,
            0.357_482_489_9,
            "0,3,0,2,2,1,1,2,0",
            506,
            [222, 5, 3218],
        ),
        row(
            r#"{"k": 5.0, "metric": "loss", "suppression": 1.0}"#,
            0.227_700_323_2,
            "0,3,0,0,2,1,1,1,0",
            2553,
            [602, 5, 848],
        ),
        row(
            r#"{"k": 5.0, "metric": "entropy", "suppression": 0.02}"#,
            285_604.75,
            "0,0,1,1,3,2,2,1,1",
            309,
            [599, 5, 202],
        ),
        row(
            r#"{"k": 5.0, "metric": "loss", "suppression": 1.0, "equal-t": 0.2, "sensitive": "occupation"}"#,
            0.643_494_071_4,
            "1,2,0,0,3,0,2,1",
            8156,
            [23, 32, 3698],
        ),
    ]
}

#[test]
fn the_search_proves_every_optimum_of_arx() {
    let Some(folder) = support::oracles() else { return };
    let text = std::fs::read_to_string(folder.join("arx_optima_visible.json")).unwrap();
    let visible: Value = serde_json::from_str(&text).unwrap();
    let entries = visible["entries"].as_array().unwrap();
    assert!(entries.len() >= 36);
    for entry in entries.iter().chain(&further()) {
        let setting = &entry["setting"];
        let table = support::adult(&folder, setting["sensitive"].as_str());
        let start = support::processor_time();
        let found = optimum(&table, &options(setting)).unwrap();
        println!("{setting}: {} choices, {} ns of processor time", found.choices, support::processor_time() - start);
        assert!(found.proved, "{setting}");
        let value = entry["optimum"].as_f64().unwrap();
        // ARX rounds the loss of each column; the entropy is given to eight digits.
        let tolerance = if setting["metric"] == "entropy" { 1e-8 } else { 1e-9 };
        assert!(
            (found.quality.value - value).abs() <= tolerance * value,
            "{setting}: {} for {value} at {:?}",
            found.quality.value,
            found.levels
        );
        let levels: Vec<usize> =
            entry["levels"].as_array().unwrap().iter().map(|level| level.as_u64().unwrap() as usize).collect();
        let number = |name: &str| entry[name].as_u64().unwrap();
        // Another choice with the same value is as good as ARX's; ARX's own has to count the same in any case.
        let theirs = Partition::full_domain(&table, &levels, &options(setting).models).unwrap();
        let quality = options(setting).metric.quality(&table, &theirs);
        assert!((quality.value - value).abs() <= tolerance * value, "{setting}: {} for {value}", quality.value);
        assert_eq!(
            [quality.suppressed, quality.classes, quality.class_min, quality.class_max],
            ["suppressed", "classes", "class_min", "class_max"].map(number),
            "{setting}"
        );
        if found.levels == levels {
            assert_eq!(found.quality, quality);
        }
    }
}
