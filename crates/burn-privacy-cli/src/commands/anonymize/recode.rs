//! `burn-privacy anonymize recode`.

use std::io::Write;

use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::microaggregation::categorical_mdav;
use burn_privacy_anonymize::recoding::{
    Recoding, certified_lower_bound, recode_by_clusters, recode_by_medians, recode_by_mondrian, recode_freeform,
    recode_iterated, recode_locally, recode_top_down,
};
use burn_privacy_anonymize::table::{PrivacyModel, Table};
use burn_privacy_output::write_atomically;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::{ReleaseArgs, TableArgs};
use super::measure::Measured;
use crate::failure::Failure;

/// How classes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Clusters that are divided anew: least loss as a rule; time grows with the square of the distinct rows
    Clusters,
    /// Greedy clusters as they are first made (k-member)
    KMember,
    /// Division by the labels of one column at a time: fast
    Mondrian,
    /// Halves at the median of one column at a time, equal values together
    MondrianStrict,
    /// The same, rows of the median value divided between the halves
    MondrianRelaxed,
    /// Division by the two rows that differ most
    TopDown,
    /// The best full-domain generalization, then the same for the rows that it suppresses, and so on (as ARX)
    Iterated,
    /// Microaggregation: rows show central values of groups of K in place of their own (k-anonymity alone)
    CategoricalMdav,
    /// Each row covers K people without classes (k-anonymity alone; not by classes)
    Freeform,
    /// The one of all of these that loses least, but for freeform
    Best,
}

