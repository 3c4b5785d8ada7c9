//! Private selection: the best of a random number of trials, as one release with a stated guarantee.

use std::path::Path;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant, RunCount};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_secret_uniform};

use super::config::{Setting, SweepConfig};
use super::error::refuse;
use super::planned::PlannedSetting;
use super::runner::outcome_of;
use super::trial::{Trial, TrialResult};
use crate::error::Result;
use burn_privacy_budget::ledger::{Ledger, RunDescription};
use burn_privacy_budget::plan::PrivacyPlan;
use burn_privacy_output::SilentProcess;

/// More runs than this are never made; the probability of that many is below what a 53-bit uniform number can hit.
const MOST_RUNS: u64 = 1_000_000;

/// The best of a secret, random number of trials at settings drawn at random, as one release.
///
/// # Formal guarantees
///
/// The number of runs is drawn from a [`RunCount`] with the operating system's randomness, each run's setting uniformly from
/// the settings of the sweep, independently of the data. Only the best run is released: setting, score and model. What it
/// costs is Papernot and Steinke's bound for their distribution (arXiv 2110.03620, theorems 2 and 6) over one run's Renyi
/// divergences. As one run's, those of the *dominating* plan are taken: the least noise multiplier, the highest sampling rate
/// and the most steps of any setting. It bounds every setting's plan, since more noise and fewer steps are post-processing,
/// and divergences grow with the sampling rate (they are convex in it and 0 at 0); a setting that is drawn at random is a
/// mixture of runs, and no divergence of a mixture exceeds the largest of its parts (quasi-convexity). The score's event, if
/// it has one, is composed with it.
///
/// The number of runs stays secret: it is neither returned nor shown. Whoever can watch how long the selection takes learns
/// something about it that the bound does not cover.
#[derive(Clone, Debug)]
pub struct PrivateSelection {
    config: SweepConfig,
    planned: Vec<PlannedSetting>,
    runs: RunCount,
    score_event: Option<DpEvent>,
}

/// The winner: all that may be released.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// What it was made with.
    pub setting: Setting,
    /// Its plan.
    pub plan: PrivacyPlan,
    /// Its score.
    pub score: f64,
    /// Its model, as the closure serialized it.
    pub model: Vec<u8>,
}

impl PrivateSelection {
    /// Checks all settings. Repeats of the configuration mean nothing here: how many runs there are is drawn from `runs`.
    ///
    /// # Errors
    ///
    /// As [`SweepConfig::planned`]; and [`SweepError::Value`](super::SweepError::Value) for a fixed seed, which protects
    /// nothing, or a simulation, whose result is no model to release.
    pub fn new(config: SweepConfig, runs: RunCount) -> Result<Self> {
        if let Some(seed) = config.seed {
            return Err(refuse("seed", seed, "none: a private selection needs secret randomness"));
        }
        if let Some(batch) = config.simulate_at_batch {
            return Err(refuse("simulated batch size", batch, "none: a selection releases the model that it ran"));
        }
        // Beyond these, probabilities of few runs are lost in rounding, or there are more runs than anybody can wait for.
        let (what, given, allowed, fits) = match runs {
            RunCount::Poisson { mean } => ("mean number of runs", mean, "above 0 and at most 500", mean <= 500.0),
            RunCount::TruncatedNegativeBinomial { gamma, .. } if gamma.is_nan() || gamma < 1e-4 => {
                ("stopping probability", gamma, "at least 0.0001 and below 1", false)
            }
            RunCount::TruncatedNegativeBinomial { shape, .. } => {
                ("shape", shape, "above -1 and at most 10: larger ones cost as many times as much", shape <= 10.0)
            }
            _ => ("distribution of the number of runs", f64::NAN, "Poisson or truncated negative binomial", false),
        };
        if !fits {
            return Err(refuse(what, given, allowed));
        }
        let planned = config.planned()?;
        let selection = Self { config, planned, runs, score_event: None };
        selection.event()?;
        Ok(selection)
    }

    /// What computing a score costs, if it is computed on private data: [`DpEvent::gaussian`] for a score to which Gaussian
    /// noise is added, for instance. Without it, scores must be computed on data that are declared public.
    ///
    /// # Errors
    ///
    /// If the Renyi accountant does not support it.
    pub fn with_score_event(mut self, event: DpEvent) -> Result<Self> {
        self.score_event = Some(event);
        self.event()?;
        Ok(self)
    }

