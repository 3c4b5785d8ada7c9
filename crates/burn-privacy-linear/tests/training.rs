//! Training of heads: that it learns, is charged before it looks, and ends with its plan.

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_budget::plan::{NoiseTarget, PhaseConfig, PhaseNoise, PhasedPlanConfig, Sampling};
use burn_privacy_features::FeatureTable;
use burn_privacy_features::normalization::{ChannelBounds, norms_phase, statistics_phase};
use burn_privacy_linear::second_moments::{
    Preconditioner, least_squares, least_squares_with, moments_phase, targets_phase,
};
use burn_privacy_linear::{
    Averaging, FixedFeatureTraining, HeadLoss, HeadTraining, Normalization, Records, UpdateRule, head_phase,
};
use burn_privacy_mechanisms::Entropy;

const COUNT: usize = 6_000;

/// Three classes of points around three corners, with one direction much longer than the others.
fn records(offset: usize) -> Records {
    let labels = (0..COUNT).map(|at| (at % 3) as u8).collect();
    Records::new(8, 3, labels, |at, row| {
        let wave = |k: usize| ((at + offset) as f64 * 0.618_034 * (k + 1) as f64 + k as f64).sin() as f32;
        row[0] = 0.8 + 0.1 * wave(0);
        for (k, x) in row.iter_mut().enumerate().skip(1) {
            *x = 0.05 * wave(k) + if k == at % 3 + 1 { 0.12 } else { 0.0 };
        }
    })
    .unwrap()
}

fn training(loss: HeadLoss, rate: f64, rule: UpdateRule, averaging: Averaging) -> HeadTraining {
    HeadTraining { loss, rate, rule, averaging }
}

fn run(phases: Vec<PhaseConfig>, epsilon: f64) -> PhasedRun {
    let plan = phases.into_iter().fold(PhasedPlanConfig::new(1e-5), PhasedPlanConfig::with_phase);
    PhasedRun::new(plan.with_target(epsilon).build().unwrap(), Entropy::seeded(4)).unwrap()
}

fn head_steps(steps: u64) -> PhaseConfig {
    head_phase(Sampling::poisson(600, COUNT), 0.1, PhaseNoise::Calibrated(1.0), steps).unwrap()
}

/// Two steps of a head on so many channels, whose statistics are paid for.
fn recipe_of(channels: usize, head: HeadTraining) -> FixedFeatureTraining {
    FixedFeatureTraining {
        normalization: Normalization::Channels {
            bounds: ChannelBounds::new(vec![1.0; channels], 1.0, 1.0).unwrap(),
            norms_noise: 8.0,
            statistics_noise: 8.0,
        },
        head,
        clip: 0.1,
        sampling: Sampling::poisson(600, COUNT),
        steps: 2,
    }
}

#[test]
fn every_rule_and_loss_learns_under_privacy() {
    let (train, test) = (records(0), records(100_000));
    let average = Averaging::Exponential(0.9);
    for (loss, rate, rule, averaging) in [
        (HeadLoss::CrossEntropy, 2.0, UpdateRule::Momentum(0.9), average),
        (HeadLoss::CrossEntropy, 10.0, UpdateRule::Momentum(0.0), Averaging::Last),
        (HeadLoss::CrossEntropy, 10.0, UpdateRule::LowPass(0.9), Averaging::Tail(0.5)),
        (HeadLoss::CrossEntropy, 0.5, UpdateRule::AdamBc { first: 0.9, second: 0.99, floor: 1.0 }, average),
        (HeadLoss::LeastSquares, 0.1, UpdateRule::Momentum(0.9), average),
    ] {
        let mut run = run(vec![head_steps(80)], 4.0);
        let head = training(loss, rate, rule, averaging).train(&train, &mut run, None, |_, _| true).unwrap();
        let accuracy = head.accuracy(&test).unwrap().unwrap();
        assert!(accuracy > 0.85, "{loss:?} {rule:?}: {accuracy}");
    }
}

