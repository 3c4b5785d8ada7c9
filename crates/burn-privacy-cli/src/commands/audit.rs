//! `burn-privacy audit`.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn_privacy_audit::membership::{References, lira, logit, loss_score, rmia};
use burn_privacy_audit::{AuditReport, Guesses, Roc, Runs, Scores, one_run, one_run_gaussian, p_value};
use burn_privacy_output::plot::{self, Axis, LineChart, Series, Stroke};
use burn_privacy_output::{InvalidValue, write_atomically};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::commands::statement::StatementFormat;
use crate::failure::Failure;
use crate::input::{is_standard, named, read_text, refuse_input};
use crate::numbers::{number, real, whole};

/// The largest file of scores.
const MOST_BYTES: u64 = 1 << 30;

/// `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// A lower bound on epsilon from guesses about canaries of one training run
    #[command(
        after_help = "Each canary was trained on or not by its own fair coin; the number of guesses was fixed before.

Example:
  burn-privacy audit one-run --canaries 1000 --guesses 100 --correct 80 --delta 1e-5"
    )]
    OneRun(OneRunArgs),
    /// All auditors on scores of members and of non-members, with the ROC curve
    #[command(
        after_help = "The file has the columns score (higher: more likely a member) and member (1 or 0), separated by commas.

Example:
  burn-privacy audit scores canaries.csv --runs one --delta 1e-5 --claimed 3 --roc roc.svg"
    )]
    Scores(ScoresArgs),
    /// Membership inference on a model's confidences: loss threshold, LiRA or RMIA
    #[command(
        after_help = "The file has the columns member (1 or 0) and confidence (the model's probability of the true class), and
for lira and rmia reference_1, reference_2, .. (reference models' confidences) and in_1, in_2, .. (1 if that model
was trained on the example). Rows with an empty member column are the population of rmia.

Example:
  burn-privacy audit membership confidences.csv --attack rmia --delta 1e-5 --claimed 3"
    )]
    Membership(MembershipArgs),
}

/// `audit one-run`.
#[derive(Debug, Args)]
pub struct OneRunArgs {
    /// Number of canaries, each in by its own fair coin
    #[arg(long, value_name = "M", value_parser = whole)]
    pub canaries: u64,
    /// Number of canaries that were guessed
    #[arg(long, value_name = "R", value_parser = whole)]
    pub guesses: u64,
    /// Number of right guesses
    #[arg(long, value_name = "V", value_parser = whole)]
    pub correct: u64,
    #[command(flatten)]
    pub confidence: ConfidenceArgs,
    /// Print the p-value of this epsilon, too
    #[arg(long, value_parser = real, allow_hyphen_values = true)]
    pub epsilon: Option<f64>,
    /// One JSON object, with all numbers at full precision
    #[arg(long)]
    pub json: bool,
}

/// What a bound may be wrong by.
#[derive(Clone, Copy, Debug, Args)]
pub struct ConfidenceArgs {
    /// The delta of all epsilons
    #[arg(long, value_parser = real, allow_hyphen_values = true)]
    pub delta: f64,
    /// Probability with which a lower bound may be wrong
    #[arg(long, default_value_t = 0.05, value_parser = real, allow_hyphen_values = true)]
    pub significance: f64,
}

/// What is printed and written.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub confidence: ConfidenceArgs,
    /// The epsilon that was claimed at that delta
    #[arg(long, value_name = "EPSILON", value_parser = real, allow_hyphen_values = true)]
    pub claimed: Option<f64>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    pub format: StatementFormat,
    /// Where to write the ROC curve: a name ending in .csv, .png or .svg
    #[arg(long, value_name = "FILE")]
    pub roc: Option<PathBuf>,
}

/// How the scores came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunsName {
    /// Canaries of one training run, each in by its own fair coin
    One,
    /// One score a training run
    Many,
    /// In or out for other reasons: estimates only
    Observed,
}

