//! What limits a sweep's curves: noise, or something that less noise does not mend.
//!
//! A curve is the settings that differ in noise alone. More epsilon means less noise, so a curve that falls with epsilon, or that
//! stays below training without privacy however little noise there is, is limited by what is left: the clipping bias (the mean
//! of clipped gradients is not the gradient: Chen, Wu, Hong, "Understanding gradient clipping in private SGD", NeurIPS 2020), too
//! few steps, or a learning rate that noise does not allow or that never gets there.
//!
//! A rule speaks only where a difference of means is larger than [`CERTAIN`] standard errors of it, so every setting needs two runs
//! or more. Scores are taken to be better the larger they are.

use super::planned::PlannedSetting;
use super::summary::{SettingSummary, SweepSummary};

/// Standard errors that a difference must have to count.
const CERTAIN: f64 = 3.0;

/// Of the distance to training without privacy, the part that the last step down in noise must have gained; below it, less
/// noise is no longer what helps.
const GAINED: f64 = 0.25;

/// What a score's mean is known to.
struct Mean {
    value: f64,
    /// Squared standard error.
    variance: f64,
}

impl Mean {
    /// Nothing for fewer than two runs.
    fn of(row: &SettingSummary) -> Option<Self> {
        let deviation = row.standard_deviation()?;
        Some(Self { value: row.mean(), variance: deviation * deviation / row.scores.len() as f64 })
    }

    /// Whether this one is larger, beyond doubt.
    fn exceeds(&self, other: &Self) -> bool {
        self.value - other.value > CERTAIN * (self.variance + other.variance).sqrt()
    }
}

/// A setting of a sweep with its epsilon and mean.
struct Point<'a> {
    planned: &'a PlannedSetting,
    epsilon: f64,
    mean: Mean,
}

impl SweepSummary {
    /// Where the curves say that something else than noise limits the scores, a sentence or two each; nothing where noise does, or
    /// where too few runs tell.
    pub fn limits(&self) -> Vec<String> {
        let points: Vec<Point<'_>> = self
            .settings
            .iter()
            .filter_map(|row| {
                let planned = row.planned.as_ref()?;
                Some(Point { planned, epsilon: planned.shown().1.epsilon_pld, mean: Mean::of(row)? })
            })
            .collect();
        let plain = self.settings.iter().find(|row| row.planned.is_none()).and_then(Mean::of);
        let mut found = Vec::new();
        for curve in curves(&points) {
            found.extend(falls(&curve).or_else(|| stays_below(&curve, plain.as_ref())));
        }
        found.extend(edges(&points));
        found
    }
}

/// The points by everything but noise, each curve in the order of epsilon.
fn curves<'a>(points: &'a [Point<'a>]) -> Vec<Vec<&'a Point<'a>>> {
    let mut curves: Vec<Vec<&Point<'_>>> = Vec::new();
    for point in points {
        let same = |curve: &&mut Vec<&Point<'_>>| others(curve[0]) == others(point);
        match curves.iter_mut().find(same) {
            Some(curve) => curve.push(point),
            None => curves.push(vec![point]),
        }
    }
    for curve in &mut curves {
        curve.sort_by(|a, b| a.epsilon.total_cmp(&b.epsilon));
    }
    curves
}

/// Clip, learning rate, batch and steps.
fn others(point: &Point<'_>) -> (f64, f64, usize, u64) {
    let setting = &point.planned.setting;
    (setting.clip, setting.learning_rate, setting.batch_size, point.planned.shown().1.steps)
}

fn curve_name(point: &Point<'_>) -> String {
    let (clip, rate, batch, steps) = others(point);
    format!("clip {clip}, learning rate {rate}, batch {batch}, {steps} steps")
}

