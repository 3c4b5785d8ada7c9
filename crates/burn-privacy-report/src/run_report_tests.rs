//! Tests of run reports: JSON and back, forged plans, what is said without privacy, and files that are whole.

use std::fs;
use std::path::PathBuf;

use burn_privacy_accounting::{Adjacency, EpsilonReport};
use burn_privacy_budget::statement::{PhaseFacts, RandomnessSource};

use super::*;
use burn_privacy_budget::plan::{Clipping, NoiseLevel, PrivacyPlanConfig, Sampling};

fn statement(plan: &PrivacyPlan, entropy: RandomnessSource) -> PrivacyStatement {
    let report = |epsilon| vec![EpsilonReport { accountant: "PLD".into(), epsilon, is_bound: true }];
    PrivacyStatement {
        protected_unit: "one training image".into(),
        adjacency: Adjacency::AddOrRemoveOne,
        mechanism: "DP-SGD".into(),
        sampling: "Poisson".into(),
        sampling_rate: plan.sampling().rate(),
        nominal_dataset_size: plan.sampling().nominal_size() as u64,
        expected_batch_size: plan.sampling().expected_batch_size() as f64,
        clipping: plan.clipping().to_string(),
        clipping_norm: plan.clipping().norm(),
        sensitivity: plan.sensitivity(),
        sensitivity_of: String::new(),
        noise_multiplier: plan.noise_multiplier(),
        noise_standard_deviation: plan.noise_standard_deviation(),
        planned_steps: plan.steps(),
        charged_steps: plan.steps(),
        delta: plan.delta(),
        planned_epsilon: report(plan.epsilon(plan.delta()).unwrap()),
        epsilon_so_far: report(plan.epsilon(plan.delta()).unwrap()),
        entropy,
        dataset: "generated images".into(),
        assumptions: PrivacyStatement::standard_assumptions(),
        not_covered: PrivacyStatement::standard_exclusions(),
    }
}

/// A report of ten epochs whose accuracy rises, by a plan with target epsilon 3.
pub(crate) fn private_report(entropy: RandomnessSource) -> RunReport {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(500, 20_000))
        .with_clipping(Clipping::flat(1.0))
        .with_steps(400)
        .with_noise(NoiseLevel::target(3.0, 1e-5))
        .build()
        .unwrap();
    let statement = statement(&plan, entropy);
    let schedule = plan.schedule().unwrap();
    let curve = (1..=10)
        .map(|epoch| CurvePoint {
            step: 40 * epoch,
            epoch: epoch as f64,
            epsilon: schedule.epsilon_after(40 * epoch).unwrap(),
            accuracy: 0.8 - 0.65 * (-(epoch as f64) / 3.0).exp(),
        })
        .collect();
    report(Protection::DifferentialPrivacy { plan: Box::new(plan), statement: Box::new(statement) }, curve)
}

pub(crate) fn report(protection: Protection, curve: Vec<CurvePoint>) -> RunReport {
    RunReport {
        schema: REPORT_SCHEMA.into(),
        version: REPORT_VERSION,
        program: "cifar_dp".into(),
        run: "quick 2026-11-22T06:44:32Z".into(),
        interrupted: false,
        epsilon: protection.epsilon(),
        test_accuracy: Some(0.775),
        validation_accuracy: None,
        settings: serde_json::json!({ "preset": "quick", "learning_rate": 0.1, "seed": null }),
        data: DataDescription {
            name: "generated images (not CIFAR-10)".into(),
            train: 20_000,
            validation: 0,
            test: 2_000,
            monitored: EvaluationPart::Test,
            evaluation: "declared public".into(),
        },
        model: ModelDescription { name: "a small CNN".into(), parameters: 12_345 },
        device: "cpu (flex)".into(),
        protection,
        curve,
        timing: Timing {
            started: "2026-11-22T06:44:32Z".into(),
            total_seconds: 100.0 / 3.0,
            training_seconds: 30.0,
            evaluation_seconds: 3.0,
            examples_per_second: 2_000.0 / 3.0,
        },
        versions: Versions::current(),
    }
}

/// A report of a plan of two phases.
pub(crate) fn phased_report(entropy: RandomnessSource) -> RunReport {
    let phase = |name: &str, sampling_rate, steps| PhaseFacts {
        name: name.into(),
        sampling_rate,
        sensitivity: 1.0,
        noise_multiplier: 4.0,
        noise_standard_deviation: 4.0,
        planned_steps: steps,
        charged_steps: steps,
    };
    let report = |epsilon| EpsilonReport { accountant: "PLD".into(), epsilon, is_bound: true };
    let PrivacyStatement { protected_unit, adjacency, delta, dataset, assumptions, not_covered, .. } =
        match private_report(entropy).protection {
            Protection::DifferentialPrivacy { statement, .. } => *statement,
            other => panic!("{other:?}"),
        };
    let statement = PhasedStatement {
        mechanism: "statistics and a head".into(),
        protected_unit,
        adjacency,
        delta,
        nominal_dataset_size: 20_000,
        planned_epsilon: report(3.0),
        epsilon_so_far: report(2.5),
        phases: vec![phase("statistics", 1.0, 1), phase("head", 0.025, 400)],
        entropy,
        dataset,
        assumptions,
        not_covered,
    };
    let curve = private_report(entropy).curve;
    self::report(Protection::PhasedDifferentialPrivacy { statement: Box::new(statement) }, curve)
}

