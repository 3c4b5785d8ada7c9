//! The charts of a sweep: scores over epsilon and over noise, and epsilon over steps.

use std::collections::BTreeMap;

use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, compact};

use super::planned::{PlanFigures, PlannedSetting};
use super::summary::{SettingSummary, SweepSummary};
use crate::error::Result;
use burn_privacy_budget::plan::PrivacyPlan;

/// One curve for each noise multiplier would hide the others beyond this.
const MOST_CURVES: usize = 12;

/// The charts of a sweep, with the names of their files.
///
/// # Errors
///
/// Those of the accountants.
pub(super) fn charts(summary: &SweepSummary, score: &str) -> Result<Vec<(&'static str, LineChart)>> {
    let noise = "Noise multiplier σ (standard deviation / sensitivity)";
    let epsilon = "Privacy loss ε of one run (nats)";
    let scores = |x, of: fn(&PlanFigures) -> f64| LineChart {
        title: format!("{score}, {}", summary.dataset),
        subtitle: subtitle(summary),
        x: Axis::logarithmic(x),
        y: Axis::linear(score),
        series: curves(summary, of),
    };
    Ok(vec![
        ("score_over_epsilon", scores(epsilon, |figures| figures.epsilon_pld)),
        ("score_over_noise", scores(noise, |figures| figures.noise_multiplier)),
        ("epsilon_over_steps", epsilon_over_steps(summary)?),
    ])
}

fn subtitle(summary: &SweepSummary) -> String {
    let runs = summary.settings.iter().map(|row| row.scores.len()).max().unwrap_or(0);
    let bars = if runs > 1 { format!("mean of {runs} runs ± standard deviation") } else { "one run each".into() };
    let simulated = if summary.simulated { "; predicted from small batches" } else { "" };
    let void = if summary.private { "" } else { "; NOT PRIVATE: fixed seed" };
    format!("{bars}; δ = {:e}{simulated}{void}", summary.delta)
}

/// Scores by noise: a curve for each combination of the other settings, and a line without privacy.
fn curves(summary: &SweepSummary, x: fn(&PlanFigures) -> f64) -> Vec<Series> {
    let rows: Vec<(&SettingSummary, &PlannedSetting)> = summary
        .settings
        .iter()
        .filter(|row| !row.scores.is_empty())
        .filter_map(|row| row.planned.as_ref().map(|planned| (row, planned)))
        .collect();
    let mut groups: BTreeMap<String, Vec<(f64, f64, f64)>> = BTreeMap::new();
    for (row, planned) in &rows {
        let spread = row.standard_deviation().unwrap_or(0.0);
        groups.entry(other_settings(planned, &rows)).or_default().push((x(&planned.shown().1), row.mean(), spread));
    }
    let mut series: Vec<Series> = groups
        .into_iter()
        .map(|(name, mut points)| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let bars = points.iter().map(|&(_, mean, spread)| (mean - spread, mean + spread)).collect();
            Series::new(name, Stroke::Dotted, points.iter().map(|&(x, mean, _)| (x, mean)).collect()).with_bars(bars)
        })
        .collect();
    let places = rows.iter().map(|(_, planned)| x(&planned.shown().1)).filter(|x| x.is_finite());
    let (low, high) = places.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    if let Some(plain) = summary.settings.iter().find(|row| row.planned.is_none() && !row.scores.is_empty())
        && low <= high
    {
        // A line needs two ends, even below a single point.
        let ends = if low < high { [low, high] } else { [0.8 * low, 1.25 * low] };
        let line = ends.map(|x| (x, plain.mean())).to_vec();
        series.push(Series::new("no privacy", Stroke::Dashed, line));
    }
    series
}

/// Of batch, clip and learning rate, those that vary.
fn other_settings(planned: &PlannedSetting, rows: &[(&SettingSummary, &PlannedSetting)]) -> String {
    let mut parts = Vec::new();
    let of = |planned: &PlannedSetting| {
        let setting = planned.setting;
        [("batch", setting.batch_size as f64), ("clip", setting.clip), ("learning rate", setting.learning_rate)]
    };
    for (index, (name, value)) in of(planned).into_iter().enumerate() {
        if rows.iter().any(|(_, other)| of(other)[index].1 != value) {
            parts.push(format!("{name} {value}"));
        }
    }
    if parts.is_empty() { "DP-SGD".into() } else { parts.join(", ") }
}

fn epsilon_over_steps(summary: &SweepSummary) -> Result<LineChart> {
    let mut plans: Vec<(&PrivacyPlan, PlanFigures)> = Vec::new();
    for shown in summary.settings.iter().filter_map(|row| row.planned.as_ref()).map(PlannedSetting::shown) {
        if !plans.iter().any(|(_, figures)| *figures == shown.1) && plans.len() < MOST_CURVES {
            plans.push(shown);
        }
    }
    plans.sort_by(|a, b| a.1.noise_multiplier.total_cmp(&b.1.noise_multiplier));
    let several_batches = plans.iter().any(|(_, figures)| figures.batch_size != plans[0].1.batch_size);
    let mut series = Vec::new();
    for (plan, figures) in plans {
        let schedule = plan.schedule()?;
        let points = schedule
            .tight_steps()
            .map(|steps| Ok((steps as f64, schedule.epsilon_after(steps)?)))
            .collect::<Result<Vec<(f64, f64)>>>()?;
        let mut name = format!("σ = {}", compact(figures.noise_multiplier));
        if several_batches {
            name.push_str(&format!(", batch {}", figures.batch_size));
        }
        series.push(Series::new(name, Stroke::Line, points));
    }
    Ok(LineChart {
        title: format!("Privacy loss over steps, {}", summary.dataset),
        subtitle: format!("δ = {:e}, of one run", summary.delta),
        x: Axis::linear("Steps").including(0.0),
        y: Axis::logarithmic("Privacy loss ε (nats)"),
        series,
    })
}
