//! The table, the plot and the statements.

use std::collections::BTreeMap;
use std::fmt::Write;

use burn_privacy::report::write_atomically;
use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, png, svg};

use crate::cli::{Arguments, Mode};
use crate::modes::Outcome;
use crate::sweep::Scores;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::Data;

/// Width and height of the plot.
const SIZE: (u32, u32) = (1_400, 900);

/// What was varied. Ordered as numbers are.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Nothing,
    Epsilon(f64),
    Deviation(f64),
}

impl Setting {
    fn order(self) -> (u8, f64) {
        match self {
            Self::Nothing => (0, 0.0),
            Self::Epsilon(value) => (1, value),
            Self::Deviation(value) => (2, value),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Nothing => "-".to_owned(),
            Self::Epsilon(value) => format!("epsilon {value}"),
            Self::Deviation(value) => format!("standard deviation {value}"),
        }
    }
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Setting {}

impl PartialOrd for Setting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Setting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ((kind, value), (other_kind, other_value)) = (self.order(), other.order());
        kind.cmp(&other_kind).then(value.total_cmp(&other_value))
    }
}

/// All outcomes.
#[derive(Default)]
pub struct Results {
    scores: Scores,
    /// The last one of each mode and setting.
    statements: BTreeMap<(Mode, Setting), String>,
}

impl Results {
    /// Takes in an outcome.
    pub fn add(&mut self, mode: Mode, setting: Setting, outcome: Outcome) {
        self.scores.entry((mode, setting)).or_default().push(outcome.r_squared);
        if !outcome.statement.is_empty() {
            self.statements.insert((mode, setting), outcome.statement);
        }
    }

    /// Statements with a name for each.
    pub fn statements(&self) -> impl Iterator<Item = (String, &str)> {
        self.statements
            .iter()
            .map(|((mode, setting), text)| (format!("{}, {}", mode.name(), setting.name()), text.as_str()))
    }
}

/// Mean, and half of the range between the worst and the best.
fn summary(scores: &[f64]) -> (f64, f64, f64) {
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    (mean, low, scores.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// Modes by settings, as Markdown.
pub fn table(results: &Results) -> String {
    let mut text = String::from("| mode | setting | test R2, mean | worst | best |\n|---|---|---|---|---|\n");
    for ((mode, setting), scores) in &results.scores {
        let (mean, low, high) = summary(scores);
        let _ = writeln!(text, "| {} | {} | {mean:.3} | {low:.3} | {high:.3} |", mode.name(), setting.name());
    }
    text
}

/// Writes everything; says what.
pub fn write(arguments: &Arguments, data: &Data, results: &Results) -> Result<String> {
    let folder = &arguments.out;
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["mode", "epsilon", "standard_deviation", "repeat", "test_r2"])?;
    for ((mode, setting), scores) in &results.scores {
        let (epsilon, deviation) = match setting {
            Setting::Nothing => ("inf".to_owned(), String::new()),
            Setting::Epsilon(value) => (value.to_string(), String::new()),
            Setting::Deviation(value) => (String::new(), value.to_string()),
        };
        for (repeat, score) in scores.iter().enumerate() {
            let (repeat, score) = ((repeat + 1).to_string(), score.to_string());
            csv.write_record([mode.name(), &epsilon, &deviation, &repeat, &score])?;
        }
    }
    write_atomically(folder.join("scores.csv"), csv.into_inner().map_err(|error| error.to_string())?)?;
    write_atomically(folder.join("table.md"), table(results))?;
    let mut text =
        String::from("# Privacy statements\n\nOne for each mode and setting; of several repeats, the last.\n");
    for (name, statement) in results.statements() {
        let _ = write!(text, "\n# {name}\n\n{statement}\n");
    }
    write_atomically(folder.join("statements.md"), text)?;
    let mut written = String::from("scores.csv, table.md, statements.md");
    if let Some(chart) = chart(arguments, data, results) {
        write_atomically(folder.join("r2.png"), png(&chart, SIZE)?)?;
        write_atomically(folder.join("r2.svg"), svg(&chart, SIZE)?)?;
        written.push_str(", r2.png, r2.svg");
    }
    Ok(written)
}

fn chart(arguments: &Arguments, data: &Data, results: &Results) -> Option<LineChart> {
    let mut curves: BTreeMap<Mode, Series> = BTreeMap::new();
    for ((mode, setting), scores) in &results.scores {
        let Setting::Epsilon(epsilon) = setting else { continue };
        let (mean, low, high) = summary(scores);
        let series = curves.entry(*mode).or_insert_with(|| Series::new(mode.name(), Stroke::Dotted, Vec::new()));
        series.points.push((*epsilon, mean));
        series.bars.push((low, high));
    }
    if curves.is_empty() {
        return None;
    }
    let mut series: Vec<Series> = curves.into_values().collect();
    if let Some(scores) = results.scores.get(&(Mode::None, Setting::Nothing)) {
        let mean = summary(scores).0;
        let line = arguments.epsilon.iter().map(|&epsilon| (epsilon, mean)).collect();
        series.push(Series::new(Mode::None.name(), Stroke::Dashed, line));
    }
    let repeats = arguments.repeats;
    Some(LineChart {
        title: "How well affordability is predicted".into(),
        subtitle: format!("{}; mean of {repeats} runs, bars from worst to best; δ = {:e}", data.name, arguments.delta),
        x: Axis::logarithmic("Privacy loss ε of one run (nats)"),
        y: Axis::linear("Test R²").including(0.0),
        series,
    })
}
