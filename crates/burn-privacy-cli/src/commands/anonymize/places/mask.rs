//! `burn-privacy anonymize places mask`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_location::{
    Draws, JITTER, KeptDraws, MaskChoice, MaskFileOptions, MaskMethod, MaskedRows, PointMask, ReportCharge,
    SubjectColumns, count_reports, mask_file, statement_of_draws,
};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};
use burn_privacy_output::AtomicFile;
use clap::{Args, ValueEnum};

use super::input::{ColumnArgs, PopulationArgs, beside, write_statement};
use crate::failure::Failure;
use crate::input::refuse_input;
use crate::numbers::{real, whole};

/// How places are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Geo-indistinguishability: planar Laplace noise (--epsilon)
    PlanarLaplace,
    /// The same, brought to the best guess under the population (--epsilon, --population)
    RemappedLaplace,
    /// The mechanism of the least displacement between the places of a small population file (--epsilon, --population)
    Optimal,
    /// Local differential privacy: a place of the population file, the nearest or any other (--epsilon of a report)
    Cells,
    /// A ring wide enough for k people, checked (--k, --population)
    AdaptiveDonut,
    /// A ring, even by area (--inner, --radius)
    Donut,
    /// A disc, even by area (--radius)
    Disc,
    /// Gaussian displacement (--radius is the standard deviation along each axis)
    Gaussian,
    /// Another place of the population (--inner, --radius, --population)
    Swap,
    /// The middle to the nearest other place of the population (--population)
    Voronoi,
    /// The center of a cell of a public grid (--grid)
    Grid,
}

impl From<Method> for MaskMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::PlanarLaplace => Self::PlanarLaplace,
            Method::RemappedLaplace => Self::RemappedLaplace,
            Method::Optimal => Self::Optimal,
            Method::Cells => Self::Cells,
            Method::AdaptiveDonut => Self::AdaptiveDonut,
            Method::Donut => Self::Donut,
            Method::Disc => Self::Disc,
            Method::Gaussian => Self::Gaussian,
            Method::Swap => Self::Swap,
            Method::Voronoi => Self::Voronoi,
            Method::Grid => Self::Grid,
        }
    }
}

/// `anonymize places mask`.
#[derive(Debug, Args)]
pub struct MaskArgs {
    /// CSV file with a header, or points of GeoJSON by the name
    pub data: PathBuf,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// How places are moved
    #[arg(long, value_enum)]
    pub method: Method,
    /// Epsilon per meter: noise is 2 / epsilon meters on average (of cells, epsilon of a report)
    #[arg(long, value_parser = real, allow_negative_numbers = true)]
    pub epsilon: Option<f64>,
    /// Spacing of the public grid in meters [default: 0.01 / epsilon, and at least 0.05 / sqrt(epsilon)]
    #[arg(long, value_name = "METERS", value_parser = real, allow_negative_numbers = true)]
    pub grid: Option<f64>,
    /// Outer radius, or standard deviation, in meters
    #[arg(long, value_name = "METERS", value_parser = real, allow_negative_numbers = true)]
    pub radius: Option<f64>,
    /// Inner radius in meters [default: 0]
    #[arg(long, value_name = "METERS", value_parser = real, allow_negative_numbers = true)]
    pub inner: Option<f64>,
    /// People who must live as near to a released point as its true place
    #[arg(long, value_name = "K", value_parser = real, allow_negative_numbers = true)]
    pub k: Option<f64>,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// Column that says whose place a row has; without it, every row counts as another subject's only report
    #[arg(long, value_name = "COLUMN")]
    pub subject: Option<String>,
    /// Column of periods or times: with --key, a subject has one draw for each place and period
    #[arg(long, value_name = "COLUMN", requires = "key")]
    pub period: Option<String>,
    /// Bytes of the period's column that count, such as 7 for months of 2026-11-29
    #[arg(long, value_name = "N", value_parser = whole, requires = "period")]
    pub period_length: Option<u64>,
    /// Takes a subject's first place in the file of each period for all of it: one draw a subject and period, however much the place
    /// jitters
    #[arg(long, requires = "key")]
    pub first_place: bool,
    /// Key file (`anonymize key`): draws are kept, the same for one subject, period and place
    #[arg(long, value_name = "FILE", requires = "subject")]
    pub key: Option<PathBuf>,
    /// Columns to release as they are, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub keep: Vec<String>,
    /// Leaves out rows whose cells of the place are empty
    #[arg(long)]
    pub skip_unplaced: bool,
    /// Ledger to charge before anything is written
    #[arg(long, value_name = "FILE", requires_all = ["dataset", "within"])]
    pub ledger: Option<PathBuf>,
    /// Name of the ledger's data set
    #[arg(long, value_name = "NAME", requires = "ledger")]
    pub dataset: Option<String>,
    /// Name of the run in the ledger, new each time
    #[arg(long, value_name = "NAME", requires = "ledger", default_value = "places")]
    pub run: String,
    /// What is charged for: places up to this many meters apart count as neighbors
    #[arg(long, value_name = "METERS", value_parser = real, allow_negative_numbers = true, requires = "ledger")]
    pub within: Option<f64>,
    /// A fixed seed, for tests: nothing is then private
    #[arg(long, value_name = "N", conflicts_with = "key")]
    pub seed: Option<u64>,
    /// File to write, CSV or GeoJSON by the name; beside it what it is worth (.statement.txt, .statement.json)
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replaces an output that exists
    #[arg(long)]
    pub force: bool,
}

