//! `burn-privacy anonymize`.

mod input;
mod mdav;
mod search;

use std::io::Write;

use clap::Subcommand;

use crate::failure::Failure;

/// `anonymize`.
#[derive(Debug, Subcommand)]
pub enum AnonymizeCommand {
    /// Finds the best generalization of whole columns that meets the models, and proves it
    #[command(after_help = "Example:
  burn-privacy anonymize search people.csv --separator ';' --hierarchies hierarchies --k 5 --distinct-l 3 \\
      --sensitive illness --metric loss --suppression 0.02 --output released.csv")]
    Search(search::SearchArgs),
    /// Replaces numbers by the means of groups of at least K records (MDAV)
    #[command(after_help = "Example:
  burn-privacy anonymize mdav salaries.csv --k 5 --output grouped.csv")]
    Mdav(mdav::MdavArgs),
}

/// `burn-privacy anonymize`.
pub fn anonymize(command: &AnonymizeCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        AnonymizeCommand::Search(args) => search::search(args, out),
        AnonymizeCommand::Mdav(args) => mdav::mdav(args, out),
    }
}
