//! Images a second of the scattering transform, gray of 28 pixels and color of 32, on as many threads as `RAYON_NUM_THREADS` says.
//! `benches/scattering_peers.py` runs it beside Kymatio.

use std::time::Instant;

use burn_privacy_features::{FeatureError, ImageFeatures, dead_leaves};

fn main() -> Result<(), FeatureError> {
    for (name, colors, side, count) in [("gray 28 x 28", 1, 28, 3_000), ("color 32 x 32", 3, 32, 1_000)] {
        let features = ImageFeatures::new(colors, side, false)?;
        let images = dead_leaves(count, colors, side);
        // The first pass warms up.
        features.compute(&images)?;
        let (clock, before) = (Instant::now(), processor_seconds());
        features.compute(&images)?;
        let (wall, processor) = (clock.elapsed().as_secs_f64(), processor_seconds() - before);
        let rate = |seconds: f64| count as f64 / seconds.max(1e-9);
        println!("{name}: {:.0} images/s, {:.0} for each second of processor time", rate(wall), rate(processor));
    }
    Ok(())
}

/// Processor time of this process, by Linux's accounts; 0 elsewhere.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.split(' ').skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