#[test]
fn second_moments_give_least_squares_and_precondition() {
    let (train, test) = (records(0), records(100_000));
    let mut closed = run(
        vec![moments_phase(COUNT, PhaseNoise::Calibrated(1.0)), targets_phase(COUNT, PhaseNoise::Calibrated(1.0))],
        4.0,
    );
    let head = least_squares(&train, &mut closed, 3e-3).unwrap();
    let accuracy = head.accuracy(&test).unwrap().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    // All of the plan is spent.
    assert!(least_squares(&train, &mut closed, 3e-3).is_err());

    let mut steps = run(vec![moments_phase(COUNT, PhaseNoise::Multiplier(8.0)), head_steps(40)], 4.0);
    let inverse = Preconditioner::release(&train, &mut steps, 1e-2).unwrap();
    let training = training(HeadLoss::CrossEntropy, 4.0, UpdateRule::Momentum(0.9), Averaging::Exponential(0.9));
    let head = training.train(&train, &mut steps, Some(&inverse), |_, _| true).unwrap();
    let accuracy = head.accuracy(&test).unwrap().unwrap();
    assert!(accuracy > 0.85, "{accuracy}");
    assert!(Preconditioner::release(&train, &mut steps, 0.0).is_err());
}

#[test]
fn phases_of_another_release_do_not_pay_for_moments() {
    let train = records(0);
    let noise = PhaseNoise::Calibrated(1.0);
    let (moments, targets) = (|| moments_phase(COUNT, noise), || targets_phase(COUNT, noise));
    let sampled = |phase: PhaseConfig| PhaseConfig { sampling: Sampling::poisson(COUNT / 10, COUNT), ..phase };
    let small = |phase: PhaseConfig| PhaseConfig { contribution: 0.1, ..phase };
    for phases in [
        [small(moments()), targets()],
        [sampled(moments()), targets()],
        [moments(), small(targets())],
        [moments(), sampled(targets())],
    ] {
        let mut run = run(phases.to_vec(), 4.0);
        let error = least_squares(&train, &mut run, 3e-3).unwrap_err().to_string();
        assert!(error.contains("phase"), "{error}");
        let statement = run.finish("points", "least squares").unwrap();
        assert!(statement.phases.iter().all(|phase| phase.charged_steps == 0));
        assert!(statement.to_string().contains("attacks on its lowest bits"), "{statement}");
    }
}

/// All that is wrong with an argument is found before the ledger is charged for it.
#[test]
fn wrong_arguments_are_refused_before_anything_is_charged_for_them() {
    let (wide, good) = (records(0), training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.9), Averaging::Last));
    let narrow = Records::new(3, 3, (0..COUNT).map(|at| (at % 3) as u8).collect(), |_, row| row.fill(0.5)).unwrap();
    let noise = PhaseNoise::Multiplier(8.0);
    let phases = || vec![moments_phase(COUNT, noise), targets_phase(COUNT, PhaseNoise::Calibrated(1.0)), head_steps(2)];
    let charged = |run: PhasedRun| -> Vec<u64> {
        run.finish("points", "m").unwrap().phases.iter().map(|phase| phase.charged_steps).collect()
    };

    let mut paid = run(phases(), 4.0);
    let inverse = Preconditioner::release(&wide, &mut paid, 1e-2).unwrap();
    let refused = good.train(&narrow, &mut paid, Some(&inverse), |_, _| true).unwrap_err().to_string();
    assert!(refused.contains("features a row"), "{refused}");
    let adam = HeadTraining { rule: UpdateRule::AdamBc { first: 0.9, second: 0.99, floor: 1.0 }, ..good };
    let refused = adam.train(&wide, &mut paid, Some(&inverse), |_, _| true).unwrap_err().to_string();
    assert!(refused.contains("AdamBc with a preconditioner"), "{refused}");
    let refused = least_squares_with(inverse, &narrow, &mut paid).unwrap_err().to_string();
    assert!(refused.contains("features a row"), "{refused}");
    assert_eq!(charged(paid), [1, 0, 0]);

    // The whole recipe.
    let table = FeatureTable::new(2, 3, vec![Default::default(); 6 * COUNT]).unwrap();
    let labels: Vec<u8> = (0..COUNT).map(|at| (at % 3) as u8).collect();
    let bad_head = HeadTraining { rate: 0.0, ..good };
    for (labels, classes, channels, head, words) in [
        (&labels[1..], 3, 2, good, "labels"),
        (&labels[..], 2, 2, good, "label"),
        (&labels[..], 300, 2, good, "classes"),
        (&labels[..], 3, 5, good, "scales"),
        (&labels[..], 3, 2, bad_head, "learning rate"),
    ] {
        let recipe = recipe_of(channels, head);
        let plan = recipe.plan(NoiseTarget::Epsilon(4.0), 1e-5).unwrap();
        let mut paid = PhasedRun::new(plan, Entropy::seeded(4)).unwrap();
        let refused = recipe.train(&table, labels, classes, &mut paid, |_, _| true).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
        assert_eq!(charged(paid), [0, 0, 0], "{words}");
    }
}

