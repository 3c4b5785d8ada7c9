//! Differential privacy by sampling, data-independent generalization and a threshold (Li, Qardaji and Su, "On sampling,
//! anonymization, and differential privacy: or, k-anonymization meets differential privacy", ASIACCS 2012; ARX's SafePub).
//!
//! Each row is kept with probability beta by a secret coin; what is kept is generalized to levels that were chosen **without
//! looking at the data**, and rows of classes with fewer than k rows are dropped. For epsilon at least -ln(1 - beta) this is
//! (epsilon, delta)-differentially private under add-or-remove-one adjacency, with (theorem 5 of the paper)
//!
//! > delta = max over n at least ceil(k / gamma - 1) of P(Bin(n, beta) > gamma n), gamma = (e^epsilon - 1 + beta) / e^epsilon.
//!
//! The maximum is over all n: beyond some n the Chernoff bound exp(-n D(gamma || beta)) is below what was found already.

use std::path::Path;

use burn_privacy_accounting::DpEvent;
use burn_privacy_budget::statement::{Caveats, Fact, Guarantee, Statement};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, poisson_sample};
use statrs::function::gamma::ln_gamma;

use crate::AnonymizeError;
use crate::table::{Column, open_csv, place_of};
use crate::unfinished_file::UnfinishedFile;

/// Sampling rate and threshold, and what they are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampledRelease {
    epsilon: f64,
    delta: f64,
    beta: f64,
    k: u64,
}

/// What is sampled.
#[derive(Debug, Clone, Copy)]
pub struct SampledTable<'a> {
    /// CSV file with a header.
    pub input: &'a Path,
    /// Separator of its cells.
    pub separator: u8,
    /// The columns that are released, with hierarchies that are public.
    pub columns: &'a [Column],
    /// One level a column, which must not come from the data.
    pub levels: &'a [usize],
}

/// Thresholds above this are not looked for.
const LARGEST_K: u64 = 1 << 20;

impl SampledRelease {
    /// A release with sampling rate `beta` and threshold `k`, at this `epsilon`.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for an epsilon that is not finite and above 0, a beta outside (0, 1), k = 0, or an epsilon
    /// below -ln(1 - beta): the theorem says nothing there.
    pub fn new(epsilon: f64, beta: f64, k: u64) -> Result<Self, AnonymizeError> {
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(AnonymizeError::parameter("epsilon", epsilon, "a number above 0"));
        }
        if !(beta > 0.0 && beta < 1.0) {
            return Err(AnonymizeError::parameter("beta", beta, "between 0 and 1"));
        }
        if k == 0 {
            return Err(AnonymizeError::parameter("k", k, "at least 1"));
        }
        // Compared by what it is made of: the rate that is drawn must not be above what epsilon allows.
        if beta > -(-epsilon).exp_m1() {
            let allowed = format!("at most 1 - exp(-epsilon) = {} for epsilon {epsilon}", -(-epsilon).exp_m1());
            return Err(AnonymizeError::parameter("beta", beta, allowed));
        }
        Ok(Self { epsilon, delta: delta_of(epsilon, beta, k), beta, k })
    }

    /// The release for a target: the highest sampling rate that epsilon allows, unless one is given, and the lowest threshold
    /// whose delta is at most that.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`], [`AnonymizeError::Parameter`] for a delta outside (0, 1), [`AnonymizeError::Unreachable`] if no
    /// threshold up to a million reaches it.
    pub fn for_target(epsilon: f64, delta: f64, beta: Option<f64>) -> Result<Self, AnonymizeError> {
        if !(delta > 0.0 && delta < 1.0) {
            return Err(AnonymizeError::parameter("delta", delta, "between 0 and 1"));
        }
        // A little lower than the highest, so that rounding can't leave it above.
        let beta = beta.unwrap_or(-(-epsilon).exp_m1() * (1.0 - 1e-12));
        let reaches = |k: u64| Ok::<bool, AnonymizeError>(Self::new(epsilon, beta, k)?.delta <= delta);
        let mut high = 1;
        while !reaches(high)? {
            high *= 2;
            if high > LARGEST_K {
                let reason =
                    format!("no threshold up to {LARGEST_K} has a delta of {delta} or less: raise epsilon or delta");
                return Err(AnonymizeError::Unreachable { reason });
            }
        }
        let mut low = high / 2;
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if reaches(middle)? { high = middle } else { low = middle }
        }
        // Delta need not fall at every step, but this threshold reaches it.
        Self::new(epsilon, beta, high)
    }

    /// In nats.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Rounded up.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The probability that a row is kept.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// Rows of a class at least.
    pub fn k(&self) -> u64 {
        self.k
    }

    /// What an accountant is charged with.
    ///
    /// # Errors
    ///
    /// None is known: the figures were checked.
    pub fn event(&self) -> Result<DpEvent, burn_privacy_accounting::AccountingError> {
        DpEvent::epsilon_delta(self.epsilon, self.delta)
    }

    /// Samples a table, generalizes each of its columns to its level, drops small classes, and writes the rest, sorted, to
    /// `output`: these columns alone.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError`] if the input can't be read, lacks a column or holds a value that a hierarchy does not know, if a level is
    /// not there, if randomness fails, or if the output is the input, exists and is not to be replaced, or can't be written.
    pub fn write(
        &self,
        table: &SampledTable<'_>,
        output: &Path,
        replace: bool,
        entropy: Entropy,
    ) -> Result<SampledStatement, AnonymizeError> {
        let &SampledTable { input, separator, columns, levels } = table;
        if levels.len() != columns.len()
            || levels.iter().zip(columns).any(|(&level, column)| level >= column.hierarchy.levels())
        {
            let allowed = "a level of its hierarchy for each column";
            return Err(AnonymizeError::parameter("the list of levels", format!("{levels:?}"), allowed));
        }
        let mut file = UnfinishedFile::made_of(input, output, replace)?;
        let (mut reader, header) = open_csv(input, separator)?;
        let places: Vec<usize> =
            columns.iter().map(|column| place_of(input, &header, &column.name)).collect::<Result<_, _>>()?;
        let mut rows: Vec<Vec<&str>> = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| AnonymizeError::csv(input, error))? {
            let labels = places.iter().zip(columns).zip(levels).map(|((&place, column), &level)| {
                let leaf = column.hierarchy.code(&record[place]).ok_or_else(|| AnonymizeError::UnknownValue {
                    file: input.to_owned(),
                    line: record.position().map_or(0, csv::Position::line),
                    column: column.name.clone(),
                    value: record[place].to_owned(),
                })?;
                Ok(column.hierarchy.label(level, column.hierarchy.generalize(leaf, level)))
            });
            rows.push(labels.collect::<Result<_, AnonymizeError>>()?);
        }
        let failed = |error: burn_privacy_mechanisms::MechanismError| AnonymizeError::Randomness(error.to_string());
        let key = PrivacyKey::draw(entropy).map_err(failed)?;
        let kept = poisson_sample(&key, 0, rows.len() as u64, self.beta).map_err(failed)?;
        let mut sample: Vec<&Vec<&str>> = kept.into_iter().map(|index| &rows[index]).collect();
        sample.sort_unstable();
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        let broken = |error| AnonymizeError::csv(output, error);
        writer.write_record(columns.iter().map(|column| column.name.as_str())).map_err(broken)?;
        let mut released = 0;
        for class in sample.chunk_by(|one, other| one == other).filter(|class| class.len() as u64 >= self.k) {
            for row in class {
                writer.write_record(*row).map_err(broken)?;
                released += 1;
            }
        }
        let bytes = writer.into_inner().map_err(|error| AnonymizeError::Write {
            file: output.to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        file.write(&bytes)?;
        file.finish()?;
        let levels = columns.iter().zip(levels).map(|(column, &level)| (column.name.clone(), level)).collect();
        Ok(SampledStatement { plan: *self, levels, released, seeded: !entropy.is_private() })
    }
}

