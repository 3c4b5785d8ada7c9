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
    /// What rests on how the noise is drawn, in words.
    #[must_use]
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
