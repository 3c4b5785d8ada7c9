//! `burn-privacy anonymize places attack`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_privacy_location::{
    BayesianAdversary, ErrorSummary, Place, PlanarLaplace, Population, PublicGrid, averaged, distance, home_and_work,
    nearest_address, read_places, read_traces, summary,
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::input::{ColumnArgs, PopulationArgs};
use crate::failure::Failure;
use crate::numbers::real;

/// Attacks on released places.
#[derive(Debug, Subcommand)]
pub enum PlaceAttack {
    /// Averages all reports of a subject: noise that is drawn anew averages out
    Averaging(AveragingArgs),
    /// Guesses each true place from its report as the best Bayesian adversary does, who knows mechanism and population
    Bayes(BayesArgs),
    /// Takes the nearest address of the population for the true one
    NearestAddress(AddressArgs),
    /// Finds home and work of each subject, before and after
    HomeAndWork(HomeArgs),
}

/// The two files that are compared.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// CSV file of released places
    pub released: PathBuf,
    /// CSV file of the true places, with the same names of columns
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `attack averaging`.
#[derive(Debug, Args)]
pub struct AveragingArgs {
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// Column of subjects, in both files
    #[arg(long, value_name = "COLUMN")]
    pub subject: String,
}

/// `attack bayes`.
#[derive(Debug, Args)]
pub struct BayesArgs {
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// Epsilon per meter of the planar Laplace noise
    #[arg(long, value_parser = real)]
    pub epsilon: f64,
    /// Spacing of its grid in meters [default: that of the method]
    #[arg(long, value_name = "METERS", value_parser = real)]
    pub grid: Option<f64>,
}

/// `attack nearest-address`.
#[derive(Debug, Args)]
pub struct AddressArgs {
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub population: PopulationArgs,
}

/// `attack home-and-work`.
#[derive(Debug, Args)]
pub struct HomeArgs {
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// Column of subjects, in both files
    #[arg(long, value_name = "COLUMN")]
    pub subject: String,
    /// Column of times such as 2026-11-29T22:10, in both files
    #[arg(long, value_name = "COLUMN")]
    pub time: String,
    /// Spacing in meters of the grid in which the busiest cell is sought
    #[arg(long, value_name = "METERS", value_parser = real, default_value = "250")]
    pub spacing: f64,
}

/// `burn-privacy anonymize places attack`.
pub fn attack(command: &PlaceAttack, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        PlaceAttack::Averaging(args) => averaging(args, out),
        PlaceAttack::Bayes(args) => bayes(args, out),
        PlaceAttack::NearestAddress(args) => address(args, out),
        PlaceAttack::HomeAndWork(args) => home(args, out),
    }
}

