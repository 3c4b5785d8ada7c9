//! `burn-privacy anonymize places aggregate`.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn_privacy_budget::statement::Guarantee;
use burn_privacy_location::aggregation::{
    CellSystem, CountedCells, DiscreteLaplace, NoisyCounts, count_areas, count_cells, quadtree, quadtree_statement,
    read_areas,
};
use burn_privacy_location::{LocationError, PlaceStatement, polygons_document, read_places};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};
use burn_privacy_output::AtomicFile;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::input::{ColumnArgs, PopulationArgs, beside, write_statement};
use crate::failure::Failure;
use crate::input::refuse_input;
use crate::numbers::{real, whole};

/// Counts of areas.
#[derive(Debug, Subcommand)]
pub enum AggregateCommand {
    /// Counts cells of H3 or S2: those of at least --k rows, or all public ones with noise (--epsilon)
    Cells(CellsArgs),
    /// Divides the globe until another division would leave a quarter with fewer than k rows
    Quadtree(QuadtreeArgs),
    /// Counts the areas of a GeoJSON file: those of at least --k rows, or all with noise (--epsilon)
    Areas(AreasArgs),
}

/// Files in and out.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// CSV file with a header
    pub data: PathBuf,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// File to write (GeoJSON; of areas, CSV); beside it what it is worth (.statement.txt, .statement.json)
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replaces an output that exists
    #[arg(long)]
    pub force: bool,
}

/// A threshold, or noise.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ProtectionArgs {
    /// Rows that a released count has at least
    #[arg(long, value_parser = whole)]
    pub k: Option<u64>,
    /// Epsilon of all counts together: discrete Laplace noise
    #[arg(long, value_parser = real)]
    pub epsilon: Option<f64>,
}

/// Which cells.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum System {
    /// Hexagons, levels 0 to 15
    H3,
    /// Squares on a cube, levels 0 to 30
    S2,
}

/// `aggregate cells`.
#[derive(Debug, Args)]
pub struct CellsArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Which cells
    #[arg(long, value_enum, default_value = "h3")]
    pub system: System,
    /// Level of the cells; with --epsilon, the finest
    #[arg(long)]
    pub level: u8,
    #[command(flatten)]
    pub protection: ProtectionArgs,
    /// With --epsilon: the coarsest level [default: two above the finest]
    #[arg(long, requires = "epsilon")]
    pub coarsest: Option<u8>,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// With --epsilon: rows that one person has at most
    #[arg(long, value_parser = whole, default_value = "1")]
    pub rows_per_person: u64,
    /// A fixed seed, for tests: nothing is then private
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `aggregate quadtree`.
#[derive(Debug, Args)]
pub struct QuadtreeArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Rows of a cell at least
    #[arg(long, value_parser = whole)]
    pub k: u64,
}

/// `aggregate areas`.
#[derive(Debug, Args)]
pub struct AreasArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// GeoJSON file of polygons
    #[arg(long, value_name = "FILE")]
    pub areas: PathBuf,
    /// Property with the areas' names
    #[arg(long, value_name = "PROPERTY", default_value = "name")]
    pub name: String,
    #[command(flatten)]
    pub protection: ProtectionArgs,
    /// A fixed seed, for tests: nothing is then private
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `burn-privacy anonymize places aggregate`.
pub fn aggregate(command: &AggregateCommand, out: &mut impl Write) -> Result<(), Failure> {
    let (files, other) = match command {
        AggregateCommand::Cells(args) => (&args.files, args.population.population.as_ref()),
        AggregateCommand::Quadtree(args) => (&args.files, None),
        AggregateCommand::Areas(args) => (&args.files, Some(&args.areas)),
    };
    let inputs: Vec<&Path> = std::iter::once(&files.data).chain(other).map(PathBuf::as_path).collect();
    refuse_input(&inputs, &[&files.output])?;
    match command {
        AggregateCommand::Cells(args) => cells(args, out),
        AggregateCommand::Quadtree(args) => squares(args, out),
        AggregateCommand::Areas(args) => areas(args, out),
    }
}

fn key(seed: Option<u64>) -> Result<PrivacyKey, Failure> {
    Ok(PrivacyKey::draw(seed.map_or(Entropy::os(), Entropy::seeded)).map_err(LocationError::from)?)
}

