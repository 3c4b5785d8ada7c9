//! `burn-privacy anonymize inspect`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::inspect::{ProposedRole, inspect as look_at};
use clap::Args;
use serde_json::json;

use super::input::separator;
use crate::failure::Failure;

/// `anonymize inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// CSV file with a header
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// Columns of a combination at most
    #[arg(long, value_name = "N", default_value_t = 3)]
    combinations: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// `burn-privacy anonymize inspect`.
pub fn inspect(args: &InspectArgs, out: &mut impl Write) -> Result<(), Failure> {
    let found = look_at(&args.data, args.separator, args.combinations)?;
    let role = |role| match role {
        ProposedRole::Identifier => "identifier",
        ProposedRole::QuasiIdentifier => "quasi-identifier",
        ProposedRole::Other => "other",
    };
    if args.json {
        let columns: Vec<_> = found
            .columns
            .iter()
            .map(|column| {
                json!({
                    "name": column.name,
                    "role": role(column.role),
                    "looks_like": column.shape.map(|shape| shape.name()),
                    "distinct": column.distinct,
                    "empty": column.empty,
                    "unique_rows": column.unique_rows,
                    "distinction": column.distinction,
                    "separation": column.separation,
                    "share_of_uniques": column.share_of_uniques,
                })
            })
            .collect();
        let answer = json!({
            "rows": found.rows,
            "columns": columns,
            "uniques_by_size": found.uniques.by_size,
            "rows_singled_out": found.uniques.rows,
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<20} {:<17} {:>9} {:>11} {:>10} {:>8}  looks like",
        "column", "proposed role", "distinct", "distinction", "separation", "uniques"
    )?;
    for column in &found.columns {
        writeln!(
            out,
            "{:<20} {:<17} {:>9} {:>10.2}% {:>9.2}% {:>7.1}%  {}",
            column.name,
            role(column.role),
            column.distinct,
            100.0 * column.distinction,
            100.0 * column.separation,
            100.0 * column.share_of_uniques,
            column.shape.map_or("", |shape| shape.name())
        )?;
    }
    let sizes: Vec<String> =
        (1..).zip(&found.uniques.by_size).map(|(size, count)| format!("{count} of {size}")).collect();
    writeln!(
        out,
        "\n{} of {} rows are singled out by combinations of columns (minimal ones: {} columns). The roles are a proposal: what \
         others know of a person is not in the table.",
        found.uniques.rows,
        found.rows,
        sizes.join(", ")
    )?;
    Ok(())
}
