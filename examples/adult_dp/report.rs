//! The table and the plots.

use std::fmt::Write;
use std::path::Path;

use burn_privacy::report::write_atomically;
use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, png, svg};

use crate::{Mode, Result};

/// Width and height of a plot.
const SIZE: (u32, u32) = (1_400, 900);

/// Mean and standard deviation of some accuracies.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    mean: f64,
    deviation: f64,
}

impl Summary {
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Self { mean, deviation: variance.sqrt() }
    }
}

/// How good a classifier is on the test records.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// In percent.
    pub accuracy: f64,
    /// From 0 to 1.
    pub auroc: f64,
}

/// Accuracy and AUROC over some runs.
#[derive(Clone, Copy, Debug)]
pub struct Summaries {
    pub accuracy: Summary,
    pub auroc: Summary,
}

impl Summaries {
    pub fn of(scores: &[Score]) -> Self {
        let of = |part: fn(&Score) -> f64| Summary::of(&scores.iter().map(part).collect::<Vec<_>>());
        Self { accuracy: of(|score| score.accuracy), auroc: of(|score| score.auroc) }
    }
}

/// What the epsilons of a table whose seeds everybody knows are worth.
const SEEDED: &str = "All randomness is from known seeds, so that this table can be repeated: an epsilon is what a run costs whose randomness is \
                      secret; these runs protect nobody.";

/// Scores without noise, and of each mode at each epsilon.
pub struct Report {
    /// What was trained and measured on, and how often.
    pub about: String,
    pub delta: f64,
    pub epsilons: Vec<f64>,
    pub plain: Score,
    pub rows: Vec<(Mode, Vec<Summaries>)>,
}

impl Report {
    /// Modes by epsilons, as Markdown: accuracies in percent, then AUROC, then what the epsilons are worth.
    pub fn tables(&self) -> String {
        let accuracy = self.table(2, self.plain.accuracy, |at| at.accuracy);
        let auroc = self.table(4, self.plain.auroc, |at| at.auroc);
        format!("Accuracy (%):\n\n{accuracy}\nArea under the ROC curve:\n\n{auroc}\n{SEEDED}\n")
    }

    fn table(&self, digits: usize, plain: f64, part: fn(&Summaries) -> Summary) -> String {
        let mut text = String::from("| noise |");
        for epsilon in &self.epsilons {
            let _ = write!(text, " epsilon {epsilon} |");
        }
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(self.epsilons.len()));
        let _ = writeln!(text, "| none |{}", format!(" {plain:.digits$} |").repeat(self.epsilons.len()));
        for (mode, summaries) in &self.rows {
            let _ = write!(text, "| {} |", mode.name());
            for Summary { mean, deviation } in summaries.iter().map(part) {
                let _ = write!(text, " {mean:.digits$} ± {deviation:.digits$} |");
            }
            text.push('\n');
        }
        text
    }

    /// Writes table and plots into a folder; says what.
    pub fn write(&self, folder: &Path) -> Result<String> {
        write_atomically(folder.join("table.md"), format!("{}\n\n{}", self.about, self.tables()))?;
        let mut written = String::from("table.md");
        for (name, pure) in [("pure", true), ("delta", false)] {
            if let Some(chart) = self.chart(pure) {
                write_atomically(folder.join(format!("{name}.png")), png(&chart, SIZE)?)?;
                write_atomically(folder.join(format!("{name}.svg")), svg(&chart, SIZE)?)?;
                let _ = write!(written, ", {name}.png, {name}.svg");
            }
        }
        Ok(written)
    }

    /// The modes of pure epsilon, or those with a delta. Perturbed rows are left out: they lie so far below that nothing could be
    /// told of the others.
    fn chart(&self, pure: bool) -> Option<LineChart> {
        let shown = self.rows.iter().filter(|(mode, _)| mode.is_pure() == pure && *mode != Mode::Input);
        let mut series: Vec<Series> = shown
            .map(|(mode, summaries)| {
                let accuracies = || summaries.iter().map(|at| at.accuracy);
                let points = self.epsilons.iter().zip(accuracies()).map(|(epsilon, at)| (*epsilon, at.mean)).collect();
                let bars = accuracies().map(|at| (at.mean - at.deviation, at.mean + at.deviation)).collect();
                Series::new(mode.name(), Stroke::Dotted, points).with_bars(bars)
            })
            .collect();
        if series.is_empty() {
            return None;
        }
        let line = self.epsilons.iter().map(|&epsilon| (epsilon, self.plain.accuracy)).collect();
        series.push(Series::new("no noise", Stroke::Dashed, line));
        let delta = if pure { "δ = 0".to_owned() } else { format!("δ = {:e}", self.delta) };
        Some(LineChart {
            title: "Linear classifiers on UCI Adult".into(),
            subtitle: format!("{}; bars: standard deviation; {delta}", self.about),
            x: Axis::logarithmic("Privacy loss ε of one run (nats)"),
            y: Axis::linear("Accuracy (%)"),
            series,
        })
    }
}
