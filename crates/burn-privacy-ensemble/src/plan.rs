//! The plan of the answers of an ensemble: how many, and with how much Gaussian noise each.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonReport, PldAccountant, gaussian_sigma};

use crate::error::{EnsembleError, Result};
use burn_privacy_budget::ledger::RunDescription;

/// More queries are not planned.
const MOST_QUERIES: u64 = 1 << 40;

/// How many answers there will be, and how much noise each gets.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPlan {
    queries: u64,
    noise_multiplier: f64,
    delta: f64,
    /// Of one answer.
    event: DpEvent,
}

impl QueryPlan {
    /// The least noise with which `queries` answers together are (`epsilon`, `delta`)-differentially private: the analytic
    /// Gaussian mechanism at sensitivity sqrt(queries), since that many Gaussian releases are one with their precisions
    /// added.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for no queries, or a delta that is not above 0 and below 1 / `nominal_size`, the public nominal number
    /// of records (a larger one allows publishing whole records); [`EnsembleError::Accounting`] for an epsilon that is not above 0
    /// and finite.
    pub fn for_target(queries: u64, epsilon: f64, delta: f64, nominal_size: usize) -> Result<Self> {
        check_queries(queries)?;
        check_delta(delta, nominal_size)?;
        // Rounded up, so that rounding in the accountant can't make the target unreachable.
        let multiplier = gaussian_sigma(epsilon, delta, (queries as f64).sqrt())? * (1.0 + 1e-9);
        Ok(Self { queries, noise_multiplier: multiplier, delta, event: DpEvent::gaussian(multiplier)? })
    }

    /// A noise multiplier: standard deviation over the sensitivity of one answer.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for no queries, a multiplier that is not above 0 and finite, or a delta that is not above 0 and below
    /// 1 / `nominal_size`, the public nominal number of records.
    pub fn for_noise_multiplier(queries: u64, noise_multiplier: f64, delta: f64, nominal_size: usize) -> Result<Self> {
        check_queries(queries)?;
        check_delta(delta, nominal_size)?;
        if !(noise_multiplier > 0.0 && noise_multiplier.is_finite()) {
            return Err(EnsembleError::plan("noise multiplier", noise_multiplier, "a finite number above 0"));
        }
        Ok(Self { queries, noise_multiplier, delta, event: DpEvent::gaussian(noise_multiplier)? })
    }

    /// Number of answers.
    pub fn queries(&self) -> u64 {
        self.queries
    }

    /// Standard deviation of an answer's noise over its sensitivity.
    pub fn noise_multiplier(&self) -> f64 {
        self.noise_multiplier
    }

    /// The delta at which epsilon is reported.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The event of one answer.
    pub fn event(&self) -> &DpEvent {
        &self.event
    }

    /// Epsilon after this many answers, an upper bound.
    ///
    /// # Errors
    ///
    /// Those of the accountant.
    pub fn epsilon_after(&self, answers: u64) -> Result<f64> {
        Ok(epsilon(&[(self, answers)], self.delta)?.epsilon)
    }

    pub(super) fn description(&self, name: &str, private: bool) -> Result<RunDescription> {
        let run = RunDescription::of_steps(name, self.event.clone(), self.queries, Adjacency::AddOrRemoveOne)?;
        Ok(run.with_delta(self.delta).with_private_randomness(private))
    }
}

/// Epsilon of several plans' answers together, with the method that proved it.
pub(super) fn epsilon(answers: &[(&QueryPlan, u64)], delta: f64) -> Result<EpsilonReport> {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    for (plan, count) in answers {
        accountant.compose(&plan.event, *count)?;
    }
    Ok(EpsilonReport::of(&accountant, delta)?)
}

/// As for a training plan.
fn check_delta(delta: f64, nominal_size: usize) -> Result<()> {
    if nominal_size == 0 {
        return Err(EnsembleError::plan("nominal size", 0, "at least 1 record"));
    }
    let largest = 1.0 / nominal_size as f64;
    if delta > 0.0 && delta < largest {
        return Ok(());
    }
    let allowed = format!(
        "above 0 and below 1 / nominal size = {largest:e} (a delta that large allows publishing whole records)"
    );
    Err(EnsembleError::plan("delta", format!("{delta:e}"), allowed))
}

fn check_queries(queries: u64) -> Result<()> {
    if (1..=MOST_QUERIES).contains(&queries) {
        return Ok(());
    }
    Err(EnsembleError::plan("queries", queries, "from 1 to 2^40"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_met_and_nearly_spent() {
        for (queries, target) in [(1, 0.1), (100, 1.0), (5_000, 8.0)] {
            let plan = QueryPlan::for_target(queries, target, 1e-6, 10_000).unwrap();
            let found = plan.epsilon_after(queries).unwrap();
            assert!(found <= target && found > 0.999 * target, "{queries}: {found}");
            assert_eq!(plan.epsilon_after(0).unwrap(), 0.0);
        }
    }

    #[test]
    fn impossible_plans_are_refused() {
        assert!(QueryPlan::for_target(0, 1.0, 1e-5, 100).is_err());
        assert!(QueryPlan::for_target(10, f64::NAN, 1e-5, 100).is_err());
        assert!(QueryPlan::for_noise_multiplier(10, 0.0, 1e-5, 100).is_err());
        // A delta of one over the number of records publishes a record.
        for (delta, size) in [(0.0, 100), (-0.0, 100), (f64::NAN, 100), (0.01, 100), (0.5, 2), (1.0, 1), (1e-5, 0)] {
            for plan in
                [QueryPlan::for_target(10, 1.0, delta, size), QueryPlan::for_noise_multiplier(10, 1.0, delta, size)]
            {
                assert!(matches!(plan, Err(EnsembleError::Plan { .. })), "{delta} {size}");
            }
        }
        assert!(QueryPlan::for_target(10, 1.0, 0.0099, 100).is_ok());
    }
}
