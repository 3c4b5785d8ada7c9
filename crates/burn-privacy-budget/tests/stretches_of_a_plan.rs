//! Plans whose noise and clipping follow a schedule, and plans of users whose records are drawn one by one: what was charged is what the
//! accountant composes of what runs, in the ledger, in the statement, and after a resume.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant};
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_budget::plan::{
    Clipping, NoiseLevel, PrivacyPlan, PrivacyPlanConfig, ProtectedUnit, Sampling, StepFunction,
};
use burn_privacy_budget::statement::{LastBits, Noise, statement};
use burn_privacy_budget::{LedgerRun, Result};

fn config() -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(20, 1_000))
        .with_clipping(Clipping::flat(1.0))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_noise_schedule(StepFunction::of([(0, 1.5), (10, 1.0), (16, 0.8)]))
        .with_delta(1e-5)
        .with_steps(20)
}

fn begin(path: &std::path::Path, plan: &PrivacyPlan) -> Result<LedgerRun> {
    let ledger = Ledger::open(path, "data").unwrap().with_block_target(std::time::Duration::ZERO);
    LedgerRun::begin_or_resume(ledger, "run", plan, true)
}

#[test]
fn every_step_is_charged_with_the_noise_that_it_has_also_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let plan = config().build().unwrap();
    // A session that ends within a stretch, at the end of one, or is killed.
    for (part, closes) in [(3, true), (7, false), (10, true), (12, true), (16, false), (19, true)] {
        let path = folder.path().join(format!("ledger {part}"));
        let mut run = begin(&path, &plan).unwrap();
        (0..part).for_each(|_| run.charge_step().unwrap());
        if closes {
            run.close().unwrap()
        } else {
            drop(run)
        }
        let mut run = begin(&path, &plan).unwrap();
        assert_eq!(run.charged_steps().unwrap(), part);
        (part..20).for_each(|_| run.charge_step().unwrap());
        assert!(run.charge_step().is_err());
        run.close().unwrap();
        // What was charged is what the accountant composes of the plan.
        let total = Ledger::read(&path).unwrap().total(1e-5).unwrap();
        let charged = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
        let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
        for step in 0..20 {
            let noise = DpEvent::gaussian(plan.noise_multiplier_in(step)).unwrap();
            accountant.compose(&DpEvent::poisson_sampled(0.02, noise).unwrap(), 1).unwrap();
        }
        let composed = accountant.epsilon(1e-5).unwrap();
        assert!((charged / composed - 1.0).abs() < 1e-9, "{charged} {composed}");
        assert_eq!(plan.epsilon(1e-5).unwrap(), composed);
        assert!(begin(&path, &plan).is_err(), "all is spent");
    }
}

#[test]
fn a_name_stands_for_one_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let constant = || config().with_noise_schedule(StepFunction::constant());
    let other = config().with_noise_schedule(StepFunction::of([(0, 1.5), (11, 1.0)])).build().unwrap();
    let plans = [config().build().unwrap(), constant().build().unwrap(), other];
    for (index, first) in plans.iter().enumerate() {
        let path = folder.path().join(index.to_string());
        begin(&path, first).unwrap().close().unwrap();
        for second in plans.iter().filter(|second| *second != first) {
            let refusal = begin(&path, second).err().unwrap().to_string();
            assert!(refusal.contains("schedule"), "{refusal}");
        }
    }
    // The noise of a stretch is compared by the ledger itself.
    let path = folder.path().join("noise");
    begin(&path, &plans[0]).unwrap().close().unwrap();
    let louder = config().with_noise(NoiseLevel::multiplier(2.0)).build().unwrap();
    assert!(begin(&path, &louder).is_err());
}