/// The delta of theorem 5, rounded up.
fn delta_of(epsilon: f64, beta: f64, k: u64) -> f64 {
    // gamma = 1 - (1 - beta) / e^epsilon, lowered by its rounding: a lower gamma has a larger tail.
    let gamma = (1.0 - (1.0 - beta) * (-epsilon).exp()) * (1.0 - 1e-14);
    // Relative entropy of Bernoulli(gamma) from Bernoulli(beta).
    let divergence = gamma * (gamma / beta).ln() + (1.0 - gamma) * ((1.0 - gamma) / (1.0 - beta)).ln();
    let mut n = (k as f64 / gamma - 1.0).ceil().max(1.0) as u64;
    let mut largest: f64 = 0.0;
    loop {
        largest = largest.max(binomial_tail(n, beta, gamma));
        n += 1;
        // The Chernoff bound falls with n: whatever comes is below it.
        if (-(n as f64) * divergence).exp() <= largest || (n as f64) * divergence > 745.0 {
            break;
        }
    }
    // A tail below the smallest double is not none.
    (largest * (1.0 + 1e-9)).clamp(f64::MIN_POSITIVE, 1.0)
}

/// P(Bin(n, beta) > gamma n), an upper bound to within rounding.
fn binomial_tail(n: u64, beta: f64, gamma: f64) -> f64 {
    let of = n as f64;
    let first = (gamma * of).floor() as u64 + 1;
    let mut sum = 0.0;
    for taken in first..=n {
        let taken = taken as f64;
        let log = ln_gamma(of + 1.0) - ln_gamma(taken + 1.0) - ln_gamma(of - taken + 1.0)
            + taken * beta.ln()
            + (of - taken) * (-beta).ln_1p();
        // Each logarithm is off by some 1e-15 of the largest of its terms.
        let term = (log + 1e-14 * of * of.ln().max(1.0)).exp();
        sum += term;
        if term < sum * 1e-18 {
            // Terms fall geometrically from here: their rest is below one more of this size for each.
            sum += term * (n as f64 - taken);
            break;
        }
    }
    sum
}

