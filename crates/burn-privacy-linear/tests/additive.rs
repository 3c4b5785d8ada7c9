//! Boosted additive models from the outside.

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{PhaseNoise, PhasedPlanConfig};
use burn_privacy_linear::additive::{AdditiveTraining, BinnedRecords, Column, boosting_phase, counts_phase};
use burn_privacy_mechanisms::Entropy;

const COUNT: usize = 8_000;

/// Two columns of numbers and one of categories; the class follows a hump in the first and the category.
fn records(offset: usize) -> BinnedRecords {
    let columns = vec![
        Column { bins: 32, ordered: true },
        Column { bins: 16, ordered: true },
        Column { bins: 9, ordered: false },
    ];
    let (mut bins, mut positive) = (Vec::new(), Vec::new());
    for at in offset..offset + COUNT {
        let uniform = |k: f64| (at as f64 * 0.618_034 * k).fract();
        let row = [(uniform(1.0) * 32.0) as u8, (uniform(1.7) * 16.0) as u8, (uniform(2.3) * 9.0) as u8];
        bins.extend(row);
        positive.push((row[0] as i32 - 16).abs() + if row[2].is_multiple_of(2) { 4 } else { -4 } < 9);
    }
    BinnedRecords::new(columns, bins, positive).unwrap()
}

fn run(records: &BinnedRecords, rounds: u64, epsilon: f64) -> PhasedRun {
    let plan = PhasedPlanConfig::new(1e-5)
        .with_phase(counts_phase(records.columns(), COUNT, PhaseNoise::Calibrated(3.0)))
        .with_phase(boosting_phase(records.columns(), COUNT, PhaseNoise::Calibrated(8.0), rounds))
        .with_target(epsilon)
        .build()
        .unwrap();
    assert!(plan.epsilon().unwrap() <= epsilon);
    PhasedRun::new(plan, Entropy::seeded(6)).unwrap()
}

fn training() -> AdditiveTraining {
    AdditiveTraining { rate: 0.5, leaves: 6, ridge: 1.0, offset: 0.0 }
}

#[test]
fn it_learns_what_a_line_can_not_and_ends_with_its_plan() {
    let (train, test) = (records(0), records(1_000_000));
    let mut run = run(&train, 30, 4.0);
    let model = training().train(&train, &mut run).unwrap();
    let right = (0..test.len()).filter(|&at| (model.score(test.row(at)) > 0.0) == test.positive()[at]).count();
    assert!(right as f64 > 0.9 * test.len() as f64, "{right}");
    // The hump, the column that says nothing, and the categories.
    let curves = model.curves();
    assert!(curves[0][16] > curves[0][1] + 1.0 && curves[0][16] > curves[0][30] + 1.0, "{:?}", curves[0]);
    let spread =
        |curve: &[f64]| curve.iter().fold(f64::MIN, |a, &b| a.max(b)) - curve.iter().fold(f64::MAX, |a, &b| a.min(b));
    assert!(spread(&curves[1]) < 0.3 * spread(&curves[0]), "{curves:?}");
    assert!(training().train(&train, &mut run).is_err());
    let statement = run.finish("points", "boosted additive model").unwrap();
    assert_eq!(statement.phases.iter().map(|phase| phase.charged_steps).collect::<Vec<_>>(), [1, 90]);
}

#[test]
fn impossible_settings_are_refused() {
    let train = records(0);
    for (training, words) in [
        (AdditiveTraining { rate: 0.0, ..training() }, "the rate"),
        (AdditiveTraining { ridge: f64::NAN, ..training() }, "the ridge"),
        (AdditiveTraining { leaves: 1, ..training() }, "leaves"),
        (AdditiveTraining { offset: f64::INFINITY, ..training() }, "the offset"),
    ] {
        let error = training.train(&train, &mut run(&train, 1, 1.0)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(BinnedRecords::new(vec![], vec![], vec![]).is_err());
    // Neither what is printed nor what is refused says how many records there are.
    let column = Column { bins: 2, ordered: true };
    let error = BinnedRecords::new(vec![column], vec![0; 4_322], vec![true; 4_321]).unwrap_err().to_string();
    assert!(error.contains("list of bins") && !error.contains("432"), "{error}");
    let private = BinnedRecords::new(vec![column], vec![1; 4_321], vec![true; 4_321]).unwrap();
    assert_eq!(format!("{private:?}"), "BinnedRecords { columns: [Column { bins: 2, ordered: true }], .. }");
    assert!(BinnedRecords::new(vec![Column { bins: 257, ordered: true }], vec![0], vec![true]).is_err());
    assert!(BinnedRecords::new(vec![Column { bins: 2, ordered: true }], vec![0, 1], vec![true]).is_err());
}

#[test]
fn phases_of_another_release_do_not_pay() {
    use burn_privacy_budget::plan::{PhaseConfig, Sampling};
    let train = records(0);
    let noise = || PhaseNoise::Multiplier(2.0);
    let counts = || counts_phase(train.columns(), COUNT, noise());
    let boosting = || boosting_phase(train.columns(), COUNT, noise(), 1);
    let sampled = |phase: PhaseConfig| PhaseConfig { sampling: Sampling::poisson(COUNT / 10, COUNT), ..phase };
    for (counts, boosting, words) in [
        (counts_phase(&train.columns()[..1], COUNT, noise()), boosting(), "at least 1.73"),
        (sampled(counts()), boosting(), "sampling rate 0.1"),
        (counts(), sampled(boosting()), "sampling rate 0.1"),
        (counts(), PhaseConfig { contribution: 0.1, ..boosting() }, "at least 1"),
    ] {
        let plan = PhasedPlanConfig::new(1e-5).with_phase(counts).with_phase(boosting).build().unwrap();
        let mut run = PhasedRun::new(plan, Entropy::seeded(6)).unwrap();
        let error = training().train(&train, &mut run).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(run.finish("points", "model").unwrap().phases.iter().all(|phase| phase.charged_steps == 0));
    }
}