#[test]
fn users_by_records_are_charged_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let unit = ProtectedUnit::UserByRecords { most_records: 3 };
    let plan = config().with_protected_unit(unit).build().unwrap();
    let path = folder.path().join("ledger");
    let mut run = begin(&path, &plan).unwrap();
    (0..20).for_each(|_| run.charge_step().unwrap());
    run.close().unwrap();
    let history = Ledger::read(&path).unwrap();
    assert!(history.charges().iter().all(|charge| charge.mechanism.as_ref().unwrap().contains("one user")));
    let total = history.total(1e-5).unwrap();
    let charged = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
    let planned = plan.epsilon(1e-5).unwrap();
    assert!((charged / planned - 1.0).abs() < 1e-9, "{charged} {planned}");
    assert!(planned > 2.0 * config().build().unwrap().epsilon(1e-5).unwrap());
}

#[test]
fn a_statement_of_scheduled_noise_is_that_of_each_step() {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(20, 1_000))
        .with_clipping(Clipping::flat(2.0))
        .with_clipping_schedule(StepFunction::of([(0, 1.0), (30, 0.5)]))
        .with_noise(NoiseLevel::target(2.0, 1e-5))
        .with_noise_schedule(StepFunction::of([(0, 1.5), (40, 1.0)]))
        .with_steps(100)
        .build()
        .unwrap();
    let found = statement(&plan, "data", 50, true, LastBits::OfTheClosure, Noise::FloatingPoint).unwrap();
    assert!(found.planned_epsilon[0].epsilon <= 2.0 && found.planned_epsilon[0].epsilon > 1.99);
    let mut accountant = PldAccountant::new(plan.adjacency());
    for (noise, steps) in [(1.5, 40), (1.0, 10)] {
        let gaussian = DpEvent::gaussian(plan.noise_multiplier() * noise).unwrap();
        accountant.compose(&DpEvent::poisson_sampled(0.02, gaussian).unwrap(), steps).unwrap();
    }
    let epsilon = accountant.epsilon(1e-5).unwrap();
    assert_eq!(found.epsilon_so_far[0].epsilon, epsilon);
    assert!(plan.schedule().unwrap().epsilon_after(50).unwrap() >= epsilon);
    assert_eq!((found.sensitivity, found.clipping_norm), (2.0, 2.0));
    assert_eq!(found.noise_multiplier, plan.noise_multiplier());
    assert_eq!(found.noise_standard_deviation, plan.noise_multiplier());
    assert!(found.mechanism.contains("x 1.5 from step 0, x 1 from step 40"), "{}", found.mechanism);
    // As data, it is the same plan; one without schedules says nothing of them.
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<PrivacyPlan>(&text).unwrap(), plan);
    assert!(plan.step_event().unwrap_err().to_string().contains("noise schedule"));
}

#[test]
fn a_statement_of_users_by_records_names_the_user_and_how_many_records_count() {
    let unit = ProtectedUnit::UserByRecords { most_records: 4 };
    let config = PrivacyPlanConfig::new()
        .with_protected_unit(unit)
        .with_sampling(Sampling::poisson(20, 1_000))
        .with_noise(NoiseLevel::target(3.0, 1e-5))
        .with_steps(50);
    let plan = config.clone().build().unwrap();
    let found = statement(&plan, "data", 50, true, LastBits::OfTheClosure, Noise::FloatingPoint).unwrap();
    assert!(found.protected_unit.contains("one user") && found.protected_unit.contains("at most 4 items"));
    // Renyi divergences of such a mixture are not known.
    assert_eq!(found.planned_epsilon.len(), 1);
    assert!(found.planned_epsilon[0].epsilon <= 3.0);
    assert_eq!(plan.schedule().unwrap().epsilon_after(50).unwrap(), found.epsilon_so_far[0].epsilon);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<PrivacyPlan>(&text).unwrap(), plan);
    for (unit, words) in [
        (ProtectedUnit::UserByRecords { most_records: 0 }, "256 records"),
        (ProtectedUnit::UserByRecords { most_records: 257 }, "256 records"),
    ] {
        let refusal = config.clone().with_protected_unit(unit).build().unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
}
