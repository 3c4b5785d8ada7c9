//! `burn-privacy curve`.

use std::io::Write;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonSchedule, PldAccountant, RdpAccountant};
use burn_privacy_output::plot;
use burn_privacy_output::write_atomically;

use crate::answer::shortest;
use crate::args::{CurveArgs, CurveKind};
use crate::failure::Failure;
use crate::mechanism::{run, sampling_rate, steps};

/// One point: x, lower bound and upper bound by PLD, upper bound by RDP.
pub type Point = [f64; 4];

/// What the axes show.
pub struct Labels {
    /// Title.
    pub title: String,
    /// The run.
    pub subtitle: String,
    /// The first column's name.
    pub x: &'static str,
    /// The start of the other columns' names.
    pub y: &'static str,
    /// Horizontal axis.
    pub x_axis: &'static str,
    /// Vertical axis.
    pub y_axis: &'static str,
    /// Whether the vertical axis is logarithmic.
    pub logarithmic: bool,
}

/// `burn-privacy curve`.
pub fn curve(args: &CurveArgs, out: &mut impl Write) -> Result<(), Failure> {
    let rate = sampling_rate(&args.run.sampling)?;
    let steps = steps(&args.run.length, rate)?;
    let noise = args.run.noise.noise_multiplier;
    let adjacency = Adjacency::from(args.adjacency);
    let run = format!("sampling rate {rate}, noise multiplier {noise}, {adjacency}");
    let (points, labels) = match args.kind {
        CurveKind::EpsilonOverSteps => (
            over_steps(args, adjacency, rate, steps)?,
            Labels {
                title: format!("Epsilon at delta {} over the steps", shortest(args.delta)),
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
    let Some(path) = &args.output else { return Ok(out.write_all(&csv)?) };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(write_atomically(path, csv)?),
        Some("png") => {
            Ok(write_atomically(path, plot::png(&crate::plot::chart(&points, &labels), crate::plot::SIZE)?)?)
        }
        Some("svg") => {
            Ok(write_atomically(path, plot::svg(&crate::plot::chart(&points, &labels), crate::plot::SIZE)?)?)
        }
        _ => Err(Failure::Input(format!(
            "--output is {}, but must be a name ending in .csv, .png or .svg",
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
            let (lower, upper) = filled(adjacency, &step, count)?.epsilon_bounds(args.delta)?;
            Ok([count as f64, lower, upper, schedule.epsilon_after(count, args.delta)?])
        })
        .collect()
}

fn over_epsilon(args: &CurveArgs, adjacency: Adjacency, rate: f64, steps: u64) -> Result<Vec<Point>, Failure> {
    let step = run(rate, args.run.noise.noise_multiplier, 1)?;
    let pld = filled(adjacency, &step, steps)?;
    let mut rdp = RdpAccountant::new(adjacency);
    rdp.compose(&step, steps)?;
    // As far as the given delta, and a little further.
    let largest = 1.25 * pld.epsilon(args.delta)?;
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

fn filled(adjacency: Adjacency, step: &DpEvent, count: u64) -> Result<PldAccountant, Failure> {
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
