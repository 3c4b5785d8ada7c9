//! `burn-privacy anonymize places map`.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn_privacy_location::aggregation::read_areas;
use burn_privacy_location::{Place, PlaceMap, is_geojson, read_places, read_points};
use burn_privacy_output::{InvalidValue, plot, write_atomically};
use clap::Args;

use super::input::ColumnArgs;
use super::picture::Picture;
use crate::failure::Failure;
use crate::numbers::real;

/// `anonymize places map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// True places: CSV, or GeoJSON by the name
    #[arg(long, value_name = "FILE")]
    pub before: PathBuf,
    /// Released places: CSV, or GeoJSON by the name
    #[arg(long, value_name = "FILE")]
    pub after: Option<PathBuf>,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// Radius in meters of circles around the true places
    #[arg(long, value_name = "METERS", value_parser = real)]
    pub radius: Option<f64>,
    /// GeoJSON file of borders or coastlines (polygons)
    #[arg(long, value_name = "FILE")]
    pub outlines: Option<PathBuf>,
    /// Heading
    #[arg(long, default_value = "Places before and after")]
    pub title: String,
    /// File to write, by its ending: .html (a page that needs no network), .png or .svg
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `burn-privacy anonymize places map`.
pub fn map(args: &MapArgs, out: &mut impl Write) -> Result<(), Failure> {
    let read = |file: &Path| -> Result<Vec<Place>, Failure> {
        Ok(if is_geojson(file) { read_points(file)? } else { read_places(file, &args.columns.columns())? })
    };
    if let Some(radius) = args.radius
        && !(radius > 0.0 && radius <= 5e6)
    {
        return Err(InvalidValue::new("--radius", radius, "above 0 and at most 5,000,000 meters").into());
    }
    let map = PlaceMap {
        title: args.title.clone(),
        before: read(&args.before)?,
        after: args.after.as_deref().map(read).transpose()?.unwrap_or_default(),
        radius: args.radius,
        outlines: args.outlines.as_deref().map(|file| read_areas(file, "name")).transpose()?.unwrap_or_default(),
    };
    let empty = || Failure::Input("there is no place to draw".to_owned());
    let ending = args.output.extension().map(|ending| ending.to_ascii_lowercase());
    let size = |picture: &Picture| (picture.drawn.size.0 as u32, picture.drawn.size.1 as u32);
    match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("html") => write_atomically(&args.output, map.page().ok_or_else(empty)?)?,
        Some("png") => {
            let picture = Picture { drawn: map.drawn().ok_or_else(empty)? };
            write_atomically(&args.output, plot::png(&picture, size(&picture))?)?;
        }
        Some("svg") => {
            let picture = Picture { drawn: map.drawn().ok_or_else(empty)? };
            write_atomically(&args.output, plot::svg(&picture, size(&picture))?)?;
        }
        _ => return Err(Failure::Input("--output must end in .html, .png or .svg".to_owned())),
    }
    writeln!(out, "Wrote {}: it shows true places, and is no release", args.output.display())?;
    Ok(())
}
