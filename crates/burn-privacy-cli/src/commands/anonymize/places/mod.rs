//! `burn-privacy anonymize places`.

mod aggregate;
mod attack;
mod input;
mod map;
mod mask;
mod picture;

use std::io::Write;

use clap::Subcommand;

use crate::failure::Failure;

/// `anonymize places`.
#[derive(Debug, Subcommand)]
pub enum PlacesCommand {
    /// Moves every place of a file, and says what that is worth
    #[command(after_help = "Examples:
  burn-privacy anonymize places mask homes.csv --method planar-laplace --epsilon 0.01 --output moved.csv
  burn-privacy anonymize places mask homes.csv --method adaptive-donut --population homes-of-all.csv --k 50 --output moved.csv
  burn-privacy anonymize places mask reports.csv --method planar-laplace --epsilon 0.005 --subject user --period day \\
      --key secret.key --ledger reports.ledger --dataset reports --run november --within 500 --output moved.csv

Degrees of WGS 84 in, degrees out; only the columns of places and those of --keep are released.")]
    Mask(Box<mask::MaskArgs>),
    /// Tries to find true places from released ones, and says how far off it is in meters and in people
    #[command(after_help = "Examples:
  burn-privacy anonymize places attack averaging moved.csv --truth reports.csv --subject user
  burn-privacy anonymize places attack bayes moved.csv --truth homes.csv --epsilon 0.01 --population homes-of-all.csv")]
    Attack {
        /// Which attack.
        #[command(subcommand)]
        command: attack::PlaceAttack,
    },
    /// Counts cells, quarters or areas in place of places
    #[command(after_help = "Examples:
  burn-privacy anonymize places aggregate cells homes.csv --system h3 --level 7 --k 10 --output cells.geojson
  burn-privacy anonymize places aggregate cells homes.csv --level 7 --epsilon 1 --population public.csv --output cells.geojson
  burn-privacy anonymize places aggregate quadtree homes.csv --k 20 --output quarters.geojson")]
    Aggregate {
        /// What is counted.
        #[command(subcommand)]
        command: aggregate::AggregateCommand,
    },
    /// Draws true and released places, as a page that needs no network, as PNG or as SVG
    #[command(after_help = "Example:
  burn-privacy anonymize places map --before homes.csv --after moved.csv --radius 200 --output map.html")]
    Map(map::MapArgs),
}

/// `burn-privacy anonymize places`.
pub fn places(command: &PlacesCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        PlacesCommand::Mask(args) => mask::mask(args, out),
        PlacesCommand::Attack { command } => attack::attack(command, out),
        PlacesCommand::Aggregate { command } => aggregate::aggregate(command, out),
        PlacesCommand::Map(args) => map::map(args, out),
    }
}