/// More records than an exact sum can hold, and a plan without the head: known before
/// the first charge.
#[test]
fn what_sums_cannot_hold_is_refused_before_anything_is_charged_for_it() {
    let head = training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.9), Averaging::Last);
    let charged = |run: PhasedRun| -> u64 {
        run.finish("points", "m").unwrap().phases.iter().map(|phase| phase.charged_steps).sum()
    };
    let many = (1 << 22) + 1;
    let table = |rows: usize| FeatureTable::new(1, 1, vec![Default::default(); rows]).unwrap();
    let recipe = recipe_of(1, head);
    let with_head = recipe.plan(NoiseTarget::Epsilon(4.0), 1e-5).unwrap();
    let noise = PhaseNoise::Multiplier(8.0);
    let without_head =
        PhasedPlanConfig::new(1e-5).with_phase(norms_phase(COUNT, noise)).with_phase(statistics_phase(COUNT, noise));
    for (plan, rows, words) in
        [(with_head, many, "number of records is too large"), (without_head.build().unwrap(), COUNT, "linear head")]
    {
        let mut paid = PhasedRun::new(plan, Entropy::seeded(4)).unwrap();
        let refused = recipe.train(&table(rows), &vec![0; rows], 2, &mut paid, |_, _| true).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
        assert_eq!(charged(paid), 0, "{words}");
    }

    // A phase that was not made by `head_phase`.
    let full = Records::new(1, 2, vec![0; (1 << 18) + 1], |_, row| row.fill(0.5)).unwrap();
    let mut paid = run(vec![PhaseConfig { sampling: Sampling::full_batch(1 << 16), ..head_steps(2) }], 4.0);
    let refused = head.train(&full, &mut paid, None, |_, _| true).unwrap_err().to_string();
    assert!(refused.contains("number of records is too large"), "{refused}");
    assert_eq!(charged(paid), 0);
    assert!(head_phase(Sampling::poisson(10, 100), 1e13, PhaseNoise::Multiplier(1.0), 1).is_err());
}

#[test]
fn a_stopped_run_has_charged_what_it_released() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let ledger = Ledger::open(&path, "points").unwrap();
    let mut run = run(vec![head_steps(30)], 2.0).with_ledger(ledger, "a head").unwrap();
    let training = training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.9), Averaging::Last);
    let mut seen = 0;
    let stop = |step: u64, _: &dyn Fn() -> burn_privacy_linear::LinearHead| {
        seen = step;
        step < 7
    };
    training.train(&records(0), &mut run, None, stop).unwrap();
    let statement = run.finish("points", "DP-SGD of a linear head").unwrap();
    assert_eq!((seen, statement.phases[0].charged_steps), (7, 7));
    let charges = Ledger::read(&path).unwrap().charges();
    assert_eq!((charges[0].name.as_str(), charges[0].steps), ("a head / linear head", 7));
}

#[test]
fn training_goes_on_with_what_is_left_and_a_spent_head_costs_nothing_more() {
    let good = training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.9), Averaging::Last);
    let mut paid = run(vec![head_steps(6)], 4.0);
    good.train(&records(0), &mut paid, None, |step, _| step < 2).unwrap();
    let mut seen = 0;
    let counted = |step: u64, _: &dyn Fn() -> burn_privacy_linear::LinearHead| {
        seen = step;
        true
    };
    good.train(&records(0), &mut paid, None, counted).unwrap();
    assert_eq!(seen, 4);
    let refused = good.train(&records(0), &mut paid, None, |_, _| true).unwrap_err().to_string();
    assert!(refused.contains("once more"), "{refused}");

    // A recipe whose head is spent charges neither norms nor statistics.
    let recipe = recipe_of(2, good);
    let mut paid = PhasedRun::new(recipe.plan(NoiseTarget::Epsilon(4.0), 1e-5).unwrap(), Entropy::seeded(4)).unwrap();
    for _ in 0..2 {
        paid.charge(burn_privacy_linear::PHASE).unwrap();
    }
    let table = FeatureTable::new(2, 3, vec![Default::default(); 6 * COUNT]).unwrap();
    let refused = recipe.train(&table, &vec![0; COUNT], 2, &mut paid, |_, _| true).unwrap_err().to_string();
    assert!(refused.contains("once more"), "{refused}");
    let phases = paid.finish("points", "m").unwrap().phases;
    assert_eq!(phases.iter().map(|phase| phase.charged_steps).collect::<Vec<_>>(), [0, 0, 2]);
}

