//! What a report's plot shows, as data: points, names, and the warning where nothing is guaranteed.

use burn_privacy_accounting::round_up_for_display;
use burn_privacy_budget::statement::{PhasedStatement, Statement};
use burn_privacy_output::plot::in_words;
use burn_privacy_output::{OutputError, grouped};

use super::super::{Protection, RunReport};

/// What there is to draw.
pub(super) struct Curves {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// Why nothing is guaranteed, if so.
    pub(super) warning: Option<&'static str>,
    pub(super) steps: u64,
    pub(super) steps_per_epoch: Option<f64>,
    /// Such as "Test accuracy".
    pub(super) accuracy_name: String,
    /// Step and accuracy in per cent.
    pub(super) accuracy: Vec<(f64, f64)>,
    /// None without privacy.
    pub(super) epsilon: Option<EpsilonCurve>,
}

/// Epsilon over steps.
pub(super) struct EpsilonCurve {
    /// In the legend.
    pub(super) name: String,
    /// Step and epsilon; empty if epsilon is infinite.
    pub(super) points: Vec<(f64, f64)>,
    /// The epsilon that was aimed at, if any.
    pub(super) target: Option<f64>,
}

impl Curves {
    pub(super) fn of(report: &RunReport) -> Result<Self, OutputError> {
        let part = report.data.monitored.name();
        let accuracy = report.curve.iter().map(|point| (point.step as f64, 100.0 * point.accuracy)).collect();
        let last = report.curve.last();
        let mut charged = last.map_or(0, |point| point.step);
        let mut planned = charged;
        let mut steps_per_epoch = last.filter(|point| point.epoch > 0.0).map(|point| point.step as f64 / point.epoch);
        let mut epsilon = None;
        if let Protection::DifferentialPrivacy { plan, statement } = &report.protection {
            (charged, planned) = (statement.charged_steps, statement.planned_steps);
            steps_per_epoch = Some(1.0 / plan.sampling().rate());
            epsilon = Some(EpsilonCurve::of(report, charged)?);
        }
        if let Protection::PhasedDifferentialPrivacy { statement } = &report.protection {
            // The last phase is what the curve is of.
            if let Some(phase) = statement.phases.last() {
                (charged, planned) = (phase.charged_steps, phase.planned_steps);
                steps_per_epoch = Some(1.0 / phase.sampling_rate);
            }
            epsilon = Some(EpsilonCurve::of_phases(report, statement));
        }
        let mut title = format!("{}, {} parameters", report.model.name, grouped(report.model.parameters));
        if report.interrupted {
            title.push_str(&format!(
                " (interrupted at step {} of {})",
                grouped(charged as usize),
                grouped(planned as usize)
            ));
        }
        Ok(Self {
            title,
            subtitle: format!("Data: {}, {} for training", report.data.name, grouped(report.data.train)),
            warning: report.protection.why_not_private(),
            steps: planned.max(1),
            steps_per_epoch,
            accuracy_name: format!("{}{} accuracy", part[..1].to_uppercase(), &part[1..]),
            accuracy,
            epsilon,
        })
    }
}

impl EpsilonCurve {
    /// At the points of the curve alone: earlier phases are spent before its first.
    fn of_phases(report: &RunReport, statement: &PhasedStatement) -> Self {
        let points = report.curve.iter().map(|point| (point.step as f64, point.epsilon));
        let mut points: Vec<(f64, f64)> = points.filter(|(_, epsilon)| epsilon.is_finite()).collect();
        if points.len() < 2 {
            points.clear();
        }
        let void = if statement.is_void() { "void: fixed seed; " } else { "" };
        let (accountant, delta) = (&statement.planned_epsilon.accountant, round_up_for_display(statement.delta));
        let name = format!("ε of all phases so far ({void}{accountant}, upper bound, δ = {delta})");
        Self { name, points, target: None }
    }

    fn of(report: &RunReport, charged: u64) -> Result<Self, OutputError> {
        let Protection::DifferentialPrivacy { plan, statement } = &report.protection else {
            return Err(in_words("there is no plan"));
        };
        let schedule = plan.schedule().map_err(in_words)?;
        let mut points = Vec::new();
        let steps = schedule.tight_steps().take_while(|&step| step < charged);
        for step in std::iter::once(0).chain(steps).chain([charged]) {
            let epsilon = schedule.epsilon_after(step).map_err(in_words)?;
            points.push((step as f64, epsilon));
        }
        points.retain(|(_, epsilon)| epsilon.is_finite());
        if points.len() < 2 {
            points.clear();
        }
        let void = if statement.is_void() { "void: fixed seed; " } else { "" };
        let accountant = statement.epsilon_so_far.first().map_or("PLD", |report| report.accountant.as_str());
        let delta = round_up_for_display(plan.delta());
        Ok(Self {
            name: format!("ε spent so far ({void}{accountant}, upper bound, δ = {delta})"),
            points,
            target: plan.target_epsilon(),
        })
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_budget::statement::RandomnessSource;

    use super::super::super::run_report::tests::private_report;
    use super::*;

    #[test]
    fn the_line_of_epsilon_starts_at_zero_and_ends_at_what_was_spent() {
        let report = private_report(RandomnessSource::Os);
        let epsilon = Curves::of(&report).unwrap().epsilon.unwrap();
        assert_eq!(epsilon.points.len(), 65);
        assert_eq!(epsilon.points[0], (0.0, 0.0));
        let (step, last) = epsilon.points[64];
        assert_eq!(step, 400.0);
        assert!((last - report.epsilon).abs() < 1e-4, "{last}");
        assert!(epsilon.points.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    }
}
