//! `burn-privacy anonymize sample`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_accounting::EventDocument;
use burn_privacy_anonymize::sampled_release::{SampledRelease, SampledTable};
use burn_privacy_budget::statement::{json as statement_json, text};
use burn_privacy_mechanisms::Entropy;
use burn_privacy_output::write_atomically;
use clap::Args;
use serde_json::json;

use super::input::{hierarchies_of, refuse_existing, separator};
use crate::failure::Failure;
use crate::input::refuse_input;

/// `anonymize sample`.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// CSV file with a header
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// Folder of hierarchies, as for search; they must be public
    #[arg(long, value_name = "DIR")]
    hierarchies: PathBuf,
    /// Level of each column that is released, chosen without looking at the data: age=2,sex=0
    #[arg(long, value_name = "COLUMN=LEVEL", value_delimiter = ',', required = true, value_parser = level)]
    levels: Vec<(String, usize)>,
    /// Epsilon, in nats
    #[arg(long)]
    epsilon: f64,
    /// Delta at most; the lowest threshold that reaches it is taken
    #[arg(long, required_unless_present = "k", conflicts_with = "k")]
    delta: Option<f64>,
    /// Rows of a class at least
    #[arg(long, requires = "beta")]
    k: Option<u64>,
    /// Probability that a row is kept; the highest that epsilon allows, unless given
    #[arg(long)]
    beta: Option<f64>,
    /// CSV file to write; beside it what it is worth (.statement.txt, .statement.json). Without it only the plan is printed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replaces outputs that exist
    #[arg(long, requires = "output")]
    force: bool,
    /// Fixed seed, for tests: nothing is private then
    #[arg(long, hide = true)]
    seed: Option<u64>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn level(text: &str) -> Result<(String, usize), String> {
    let wrong = || format!("{text:?} is no COLUMN=LEVEL, as age=2");
    let (column, level) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((column.to_owned(), level.parse().map_err(|_| wrong())?))
}

/// `burn-privacy anonymize sample`.
pub fn sample(args: &SampleArgs, out: &mut impl Write) -> Result<(), Failure> {
    let plan = match (args.k, args.beta, args.delta) {
        (Some(k), Some(beta), _) => SampledRelease::new(args.epsilon, beta, k)?,
        (_, beta, Some(delta)) => SampledRelease::for_target(args.epsilon, delta, beta)?,
        _ => return Err(Failure::Input("give --delta, or --k with --beta".to_owned())),
    };
    let mut answer = json!({
        "epsilon": plan.epsilon(),
        "delta": plan.delta(),
        "beta": plan.beta(),
        "k": plan.k(),
        "event": EventDocument::new(plan.event()?),
    });
    let Some(output) = &args.output else {
        if args.json {
            writeln!(out, "{answer}")?;
        } else {
            writeln!(
                out,
                "epsilon {}, delta {:e}: beta {}, k {}",
                plan.epsilon(),
                plan.delta(),
                plan.beta(),
                plan.k()
            )?;
        }
        return Ok(());
    };
    let mut columns = hierarchies_of(&args.data, args.separator, &args.hierarchies)?;
    if let Some((name, _)) = args.levels.iter().find(|(name, _)| !columns.iter().any(|column| column.name == *name)) {
        return Err(Failure::Input(format!("column {name:?} has no hierarchy, or is not in {}", args.data.display())));
    }
    columns.retain(|column| args.levels.iter().any(|(name, _)| *name == column.name));
    let levels: Vec<usize> = columns
        .iter()
        .filter_map(|column| args.levels.iter().find(|(name, _)| *name == column.name).map(|(_, level)| *level))
        .collect();
    refuse_input(&[&args.data], &[output])?;
    let beside = |ending: &str| PathBuf::from(format!("{}{ending}", output.display()));
    let statements = [beside(".statement.txt"), beside(".statement.json")];
    refuse_existing(&[output, &statements[0], &statements[1]], args.force)?;
    let entropy = args.seed.map_or_else(Entropy::os, Entropy::seeded);
    let table = SampledTable { input: &args.data, separator: args.separator, columns: &columns, levels: &levels };
    let statement = plan.write(&table, output, args.force, entropy)?;
    write_atomically(&statements[0], text(&statement))?;
    write_atomically(&statements[1], format!("{:#}\n", statement_json(&statement)))?;
    if args.json {
        answer["released"] = json!(statement.released());
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{}", text(&statement))?;
    }
    Ok(())
}