/// Errors with a name, in a table or as JSON.
struct Findings {
    rows: Vec<(&'static str, Option<ErrorSummary>)>,
    facts: Vec<(&'static str, f64)>,
}

impl Findings {
    fn print(&self, as_json: bool, out: &mut impl Write) -> Result<(), Failure> {
        if as_json {
            let mut object = serde_json::Map::new();
            for (name, errors) in &self.rows {
                let value = errors.as_ref().map(
                    |e| json!({ "count": e.count, "mean_m": e.mean, "median_m": e.median, "within_95_percent_m": e.most }),
                );
                object.insert(name.replace(' ', "_"), value.into());
            }
            for (name, value) in &self.facts {
                object.insert(name.replace(' ', "_"), json!(value));
            }
            writeln!(out, "{}", serde_json::Value::Object(object))?;
            return Ok(());
        }
        writeln!(out, "{:38} {:>8} {:>10} {:>10} {:>10}", "error in meters", "count", "mean", "median", "95 %")?;
        for (name, errors) in &self.rows {
            match errors {
                Some(e) => {
                    writeln!(out, "{name:38} {:>8} {:>10.1} {:>10.1} {:>10.1}", e.count, e.mean, e.median, e.most)?
                }
                None => writeln!(out, "{name:38} {:>8}", 0)?,
            }
        }
        for (name, value) in &self.facts {
            writeln!(out, "{name:38} {value:>8.3}")?;
        }
        Ok(())
    }
}

/// How many people of a population, if one is given, live as near to a guess as the truth is.
struct PeopleAsNear(Option<Arc<Population>>, Vec<f64>);

impl PeopleAsNear {
    fn new(args: &PopulationArgs, columns: &ColumnArgs) -> Result<Self, Failure> {
        let population = args.population.is_some().then(|| args.read(columns, "this attack")).transpose()?;
        Ok(Self(population, Vec::new()))
    }

    fn add(&mut self, guess: Place, truth: Place) {
        if let Some(population) = &self.0 {
            self.1.push(population.people_as_near(guess, truth, f64::INFINITY));
        }
    }

    fn facts(mut self) -> Vec<(&'static str, f64)> {
        self.1.sort_by(f64::total_cmp);
        let median = self.1.get(self.1.len() / 2);
        self.1
            .first()
            .map(|fewest| ("fewest people as near", *fewest))
            .into_iter()
            .chain(median.map(|median| ("people as near, median", *median)))
            .collect()
    }
}

/// Released and true places, row by row.
fn pairs(args: &PairArgs) -> Result<Vec<(Place, Place)>, Failure> {
    let columns = args.columns.columns();
    let (released, truth) = (read_places(&args.released, &columns)?, read_places(&args.truth, &columns)?);
    if released.len() != truth.len() {
        return Err(Failure::Input(format!(
            "{} has {} rows and {} has {}: row by row they must be of the same people",
            args.released.display(),
            released.len(),
            args.truth.display(),
            truth.len()
        )));
    }
    Ok(released.into_iter().zip(truth).collect())
}

fn averaging(args: &AveragingArgs, out: &mut impl Write) -> Result<(), Failure> {
    let columns = args.pair.columns.columns();
    let traces = |file: &Path| read_traces(file, &columns, &args.subject, None);
    let (released, truth) = (traces(&args.pair.released)?, traces(&args.pair.truth)?);
    let (mut single, mut mean, mut reports) = (Vec::new(), Vec::new(), 0);
    let mut people = PeopleAsNear::new(&args.population, &args.pair.columns)?;
    for (subject, trace) in &released {
        // Where a subject has several true places, their mean is what averaging could find at best.
        let places = |trace: &[(Place, String)]| trace.iter().map(|(place, _)| *place).collect::<Vec<_>>();
        let Some(home) = truth.get(subject).and_then(|trace| averaged(&places(trace))) else { continue };
        let all = places(trace);
        single.extend(all.iter().map(|place| distance(*place, home)));
        let guess = averaged(&all);
        mean.extend(guess.map(|guess| distance(guess, home)));
        guess.into_iter().for_each(|guess| people.add(guess, home));
        reports += all.len();
    }
    let each = reports as f64 / mean.len().max(1) as f64;
    let rows = vec![("a single report", summary(single)), ("the mean of a subject's reports", summary(mean))];
    let facts = [("reports a subject", each)].into_iter().chain(people.facts()).collect();
    Findings { rows, facts }.print(args.pair.json, out)
}

fn bayes(args: &BayesArgs, out: &mut impl Write) -> Result<(), Failure> {
    let prior = args.population.read(&args.pair.columns, "the adversary")?;
    let noise = match args.grid {
        Some(spacing) => PlanarLaplace::on_grid(args.epsilon, PublicGrid::new(spacing)?)?,
        None => PlanarLaplace::new(args.epsilon)?,
    };
    let adversary = BayesianAdversary::new(noise, prior);
    let (mut plain, mut guessed, mut bound) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hits, mut people) = (0_u64, Vec::new());
    let pairs = pairs(&args.pair)?;
    for (released, truth) in &pairs {
        plain.push(distance(*released, *truth));
        let Some(guess) = adversary.guess(*released) else {
            guessed.push(distance(*released, *truth));
            continue;
        };
        guessed.push(distance(guess.place, *truth));
        bound.push(guess.expected_error);
        people.push(guess.people_for_95);
        hits += u64::from(distance(guess.place, *truth) <= 1.0);
    }
    people.sort_by(f64::total_cmp);
    let facts = vec![
        ("share of places found to a meter", hits as f64 / pairs.len().max(1) as f64),
        ("median people for 95 % certainty", people.get(people.len() / 2).copied().unwrap_or(0.0)),
    ];
    let rows = vec![
        ("the report", summary(plain)),
        ("the best guess", summary(guessed)),
        ("what no guess beats, by the posterior", summary(bound)),
    ];
    Findings { rows, facts }.print(args.pair.json, out)
}

fn address(args: &AddressArgs, out: &mut impl Write) -> Result<(), Failure> {
    let addresses = args.population.read(&args.pair.columns, "this attack")?;
    let (mut errors, mut hits, mut people) = (Vec::new(), 0_u64, Vec::new());
    let (mut before, mut hits_before) = (Vec::new(), 0_u64);
    for (released, truth) in pairs(&args.pair)? {
        if let Some(guess) = nearest_address(&addresses, truth, truth) {
            before.push(guess.error);
            hits_before += u64::from(guess.error <= 1.0);
        }
        let Some(guess) = nearest_address(&addresses, released, truth) else { continue };
        hits += u64::from(guess.error <= 1.0);
        errors.push(guess.error);
        people.push(guess.people_as_near);
    }
    people.sort_by(f64::total_cmp);
    let at = |share: usize| people.get(people.len() * share / 100).copied().unwrap_or(0.0);
    let facts = vec![
        ("share of addresses found", hits as f64 / errors.len().max(1) as f64),
        ("share found before masking", hits_before as f64 / before.len().max(1) as f64),
        ("fewest people as near", people.first().copied().unwrap_or(0.0)),
        ("people as near, 1 % have fewer", at(1)),
        ("people as near, median", at(50)),
    ];
    let rows = vec![("before masking", summary(before)), ("the nearest address", summary(errors))];
    Findings { rows, facts }.print(args.pair.json, out)
}

fn home(args: &HomeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let columns = args.pair.columns.columns();
    let traces = |file: &Path| read_traces(file, &columns, &args.subject, Some(&args.time));
    let (released, truth) = (traces(&args.pair.released)?, traces(&args.pair.truth)?);
    let spacing = PublicGrid::new(args.spacing)?;
    let (mut homes, mut works) = (Vec::new(), Vec::new());
    let mut people = PeopleAsNear::new(&args.population, &args.pair.columns)?;
    for (subject, trace) in &truth {
        let before = home_and_work(trace, spacing);
        let after = released.get(subject).map(|trace| home_and_work(trace, spacing)).unwrap_or_default();
        homes.extend(before.home.zip(after.home).map(|(a, b)| distance(a, b)));
        before.home.zip(after.home).into_iter().for_each(|(truth, guess)| people.add(guess, truth));
        works.extend(before.work.zip(after.work).map(|(a, b)| distance(a, b)));
    }
    let rows = vec![("home", summary(homes)), ("work", summary(works))];
    let facts = [("subjects", truth.len() as f64)].into_iter().chain(people.facts()).collect();
    Findings { rows, facts }.print(args.pair.json, out)
}
