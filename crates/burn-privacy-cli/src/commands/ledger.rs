//! `burn-privacy ledger`: what was spent on a data set, as its ledger has it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use burn_privacy_accounting::DpEvent;
use burn_privacy_budget::ledger::{Budget, COMPOSITION_CAVEAT, History, Ledger, LedgerError, LedgerTotal, Unit};
use burn_privacy_output::{InvalidValue, printable};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::delta_check;
use crate::failure::Failure;
use crate::flags::{AdjacencyName, DeltaArg};
use crate::input::is_standard;
use crate::mechanism::run;
use crate::numbers::{number, real, whole};

/// `ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Lists the runs that a ledger has charged, also while one is going on
    Show(LedgerFileArgs),
    /// Checks every line of a ledger: its check sum, that it can follow those before it, and that the budget is kept
    Verify(LedgerFileArgs),
    /// The epsilon of everything that a ledger has charged, together
    Total(LedgerTotalArgs),
    /// Shows the data set's budget; with --epsilon and --delta, sets it, once and before its first step
    Budget(LedgerBudgetArgs),
}

/// A ledger, and the form of the answer.
#[derive(Debug, Args)]
pub struct LedgerFileArgs {
    /// The ledger
    pub file: PathBuf,
    /// One JSON object, with all numbers at full precision
    #[arg(long)]
    pub json: bool,
}

/// `ledger total`.
#[derive(Debug, Args)]
pub struct LedgerTotalArgs {
    #[command(flatten)]
    pub ledger: LedgerFileArgs,
    #[command(flatten)]
    pub delta: DeltaArg,
    /// Number of records (public), to check delta against
    #[arg(long, value_name = "N", value_parser = whole)]
    pub dataset_size: Option<u64>,
}

/// `ledger budget`.
#[derive(Debug, Args)]
pub struct LedgerBudgetArgs {
    #[command(flatten)]
    pub ledger: LedgerFileArgs,
    /// The epsilon that all runs together never exceed, in nats
    #[arg(long, value_parser = real, allow_hyphen_values = true, requires = "delta")]
    pub epsilon: Option<f64>,
    /// Its delta; well below one over the number of records
    #[arg(long, value_parser = real, allow_hyphen_values = true, requires = "epsilon")]
    pub delta: Option<f64>,
    /// Which data sets are neighbors
    #[arg(long, value_enum, default_value = "add-or-remove-one", requires = "epsilon")]
    pub adjacency: AdjacencyName,
    /// What runs protect: others are refused
    #[arg(long, value_enum, default_value = "record", requires = "epsilon")]
    pub unit: UnitName,
    /// Noise multiplier of the usual step, for which the budget's Renyi order is chosen
    ///
    /// Give it, and the sampling rate, for DP-SGD: the order is fixed with the budget, and without them it suits noise without
    /// sampling, so that few steps of a sampled run may fit, or none.
    #[arg(long, value_name = "SIGMA", value_parser = real, allow_hyphen_values = true, requires = "epsilon")]
    pub noise_multiplier: Option<f64>,
    /// Sampling rate of the usual step
    #[arg(long, value_name = "Q", value_parser = real, allow_hyphen_values = true, default_value_t = 1.0, requires = "noise_multiplier")]
    pub sampling_rate: f64,
    /// Name of the data set, to begin its ledger where there is none
    #[arg(long, value_name = "NAME", requires = "epsilon")]
    pub dataset: Option<String>,
}

/// Names of protected units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnitName {
    /// One record
    Record,
    /// All records that belong to one user
    User,
}

impl From<UnitName> for Unit {
    fn from(name: UnitName) -> Self {
        match name {
            UnitName::Record => Self::Record,
            UnitName::User => Self::User,
        }
    }
}

/// `burn-privacy ledger`.
pub fn ledger(command: &LedgerCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        LedgerCommand::Show(args) => show(args, out),
        LedgerCommand::Verify(args) => verify(args, out),
        LedgerCommand::Total(args) => total(args, out),
        LedgerCommand::Budget(args) => budget(args, out),
    }
}

fn show(args: &LedgerFileArgs, out: &mut impl Write) -> Result<(), Failure> {
    let history = Ledger::read(args.path()?)?;
    if !args.json {
        return Ok(write!(out, "{history}")?);
    }
    let runs: Vec<Value> = history
        .charges()
        .iter()
        .map(|charge| {
            json!({
                "name": charge.name,
                "charged_steps": charge.steps,
                "planned_steps": charge.planned_steps,
                "event_per_step": charge.event,
                "adjacency": charge.adjacency,
                "unit": charge.unit,
                "delta": charge.delta,
                "mechanism": charge.mechanism,
                "private": charge.private,
                "closed": charge.closed,
            })
        })
        .collect();
    let shown = json!({
        "dataset": history.dataset(),
        "budget": history.budget(),
        "runs": runs,
        "torn_lines": history.torn_lines(),
    });
    Ok(writeln!(out, "{shown}")?)
}

fn verify(args: &LedgerFileArgs, out: &mut impl Write) -> Result<(), Failure> {
    let found = Ledger::verify(args.path()?)?;
    if !args.json {
        return Ok(write!(out, "{found}")?);
    }
    let shown = json!({
        "sound": true,
        "dataset": found.history.dataset(),
        "lines": found.lines,
        "bytes": found.bytes,
        "torn_lines": found.history.torn_lines(),
        "torn_bytes": found.torn_bytes,
    });
    Ok(writeln!(out, "{shown}")?)
}