/// What a sampled release is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledStatement {
    plan: SampledRelease,
    levels: Vec<(String, usize)>,
    released: u64,
    seeded: bool,
}

impl SampledStatement {
    /// Rows that were written.
    pub fn released(&self) -> u64 {
        self.released
    }
}

impl Statement for SampledStatement {
    fn kind(&self) -> &'static str {
        "Statement of a sampled release"
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::DifferentialPrivacy {
            mechanism: "sampling, data-independent generalization and a threshold".to_owned(),
            epsilon: self.plan.epsilon,
            delta: self.plan.delta,
            is_bound: true,
            of: "one row under add-or-remove-one adjacency".to_owned(),
            accountant: "theorem 5 of Li, Qardaji and Su 2012".to_owned(),
            local: false,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let levels: Vec<String> = self.levels.iter().map(|(name, level)| format!("{name} {level}")).collect();
        vec![
            Fact::new("Sampling rate beta", self.plan.beta),
            Fact::new("Rows of a class at least", self.plan.k),
            Fact::new("Levels", levels.join(", ")),
            Fact::new("Rows released", self.released),
        ]
    }

    fn caveats(&self) -> Vec<Caveats> {
        let assumptions = [
            "the levels, the hierarchies, beta and k were chosen without looking at the data",
            "each person is in one row only",
            "nobody learns which rows were sampled; the key of the sampling was never stored",
            "the rows are released once; every further release of them adds its epsilon and delta",
        ];
        Caveats::both(
            &assumptions,
            &["the running time, and that no cell held a value that its hierarchy does not know"],
        )
    }

    fn is_void(&self) -> bool {
        self.seeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probability that `n` rows come to `j`.
    fn binomial(n: u64, j: u64, beta: f64) -> f64 {
        let choose: f64 = (0..j).map(|i| (n - i) as f64 / (j - i) as f64).product();
        choose * beta.powi(j as i32) * (1.0 - beta).powi((n - j) as i32)
    }

    /// The divergence at e^epsilon between what is released of a class of `n` rows and of one of `other`.
    fn exact_delta(n: u64, other: u64, epsilon: f64, beta: f64, k: u64) -> f64 {
        let shown = |n: u64| -> Vec<f64> {
            // Nothing, or some number from k on.
            let mut of = vec![0.0; 64];
            (0..=n).for_each(|j| of[if j < k { 0 } else { j as usize }] += binomial(n, j, beta));
            of
        };
        shown(n).iter().zip(shown(other)).map(|(p, q)| (p - epsilon.exp() * q).max(0.0)).sum()
    }

    #[test]
    fn delta_bounds_every_class_of_every_size() {
        for (epsilon, beta, k) in [(1.0, 0.5, 3), (0.5, 0.3, 5), (1.0, 0.63, 10), (2.0, 0.1, 2)] {
            let plan = SampledRelease::new(epsilon, beta, k).unwrap();
            for n in 1..60 {
                for (one, other) in [(n, n - 1), (n - 1, n)] {
                    let exact = exact_delta(one, other, epsilon, beta, k);
                    assert!(exact <= plan.delta(), "epsilon {epsilon}, beta {beta}, k {k}, n {n}: {exact} {plan:?}");
                }
            }
        }
    }

    #[test]
    fn delta_is_the_largest_tail() {
        let (epsilon, beta, k) = (1.0_f64, 0.5, 8);
        let gamma = (epsilon.exp() - 1.0 + beta) / epsilon.exp();
        let tail = |n: u64| (0..=n).filter(|&j| j as f64 > gamma * n as f64).map(|j| binomial(n, j, beta)).sum::<f64>();
        let first = (k as f64 / gamma - 1.0).ceil() as u64;
        let largest = (first..60).map(tail).fold(0.0, f64::max);
        let plan = SampledRelease::new(epsilon, beta, k).unwrap();
        assert!((plan.delta() / largest - 1.0).abs() < 1e-8, "{} {largest}", plan.delta());
        assert!(plan.delta() >= largest);
    }

    #[test]
    fn a_target_is_reached_by_the_lowest_threshold_and_never_missed() {
        let plan = SampledRelease::for_target(1.0, 1e-6, None).unwrap();
        assert!(plan.delta() <= 1e-6 && plan.beta() <= 1.0 - (-1.0_f64).exp());
        assert!(SampledRelease::new(1.0, plan.beta(), plan.k() - 1).unwrap().delta() > 1e-6);
        assert!(SampledRelease::new(0.5, 0.5, 5).unwrap_err().to_string().contains("beta is 0.5"));
        for bad in [(f64::NAN, 0.1, 5), (0.0, 0.1, 5), (1.0, 0.0, 5), (1.0, 1.0, 5), (1.0, 0.1, 0)] {
            assert!(SampledRelease::new(bad.0, bad.1, bad.2).is_err(), "{bad:?}");
        }
        assert!(SampledRelease::for_target(1.0, 0.0, None).is_err());
        assert_eq!(plan.event().unwrap().name(), DpEvent::epsilon_delta(1.0, 0.1).unwrap().name());
    }
}