#[test]
fn a_plan_of_phases_is_reported_whole() {
    let report = phased_report(RandomnessSource::Os);
    assert_eq!((report.epsilon, report.protection.why_not_private()), (2.5, None));
    let markdown = report.to_markdown();
    for words in ["| statistics | 1 of 1 |", "| head | 400 of 400 |", ", 1e-5)-differential privacy of"] {
        assert!(markdown.contains(words), "{words} in {markdown}");
    }
    let seeded = phased_report(RandomnessSource::Seeded);
    assert_eq!((seeded.epsilon, seeded.protection.why_not_private()), (f64::INFINITY, Some("NOT PRIVATE: fixed seed")));
    assert!(seeded.to_markdown().contains("NOT PRIVATE"));
}

/// A report without privacy.
pub(crate) fn plain_report() -> RunReport {
    let mut curve = private_report(RandomnessSource::Os).curve;
    curve.iter_mut().for_each(|point| point.epsilon = f64::INFINITY);
    report(Protection::NotPrivate, curve)
}

#[test]
fn reports_survive_json() {
    let private = [private_report(RandomnessSource::Os), private_report(RandomnessSource::Seeded)];
    for report in private.into_iter().chain([phased_report(RandomnessSource::Os), plain_report()]) {
        let json = report.to_json().unwrap();
        assert_eq!(RunReport::from_json(&json).unwrap(), report);
    }
}

#[test]
fn other_versions_and_forged_plans_are_refused() {
    let json = private_report(RandomnessSource::Os).to_json().unwrap();
    let error = RunReport::from_json(&json.replacen("\"version\": 1", "\"version\": 2", 1)).unwrap_err().to_string();
    assert!(error.contains("version 2") && error.contains("version 1"), "{error}");
    let forged = json.replacen("\"steps\": 400", "\"steps\": 40000", 1);
    assert!(RunReport::from_json(&forged).unwrap_err().to_string().contains("target epsilon"));
    assert!(RunReport::from_json("{}").is_err());
}

#[test]
fn what_is_not_private_says_so_and_has_no_finite_epsilon() {
    for (report, words) in [
        (plain_report(), "NOT PRIVATE: trained without differential privacy"),
        (private_report(RandomnessSource::Seeded), "NOT PRIVATE: fixed seed"),
    ] {
        assert_eq!(report.epsilon, f64::INFINITY);
        let markdown = report.to_markdown();
        assert!(markdown.lines().nth(2).unwrap().contains(words), "{markdown}");
        assert!(markdown.contains("| Epsilon of this run | inf |"), "{markdown}");
        assert!(report.to_json().unwrap().contains("\"epsilon\": \"inf\""));
    }
}

#[test]
fn the_statement_has_result_and_guarantee() {
    let mut report = private_report(RandomnessSource::Os);
    assert!(report.epsilon <= 3.0);
    let markdown = report.to_markdown();
    for words in ["77.50 % of 2000 records", "(3, 1e-5)-differential privacy", "declared public"] {
        assert!(markdown.contains(words), "{words:?} is not in {markdown}");
    }
    assert!(!markdown.contains("NOT PRIVATE") && !markdown.contains("Interrupted"));
    report.interrupted = true;
    assert!(report.to_markdown().contains("Interrupted"));
}

#[test]
fn all_files_are_written_and_none_is_left_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let report = private_report(RandomnessSource::Os);
    let target = folder.path().join("runs/one");
    // The second time replaces the first.
    report.write(&target).unwrap();
    let paths = report.write(&target).unwrap();
    let mut found: Vec<PathBuf> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let mut named = paths.clone();
    named.sort();
    assert_eq!(found, named);
    let json = fs::read_to_string(target.join("report.json")).unwrap();
    assert_eq!(RunReport::from_json(&json).unwrap(), report);
    let csv = fs::read_to_string(target.join("curve.csv")).unwrap();
    assert!(csv.starts_with("step,epoch,epsilon,test_accuracy\n40,1,"), "{csv}");
    assert_eq!(csv.lines().count(), 11);
}

#[test]
fn the_version_of_burn_is_the_one_that_the_workspace_pins() {
    // A package stands alone, without the workspace's manifest.
    let Ok(manifest) = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")) else { return };
    assert!(manifest.contains(&format!("\nburn = {{ version = \"={}\"", Versions::current().burn)));
}
