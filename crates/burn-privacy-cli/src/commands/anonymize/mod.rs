//! `burn-privacy anonymize`.

pub mod apply;
mod attack;
mod input;
mod inspect;
mod mdav;
mod measure;
mod places;
mod pseudonymize;
mod recode;
mod risk;
mod sample;
mod search;
mod sets;
#[cfg(feature = "utility")]
mod utility;

use std::io::Write;

use clap::Subcommand;

use crate::failure::Failure;

/// `anonymize`.
#[derive(Debug, Subcommand)]
pub enum AnonymizeCommand {
    /// Says which columns single people out, and proposes roles
    #[command(after_help = "Example:
  burn-privacy anonymize inspect people.csv --separator ';' --combinations 3")]
    Inspect(inspect::InspectArgs),
    /// Finds the best generalization of whole columns that meets the models, and proves it
    #[command(after_help = "Example:
  burn-privacy anonymize search people.csv --separator ';' --hierarchies hierarchies --k 5 --distinct-l 3 \\
      --sensitive illness --metric loss --suppression 0.02 --output released.csv")]
    Search(Box<search::SearchArgs>),
    /// Replaces numbers by the means of groups of at least K records (MDAV)
    #[command(after_help = "Example:
  burn-privacy anonymize mdav salaries.csv --k 5 --output grouped.csv")]
    Mdav(mdav::MdavArgs),
    /// Generalizes class by class, and says how little any recoding could lose
    #[command(after_help = "Example:
  burn-privacy anonymize recode people.csv --separator ';' --hierarchies hierarchies --k 5 --output released.csv")]
    Recode(Box<recode::RecodeArgs>),
    /// Says how easily people of a table or of a release are found, and how many are unique in the population
    #[command(after_help = "Example:
  burn-privacy anonymize risk released.csv --quasi-identifiers age,sex,zip --population-size 80000000")]
    Risk(risk::RiskArgs),
    /// Releases a random part of the rows, generalized as told and without rare rows: differentially private
    #[command(after_help = "Example:
  burn-privacy anonymize sample people.csv --separator ';' --hierarchies hierarchies --levels age=2,sex=0 \\
      --epsilon 1 --delta 1e-6 --output released.csv")]
    Sample(sample::SampleArgs),
    /// Generalizes sets of items so that any M known items of a person fit at least K rows
    #[command(after_help = "Example:
  burn-privacy anonymize sets purchases.csv --column items --item-separator ' ' --hierarchy items.csv --k 5 --m 2 \\
      --output released.csv")]
    Sets(sets::SetsArgs),
    /// Trains models on releases and private models on raw rows, and tests all on raw rows that are held out
    #[cfg(feature = "utility")]
    #[command(after_help = "Example:
  burn-privacy anonymize utility people.csv --separator ';' --hierarchies hierarchies --target income \\
      --k 2,5,10,100 --epsilon 1,4,8 --plot utility.svg")]
    Utility(utility::UtilityArgs),
    /// Replaces names and numbers by keyed pseudonyms
    #[command(after_help = "Example:
  burn-privacy anonymize key secret.key
  burn-privacy anonymize pseudonymize people.csv --key secret.key --hmac email,name --ff1 phone --iban account \\
      --keep city,amount --output pseudonyms.csv")]
    Pseudonymize(pseudonymize::PseudonymizeArgs),
    /// Transforms a table of any size under a schema: role and treatment of each column
    #[command(after_help = "Example:
  burn-privacy anonymize key secret.key
  burn-privacy anonymize apply schema.toml people.csv pseudonyms.csv.zst --key secret.key
  zcat people.jsonl.gz | burn-privacy anonymize apply schema.toml - - --from jsonl --key secret.key | load

A schema:
  k = 5                          # optional: classes of quasi-identifiers below it are left out
  [[column]]
  name = \"email\"
  role = \"identifier\"            # or quasi-identifier, sensitive, insensitive
  treatment = \"pseudonym\"        # or drop, keep, mask, generalize, round, top-code, shift-dates, noise, redact-text
  method = \"hmac\"               # or ff1, email, realistic")]
    Apply(apply::ApplyArgs),
    /// Prints a schema as SQL, for tables that lie in an engine
    #[command(after_help = "Example:
  burn-privacy anonymize sql recipe.toml --dialect duckdb --table people > recipe.sql")]
    Sql(apply::SqlArgs),
    /// Makes a key for pseudonyms
    Key(pseudonymize::KeyArgs),
    /// Masks, counts, attacks and draws places on the globe
    Places {
        /// What to do.
        #[command(subcommand)]
        command: places::PlacesCommand,
    },
    /// Tries to find people in an output
    Attack {
        /// Which attack.
        #[command(subcommand)]
        command: attack::AttackCommand,
    },
}

/// `burn-privacy anonymize`.
pub fn anonymize(command: &AnonymizeCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        AnonymizeCommand::Inspect(args) => inspect::inspect(args, out),
        AnonymizeCommand::Search(args) => search::search(args, out),
        AnonymizeCommand::Mdav(args) => mdav::mdav(args, out),
        AnonymizeCommand::Recode(args) => recode::recode(args, out),
        AnonymizeCommand::Risk(args) => risk::risk(args, out),
        AnonymizeCommand::Sample(args) => sample::sample(args, out),
        AnonymizeCommand::Sets(args) => sets::sets(args, out),
        #[cfg(feature = "utility")]
        AnonymizeCommand::Utility(args) => utility::utility(args, out),
        AnonymizeCommand::Pseudonymize(args) => pseudonymize::pseudonymize(args, out),
        AnonymizeCommand::Apply(args) => apply::apply(args, out),
        AnonymizeCommand::Sql(args) => apply::sql(args, out),
        AnonymizeCommand::Key(args) => pseudonymize::key(args, out),
        AnonymizeCommand::Places { command } => places::places(command, out),
        AnonymizeCommand::Attack { command } => attack::attack(command, out),
    }
}
