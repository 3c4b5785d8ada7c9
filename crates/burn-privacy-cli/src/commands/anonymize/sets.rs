//! `burn-privacy anonymize sets`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::itemsets::ItemSets;
use burn_privacy_anonymize::table::Hierarchy;
use burn_privacy_output::write_atomically;
use clap::Args;
use serde_json::json;

use super::input::{refuse_existing, separator};
use crate::failure::Failure;
use crate::input::refuse_input;

/// `anonymize sets`.
#[derive(Debug, Args)]
pub struct SetsArgs {
    /// CSV file with a header
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// The column whose cells are sets of items
    #[arg(long)]
    column: String,
    /// What separates the items of a cell
    #[arg(long, default_value = " ", value_name = "TEXT")]
    item_separator: String,
    /// Hierarchy of the items, as for search
    #[arg(long, value_name = "FILE")]
    hierarchy: PathBuf,
    /// Rows that a combination of items fits at least
    #[arg(long)]
    k: u64,
    /// Items of a person that an attacker knows at most
    #[arg(long)]
    m: usize,
    /// CSV file to write, of that column alone, sorted; beside it what it is worth (.statement.txt)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replaces outputs that exist
    #[arg(long, requires = "output")]
    force: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// `burn-privacy anonymize sets`.
pub fn sets(args: &SetsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let hierarchy = Hierarchy::read(&args.column, &args.hierarchy)?;
    let sets = ItemSets::read(&args.data, args.separator, &args.column, &args.item_separator, hierarchy)?;
    let recoding = sets.anonymize(args.k, args.m)?;
    let statement = sets.statement(&recoding)?;
    if let Some(output) = &args.output {
        refuse_input(&[&args.data, &args.hierarchy], &[output])?;
        let beside = PathBuf::from(format!("{}.statement.txt", output.display()));
        refuse_existing(&[output, &beside], args.force)?;
        sets.write(&recoding, output, &args.column, &args.item_separator, args.force)?;
        write_atomically(&beside, statement.to_string())?;
    }
    if args.json {
        let answer = json!({ "k": args.k, "m": args.m, "rows": sets.len(), "loss": sets.loss(&recoding) });
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{statement}")?;
    }
    Ok(())
}