/// `audit scores`.
#[derive(Debug, Args)]
pub struct ScoresArgs {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// How the scores came about
    #[arg(long, value_enum)]
    pub runs: RunsName,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Which attack makes scores of confidences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AttackName {
    /// Minus the loss
    Loss,
    /// Likelihood ratio of reference models with and without the example (Carlini et al. 2022)
    Lira,
    /// Share of the population that is dominated (Zarifzadeh et al. 2024)
    Rmia,
}

/// `audit membership`.
#[derive(Debug, Args)]
pub struct MembershipArgs {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// Which attack
    #[arg(long, value_enum, default_value = "loss")]
    pub attack: AttackName,
    /// How much likelier an example must be than another to dominate it (rmia)
    #[arg(long, default_value_t = 1.0, value_parser = real, allow_hyphen_values = true)]
    pub gamma: f64,
    /// How alike models with and without an example are, from 0 to 1 (rmia with references that never had it)
    #[arg(long, default_value_t = 1.0, value_parser = real, allow_hyphen_values = true)]
    pub offline_scale: f64,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `burn-privacy audit`.
pub fn audit(command: &AuditCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        AuditCommand::OneRun(args) => of_guesses(args, out),
        AuditCommand::Scores(args) => of_scores(args, out),
        AuditCommand::Membership(args) => of_confidences(args, out),
    }
}

fn of_guesses(args: &OneRunArgs, out: &mut impl Write) -> Result<(), Failure> {
    let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let guesses = Guesses::new(count(args.canaries), count(args.guesses), count(args.correct))?;
    let ConfidenceArgs { delta, significance } = args.confidence;
    let bound = one_run(guesses, delta, significance)?;
    let gaussian = if delta > 0.0 { Some(one_run_gaussian(guesses, delta, significance)?) } else { None };
    let p = args.epsilon.map(|epsilon| p_value(guesses, epsilon, delta)).transpose()?;
    if args.json {
        let mut object =
            json!({ "lower_bound": number(bound), "delta": number(delta), "significance": number(significance) });
        if let Some(gaussian) = gaussian {
            object["lower_bound_if_gaussian"] = number(gaussian);
        }
        if let Some(p) = p {
            object["p_value"] = number(p);
        }
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let confidence = 100.0 * (1.0 - significance);
    writeln!(out, "epsilon  at least {} at delta {delta} (confidence {confidence} %)", rounded_down(bound))?;
    if let Some(gaussian) = gaussian {
        writeln!(out, "         at least {} if the trade-off curve is a Gaussian one", rounded_down(gaussian))?;
    }
    if let (Some(p), Some(epsilon)) = (p, args.epsilon) {
        writeln!(out, "p-value  {p:.6} of epsilon {epsilon}")?;
    }
    Ok(())
}

/// Four digits behind the point.
fn rounded_down(value: f64) -> String {
    format!("{:.4}", (value * 1e4).floor() / 1e4)
}

fn of_scores(args: &ScoresArgs, out: &mut impl Write) -> Result<(), Failure> {
    let roc: Vec<&Path> = args.report.roc.iter().map(PathBuf::as_path).collect();
    refuse_input(&[&args.file], &roc)?;
    let table = Columns::read(&args.file)?;
    let (scores, members) = (table.numbers("score")?, table.members()?);
    let mut parts = (Vec::new(), Vec::new());
    for (row, (score, member)) in scores.into_iter().zip(members).enumerate() {
        match member {
            Some(true) => parts.0.push(score),
            Some(false) => parts.1.push(score),
            None => return Err(table.refusal(row, "member", "1 or 0")),
        }
    }
    let runs = match args.runs {
        RunsName::One => Runs::One,
        RunsName::Many => Runs::Many,
        RunsName::Observed => Runs::Observed,
    };
    report(&Scores::new(parts.0, parts.1)?, runs, &args.report, out)
}

fn of_confidences(args: &MembershipArgs, out: &mut impl Write) -> Result<(), Failure> {
    let roc: Vec<&Path> = args.report.roc.iter().map(PathBuf::as_path).collect();
    refuse_input(&[&args.file], &roc)?;
    let table = Columns::read(&args.file)?;
    let (confidences, members) = (table.numbers("confidence")?, table.members()?);
    let judged: Vec<usize> = (0..confidences.len()).filter(|&row| members[row].is_some()).collect();
    let scores = match args.attack {
        AttackName::Loss => judged
            .iter()
            // The logit refuses what is no probability.
            .map(|&row| logit(confidences[row]).map(|_| loss_score(-confidences[row].ln())))
            .collect::<Result<_, _>>()?,
        AttackName::Lira => {
            let references = table.references()?;
            let logits = judged.iter().map(|&row| logit(confidences[row])).collect::<Result<Vec<_>, _>>()?;
            let of_rows = judged
                .iter()
                .map(|&row| {
                    let of = |inside: bool| -> Result<Vec<f64>, burn_privacy_audit::AuditError> {
                        references[row].iter().filter(|(_, with)| *with == inside).map(|(p, _)| logit(*p)).collect()
                    };
                    Ok(References { with: of(true)?, without: of(false)? })
                })
                .collect::<Result<Vec<_>, burn_privacy_audit::AuditError>>()?;
            lira(&logits, &of_rows)?
        }
        AttackName::Rmia => {
            let references = table.references()?;
            let without = |row: usize| -> Vec<f64> {
                references[row].iter().filter(|(_, with)| !with).map(|(p, _)| *p).collect()
            };
            let population: Vec<usize> = (0..confidences.len()).filter(|&row| members[row].is_none()).collect();
            rmia(
                &judged.iter().map(|&row| confidences[row]).collect::<Vec<_>>(),
                &judged.iter().map(|&row| without(row)).collect::<Vec<_>>(),
                &population.iter().map(|&row| confidences[row]).collect::<Vec<_>>(),
                &population.iter().map(|&row| without(row)).collect::<Vec<_>>(),
                args.gamma,
                args.offline_scale,
            )?
        }
    };
    let part = |member: bool| -> Vec<f64> {
        judged.iter().zip(&scores).filter(|(row, _)| members[**row] == Some(member)).map(|(_, score)| *score).collect()
    };
    report(&Scores::new(part(true), part(false))?, Runs::Observed, &args.report, out)
}

fn report(scores: &Scores, runs: Runs, args: &ReportArgs, out: &mut impl Write) -> Result<(), Failure> {
    let report = AuditReport::new(scores, runs, args.confidence.delta, args.confidence.significance, args.claimed)?;
    if let Some(path) = &args.roc {
        write_roc(&Roc::new(scores), &report, path)?;
    }
    match args.format {
        StatementFormat::Text => write!(out, "{}", report.text())?,
        StatementFormat::Markdown => write!(out, "{}", report.markdown())?,
        StatementFormat::Json => writeln!(out, "{}", report.json())?,
    }
    Ok(())
}

/// Width and height.
const SIZE: (u32, u32) = (1_000, 800);

fn write_roc(roc: &Roc, report: &AuditReport, path: &Path) -> Result<(), Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if extension == Some("csv") {
        let rows: String = roc.points().iter().map(|(fpr, tpr)| format!("{fpr},{tpr}\n")).collect();
        return Ok(write_atomically(path, format!("false_positive_rate,true_positive_rate\n{rows}"))?);
    }
    // Equal rates are what a guess reaches; on the logarithmic axes zero has no place.
    let least = 0.5 / report.non_members.max(report.members) as f64;
    let chart = LineChart {
        title: "Attack: true positives over false ones".to_owned(),
        subtitle: format!("area {:.4}, {} members, {} non-members", report.area, report.members, report.non_members),
        x: Axis::logarithmic("False positive rate").including(1.0),
        y: Axis::logarithmic("True positive rate").including(1.0),
        series: vec![
            Series::new(
                "attack",
                Stroke::Line,
                roc.points().iter().copied().filter(|(fpr, tpr)| *fpr > 0.0 && *tpr > 0.0).collect(),
            ),
            Series::new("guessing", Stroke::Dashed, vec![(least, least), (1.0, 1.0)]),
        ],
    };
    match extension {
        Some("png") => Ok(write_atomically(path, plot::png(&chart, SIZE)?)?),
        Some("svg") => Ok(write_atomically(path, plot::svg(&chart, SIZE)?)?),
        _ => Err(InvalidValue::new("--roc", path.display(), "a name ending in .csv, .png or .svg").into()),
    }
}

/// A small table with named columns.
struct Columns {
    file: String,
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    fn read(path: &Path) -> Result<Self, Failure> {
        let (file, text) = (named(path), read_text(path, MOST_BYTES)?);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let refused = |error: csv::Error| Failure::Input(format!("{file}: {error}"));
        let names = reader.headers().map_err(refused)?.iter().map(str::to_lowercase).collect();
        let rows = reader
            .records()
            .map(|record| Ok(record.map_err(refused)?.iter().map(str::to_owned).collect()))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { file: if is_standard(path) { "standard input".to_owned() } else { file.clone() }, names, rows })
    }

