//! What a run of DP-SGD under a plan can say about itself.

use burn_privacy_accounting::{Accountant, EpsilonReport, PldAccountant, RdpAccountant};

use super::{Independence, PrivacyStatement, RandomnessSource};
use crate::error::Result;
use crate::plan::{PrivacyPlan, Sampling};

/// What the last bits of a record's contribution to a sum may depend on, beside the record and public things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastBits {
    /// On nothing: each record is alone in its batch.
    OfTheRecordAlone,
    /// On nothing, as far as the library's own operations go: they compute each row by itself.
    OfTheClosure,
    /// On the number of records beside it: how a device computes is chosen by it.
    OfTheBatch,
}

impl LastBits {
    fn assumption(self) -> Option<String> {
        const ASSUMED: &str =
            "what a record adds to a sum does not depend, to its last bits, on the records of its physical batch";
        match self {
            Self::OfTheRecordAlone => None,
            Self::OfTheClosure => Some(format!(
                "{ASSUMED}: so it is with this library's layers on the CPU, and is promised by the author of the program for \
                 matrix products of the loss closure's own"
            )),
            Self::OfTheBatch => Some(format!(
                "{ASSUMED}: on this device the rounding of products may depend on their number, which is not part of the \
                 sensitivity; the rounding of the sum itself is"
            )),
        }
    }
}

/// What a run of `plan` can say about itself.
///
/// # Errors
///
/// Those of the accountants.
pub fn statement(
    plan: &PrivacyPlan,
    dataset: &str,
    charged_steps: u64,
    private: bool,
    last_bits: LastBits,
) -> Result<PrivacyStatement> {
    let sampling = plan.sampling();
    let mut assumptions = PrivacyStatement::standard_assumptions();
    assumptions.extend([
        Independence::CheckedNumerically.assumption().to_owned(),
        "the Gaussian noise is computed and added in 64-bit floating point, on a GPU in 32-bit: attacks on its lowest bits \
         are not excluded"
            .into(),
    ]);
    assumptions.extend(last_bits.assumption());
    // The tight bound first, which the headline shows.
    let reports = |steps: u64| -> Result<Vec<EpsilonReport>> {
        let mut tight = PldAccountant::new(plan.adjacency());
        let mut renyi = RdpAccountant::new(plan.adjacency());
        let mut renyi_supports = true;
        for stretch in plan.stretches()? {
            let charged = steps.saturating_sub(stretch.first_step).min(stretch.steps);
            tight.compose(&stretch.event, charged)?;
            renyi_supports &= renyi.compose(&stretch.event, charged).is_ok();
        }
        let mut reports = vec![EpsilonReport::of(&tight, plan.delta())?];
        if renyi_supports {
            reports.push(EpsilonReport::of(&renyi, plan.delta())?);
        }
        Ok(reports)
    };
    let mut epsilon_so_far = reports(charged_steps)?;
    if !private {
        // Whoever knows the seed can subtract the noise.
        epsilon_so_far.iter_mut().for_each(|report| report.epsilon = f64::INFINITY);
    }
    Ok(PrivacyStatement {
        protected_unit: plan.protected_unit().to_string(),
        adjacency: plan.adjacency(),
        mechanism: mechanism(plan),
        sampling: match sampling {
            Sampling::Poisson { .. } => "Poisson: each record is in each batch independently".into(),
            Sampling::FullBatch { .. } => "every record in every batch".into(),
        },
        sampling_rate: sampling.rate(),
        nominal_dataset_size: sampling.nominal_size() as u64,
        expected_batch_size: sampling.expected_batch_size() as f64,
        clipping: plan.clipping().to_string(),
        // The largest of all steps.
        clipping_norm: plan.sensitivity() / plan.adjacency().sensitivity_factor(),
        sensitivity: plan.sensitivity(),
        noise_multiplier: least_noise(plan),
        noise_standard_deviation: least_deviation(plan),
        planned_steps: plan.steps(),
        charged_steps,
        delta: plan.delta(),
        planned_epsilon: reports(plan.steps())?,
        epsilon_so_far,
        entropy: if private { RandomnessSource::Os } else { RandomnessSource::Seeded },
        dataset: dataset.into(),
        assumptions,
        not_covered: PrivacyStatement::standard_exclusions(),
    })
}

/// What runs; with schedules, what changes when.
fn mechanism(plan: &PrivacyPlan) -> String {
    let constant = plan.noise_schedule().is_constant() && plan.clipping_schedule().is_constant();
    if constant { "DP-SGD".into() } else { plan.mechanism() }
}

/// The least noise multiplier of all steps.
fn least_noise(plan: &PrivacyPlan) -> f64 {
    let stretches = plan.noise_schedule().stretches(plan.steps());
    stretches.iter().map(|(first, ..)| plan.noise_multiplier_in(*first)).fold(f64::INFINITY, f64::min)
}

/// The least standard deviation of all steps.
fn least_deviation(plan: &PrivacyPlan) -> f64 {
    let changes = [plan.noise_schedule(), plan.clipping_schedule()].map(|schedule| schedule.stretches(plan.steps()));
    let deviation =
        |(step, ..): &(u64, u64, f64)| plan.noise_standard_deviation_in(*step, plan.clipping_in(*step).norm());
    changes.iter().flatten().map(deviation).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use burn_privacy_accounting::{Accountant, DpEvent, PldAccountant};

    use super::*;
    use crate::plan::{Clipping, NoiseLevel, PrivacyPlanConfig, ProtectedUnit, StepFunction};

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
        let found = statement(&plan, "data", 50, true, LastBits::OfTheClosure).unwrap();
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
        let found = statement(&plan, "data", 50, true, LastBits::OfTheClosure).unwrap();
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
}