fn cells(args: &CellsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let system = match args.system {
        System::H3 => CellSystem::H3,
        System::S2 => CellSystem::S2,
    };
    let places = read_places(&args.files.data, &args.files.columns.columns())?;
    let counted = match args.protection.epsilon {
        None => count_cells(system, &places, args.level, args.protection.k.unwrap_or(0))?,
        Some(epsilon) => {
            let population = args.population.read(&args.files.columns, "a set of public cells")?;
            let coarsest = args.coarsest.unwrap_or(args.level.saturating_sub(2));
            let public = system.cells_of(population.places().iter().map(|(place, _)| *place), coarsest)?;
            let rows_per_person = args.rows_per_person;
            let plan = NoisyCounts { system, coarsest, finest: args.level, public: &public, epsilon, rows_per_person };
            plan.release(&places, &key(args.seed)?)?
        }
    };
    let polygons = document(system, &counted)?;
    write(&args.files, &polygons, &counted.statement, out)
}

fn document(system: CellSystem, counted: &CountedCells) -> Result<String, Failure> {
    let mut polygons = Vec::with_capacity(counted.cells.len());
    for cell in &counted.cells {
        let count = (cell.count * 1e6).round() / 1e6;
        let properties = json!({ "cell": system.name(cell.cell), "level": cell.level, "count": count });
        polygons.push((vec![system.corners(cell.cell)?], properties));
    }
    Ok(polygons_document(&polygons))
}

fn squares(args: &QuadtreeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let places = read_places(&args.files.data, &args.files.columns.columns())?;
    let cells = quadtree(&places, args.k)?;
    let polygons: Vec<_> = cells.iter().map(|cell| (cell.rings(), json!({ "count": cell.count }))).collect();
    write(&args.files, &polygons_document(&polygons), &quadtree_statement(&cells, args.k)?, out)
}

fn areas(args: &AreasArgs, out: &mut impl Write) -> Result<(), Failure> {
    let areas = read_areas(&args.areas, &args.name)?;
    let places = read_places(&args.files.data, &args.files.columns.columns())?;
    let (counts, outside) = count_areas(&areas, &places);
    let mut lines = vec!["area,count".to_owned()];
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let statement = match args.protection.epsilon {
        None => {
            let k = args.protection.k.unwrap_or(0);
            if k < 2 {
                return Err(Failure::Input("--k must be at least 2: a count of 1 is one person's place".to_owned()));
            }
            let shown: Vec<_> = areas.iter().zip(&counts).filter(|&(_, &count)| count >= k).collect();
            lines.extend(shown.iter().map(|(area, count)| format!("{},{count}", quoted(&area.name))));
            PlaceStatement::syntactic(format!("each released area holds at least {k} rows"))?
                .fact("Areas", format!("{} released of {}", shown.len(), areas.len()))
                .fact(
                    "Rows in no area",
                    if (1..k).contains(&outside) { format!("fewer than {k}") } else { outside.to_string() },
                )
                .assumption("each person is in one row")
                .not_covered(
                    "differences between this and other counts of the same rows, which can single somebody out",
                )
        }
        Some(epsilon) => {
            let key = key(args.seed)?;
            let mut noise = DiscreteLaplace::new(epsilon, &key)?;
            for (area, &count) in areas.iter().zip(&counts) {
                let noisy = i128::from(count) + i128::from(noise.draw()?);
                lines.push(format!("{},{noisy}", quoted(&area.name)));
            }
            PlaceStatement::new(Guarantee::DifferentialPrivacy {
                mechanism: "counts of areas with discrete Laplace noise".into(),
                epsilon,
                delta: 0.0,
                is_bound: true,
                of: "one row under add-or-remove-one adjacency".into(),
                accountant: String::new(),
                local: false,
            })
            .fact("Areas", areas.len())
            .assumption("each person is in one row, and a row in one area: the first that has it")
            .assumption("the areas were chosen without looking at the rows")
            .not_covered("rows in no area, which count nowhere, and the running time")
            .seeded(args.seed.is_some())
        }
    };
    lines.push(String::new());
    write(&args.files, &lines.join("\n"), &statement, out)
}

/// Writes an output and its statement, and prints the statement.
fn write(files: &FileArgs, contents: &str, statement: &PlaceStatement, out: &mut impl Write) -> Result<(), Failure> {
    let statements = beside(&files.output, files.force)?;
    let mut file = AtomicFile::create(&files.output)?;
    file.write_all(contents.as_bytes())?;
    if files.force {
        file.commit()?
    } else {
        file.commit_new()?
    };
    write_statement(&statements, statement)?;
    write!(out, "{statement}")?;
    Ok(())
}
