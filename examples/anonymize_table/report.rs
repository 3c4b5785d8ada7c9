//! One table and one plot of all levels.

use std::fmt::Write;
use std::path::Path;

use burn_privacy_examples::Result;
use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, png, svg};
use burn_privacy_output::write_atomically;

use crate::levels::Level;

fn summary(level: &Level) -> (f64, f64, f64) {
    let scores = &level.r_squared;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    (mean, low, scores.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// All levels, as Markdown.
pub fn table(levels: &[Level]) -> String {
    let mut text = String::from(
        "| protection | k or epsilon | rows | test R2, mean | worst | best |\n|---|---|---|---|---|---|\n",
    );
    for level in levels {
        let at = match level.at {
            None => "-".to_owned(),
            Some(at) if level.is_epsilon => format!("epsilon {at}"),
            Some(at) => format!("k = {at}"),
        };
        let (mean, low, high) = summary(level);
        let _ = writeln!(text, "| {} | {at} | {} | {mean:.3} | {low:.3} | {high:.3} |", level.protection, level.rows);
    }
    text
}

/// Writes the table and the plot.
pub fn write(folder: &Path, levels: &[Level], test: usize) -> Result<()> {
    write_atomically(folder.join("table.md"), table(levels))?;
    let places: Vec<f64> = levels.iter().filter_map(|level| level.at).collect();
    let (low, high) =
        (places.iter().copied().fold(f64::INFINITY, f64::min), places.iter().copied().fold(0.0, f64::max));
    if places.is_empty() {
        return Ok(());
    }
    let mut series: Vec<Series> = Vec::new();
    for level in levels {
        let (mean, worst, best) = summary(level);
        let Some(at) = level.at else {
            series.push(Series::new(&level.protection, Stroke::Dashed, vec![(low, mean), (high, mean)]));
            continue;
        };
        let name = format!("{}, over {}", level.protection, if level.is_epsilon { "epsilon" } else { "k" });
        let known = series.iter().position(|series| series.name == name).unwrap_or_else(|| {
            series.push(Series::new(&name, Stroke::Dotted, Vec::new()));
            series.len() - 1
        });
        series[known].points.push((at, mean));
        series[known].bars.push((worst, best));
    }
    let chart = LineChart {
        title: "What is left to learn at each level of protection".into(),
        subtitle: format!("tested on {test} raw households; a k protects a table, an epsilon a household"),
        x: Axis::logarithmic("k of the release, or epsilon of the model"),
        y: Axis::linear("Test R2").including(0.0),
        series,
    };
    write_atomically(folder.join("r2.png"), png(&chart, (1_400, 900))?)?;
    write_atomically(folder.join("r2.svg"), svg(&chart, (1_400, 900))?)?;
    Ok(())
}