/// The length of the weights is public before a step is paid for.
#[test]
fn a_head_that_has_run_away_pays_for_no_further_step() {
    let wild = training(HeadLoss::CrossEntropy, 1e8, UpdateRule::Momentum(0.9), Averaging::Last);
    let (mut paid, mut released) = (run(vec![head_steps(60)], 4.0), 0);
    let counted = |step: u64, _: &dyn Fn() -> burn_privacy_linear::LinearHead| {
        released = step;
        true
    };
    let error = wild.train(&records(0), &mut paid, None, counted).unwrap_err();
    assert!(matches!(error, burn_privacy_linear::LinearError::Diverged { .. }), "{error}");
    assert_eq!(paid.finish("points", "m").unwrap().phases[0].charged_steps, released);
}

#[test]
fn statistics_are_for_features_of_their_own_parts() {
    let table = |channels: usize, positions: usize| {
        FeatureTable::new(channels, positions, vec![Default::default(); channels * positions * COUNT]).unwrap()
    };
    let (first, second) = (table(2, 1), table(1, 3));
    let joined = FeatureTable::joined(&[first.clone(), second.clone()]).unwrap();
    let recipe = recipe_of(3, training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.9), Averaging::Last));
    let mut paid = PhasedRun::new(recipe.plan(NoiseTarget::Epsilon(4.0), 1e-5).unwrap(), Entropy::seeded(4)).unwrap();
    let labels: Vec<u8> = (0..COUNT).map(|at| (at % 2) as u8).collect();
    let normalizer = recipe.train(&joined, &labels, 2, &mut paid, |_, _| true).unwrap().normalizer;
    assert!(normalizer.records(&joined, &labels, 2).is_ok());
    let twice = FeatureTable::joined(&[joined.clone(), second]).unwrap();
    for other in [first, twice, table(3, 1), table(1, 5)] {
        let refused = normalizer.records(&other, &labels, 2).unwrap_err().to_string();
        assert!(refused.contains("where the statistics are of 2 x 1 and 1 x 3"), "{refused}");
    }
}

#[test]
fn weights_are_written_as_numpy_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.npy");
    let weights: Vec<f64> = (0..6).map(f64::from).collect();
    burn_privacy_linear::LinearHead::new(2, 2, weights.clone()).unwrap().write_npy(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((&bytes[..8], bytes.len() % 64), (&b"\x93NUMPY\x01\x00"[..], 48));
    let header = std::str::from_utf8(&bytes[10..bytes.len() - 48]).unwrap();
    assert!(header.contains("'shape': (2, 3)") && header.ends_with('\n'), "{header}");
    let read: Vec<f64> = bytes[bytes.len() - 48..].as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    assert_eq!(read, weights);
}

#[test]
fn impossible_settings_are_refused() {
    let records = records(0);
    for (training, words) in [
        (training(HeadLoss::CrossEntropy, 0.0, UpdateRule::Momentum(0.9), Averaging::Last), "learning rate"),
        (training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(1.0), Averaging::Last), "decay"),
        (training(HeadLoss::CrossEntropy, 1.0, UpdateRule::Momentum(0.0), Averaging::Tail(2.0)), "share"),
    ] {
        let message = training.train(&records, &mut run(vec![head_steps(2)], 1.0), None, |_, _| true);
        let message = message.unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let big = Sampling::poisson(200_000, 1_000_000);
    assert!(head_phase(big, 1.0, PhaseNoise::Multiplier(1.0), 1).is_err());
}
