//! `burn-privacy anonymize mdav`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::TableStatement;
use burn_privacy_anonymize::microaggregation::{
    Grouping, Records, information_loss_lower_bound_percent, mdav as group_by_mdav, optimal_univariate, t_close_mdav,
    variable_mdav,
};
use burn_privacy_output::write_atomically;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::{refuse_existing, separator};
use crate::failure::Failure;
use crate::input::refuse_input;

/// How groups are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupingName {
    /// Groups of K around the farthest records (Domingo-Ferrer and Torra 2005)
    Mdav,
    /// The same, groups growing to 2K - 1 where records are close (Solanas and Martinez-Balleste 2006)
    VMdav,
    /// The best grouping of one column (Hansen and Mukherjee 2003)
    Univariate,
}

/// `anonymize mdav`.
#[derive(Debug, Args)]
pub struct MdavArgs {
    /// CSV file with a header, all of whose columns are numbers
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// Records of a group at least
    #[arg(long)]
    k: usize,
    /// How groups are made
    #[arg(long, value_enum, default_value = "mdav")]
    method: GroupingName,
    /// How readily groups grow (method v-mdav): 0.2 for scattered records, 1.1 for clustered ones
    #[arg(long, value_name = "GAIN", default_value_t = 0.2)]
    gain: f64,
    /// Sensitive column, which is released as it is and takes no part in the grouping but by --ordered-t
    #[arg(long, value_name = "COLUMN", requires = "ordered_t")]
    sensitive: Option<String>,
    /// Ordered distance of a group's sensitive values from the table's at most T (Domingo-Ferrer and Soria-Comas 2015)
    #[arg(long, value_name = "T", requires = "sensitive", conflicts_with = "method")]
    ordered_t: Option<f64>,
    /// Also says how little any grouping can lose
    #[arg(long)]
    bound: bool,
    /// CSV file to write the groups' means to, sorted; beside it what it is worth (.statement.txt)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replaces an output that exists
    #[arg(long, requires = "output")]
    force: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What was made: groups, the records that they group, the release, and its worth.
struct Made {
    records: Records,
    grouping: Grouping,
    release: Records,
    statement: TableStatement,
}

fn made(args: &MdavArgs, records: Records) -> Result<Made, Failure> {
    if let (Some(sensitive), Some(t)) = (&args.sensitive, args.ordered_t) {
        let (rest, values) = records.without(sensitive)?;
        let found = t_close_mdav(&rest, &values, args.k, t)?;
        let release = found.release(&rest, sensitive, &values);
        let statement = found.statement(&rest, sensitive)?;
        return Ok(Made { records: rest, grouping: found.grouping, release, statement });
    }
    let grouping = match args.method {
        GroupingName::Mdav => group_by_mdav(&records, args.k)?,
        GroupingName::VMdav => variable_mdav(&records, args.k, args.gain)?,
        GroupingName::Univariate => optimal_univariate(&records, args.k)?,
    };
    let (release, statement) = (grouping.aggregate(&records), grouping.statement(&records)?);
    Ok(Made { records, grouping, release, statement })
}

/// `burn-privacy anonymize mdav`.
pub fn mdav(args: &MdavArgs, out: &mut impl Write) -> Result<(), Failure> {
    let made = made(args, Records::read(&args.data, args.separator)?)?;
    let loss = made.grouping.information_loss_percent(&made.records);
    let bound = match args.bound {
        true => Some(information_loss_lower_bound_percent(&made.records, args.k)?),
        false => None,
    };
    if let Some(output) = &args.output {
        refuse_input(&[&args.data], &[output])?;
        let beside = PathBuf::from(format!("{}.statement.txt", output.display()));
        refuse_existing(&[output, &beside], args.force)?;
        write_atomically(output, made.release.to_csv_sorted(args.separator))?;
        write_atomically(&beside, made.statement.to_string())?;
    }
    if args.json {
        let answer = json!({
            "information_loss_percent": loss,
            "lower_bound_percent": bound,
            "records": made.records.len(),
            "groups": made.grouping.groups().len(),
            "group_min": made.grouping.smallest(),
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    if let Some(bound) = bound {
        writeln!(out, "information loss {loss:.4} %; no grouping can lose less than {bound:.4} %\n")?;
    }
    write!(out, "{}", made.statement)?;
    Ok(())
}