/// `anonymize recode`.
#[derive(Debug, Args)]
pub struct RecodeArgs {
    #[command(flatten)]
    table: TableArgs,
    /// How classes are made
    #[arg(long, value_enum, default_value = "clusters")]
    method: MethodName,
    /// Passes of improvement at most (methods clusters and best)
    #[arg(long, value_name = "N", default_value_t = 20)]
    passes: usize,
    /// Share of the remaining rows that each step may suppress (methods iterated and best)
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    suppression: f64,
    /// Leaves out the lower bound, whose time grows with the square of the distinct rows
    #[arg(long)]
    no_bound: bool,
    #[command(flatten)]
    release: ReleaseArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Choices of levels that each step of the method iterated looks at.
const MOST_CHOICES: u64 = 1_000_000;

fn by_method(args: &RecodeArgs, method: MethodName, table: &Table, models: &[PrivacyModel]) -> Result<Found, Failure> {
    let plain = |recoding| Found { recoding, method, lower_bound: None };
    Ok(match method {
        MethodName::Clusters if !args.no_bound => {
            let found = recode_locally(table, models, args.passes)?;
            Found { recoding: found.recoding, method, lower_bound: Some(found.lower_bound) }
        }
        MethodName::Clusters => plain(recode_by_clusters(table, models, args.passes)?),
        MethodName::KMember => plain(recode_by_clusters(table, models, 0)?),
        MethodName::Mondrian => plain(recode_by_mondrian(table, models)?),
        MethodName::MondrianStrict => plain(recode_by_medians(table, models, false)?),
        MethodName::MondrianRelaxed => plain(recode_by_medians(table, models, true)?),
        MethodName::TopDown => plain(recode_top_down(table, models)?),
        MethodName::Iterated => plain(recode_iterated(table, models, args.suppression, MOST_CHOICES)?),
        MethodName::CategoricalMdav | MethodName::Freeform | MethodName::Best => best(args, table, models)?,
    })
}

/// What a method made.
struct Found {
    recoding: Recoding,
    method: MethodName,
    lower_bound: Option<f64>,
}

/// The recoding of least loss.
fn best(args: &RecodeArgs, table: &Table, models: &[PrivacyModel]) -> Result<Found, Failure> {
    let methods = [
        MethodName::Clusters,
        MethodName::Mondrian,
        MethodName::MondrianStrict,
        MethodName::MondrianRelaxed,
        MethodName::TopDown,
        MethodName::Iterated,
    ];
    let (mut best, mut refused): (Option<(f64, Found)>, _) = (None, None);
    for method in methods {
        let found = match by_method(args, method, table, models) {
            Ok(found) => found,
            // One method may not reach what another does.
            Err(error @ Failure::Anonymize(AnonymizeError::Unreachable { .. })) => {
                refused.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let loss = found.recoding.loss(table);
        let bound = best.as_ref().and_then(|(_, best)| best.lower_bound);
        match best {
            Some((known, _)) if known <= loss => {}
            _ => best = Some((loss, Found { lower_bound: found.lower_bound.or(bound), ..found })),
        }
    }
    match (best, refused) {
        (Some((_, found)), _) => Ok(found),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Failure::Input("no method was tried".to_owned())),
    }
}

/// `burn-privacy anonymize recode`.
pub fn recode(args: &RecodeArgs, out: &mut impl Write) -> Result<(), Failure> {
    args.release.check(&args.table, None)?;
    let table = args.table.read()?;
    let models = args.table.models()?;
    if args.method == MethodName::Freeform {
        return freeform(args, &table, &models, out);
    }
    if args.method == MethodName::CategoricalMdav {
        return central_values(args, &table, &models, out);
    }
    let found = by_method(args, args.method, &table, &models)?;
    let lower_bound = match (found.lower_bound, args.no_bound) {
        (None, false) => Some(certified_lower_bound(&table, &models, &found.recoding)?),
        (bound, _) => bound,
    };
    // Whatever may be refused comes before anything is written.
    let statement = found.recoding.statement(&table, &models)?;
    let measured = Measured::new(&args.release, &table, &found.recoding)?;
    let page = measured.page(&args.release, &args.table, &table, &found.recoding, &statement, lower_bound)?;
    args.release.write(&args.table, &table, &found.recoding)?;
    if let Some((file, page)) = page {
        write_atomically(file, page)?;
    }
    print(args, &table, &found, lower_bound, Some(&measured), &statement.to_string(), out)
}

fn freeform(args: &RecodeArgs, table: &Table, models: &[PrivacyModel], out: &mut impl Write) -> Result<(), Failure> {
    if let Some(model) = models.iter().find(|model| !matches!(model, PrivacyModel::KAnonymity { .. })) {
        return Err(Failure::Input(format!(
            "freeform recoding has no classes, and {model} is about classes: leave it out"
        )));
    }
    let found = recode_freeform(table, args.table.k)?;
    let statement = found.statement(table)?;
    let text = statement.to_string();
    if args.release.report.is_some() {
        return Err(Failure::Input(
            "--report is about classes, and freeform recoding has none: leave it out".to_owned(),
        ));
    }
    args.release.write_with(&args.table, table, &found.recoding, statement)?;
    // The bound of classes does not hold for what has none, and neither do its risks.
    let found = Found { recoding: found.recoding, method: args.method, lower_bound: None };
    print(args, table, &found, None, None, &text, out)
}

fn central_values(
    args: &RecodeArgs,
    table: &Table,
    models: &[PrivacyModel],
    out: &mut impl Write,
) -> Result<(), Failure> {
    if args.release.report.is_some() {
        return Err(Failure::Input("--report is about labels, and this method shows values: leave it out".to_owned()));
    }
    let found = categorical_mdav(table, args.table.k)?;
    // Groups are made for k alone; what else is asked is checked, not sought.
    found.recoding.verify(table, models)?;
    let statement = found.statement(table)?;
    let text = statement.to_string();
    args.release.write_with(&args.table, table, &found.recoding, statement)?;
    if args.json {
        let sizes = || found.recoding.classes().iter().map(|class| class.rows);
        let answer = json!({
            "method": "categorical-mdav",
            "distance": found.distance,
            "rows": table.rows(),
            "classes": sizes().count(),
            "class_min": sizes().min().unwrap_or(0),
            "class_max": sizes().max().unwrap_or(0),
        });
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

fn print(
    args: &RecodeArgs,
    table: &Table,
    found: &Found,
    lower_bound: Option<f64>,
    measured: Option<&Measured>,
    statement: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let loss = found.recoding.loss(table);
    let method = found.method.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    if args.json {
        let sizes = || found.recoding.classes().iter().map(|class| class.rows);
        let answer = json!({
            "method": method,
            "loss": loss,
            "lower_bound": lower_bound,
            "rows": table.rows(),
            "suppressed": table.rows() - found.recoding.released_rows(),
            "classes": sizes().count(),
            "class_min": sizes().min().unwrap_or(0),
            "class_max": sizes().max().unwrap_or(0),
            "measures": measured.map(Measured::measures_json),
            "risk": measured.map(Measured::risk_json),
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    match lower_bound {
        Some(bound) => {
            writeln!(
                out,
                "loss {loss:.6} by {method}; no recoding by these hierarchies can lose less than {bound:.6}"
            )?;
        }
        None => writeln!(out, "loss {loss:.6} by {method}")?,
    }
    write!(out, "\n{statement}")?;
    Ok(())
}
