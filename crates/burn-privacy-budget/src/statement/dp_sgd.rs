//! What a run of DP-SGD under a plan can say about itself.

use burn_privacy_accounting::{Accountant, EpsilonReport, PldAccountant, RdpAccountant};

use super::{Independence, PrivacyStatement, RandomnessSource};
use crate::error::Result;
use crate::plan::{Clipping, PrivacyPlan, ProtectedUnit, Sampling};

/// What the last bits of a record's contribution to a sum may depend on, beside the record and public things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastBits {
    /// On nothing: each record is alone in its batch.
    OfTheRecordAlone,
    /// On nothing, as far as the library's own operations go: they compute each row by itself.
    OfTheClosure,
    /// On the number of records beside it: how a device computes is chosen by it.
    OfTheBatch,
}

impl LastBits {
    /// What holds of two steps.
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }

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

/// How the Gaussian noise of a step is drawn and added. The accounting is the same for both; what differs is what the last bits of
/// a release give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Noise {
    /// As floating-point numbers: in 64 bits on the CPU, in 32 on a GPU. It is what the theorems say up to its lowest bits, which
    /// attacks on floating point start from (Mironov 2012; Haney et al. 2022).
    FloatingPoint,
    /// As whole multiples of the grid on which the sum of a step is exact: to each entry a real Gaussian value is added that is
    /// rounded to the grid, drawn without any rounding error
    /// ([`RoundedStepNoise`](burn_privacy_mechanisms::RoundedStepNoise)).
    ///
    /// For a sum on the grid, rounding the noise is rounding the noisy sum, coordinate by coordinate: post-processing of the
    /// Gaussian mechanism, so that every bound for that one holds as it stands, in any number of dimensions and with sampling.
    ExactRounded,
}

impl Noise {
    /// What holds of two steps: exact noise only if both have it.
    pub fn weaker(self, other: Self) -> Self {
        if self == other { self } else { Self::FloatingPoint }
    }

    /// What rests on how the noise is drawn, in words.
    pub const fn assumption(self) -> &'static str {
        match self {
            Self::FloatingPoint => {
                "the Gaussian noise is computed and added in 64-bit floating point, on a GPU in 32-bit: attacks on its lowest bits \
                 are not excluded"
            }
            Self::ExactRounded => {
                "the noise is a Gaussian value rounded to the grid of the sum, drawn exactly from the words of ChaCha20, which \
                 nobody without the key can tell from random ones"
            }
        }
    }
}

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FloatingPoint => "Gaussian, in floating point",
            Self::ExactRounded => "Gaussian, rounded to the grid of the sum and drawn exactly",
        })
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
    noise: Noise,
) -> Result<PrivacyStatement> {
    let sampling = plan.sampling();
    let mut assumptions = PrivacyStatement::standard_assumptions();
    assumptions.push(Independence::CheckedNumerically.assumption().to_owned());
    assumptions.push(noise.assumption().to_owned());
    assumptions.extend(last_bits.assumption());
    // The tight bound first, which the headline shows.
    let reports = |steps: u64| -> Result<Vec<EpsilonReport>> {
        let mut tight = PldAccountant::new(plan.adjacency());
        let mut renyi = RdpAccountant::new(plan.adjacency());
        let mut renyi_supports = true;
        for stretch in plan.stretches() {
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
        sampling: match (sampling, plan.protected_unit()) {
            (Sampling::Poisson { .. }, ProtectedUnit::User) => {
                "Poisson: each user, with all their records, is in each batch independently".into()
            }
            (Sampling::Poisson { .. }, _) => "Poisson: each record is in each batch independently".into(),
            (Sampling::FullBatch { .. }, _) => "every record in every batch".into(),
        },
        sampling_rate: sampling.rate(),
        nominal_dataset_size: sampling.nominal_size() as u64,
        expected_batch_size: sampling.expected_batch_size() as f64,
        clipping: plan.clipping().to_string(),
        // The largest of all steps.
        clipping_norm: plan.sensitivity() / plan.adjacency().sensitivity_factor(),
        sensitivity: plan.sensitivity(),
        sensitivity_of: sensitivity_of(plan),
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

/// What the stated sensitivity is of, where that is not the protected unit in every step.
fn sensitivity_of(plan: &PrivacyPlan) -> String {
    let mut words = Vec::new();
    if let ProtectedUnit::UserByRecords { most_records } = plan.protected_unit() {
        let most = most_records as f64 * plan.sensitivity();
        words.push(format!(
            "to one record, as is the noise multiplier; to all {most_records} records of a user, which the accounting counts, up to {most}"
        ));
    }
    if matches!(plan.clipping(), Clipping::Quantile { .. }) {
        words.push("in the first step; it follows the quantile, and the noise with it".into());
    }
    if !plan.clipping_schedule().is_constant() {
        words.push("the largest of all steps".into());
    }
    if !(plan.noise_schedule().is_constant() && plan.clipping_schedule().is_constant()) {
        words.push("the noise below is the least of all steps".into());
    }
    words.join("; ")
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
    use super::*;
    use crate::plan::{NoiseLevel, PrivacyPlanConfig, StepFunction};

    fn plan() -> PrivacyPlanConfig {
        PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(10, 1_000))
            .with_clipping(Clipping::flat(0.5))
            .with_noise(NoiseLevel::multiplier(2.0))
            .with_delta(1e-5)
            .with_steps(20)
    }

    fn stated(plan: PrivacyPlanConfig) -> PrivacyStatement {
        statement(&plan.build().unwrap(), "data", 0, true, LastBits::OfTheBatch, Noise::FloatingPoint).unwrap()
    }

    #[test]
    fn figures_of_a_statement_are_related_as_it_says() {
        const PRODUCT: &str = "(multiplier x sensitivity)";
        let halves = || StepFunction::of(vec![(0, 1.0), (10, 0.5)]);
        for (plan, is_product, words) in [
            (plan(), true, ""),
            (plan().with_clipping(Clipping::quantile(0.1, 0.5, 20.0)), false, "in the first step"),
            (plan().with_clipping_schedule(halves()), false, "the largest of all steps"),
            (plan().with_noise_schedule(halves()), true, "the least of all steps"),
        ] {
            let statement = stated(plan);
            let text = statement.to_string();
            assert_eq!(text.contains(PRODUCT), is_product, "{text}");
            assert!(text.contains(words), "{text}");
            let product = statement.noise_multiplier * statement.sensitivity;
            assert!(!is_product || (statement.noise_standard_deviation / product - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn users_are_told_what_one_record_and_all_of_theirs_do() {
        let text = stated(plan().with_protected_unit(ProtectedUnit::UserByRecords { most_records: 8 })).to_string();
        assert!(
            text.contains("to one record") && text.contains("all 8 records of a user") && text.contains("up to 4"),
            "{text}"
        );
        let text = stated(plan().with_protected_unit(ProtectedUnit::User)).to_string();
        assert!(!text.contains("each record is in each batch") && text.contains("each user"), "{text}");
    }
}
