//! `burn-privacy anonymize mdav`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::microaggregation::{Records, mdav as group_by_mdav};
use burn_privacy_output::write_atomically;
use clap::Args;
use serde_json::json;

use super::input::separator;
use crate::failure::Failure;

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

/// `burn-privacy anonymize mdav`.
pub fn mdav(args: &MdavArgs, out: &mut impl Write) -> Result<(), Failure> {
    let records = Records::read(&args.data, args.separator)?;
    let grouping = group_by_mdav(&records, args.k)?;
    let loss = grouping.information_loss_percent(&records);
    let statement = grouping.statement(&records)?;
    if let Some(output) = &args.output {
        let beside = PathBuf::from(format!("{}.statement.txt", output.display()));
        if let Some(taken) = [output, &beside].into_iter().find(|path| path.exists())
            && !args.force
        {
            let taken = taken.display();
            return Err(Failure::Input(format!("{taken} exists already: name another --output, or give --force")));
        }
        write_atomically(output, grouping.aggregate(&records).to_csv_sorted(args.separator))?;
        write_atomically(&beside, statement.to_string())?;
    }
    if args.json {
        let answer = json!({
            "information_loss_percent": loss,
            "records": records.len(),
            "groups": grouping.groups().len(),
            "group_min": grouping.smallest(),
        });
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{statement}")?;
    }
    Ok(())
}
