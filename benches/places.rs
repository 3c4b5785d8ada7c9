//! Points a second of the masks of places, beside the same displacement by GeographicLib's series and the handout's noise in
//! degrees, on as many threads as are asked for.
//!
//! `cargo bench -p burn-privacy-location --bench places [-- POINTS [THREADS]]`

use std::hint::black_box;
use std::time::Instant;

use burn_privacy_location::{
    Disc, Donut, GaussianDisplacement, Place, PlanarLaplace, PointMask, PointRandomness, displaced_by_series,
};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_secret_uniform};
use rayon::prelude::*;

/// Points that a task masks: memory does not grow with the number of points.
const BLOCK: usize = 16_384;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let points = numbers.first().copied().unwrap_or(4_000_000);
    let threads = numbers.get(1).copied().unwrap_or(2);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let key = PrivacyKey::draw(Entropy::os())?;
    let masks: [(&str, Box<dyn PointMask>); 4] = [
        ("disc of 1 km", Box::new(Disc::new(1_000.0)?)),
        ("donut of 500 m to 2 km", Box::new(Donut::new(500.0, 2_000.0)?)),
        ("Gaussian of 700 m", Box::new(GaussianDisplacement::new(700.0)?)),
        ("planar Laplace, 0.005 per meter", Box::new(PlanarLaplace::new(0.005)?)),
    ];
    println!("{points} points on {threads} threads");
    for (name, mask) in &masks {
        timed(name, points, |block| {
            let draws = PointRandomness::fresh_rows(&key, (block * BLOCK) as u64, BLOCK).unwrap_or_default();
            for (number, draw) in draws.iter().enumerate() {
                black_box(mask.mask(place(number), draw));
            }
        });
    }
    let uniforms = |block: usize| {
        let mut numbers = vec![0.0; 2 * BLOCK];
        let first = (2 * block * BLOCK) as u64;
        fill_secret_uniform(&key, Purpose::InputPerturbation, 1, first, &mut numbers)
            .map(|()| numbers)
            .unwrap_or_default()
    };
    timed("disc of 1 km by GeographicLib's series", points, |block| {
        for (number, pair) in uniforms(block).chunks_exact(2).enumerate() {
            black_box(displaced_by_series(place(number), std::f64::consts::TAU * pair[0], 1_000.0 * pair[1].sqrt()));
        }
    });
    timed("0.01 degrees each way (the handout)", points, |block| {
        for (number, pair) in uniforms(block).chunks_exact(2).enumerate() {
            let (at, radius) = (place(number), 0.01 * (-2.0 * pair[1].ln()).sqrt());
            let (sin, cos) = (std::f64::consts::TAU * pair[0]).sin_cos();
            black_box(Place::new(at.latitude() + radius * sin, at.longitude() + radius * cos).is_ok());
        }
    });
    Ok(())
}

fn place(number: usize) -> Place {
    let at = number as f64 / BLOCK as f64;
    Place::new(-80.0 + 160.0 * at, 360.0 * at - 180.0).unwrap_or_else(|_| unreachable!("all of these are places"))
}

fn timed(name: &str, points: usize, work: impl Fn(usize) + Send + Sync) {
    let blocks = points.div_ceil(BLOCK);
    let before = cpu_seconds();
    let start = Instant::now();
    (0..blocks).into_par_iter().for_each(work);
    let seconds = start.elapsed().as_secs_f64();
    let millions = (blocks * BLOCK) as f64 / 1e6;
    let of_cpu = cpu_seconds().zip(before).map(|(after, before)| after - before).filter(|seconds| *seconds > 0.0);
    let of_cpu = of_cpu
        .map_or(String::new(), |seconds| format!(", {:.2} million a second of one core's time", millions / seconds));
    println!("{name:42} {:>8.2} million points a second{of_cpu}", millions / seconds);
}

/// Seconds of processor time that this process has had, on Linux: what counts where others use the machine, too.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses: user time is the 12th field, system time the 13th, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
}
