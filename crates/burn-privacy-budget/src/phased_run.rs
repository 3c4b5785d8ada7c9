//! A run of a phased plan: every release is charged before anything is drawn for it.

use burn_privacy_accounting::{Accountant, EpsilonReport, PldAccountant};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, StepNoise, poisson_sample};

use crate::error::{BudgetError, Result};
use crate::ledger::{Ledger, RunDescription, RunId};
use crate::plan::{Phase, PhasedPlan};
use crate::statement::{Noise, PhaseFacts, PhasedStatement, PrivacyStatement};

/// A run of a [`PhasedPlan`] from its first release to its statement.
///
/// # Formal guarantee
///
/// A [`Release`] exists only after its step was counted, and charged to the ledger if there is one; no more of them than the
/// plan has. Its sample and noise are of a step of the key's stream that no other release has.
pub struct PhasedRun {
    plan: PhasedPlan,
    key: PrivacyKey,
    entropy: Entropy,
    made: Vec<u64>,
    ledger: Option<(Ledger, Vec<RunId>)>,
}

impl PhasedRun {
    /// A run without a ledger, with a key of its own.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Mechanism`] if the operating system has no randomness.
    pub fn new(plan: PhasedPlan, entropy: Entropy) -> Result<Self> {
        let key = PrivacyKey::draw(entropy)?;
        let made = vec![0; plan.phases().len()];
        Ok(Self { plan, key, entropy, made, ledger: None })
    }

    /// Charges the data set's ledger: one run for each phase, `NAME / PHASE`, begun before the first release.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] after a release or for a second ledger; those of [`Ledger::begin`]. If the data set has a budget, each phase must fit into it as a whole; that all do together is
    /// found out when they are charged.
    pub fn with_ledger(mut self, mut ledger: Ledger, name: &str) -> Result<Self> {
        if self.ledger.is_some() || self.made.iter().any(|made| *made > 0) {
            return Err(BudgetError::Plan {
                field: "ledger",
                given: "after a release, or a second one".into(),
                allowed: "one ledger, before the first release, so that every release is in it".into(),
            });
        }
        let runs = self.plan.phases().iter().map(|phase| {
            let (adjacency, delta) = (self.plan.adjacency(), self.plan.delta());
            let name = format!("{name} / {}", phase.name());
            let private = self.entropy.is_private();
            let run = RunDescription::of_steps(name, phase.step_event().clone(), phase.steps(), adjacency)?
                .with_delta(delta)
                .with_private_randomness(private);
            Ok(ledger.begin(run)?)
        });
        let runs = runs.collect::<Result<_>>()?;
        self.ledger = Some((ledger, runs));
        Ok(self)
    }

    /// The plan.
    pub fn plan(&self) -> &PhasedPlan {
        &self.plan
    }

    /// [`Phase::require_sum_of_all`] of a phase by its name. For what releases such sums to ask before it charges: a phase of that name
    /// may be of another plan.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] if the plan has no such phase, or no more releases of it, or its own.
    pub fn require_sum_of_all(&self, phase: &str, contribution: f64) -> Result<()> {
        self.require_left(phase)?;
        self.plan.phases()[self.position(phase)?].require_sum_of_all(contribution)
    }

    /// The releases of a phase that are left, at least one. For what makes several releases to ask before it charges for the first.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] if the plan has no such phase, or no more releases of it.
    pub fn require_left(&self, phase: &str) -> Result<u64> {
        let at = self.position(phase)?;
        let phase = &self.plan.phases()[at];
        match phase.steps().saturating_sub(self.made[at]) {
            0 => Err(BudgetError::Plan {
                field: "phase",
                given: format!("{:?} once more", phase.name()),
                allowed: format!("the {} releases that were planned, which are made", phase.steps()),
            }),
            left => Ok(left),
        }
    }

    fn position(&self, phase: &str) -> Result<usize> {
        self.plan.phases().iter().position(|known| known.name() == phase).ok_or_else(|| {
            let names: Vec<&str> = self.plan.phases().iter().map(Phase::name).collect();
            BudgetError::Plan {
                field: "phase",
                given: format!("{phase:?}"),
                allowed: format!("one of the plan's: {}", names.join(", ")),
            }
        })
    }

