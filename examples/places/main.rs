//! Three cities and a thousand homes: what noise in degrees does, and masks, reports and counts that hold what they say.
//!
//! `cargo run --release --example places [-- FOLDER]` prints a table and writes maps into the folder.

use std::error::Error;
use std::f64::consts::{SQRT_2, TAU};
use std::path::PathBuf;
use std::sync::Arc;

use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_location::aggregation::{CellSystem, NoisyCounts, quadtree};
use burn_privacy_location::{
    AdaptiveDonut, BayesianAdversary, Disc, KeptDraws, Place, PlaceMap, PlanarLaplace, PointMask, PointRandomness,
    Population, Remapping, averaged, displaced, distance,
};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};
use burn_privacy_output::write_atomically;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Uniform, Weibull};

/// The cities, with the spread of their homes in meters.
const CITIES: [(&str, f64, f64, f64); 3] = [
    ("London", 51.5074, -0.1278, 9_000.0),
    ("New York", 40.7128, -74.0060, 7_000.0),
    ("Tokyo", 35.6895, 139.6917, 10_000.0),
];
/// Homes that are generated for each.
const HOMES: usize = 1_000;
/// Reports of one home.
const REPORTS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "runs/places".to_owned()));
    std::fs::create_dir_all(&folder)?;
    // Homes are made up from a fixed seed; masks use the operating system's randomness.
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(26);
    let key = PrivacyKey::draw(Entropy::os())?;
    // Rows of the key are used once: one noise on two places would show how far apart they are.
    let mut used = 0;
    let mut draws = |count: usize| {
        let rows = PointRandomness::fresh_rows(&key, used, count);
        used += count as u64;
        rows
    };
    let secret = PseudonymKey::generate()?;

    for (name, latitude, longitude, spread) in CITIES {
        let center = Place::new(latitude, longitude)?;
        let homes = homes(center, spread, &mut generator)?;
        let degrees = |home: &Place| (111_195.0 * 0.01, 111_195.0 * 0.01 * home.latitude().to_radians().cos());
        let (north, east) = degrees(&center);
        println!("\n{name}: 0.01 degrees are {north:.0} m north-south and {east:.0} m east-west; a disc is even");

        let population = Arc::new(Population::new(homes.iter().map(|home| (*home, 1.0)).collect())?);
        let noise = PlanarLaplace::new(0.002)?;
        let masks: [(&str, Box<dyn PointMask>); 4] = [
            ("disc of 1,500 m", Box::new(Disc::new(1_500.0)?)),
            ("adaptive donut, k = 20", Box::new(AdaptiveDonut::new(Arc::clone(&population), 20.0)?)),
            ("planar Laplace, 0.002 per meter", Box::new(noise)),
            ("the same, remapped", Box::new(Remapping::new(noise, Arc::clone(&population)))),
        ];
        println!("  {:34} {:>10} {:>16}", "mask", "mean error", "people as near");
        let mut released = Vec::new();
        for (mask_name, mask) in &masks {
            let moved: Vec<(Place, Place)> = homes
                .iter()
                .zip(&draws(HOMES)?)
                .filter_map(|(home, draw)| Some((*home, mask.mask(*home, draw)?)))
                .collect();
            let error = moved.iter().map(|(home, place)| distance(*home, *place)).sum::<f64>() / moved.len() as f64;
            let mut near: Vec<f64> =
                moved.iter().map(|(home, place)| population.people_as_near(*place, *home, f64::INFINITY)).collect();
            near.sort_by(f64::total_cmp);
            println!("  {mask_name:34} {error:>8.0} m {:>8.0} fewest, {:.0} median", near[0], near[near.len() / 2]);
            released.push(moved);
        }

        let adversary = BayesianAdversary::new(noise, Arc::clone(&population));
        let (mut guessed, mut bound, mut reports) = (0.0, 0.0, 0.0);
        for (home, report) in &released[2] {
            if let Some(guess) = adversary.guess(*report) {
                guessed += distance(*home, guess.place);
                bound += guess.expected_error;
                reports += 1.0;
            }
        }
        println!(
            "  the best adversary is off by {:.0} m; by its own reckoning no guess beats {:.0} m",
            guessed / reports,
            bound / reports
        );

        let home = homes[0];
        let anew: Vec<Place> = draws(REPORTS)?.iter().map(|draw| noise.report(home, draw)).collect();
        let single = anew.iter().map(|place| distance(*place, home)).sum::<f64>() / REPORTS as f64;
        let kept = KeptDraws::new(&secret).report(&noise, "resident 0", "2026-11", home);
        println!(
            "  {REPORTS} reports of one home: one is off by {single:.0} m, their mean by {:.0} m; kept draws are all off by {:.0} m",
            averaged(&anew).map_or(f64::NAN, |mean| distance(mean, home)),
            kept.map_or(f64::NAN, |place| distance(place, home))
        );

        let quarters = quadtree(&homes, 20)?;
        let system = CellSystem::H3;
        let public = system.cells_of(std::iter::once(center), 5)?;
        let plan = NoisyCounts { system, coarsest: 5, finest: 7, public: &public, epsilon: 1.0, rows_per_person: 1 };
        let counted = plan.release(&homes, &PrivacyKey::draw(Entropy::os())?)?;
        println!(
            "  {} quarters of at least 20 homes; {} counts of H3 cells at epsilon 1",
            quarters.len(),
            counted.cells.len()
        );

        let map = PlaceMap {
            title: format!("{name}: homes and their reports at 0.002 per meter"),
            before: released[2].iter().take(60).map(|(home, _)| *home).collect(),
            after: released[2].iter().take(60).map(|(_, report)| *report).collect(),
            radius: noise.typical_displacement(),
            outlines: Vec::new(),
        };
        if let Some(page) = map.page() {
            write_atomically(folder.join(format!("{}.html", name.to_lowercase().replace(' ', "-"))), page)?;
        }
        if name == "London" {
            println!("\n{}", noise.statement()?);
        }
    }
    println!("\nMaps are in {}", folder.display());
    Ok(())
}

/// Homes around a center, denser towards it: their distance has the distribution of a two-dimensional Gaussian's.
fn homes(center: Place, spread: f64, generator: &mut impl Rng) -> Result<Vec<Place>, Box<dyn Error>> {
    let (direction, distance) = (Uniform::new(0.0, TAU)?, Weibull::new(SQRT_2 * spread, 2.0));
    let distance = distance.map_err(|error| error.to_string())?;
    Ok((0..HOMES).map(|_| displaced(center, direction.sample(generator), distance.sample(generator))).collect())
}