/// `burn-privacy anonymize places mask`.
pub fn mask(args: &MaskArgs, out: &mut impl Write) -> Result<(), Failure> {
    let inputs = [Some(&args.data), args.population.population.as_ref(), args.key.as_ref(), args.ledger.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    refuse_input(&inputs, &[&args.output])?;
    let statements = beside(&args.output, args.force)?;
    let mask = chosen(args)?;
    let draws = match &args.key {
        Some(file) => Draws::Kept(KeptDraws::new(&PseudonymKey::read(file)?)),
        None => {
            let entropy = args.seed.map_or(Entropy::os(), Entropy::seeded);
            let key = PrivacyKey::draw(entropy).map_err(burn_privacy_location::LocationError::from)?;
            Draws::Fresh(key)
        }
    };
    let subjects = args.subject.clone().map(|subject| SubjectColumns {
        subject,
        period: args.period.clone(),
        period_length: args.period_length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
        first_place: args.first_place,
    });
    let options = MaskFileOptions {
        columns: args.columns.columns(),
        subjects,
        keep: args.keep.clone(),
        skip_unplaced: args.skip_unplaced,
        replace: args.force,
        expected_rows: None,
    };
    let count = count_reports(&args.data, mask.as_ref(), matches!(draws, Draws::Kept(_)), &options)?;
    let mut statement = mask.statement()?.seeded(args.seed.is_some());
    if let (Some(file), Some(dataset), Some(within)) = (&args.ledger, &args.dataset, args.within) {
        let charge = ReportCharge { dataset: dataset.clone(), run: args.run.clone(), within };
        // Where nothing can be written, nothing is charged.
        drop(AtomicFile::create(&args.output)?);
        let mut ledger = Ledger::open(file, dataset)?;
        let epsilon = charge.charge(&mut ledger, mask.as_ref(), count, args.seed.is_none())?;
        statement = statement.fact(
            "Charged to the ledger",
            format!(
                "epsilon {} for places up to {within} m apart (with what they are moved to a grid first), before anything was written",
                burn_privacy_accounting::round_up_for_display(epsilon)
            ),
        );
    }
    statement = statement_of_draws(statement, count);
    let options = MaskFileOptions { expected_rows: Some(count.rows + count.unplaced), ..options };
    let rows = mask_file(&args.data, &args.output, mask.as_ref(), &draws, &options)?;
    statement = statement
        .fact("Rows released", rows.released)
        .fact("Rows left out", format!("{} without a place", count.unplaced))
        .fact("Failures", failures(rows, count.unplaced));
    statement = match (&args.subject, &args.key) {
        (None, _) => statement.assumption("each row is another subject's, and its only report"),
        (Some(_), None) => statement.fact("Draws", "anew for each row"),
        (Some(_), Some(_)) if args.first_place => statement
            .fact(
                "Draws",
                "kept: one for each subject and period, of the subject's first place in the file, under a secret key",
            )
            .assumption("nobody else has the key, which undoes every mask made under it"),
        (Some(_), Some(_)) => statement
            .fact("Draws", "kept: one for each subject, period and place, under a secret key")
            .not_covered("that a subject was at the same place again, which equal reports show")
            .not_covered(JITTER)
            .assumption("nobody else has the key, which undoes every mask made under it"),
    };
    if !args.keep.is_empty() {
        statement = statement.not_covered(format!("columns released as they are: {}", args.keep.join(", ")));
    }
    write_statement(&statements, &statement)?;
    write!(out, "{statement}")?;
    Ok(())
}

/// How often what the mask promises was found later, or never.
fn failures(rows: MaskedRows, unplaced: u64) -> String {
    let never = rows.left_out.saturating_sub(unplaced);
    format!(
        "{} rows passed the mask's check only after it was widened, {never} never did and were left out",
        rows.widened
    )
}

/// The mask that was asked for.
fn chosen(args: &MaskArgs) -> Result<Arc<dyn PointMask>, Failure> {
    let MaskArgs { epsilon, grid, radius, inner, k, .. } = *args;
    let choice = MaskChoice { method: args.method.into(), epsilon, grid, radius, inner, k };
    choice.mask(|| args.population.read(&args.columns, "this method"))
}