    fn column(&self, name: &str) -> Result<usize, Failure> {
        let mut places = (0..self.names.len()).filter(|&place| self.names[place] == name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(Failure::Input(format!("{} has two columns {name:?}", self.file))),
            (None, _) => Err(Failure::Input(format!(
                "{} has no column {name:?}; its columns are {:?}, separated by commas",
                self.file, self.names
            ))),
        }
    }

    /// A refusal of one cell; the row is counted from 0 behind the header.
    fn refusal(&self, row: usize, column: &str, allowed: &str) -> Failure {
        Failure::Input(format!("{}, row {}: {column} must be {allowed}", self.file, row + 2))
    }

    fn numbers(&self, name: &str) -> Result<Vec<f64>, Failure> {
        let place = self.column(name)?;
        (0..self.rows.len())
            .map(|row| real(&self.rows[row][place]).map_err(|_| self.refusal(row, name, "a number")))
            .collect()
    }

    /// Yes, no, or empty.
    fn members(&self) -> Result<Vec<Option<bool>>, Failure> {
        let place = self.column("member")?;
        (0..self.rows.len())
            .map(|row| match self.rows[row][place].to_lowercase().as_str() {
                "1" | "true" | "yes" => Ok(Some(true)),
                "0" | "false" | "no" => Ok(Some(false)),
                "" => Ok(None),
                _ => Err(self.refusal(row, "member", "1 or 0")),
            })
            .collect()
    }

    /// Each row's reference confidences, and whether that model was trained on the row.
    fn references(&self) -> Result<Vec<Vec<(f64, bool)>>, Failure> {
        let count = self.names.iter().filter(|name| name.starts_with("reference_")).count();
        let mut all = vec![Vec::with_capacity(count); self.rows.len()];
        for model in 1..=count {
            let confidences = self.numbers(&format!("reference_{model}"))?;
            let inside = self.numbers(&format!("in_{model}"))?;
            for (row, (confidence, inside)) in confidences.into_iter().zip(inside).enumerate() {
                all[row].push((confidence, inside != 0.0));
            }
        }
        Ok(all)
    }
}