/// A curve on which more epsilon has cost score.
fn falls(curve: &[&Point<'_>]) -> Option<String> {
    // The deepest certain fall.
    let mut worst: Option<(&Point<'_>, &Point<'_>)> = None;
    for (at, &low) in curve.iter().enumerate() {
        for &high in &curve[at + 1..] {
            let fall = |(low, high): (&Point<'_>, &Point<'_>)| low.mean.value - high.mean.value;
            if high.epsilon > low.epsilon
                && low.mean.exceeds(&high.mean)
                && worst.is_none_or(|worst| fall((low, high)) > fall(worst))
            {
                worst = Some((low, high));
            }
        }
    }
    let (low, high) = worst?;
    Some(format!(
        "More ε costs score: {:.4} at ε {:.3}, but {:.4} at {:.3} ({}). Noise does not limit this curve: clipping bias, the number \
         of steps or the learning rate does. Try a larger clipping norm, or the learning rate times 3 and divided by 3.",
        low.mean.value,
        low.epsilon,
        high.mean.value,
        high.epsilon,
        curve_name(high)
    ))
}

/// A curve that has ended below training without privacy, though noise was lowered.
fn stays_below(curve: &[&Point<'_>], plain: Option<&Mean>) -> Option<String> {
    let [.., before, last] = curve else { return None };
    let plain = plain?;
    let gap = plain.value - last.mean.value;
    // Less than a quarter of what was missing, and that beyond doubt: at most as much as the means' errors allow.
    let gained = last.mean.value - before.mean.value + CERTAIN * (last.mean.variance + before.mean.variance).sqrt();
    if last.epsilon < 1.5 * before.epsilon || !plain.exceeds(&last.mean) || gained > GAINED * (gap + gained.max(0.0)) {
        return None;
    }
    Some(format!(
        "From ε {:.3} to {:.3} the score went from {:.4} to {:.4}, while training without privacy reaches {:.4} ({}): less noise \
         no longer helps. Clipping bias, the number of steps or the learning rate limits this curve: try more steps, a larger \
         clipping norm, or the learning rate times 3.",
        before.epsilon,
        last.epsilon,
        before.mean.value,
        last.mean.value,
        plain.value,
        curve_name(last)
    ))
}

/// Lists of clipping norms and learning rates whose best entry is their first or last, at the most epsilon that was tried.
fn edges(points: &[Point<'_>]) -> Vec<String> {
    let most = points.iter().map(|point| point.epsilon).fold(f64::NEG_INFINITY, f64::max);
    // Settings calibrated to one epsilon differ by rounding.
    let here: Vec<&Point<'_>> = points.iter().filter(|point| point.epsilon > 0.99 * most).collect();
    let mut found = Vec::new();
    type OfPoint = fn(&Point<'_>) -> f64;
    let kinds: [(&str, OfPoint); 2] = [
        ("clipping norm", |point| point.planned.setting.clip),
        ("learning rate", |point| point.planned.setting.learning_rate),
    ];
    for (name, of) in kinds {
        let mut values: Vec<f64> = here.iter().map(|point| of(point)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let best = here.iter().max_by(|a, b| a.mean.value.total_cmp(&b.mean.value));
        let (Some(best), [first, .., last]) = (best, &values[..]) else { continue };
        let at = of(best);
        // Only where the best of the value beside it is worse beyond doubt.
        let (beside, words) = if at == *first {
            (values[1], "smallest")
        } else if at == *last {
            (values[values.len() - 2], "largest")
        } else {
            continue;
        };
        let rivals = here.iter().filter(|point| of(point) == beside);
        if let Some(rival) = rivals.max_by(|a, b| a.mean.value.total_cmp(&b.mean.value))
            && best.mean.exceeds(&rival.mean)
        {
            let other = if words == "smallest" { "smaller" } else { "larger" };
            found.push(format!(
                "At ε {:.3} the best {name} is the {words} that was tried, {at} ({:.4}; {:.4} with {beside}): try {other} ones.",
                best.epsilon, best.mean.value, rival.mean.value
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SweepConfig;

    /// A summary of these scores, in the order of the settings, with two runs 0.002 apart; the last is without privacy.
    fn summary(config: &SweepConfig, means: &[f64], plain: f64, spread: f64) -> SweepSummary {
        let planned = config.planned().unwrap();
        assert_eq!(planned.len(), means.len());
        let row = |planned, mean: f64| SettingSummary {
            planned,
            scores: vec![mean - spread, mean + spread],
            errors: Vec::new(),
        };
        let mut settings: Vec<SettingSummary> =
            planned.into_iter().zip(means).map(|(planned, &mean)| row(Some(planned), mean)).collect();
        settings.push(row(None, plain));
        SweepSummary {
            dataset: "people".into(),
            delta: 1e-5,
            private: true,
            simulated: false,
            settings,
            charged_trials: 0,
            composed: Vec::new(),
            other_runs: 0,
            ledger: Vec::new(),
        }
    }

    fn config() -> SweepConfig {
        SweepConfig::new("people", 20_000).with_batch_sizes([1_000]).with_epochs(2.0)
    }

    #[test]
    fn a_curve_that_rises_to_where_training_without_privacy_is_has_no_limit() {
        let config = config().with_epsilons([1.0, 4.0]);
        assert_eq!(summary(&config, &[0.90, 0.94], 0.95, 0.001).limits(), Vec::<String>::new());
        // What the runs can't tell apart says nothing.
        assert_eq!(summary(&config, &[0.946, 0.928], 0.949, 0.02).limits(), Vec::<String>::new());
        let mut single = summary(&config, &[0.946, 0.928], 0.949, 0.0);
        single.settings.iter_mut().for_each(|row| row.scores.truncate(1));
        assert_eq!(single.limits(), Vec::<String>::new());
    }

    #[test]
    fn a_curve_that_falls_is_named() {
        let found = summary(&config().with_epsilons([4.0, 1.0]), &[0.928, 0.946], 0.949, 0.001).limits();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("More ε costs score: 0.9460 at ε 1.000, but 0.9280 at 4.000"), "{found:?}");
        assert!(found[0].contains("clip 1, learning rate 0.1, batch 1000, 40 steps"), "{found:?}");
    }

    #[test]
    fn a_curve_that_stays_below_is_named_unless_noise_still_matters() {
        let config = config().with_epsilons([2.0, 8.0]);
        let found = summary(&config, &[0.850, 0.851], 0.95, 0.001).limits();
        assert!(found.len() == 1 && found[0].contains("less noise no longer helps"), "{found:?}");
        // A third of what was missing came with the last step: noise matters.
        assert_eq!(summary(&config, &[0.85, 0.90], 0.95, 0.001).limits(), Vec::<String>::new());
        // Nor is anything said of two epsilons next to each other.
        let close = self::config().with_epsilons([2.0, 2.2]);
        assert_eq!(summary(&close, &[0.850, 0.851], 0.95, 0.001).limits(), Vec::<String>::new());
    }

    #[test]
    fn a_best_value_at_the_end_of_its_list_is_named() {
        let config = config().with_epsilons([2.0]).with_clips([0.1, 0.3, 1.0]);
        let found = summary(&config, &[0.80, 0.85, 0.90], 0.91, 0.001).limits();
        assert!(
            found.len() == 1 && found[0].contains("best clipping norm is the largest that was tried, 1"),
            "{found:?}"
        );
        let found = summary(&config, &[0.95, 0.85, 0.90], 0.951, 0.001).limits();
        assert!(found.len() == 1 && found[0].contains("smallest that was tried, 0.1"), "{found:?}");
        assert_eq!(summary(&config, &[0.80, 0.90, 0.85], 0.91, 0.001).limits(), Vec::<String>::new());
        assert_eq!(summary(&config, &[0.80, 0.899, 0.90], 0.91, 0.001).limits(), Vec::<String>::new());
        let rates = self::config().with_epsilons([2.0]).with_learning_rates([0.1, 0.3]);
        let found = summary(&rates, &[0.80, 0.90], 0.91, 0.001).limits();
        assert!(found.len() == 1 && found[0].contains("learning rate is the largest"), "{found:?}");
    }
}
