//! Laws of the masks: directions, radii and the ratio of geo-indistinguishability. Each test fails by chance with a
//! probability below 1e-6, and its seed is fixed.

use burn_privacy_mechanisms::{Entropy, PrivacyKey};

use super::*;

/// `ln 1e8`: a single comparison fails by chance with probability 1e-8.
const LOG_ODDS: f64 = 18.420_680_743_952_367;

fn randomness(seed: u64, count: usize) -> Vec<PointRandomness> {
    let key = PrivacyKey::draw(Entropy::seeded(seed)).unwrap();
    PointRandomness::fresh_rows(&key, 0, count).unwrap()
}

/// Chi-square of counts that should be even, and the bound of Laurent and Massart (Annals of Statistics 28, 2000).
fn is_even(counts: &[u64]) -> bool {
    let freedom = (counts.len() - 1) as f64;
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let chi_square: f64 = counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    chi_square < freedom + 2.0 * (freedom * LOG_ODDS).sqrt() + 2.0 * LOG_ODDS
}

/// Whether values of [0, 1] are uniform, by the bound of Dvoretzky, Kiefer, Wolfowitz and Massart.
fn is_uniform(mut values: Vec<f64>) -> bool {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let most = values
        .iter()
        .enumerate()
        .map(|(place, value)| (value - place as f64 / n).abs().max((value - (place + 1) as f64 / n).abs()))
        .fold(0.0, f64::max);
    most < ((LOG_ODDS + 2.0_f64.ln()) / (2.0 * n)).sqrt()
}

fn homes() -> Vec<Place> {
    [(0.0, 0.0), (51.5, -0.12), (60.0, 10.0), (-60.0, 179.999), (89.0, 33.0), (89.999, -70.0), (-90.0, 0.0)]
        .map(|(latitude, longitude)| Place::new(latitude, longitude).unwrap())
        .to_vec()
}

/// Counts of directions in 36 sectors.
fn sectors(home: Place, moved: impl Iterator<Item = Place>) -> Vec<u64> {
    let mut counts = vec![0; 36];
    for place in moved {
        let turn = azimuth(home, place).rem_euclid(std::f64::consts::TAU) / std::f64::consts::TAU;
        counts[((turn * 36.0) as usize).min(35)] += 1;
    }
    counts
}

#[test]
fn directions_are_even_on_the_globe() {
    let draws = randomness(1, 60_000);
    let laplace = PlanarLaplace::new(0.005).unwrap();
    let (disc, donut) = (Disc::new(1_000.0).unwrap(), Donut::new(500.0, 2_000.0).unwrap());
    let gaussian = GaussianDisplacement::new(700.0).unwrap();
    for home in homes() {
        let masks: [&dyn PointMask; 3] = [&disc, &donut, &gaussian];
        for mask in masks {
            let counts = sectors(home, draws.iter().filter_map(|draw| mask.mask(home, draw)));
            assert!(is_even(&counts), "{home:?} {counts:?}");
        }
        assert!(is_even(&sectors(home, draws.iter().map(|draw| laplace.noisy(home, draw)))), "{home:?}");
    }
    // The test sees what the handout does: 0.01 degrees each way are not even at 60 degrees north.
    let home = Place::new(60.0, 10.0).unwrap();
    let uneven = draws.iter().map(|draw| {
        let (radius, angle) = (0.01 * (-2.0 * draw.wide_unit().0.ln()).sqrt(), draw.angle());
        Place::new(home.latitude() + radius * angle.cos(), home.longitude() + radius * angle.sin()).unwrap()
    });
    assert!(!is_even(&sectors(home, uneven)));
}

#[test]
fn distances_follow_their_laws() {
    let draws = randomness(2, 100_000);
    let disc = Disc::new(3_000.0).unwrap();
    let donut = Donut::new(2_000.0, 4_000.0).unwrap();
    let gaussian = GaussianDisplacement::new(1_500.0).unwrap();
    let laplace = PlanarLaplace::new(0.002).unwrap();
    for home in homes() {
        let within = |mask: &dyn PointMask, law: &dyn Fn(f64) -> f64| {
            is_uniform(draws.iter().filter_map(|draw| Some(law(distance(home, mask.mask(home, draw)?)))).collect())
        };
        assert!(within(&disc, &|r| r * r / 9e6), "{home:?}");
        assert!(within(&donut, &|r| (r * r - 4e6) / 12e6), "{home:?}");
        assert!(within(&gaussian, &|r| 1.0 - (-r * r / 4.5e6).exp()), "{home:?}");
        // A law that is even in the radius, as a careless donut's, is refused.
        assert!(!within(&donut, &|r| (r - 2_000.0) / 2_000.0), "{home:?}");
        let inner = laplace.inner_epsilon_per_meter();
        let law = |r: f64| 1.0 - (1.0 + inner * r) * (-inner * r).exp();
        let radii = draws.iter().map(|draw| law(distance(home, laplace.noisy(home, draw))));
        assert!(is_uniform(radii.collect()), "{home:?}");
    }
}

/// Reports of a place: how often each cell was reported.
fn reports(noise: &PlanarLaplace, place: Place, draws: &[PointRandomness]) -> std::collections::HashMap<[u64; 2], u64> {
    let mut counts = std::collections::HashMap::new();
    for draw in draws {
        *counts.entry(noise.grid().cell(noise.report(place, draw))).or_insert(0) += 1;
    }
    counts
}

/// Whether counts contradict that a cell is at most `e^loss` times as likely at the first place as at the second: of the
/// cell's `m` reports those of the first are binomial with at most `e^loss / (1 + e^loss)`, and by Chernoff's bound the
/// divergence of their share from it times `m` exceeds `x` with a probability of at most `e^-x`.
fn contradicted(
    first: &std::collections::HashMap<[u64; 2], u64>,
    second: &std::collections::HashMap<[u64; 2], u64>,
    loss: f64,
) -> bool {
    let most = loss.exp() / (1.0 + loss.exp());
    first.iter().any(|(cell, &count)| {
        let all = (count + second.get(cell).copied().unwrap_or(0)) as f64;
        let share = count as f64 / all;
        if share <= most {
            return false;
        }
        let rest = if share < 1.0 { (1.0 - share) * ((1.0 - share) / (1.0 - most)).ln() } else { 0.0 };
        all * (share * (share / most).ln() + rest) > LOG_ODDS + (first.len() as f64).ln()
    })
}

#[test]
fn reports_keep_the_ratio_of_geo_indistinguishability_on_the_grid() {
    let epsilon = 0.004;
    let noise = PlanarLaplace::on_grid(epsilon, PublicGrid::new(150.0).unwrap()).unwrap();
    let (draws, others) = (randomness(3, 600_000), randomness(4, 600_000));
    for (latitude, longitude) in [(60.0, 10.0), (89.0, 33.0), (-17.0, 179.999)] {
        let home = noise.grid().snapped(Place::new(latitude, longitude).unwrap());
        for azimuth in [0.4, 2.0] {
            let other = noise.grid().snapped(displaced(home, azimuth, 400.0));
            let loss = epsilon * distance(home, other);
            let (first, second) = (reports(&noise, home, &draws), reports(&noise, other, &others));
            assert!(!contradicted(&first, &second, loss) && !contradicted(&second, &first, loss), "{home:?}");
            // The bound is nearly reached: eight tenths of it are contradicted.
            assert!(contradicted(&first, &second, 0.8 * loss), "{home:?}");
        }
    }
}
