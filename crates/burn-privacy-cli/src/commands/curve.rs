//! `burn-privacy curve`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonSchedule, PldAccountant, RdpAccountant};
use burn_privacy_output::plot::{self, Axis, LineChart, Series, Stroke};
use burn_privacy_output::write_atomically;
use clap::{Args, ValueEnum};

use crate::delta_check;
use crate::failure::Failure;
use crate::flags::{AdjacencyName, DeltaArg, RunArgs};
use crate::input::is_standard;
use crate::mechanism::{Place, RunDescription, run};
use crate::numbers::shortest;

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurveKind {
    /// Epsilon at --delta, over the steps
    EpsilonOverSteps,
    /// Delta over epsilon, after all steps
    DeltaOverEpsilon,
}

/// `curve`.
#[derive(Debug, Args)]
pub struct CurveArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub delta: DeltaArg,
    /// What to show
    #[arg(long, value_enum, default_value = "epsilon-over-steps")]
    pub kind: CurveKind,
    /// Number of points
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    pub points: u64,
    /// Where to write: a name ending in .csv, .png or .svg, or - for CSV to standard output [default: -]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which data sets are neighbors
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
}

/// One point: x, lower bound by PLD, upper bound by PLD or by RDP where that is smaller, upper bound by RDP.
type Point = [f64; 4];

/// What the axes show.
struct Labels {
    title: String,
    /// The run.
    subtitle: String,
    /// The first column's name.
    x: &'static str,
    /// The start of the other columns' names.
    y: &'static str,
    /// Horizontal axis.
    x_axis: &'static str,
    /// Vertical axis.
    y_axis: &'static str,
    /// Whether the vertical axis is logarithmic.
    logarithmic: bool,
}

/// `burn-privacy curve`.
pub fn curve(args: &CurveArgs, out: &mut impl Write) -> Result<(), Failure> {
    let described = RunDescription::from(&args.run);
    let rate = described.rate(Place::Flag)?;
    let steps = described.length(rate, Place::Flag)?;
    if let Some(warning) = delta_check::warning(args.delta.delta, described.dataset_size) {
        delta_check::warn(&warning);
    }
    let noise = args.run.noise.noise_multiplier;
    let adjacency = Adjacency::from(args.adjacency);
    let run = format!("sampling rate {rate}, noise multiplier {noise}, {adjacency}");
    let (points, labels) = match args.kind {
        CurveKind::EpsilonOverSteps => (
            over_steps(args, adjacency, rate, steps)?,
            Labels {
                title: format!("Epsilon at delta {} over the steps", shortest(args.delta.delta)),
                subtitle: run,
                x: "steps",
                y: "epsilon",
                x_axis: "Step",
                y_axis: "Privacy loss ε (nats)",
                logarithmic: false,
            },
        ),
        CurveKind::DeltaOverEpsilon => (
            over_epsilon(args, adjacency, rate, steps)?,
            Labels {
                title: format!("Delta over epsilon after {steps} steps"),
                subtitle: run,
                x: "epsilon",
                y: "delta",
                x_axis: "Privacy loss ε (nats)",
                y_axis: "Probability of failure δ",
                logarithmic: true,
            },
        ),
    };
    let mut csv = Vec::new();
    write_csv(&points, &labels, &mut csv)?;
    let Some(path) = args.output.as_ref().filter(|path| !is_standard(path)) else { return Ok(out.write_all(&csv)?) };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(write_atomically(path, csv)?),
        Some("png") => Ok(write_atomically(path, plot::png(&chart(&points, &labels), SIZE)?)?),
        Some("svg") => Ok(write_atomically(path, plot::svg(&chart(&points, &labels), SIZE)?)?),
        _ => Err(Failure::Input(format!(
            "--output is {}, but must be a name ending in .csv, .png or .svg, or - for CSV to standard output",
            path.display()
        ))),
    }
}

fn over_steps(args: &CurveArgs, adjacency: Adjacency, rate: f64, steps: u64) -> Result<Vec<Point>, Failure> {
    let step = run(rate, args.run.noise.noise_multiplier, 1)?;
    let schedule = EpsilonSchedule::new(adjacency, &step)?;
    // The first step, where the curve is steepest, is a point, too.
    let mut counts: Vec<u64> = (0..args.points)
        .map(|k| (steps as f64 * k as f64 / (args.points - 1) as f64).round() as u64)
        .chain([1.min(steps)])
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
        .into_iter()
        .map(|count| {
            let (lower, upper) = composed(adjacency, &step, count)?.epsilon_bounds(args.delta.delta)?;
            Ok([count as f64, lower, upper, schedule.epsilon_after(count, args.delta.delta)?])
        })
        .collect()
}

fn over_epsilon(args: &CurveArgs, adjacency: Adjacency, rate: f64, steps: u64) -> Result<Vec<Point>, Failure> {
    let step = run(rate, args.run.noise.noise_multiplier, 1)?;
    let pld = composed(adjacency, &step, steps)?;
    let mut rdp = RdpAccountant::new(adjacency);
    rdp.compose(&step, steps)?;
    // As far as the given delta, and a little further.
    let largest = 1.25 * pld.epsilon(args.delta.delta)?;
    if !largest.is_finite() {
        return Err(Failure::Input("without noise, no epsilon has a delta below 1: there is no curve".to_owned()));
    }
    (0..args.points)
        .map(|k| {
            let epsilon = largest * k as f64 / (args.points - 1) as f64;
            let (lower, upper) = pld.delta_bounds(epsilon)?;
            Ok([epsilon, lower, upper, rdp.delta(epsilon)?])
        })
        .collect()
}

fn composed(adjacency: Adjacency, step: &DpEvent, count: u64) -> Result<PldAccountant, Failure> {
    let mut accountant = PldAccountant::new(adjacency);
    accountant.compose(step, count)?;
    Ok(accountant)
}

fn write_csv(points: &[Point], labels: &Labels, out: &mut impl Write) -> std::io::Result<()> {
    let (x, y) = (labels.x, labels.y);
    writeln!(out, "{x},{y}_pld_lower,{y}_pld_upper,{y}_rdp_upper")?;
    for point in points {
        let cells: Vec<String> = point.iter().map(f64::to_string).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

/// Width and height.
const SIZE: (u32, u32) = (1_200, 800);

/// The chart of all columns.
fn chart(points: &[Point], labels: &Labels) -> LineChart {
    let column = |name: &str, index: usize, stroke: Stroke| {
        Series::new(name, stroke, points.iter().map(|point| (point[0], point[index])).collect())
    };
    let y =
        if labels.logarithmic { Axis::logarithmic(labels.y_axis) } else { Axis::linear(labels.y_axis).including(0.0) };
    LineChart {
        title: labels.title.clone(),
        subtitle: labels.subtitle.clone(),
        x: Axis::linear(labels.x_axis).including(0.0),
        y,
        series: vec![
            column("upper bound (PLD, or RDP where it is below)", 2, Stroke::Line),
            column("RDP, upper bound", 3, Stroke::Line),
            column("PLD, lower bound", 1, Stroke::Dashed),
        ],
    }
}