fn total(args: &LedgerTotalArgs, out: &mut impl Write) -> Result<(), Failure> {
    let total = Ledger::read(args.ledger.path()?)?.total(args.delta.delta)?;
    let warning = delta_check::warning(total.delta, args.dataset_size);
    if let Some(warning) = &warning {
        delta_check::warn(warning);
    }
    if !args.ledger.json {
        return Ok(write!(out, "{total}")?);
    }
    let mut shown = total_json(&total);
    if let Some(warning) = warning {
        shown.insert("warning".to_owned(), json!(warning));
    }
    Ok(writeln!(out, "{}", Value::Object(shown))?)
}

/// Fields named as in the other commands' answers. `epsilon` is null where no accountant supports all runs together.
fn total_json(total: &LedgerTotal) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut add = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    add("epsilon", Value::Null);
    for (index, report) in total.composed.iter().enumerate() {
        let name = report.accountant.to_lowercase();
        if index == 0 {
            add("epsilon", number(report.epsilon));
            add("accountant", json!(name));
        } else {
            add(&format!("epsilon_by_{name}"), number(report.epsilon));
        }
    }
    add("delta", json!(total.delta));
    add("adjacency", json!(total.adjacency.to_string()));
    add("unit", json!(total.unit));
    add("dataset", json!(total.dataset));
    add("runs", json!(total.runs));
    add("steps", json!(total.steps));
    add("void_runs", json!(total.void_runs));
    add("caveat", json!(COMPOSITION_CAVEAT));
    add("budget", json!(total.budget));
    add("budget_spent", json!(total.budget_spent));
    add("failures_spent", json!(total.failures_spent.map(|(failed, _)| failed)));
    shown
}

fn budget(args: &LedgerBudgetArgs, out: &mut impl Write) -> Result<(), Failure> {
    let path = args.ledger.path()?;
    let history = match (args.epsilon, args.delta) {
        (Some(epsilon), Some(delta)) => {
            // Before anything is written: a value that is refused begins no ledger.
            let budget = args.budget(epsilon, delta)?;
            if let Some(warning) = delta_check::warning(delta, None) {
                delta_check::warn(&warning);
            }
            let mut ledger = open(path, args.dataset.as_deref())?;
            ledger.set_budget(budget)?;
            ledger.history().clone()
        }
        _ => Ledger::read(path)?,
    };
    print_budget(&history, args.ledger.json, out)
}

/// The ledger there, or a new one where its data set is named.
fn open(path: &Path, dataset: Option<&str>) -> Result<Ledger, Failure> {
    if let Some(dataset) = dataset {
        return Ok(Ledger::open(path, dataset)?);
    }
    match Ledger::read(path) {
        Ok(history) => Ok(Ledger::open(path, history.dataset())?),
        Err(LedgerError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Err(Failure::Input(format!(
            "there is no ledger {}: name the one that is meant, or begin it by --dataset NAME",
            path.display()
        ))),
        Err(error) => Err(error.into()),
    }
}

fn print_budget(history: &History, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let (spent, failures) = (history.budget_spent()?, history.failures_spent()?);
    if json {
        let shown = json!({
            "dataset": history.dataset(),
            "budget": history.budget(),
            "budget_spent": spent,
            "failures_spent": failures.map(|(failed, _)| failed),
        });
        return Ok(writeln!(out, "{shown}")?);
    }
    writeln!(out, "Data set  {}", printable(history.dataset()))?;
    match (history.budget(), spent) {
        (Some(budget), Some(spent)) => {
            writeln!(out, "Budget    {budget}")?;
            writeln!(out, "          {:.1} % of it is charged", (spent * 1000.0).ceil() / 10.0)?;
            if let Some((failed, set_aside)) = failures.filter(|(failed, _)| *failed > 0.0) {
                let [failed, set_aside] = [failed, set_aside].map(burn_privacy_accounting::round_up_for_display);
                writeln!(
                    out,
                    "          and {failed} of the {set_aside} that its delta sets aside for mechanisms that may fail"
                )?;
            }
        }
        _ => writeln!(out, "Budget    none")?,
    }
    Ok(())
}

impl LedgerFileArgs {
    /// The ledger's path. A ledger is locked and appended to, which standard input can't be.
    fn path(&self) -> Result<&Path, Failure> {
        if is_standard(&self.file) {
            return Err(InvalidValue::new("the ledger", "-", "the name of a file").into());
        }
        Ok(&self.file)
    }
}

impl LedgerBudgetArgs {
    fn budget(&self, epsilon: f64, delta: f64) -> Result<Budget, Failure> {
        let adjacency = self.adjacency.into();
        let budget = match self.noise_multiplier {
            Some(noise) => {
                let step: DpEvent = run(self.sampling_rate, noise, 1)?;
                Budget::for_expected(adjacency, &step, epsilon, delta)?
            }
            None => Budget::new(adjacency, epsilon, delta)?,
        };
        Ok(budget.with_unit(self.unit.into()))
    }
}
