//! `burn-privacy anonymize recode`.

use std::io::Write;

use burn_privacy_anonymize::recoding::{recode_by_mondrian, recode_locally};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::{ReleaseArgs, TableArgs};
use crate::failure::Failure;

/// How classes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Greedy clusters that are divided anew: least loss, with a bound; time grows with the square of the distinct rows
    Clusters,
    /// Division by one column at a time: fast
    Mondrian,
}

/// `anonymize recode`.
#[derive(Debug, Args)]
pub struct RecodeArgs {
    #[command(flatten)]
    table: TableArgs,
    /// How classes are made
    #[arg(long, value_enum, default_value = "clusters")]
    method: MethodName,
    /// Passes of improvement at most (method clusters)
    #[arg(long, value_name = "N", default_value_t = 20)]
    passes: usize,
    #[command(flatten)]
    release: ReleaseArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// `burn-privacy anonymize recode`.
pub fn recode(args: &RecodeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let table = args.table.read()?;
    let models = args.table.models();
    let (recoding, lower_bound) = match args.method {
        MethodName::Clusters => {
            let found = recode_locally(&table, &models, args.passes)?;
            (found.recoding, Some(found.lower_bound))
        }
        MethodName::Mondrian => (recode_by_mondrian(&table, &models)?, None),
    };
    args.release.write(&args.table, &table, &recoding)?;
    let loss = recoding.loss(&table);
    if args.json {
        let sizes = || recoding.classes().iter().map(|class| class.rows);
        let answer = json!({
            "loss": loss,
            "lower_bound": lower_bound,
            "rows": table.rows(),
            "suppressed": table.rows() - recoding.released_rows(),
            "classes": sizes().count(),
            "class_min": sizes().min().unwrap_or(0),
            "class_max": sizes().max().unwrap_or(0),
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    match lower_bound {
        Some(bound) => writeln!(out, "loss {loss:.6}; no recoding by these hierarchies can lose less than {bound:.6}")?,
        None => writeln!(out, "loss {loss:.6}")?,
    }
    write!(out, "\n{}", recoding.statement(&table, &models)?)?;
    Ok(())
}