    /// Counts and charges the next release of a phase; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] if the plan has no such phase, or no more releases of it; errors of the ledger.
    pub fn charge(&mut self, phase: &str) -> Result<Release<'_>> {
        self.require_left(phase)?;
        let at = self.position(phase)?;
        let phase = &self.plan.phases()[at];
        if let Some((ledger, runs)) = &mut self.ledger {
            ledger.charge_step(runs[at])?;
        }
        let step = phase.first_step() + self.made[at];
        self.made[at] += 1;
        Ok(Release { phase: &self.plan.phases()[at], key: &self.key, step })
    }

    /// Epsilon of the releases that were charged so far, as [`PhasedPlan::epsilon`]; infinite with a fixed seed.
    ///
    /// # Errors
    ///
    /// As [`PhasedPlan::epsilon`].
    pub fn epsilon_so_far(&self) -> Result<f64> {
        if !self.entropy.is_private() {
            return Ok(f64::INFINITY);
        }
        let mut accountant = PldAccountant::new(self.plan.adjacency());
        accountant.compose(&self.plan.event_of(|phase| self.made_of(phase))?, 1)?;
        Ok(accountant.epsilon(self.plan.delta())?)
    }

    fn made_of(&self, phase: &Phase) -> u64 {
        self.plan
            .phases()
            .iter()
            .zip(&self.made)
            .find(|(known, _)| known.name() == phase.name())
            .map_or(0, |(_, made)| *made)
    }

    /// Writes the true numbers of releases to the ledger, and says what can be said.
    ///
    /// # Errors
    ///
    /// Errors of the ledger.
    pub fn finish(mut self, dataset: &str, mechanism: &str) -> Result<PhasedStatement> {
        if let Some((mut ledger, runs)) = self.ledger.take() {
            for run in runs {
                let released = ledger.released(run)?;
                ledger.close(run, released)?;
            }
        }
        let plan = &self.plan;
        let report = |event| -> Result<EpsilonReport> {
            let mut accountant = PldAccountant::new(plan.adjacency());
            accountant.compose(&event, 1)?;
            Ok(EpsilonReport::of(&accountant, plan.delta())?)
        };
        let made = |phase: &Phase| self.made_of(phase);
        let phases = plan.phases().iter().map(|phase| PhaseFacts {
            name: phase.name().to_owned(),
            sampling_rate: phase.sampling().rate(),
            sensitivity: phase.sensitivity(),
            noise_multiplier: phase.noise_multiplier(),
            noise_standard_deviation: phase.noise_standard_deviation(),
            planned_steps: phase.steps(),
            charged_steps: made(phase),
        });
        let mut epsilon_so_far = report(plan.event_of(made)?)?;
        if !self.entropy.is_private() {
            // Whoever knows the seed can subtract the noise.
            epsilon_so_far.epsilon = f64::INFINITY;
        }
        let mut assumptions = PrivacyStatement::standard_assumptions();
        assumptions.push(Noise::FloatingPoint.assumption().to_owned());
        Ok(PhasedStatement {
            mechanism: mechanism.to_owned(),
            protected_unit: "one example (one item of the data set)".into(),
            adjacency: plan.adjacency(),
            delta: plan.delta(),
            nominal_dataset_size: plan.nominal_size() as u64,
            planned_epsilon: report(plan.event().clone())?,
            epsilon_so_far,
            phases: phases.collect(),
            entropy: self.entropy.into(),
            dataset: dataset.to_owned(),
            assumptions,
            not_covered: PrivacyStatement::standard_exclusions(),
        })
    }
}

/// The right to release one sum, charged.
pub struct Release<'a> {
    phase: &'a Phase,
    key: &'a PrivacyKey,
    step: u64,
}

