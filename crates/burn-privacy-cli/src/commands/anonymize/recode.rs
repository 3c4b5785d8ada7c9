//! `burn-privacy anonymize recode`.

use std::io::Write;

use burn_privacy_anonymize::recoding::recode_locally;
use clap::Args;
use serde_json::json;

use super::input::{ReleaseArgs, TableArgs};
use crate::failure::Failure;

/// `anonymize recode`.
#[derive(Debug, Args)]
pub struct RecodeArgs {
    #[command(flatten)]
    table: TableArgs,
    /// Passes of improvement at most
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
    let found = recode_locally(&table, &models, args.passes)?;
    args.release.write(&args.table, &table, &found.recoding)?;
    if args.json {
        let sizes = || found.recoding.classes().iter().map(|class| class.rows);
        let answer = json!({
            "loss": found.loss,
            "lower_bound": found.lower_bound,
            "rows": table.rows(),
            "suppressed": table.rows() - found.recoding.released_rows(),
            "classes": sizes().count(),
            "class_min": sizes().min().unwrap_or(0),
            "class_max": sizes().max().unwrap_or(0),
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    writeln!(
        out,
        "loss {:.6}; no recoding by these hierarchies can lose less than {:.6}",
        found.loss, found.lower_bound
    )?;
    write!(out, "\n{}", found.recoding.statement(&table, &models))?;
    Ok(())
}