    /// The whole selection as an event.
    ///
    /// # Errors
    ///
    /// If the Renyi accountant does not support it.
    pub fn event(&self) -> Result<DpEvent> {
        let plans = || self.planned.iter().map(|planned| &planned.plan);
        let noise = plans().map(PrivacyPlan::noise_multiplier).fold(f64::INFINITY, f64::min);
        let rate = plans().map(|plan| plan.sampling().rate()).fold(0.0, f64::max);
        let steps = plans().map(PrivacyPlan::steps).max().unwrap_or(0);
        let step = DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise)?)?;
        let mut run = vec![DpEvent::self_composed(step, steps)?];
        run.extend(self.score_event.clone());
        let event = DpEvent::repeat_and_select(self.runs, DpEvent::composed(run)?)?;
        RdpAccountant::new(Adjacency::AddOrRemoveOne).compose(&event, 0)?;
        Ok(event)
    }

    /// Epsilon of the whole selection at the configuration's delta, by Renyi divergences, an upper bound.
    ///
    /// # Errors
    ///
    /// As [`event`](Self::event).
    pub fn epsilon(&self) -> Result<f64> {
        let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
        accountant.compose(&self.event()?, 1)?;
        Ok(accountant.epsilon(self.config.delta)?)
    }

    /// Charges the selection to the ledger, under the name `run`, makes it, and returns the winner; `None` if there was no
    /// run (which only a Poisson number allows) or if every run failed. A failed run counts as the worst possible score, and
    /// its error is not shown: it may depend on the data. While trials run, panics of any thread of the process print nothing.
    ///
    /// Runs are made one after the other, in threads of their own, without any sign of progress.
    ///
    /// # Errors
    ///
    /// If the selection can't be charged, a name that the ledger has already among others, or there is no randomness.
    pub fn run(
        &self,
        ledger: &Path,
        run: &str,
        trial: impl Fn(&PrivacyPlan, &Trial) -> TrialResult + Sync,
    ) -> Result<Option<Selected>> {
        let mut ledger = Ledger::open(ledger, &self.config.dataset)?;
        let delta = self.config.delta;
        let description = RunDescription::of_steps(run, self.event()?, 1, Adjacency::AddOrRemoveOne)?;
        let id = ledger.begin(description.with_delta(delta))?;
        ledger.reserve(id, 1)?;
        ledger.close(id, 1)?;

        let key = PrivacyKey::draw(Entropy::os())?;
        let uniform = |index: u64| {
            let mut number = [0.0];
            fill_secret_uniform(&key, Purpose::Assignment, 0, index, &mut number).map(|()| number[0])
        };
        let count = draw_count(self.runs, uniform(0)?);
        // How many trials panic says something of how many there were; also a helper thread of a trial may panic.
        let _silence = SilentProcess::begin();
        let mut best: Option<Selected> = None;
        for index in 0..count {
            let choice = (uniform(index + 1)? * self.planned.len() as f64) as usize;
            let planned = &self.planned[choice.min(self.planned.len() - 1)];
            let setting = planned.setting;
            // Every trial has the same number: how many there were is secret, from the closure's output, too.
            let description = Trial { number: 0, setting: Some(setting), repeat: 0, seed: None };
            let Ok(outcome) = outcome_of(|| trial(&planned.plan, &description)) else { continue };
            if best.as_ref().is_none_or(|best| outcome.score > best.score) {
                let plan = planned.plan.clone();
                best = Some(Selected { setting, plan, score: outcome.score, model: outcome.model });
            }
        }
        Ok(best)
    }
}

/// The number of runs at which the distribution function reaches a uniform number.
fn draw_count(runs: RunCount, uniform: f64) -> u64 {
    // Probability of the first possible number, and the factor from one number to the next.
    let (first, probability, next): (u64, f64, Box<dyn Fn(u64) -> f64>) = match runs {
        RunCount::Poisson { mean } => (0, (-mean).exp(), Box::new(move |k| mean / (k + 1) as f64)),
        RunCount::TruncatedNegativeBinomial { shape, gamma } => {
            // (1-g) e / (g^-e - 1), and its limit for e = 0.
            let stop = -gamma.ln();
            let part = if shape * stop == 0.0 { 1.0 / stop } else { shape / (shape * stop).exp_m1() };
            let factor = move |k: u64| (1.0 - gamma) * (k as f64 + shape) / (k + 1) as f64;
            (1, (1.0 - gamma) * part, Box::new(factor))
        }
        _ => return 0,
    };
    let (mut count, mut probability, mut reached) = (first, probability, probability);
    while reached < uniform && count < MOST_RUNS && probability > 0.0 {
        probability *= next(count);
        reached += probability;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of 0 .. 40 runs as `draw_count` gives them, on a fine grid of uniform numbers.
    fn probabilities(runs: RunCount) -> Vec<f64> {
        const GRID: usize = 200_000;
        let mut shares = vec![0.0; 41];
        for index in 0..GRID {
            let count = draw_count(runs, (index as f64 + 0.5) / GRID as f64) as usize;
            if let Some(share) = shares.get_mut(count) {
                *share += 1.0 / GRID as f64;
            }
        }
        shares
    }

    #[test]
    fn counts_follow_their_distributions() {
        // Geometric: (1-g)^(k-1) g. Logarithmic: (1-g)^k / (k ln(1/g)). Poisson: e^-m m^k / k!. Shape 1/2: Gamma functions,
        // as products of (l + 1/2) / (l + 1), normalized by (g^-1/2 - 1).
        let g: f64 = 0.2;
        let geometric = probabilities(RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: g });
        let logarithmic = probabilities(RunCount::TruncatedNegativeBinomial { shape: 0.0, gamma: g });
        let half = probabilities(RunCount::TruncatedNegativeBinomial { shape: 0.5, gamma: g });
        let poisson = probabilities(RunCount::Poisson { mean: 3.0 });
        assert_eq!((geometric[0], logarithmic[0], half[0]), (0.0, 0.0, 0.0));
        assert!((poisson[0] - (-3.0_f64).exp()).abs() < 2e-5);
        let (mut power, mut product, mut weight) = (1.0, 1.0, (-3.0_f64).exp());
        for k in 1..=20 {
            power *= 1.0 - g;
            product *= (1.0 - g) * (k as f64 - 0.5) / k as f64;
            weight *= 3.0 / k as f64;
            assert!((geometric[k] - power * g / (1.0 - g)).abs() < 2e-5, "{k}");
            assert!((logarithmic[k] - power / (k as f64 * (1.0 / g).ln())).abs() < 2e-5, "{k}");
            assert!((half[k] - product / (g.powf(-0.5) - 1.0)).abs() < 2e-5, "{k}");
            assert!((poisson[k] - weight).abs() < 2e-5, "{k}");
        }
    }
}