impl Release<'_> {
    /// The phase that it belongs to.
    pub fn phase(&self) -> &Phase {
        self.phase
    }

    /// The records of this release, in increasing order: each of the `population` by its own coin.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Mechanism`] for a population that can't be.
    pub fn sample(&self, population: usize) -> Result<Vec<usize>> {
        Ok(poisson_sample(self.key, self.step, population as u64, self.phase.sampling().rate())?)
    }

    /// Adds the noise to a sum of the sample's contributions, each of norm at most
    /// [`contribution`](Phase::contribution); with it, the sum is released.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Mechanism`]; the sum is then as it was, and must not be shown.
    pub fn add_noise(self, sum: &mut [f64]) -> Result<()> {
        let std = self.phase.noise_standard_deviation();
        StepNoise::new(self.key, self.step)?.add_f64(0, sum, std, 1.0)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PhaseConfig, PhaseNoise, PhasedPlanConfig, Sampling};
    use crate::statement::{Guarantee, Statement, text};

    fn plan() -> PhasedPlan {
        let phase = |name: &str, sampling, contribution, steps| PhaseConfig {
            name: name.into(),
            sampling,
            contribution,
            noise: PhaseNoise::Multiplier(3.0),
            steps,
        };
        let plan = PhasedPlanConfig::new(1e-5).with_phase(phase("statistics", Sampling::full_batch(1_000), 2.0, 1));
        plan.with_phase(phase("training", Sampling::poisson(100, 1_000), 0.5, 3)).build().unwrap()
    }

    #[test]
    fn releases_are_charged_before_they_are_made_and_end_with_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let ledger = Ledger::open(&path, "data").unwrap().with_block_target(std::time::Duration::ZERO);
        let mut run = PhasedRun::new(plan(), Entropy::os()).unwrap().with_ledger(ledger, "first").unwrap();
        let charged = || -> Vec<(String, u64)> {
            let charges = Ledger::read(&path).unwrap().charges();
            charges.into_iter().map(|charge| (charge.name, charge.steps)).collect()
        };
        run.charge("statistics").unwrap();
        assert!(charged().contains(&("first / statistics".into(), 1)), "{:?}", charged());
        for step in 1..=3 {
            run.charge("training").unwrap();
            assert!(charged().contains(&("first / training".into(), step)));
        }
        for (phase, words) in [("training", "once more"), ("statistics", "once more"), ("other", "one of the plan's")] {
            let message = run.charge(phase).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
        let planned = run.plan().epsilon().unwrap();
        let statement = run.finish("data", "statistics and training").unwrap();
        assert_eq!(statement.epsilon_so_far, statement.planned_epsilon);
        let Guarantee::DifferentialPrivacy { epsilon, .. } = statement.guarantee() else { panic!() };
        assert_eq!(epsilon, planned);
        // The ledger's total is of both phases.
        let total = Ledger::read(&path).unwrap().total(1e-5).unwrap();
        let epsilon = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
        assert!((epsilon - planned).abs() < 1e-6 * planned, "{epsilon} {planned}");
    }

    #[test]
    fn samples_and_noise_are_those_of_the_plan_and_differ_from_step_to_step() {
        let mut run = PhasedRun::new(plan(), Entropy::seeded(1)).unwrap();
        let release = run.charge("statistics").unwrap();
        assert_eq!(release.sample(1_000).unwrap().len(), 1_000);
        let mut first = vec![0.0; 20_000];
        release.add_noise(&mut first).unwrap();
        let mut second = vec![0.0; 20_000];
        run.charge("training").unwrap().add_noise(&mut second).unwrap();
        let mut third = vec![0.0; 20_000];
        let release = run.charge("training").unwrap();
        let drawn = release.sample(1_000).unwrap().len();
        assert!((40..180).contains(&drawn), "{drawn}");
        release.add_noise(&mut third).unwrap();
        let correlation = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64;
        // 6 and 1.5, by at most 6 of their standard errors of 0.5 %.
        assert!((correlation(&first, &first).sqrt() / 6.0 - 1.0).abs() < 0.03);
        assert!((correlation(&second, &second).sqrt() / 1.5 - 1.0).abs() < 0.03);
        assert!((correlation(&second, &third) / 2.25).abs() < 0.043);
        let statement = run.finish("data", "m").unwrap();
        assert!(text(&statement).starts_with("*** NOT PRIVATE"), "{}", text(&statement));
        assert_eq!(statement.epsilon_so_far.epsilon, f64::INFINITY);
        let mut run = PhasedRun::new(plan(), Entropy::os()).unwrap();
        run.charge("training").unwrap();
        let statement = run.finish("data", "m").unwrap();
        assert!(statement.epsilon_so_far.epsilon < statement.planned_epsilon.epsilon);
    }
}
