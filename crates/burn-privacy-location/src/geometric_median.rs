//! The place with the smallest mean distance to weighted places.

use super::geodesy::{nearest_place, position};
use super::place::Place;

/// Rounds of Weiszfeld's iteration; it ends earlier once it moves by less than a part in 10^9 of the places' spread.
const ROUNDS: usize = 200;

/// The geometric median of weighted places in straight distance, brought to the ellipsoid; none without weight.
///
/// Weiszfeld's iteration, after a check of each of the heaviest places: one of them is the median exactly where the pulls
/// of all others together are no stronger than its weight (Vardi and Zhang, PNAS 97, 2000).
pub(super) fn geometric_median(places: &[(Place, f64)]) -> Option<Place> {
    let points: Vec<([f64; 3], f64)> =
        places.iter().filter(|(_, weight)| *weight > 0.0).map(|(place, weight)| (position(*place), *weight)).collect();
    let total: f64 = points.iter().map(|(_, weight)| weight).sum();
    if points.is_empty() || total <= 0.0 || !total.is_finite() {
        return None;
    }
    let mut heaviest: Vec<usize> = (0..points.len()).collect();
    heaviest.sort_by(|&a, &b| points[b].1.total_cmp(&points[a].1));
    for &candidate in heaviest.iter().take(4) {
        let (center, own) = points[candidate];
        let mut pull = [0.0; 3];
        for (point, weight) in &points {
            let apart = apart(*point, center);
            if apart > 1e-6 {
                (0..3).for_each(|axis| pull[axis] += weight * (point[axis] - center[axis]) / apart);
            }
        }
        if pull.iter().map(|x| x * x).sum::<f64>().sqrt() <= own {
            return Some(nearest_place(center));
        }
    }
    let mut at: [f64; 3] = std::array::from_fn(|axis| points.iter().map(|(p, w)| p[axis] * w).sum::<f64>() / total);
    let spread = points.iter().map(|(p, _)| apart(*p, at)).fold(0.0, f64::max);
    for _ in 0..ROUNDS {
        let (mut sum, mut weights) = ([0.0; 3], 0.0);
        for (point, weight) in &points {
            let pull = weight / apart(*point, at).max(1e-9 * spread).max(1e-9);
            (0..3).for_each(|axis| sum[axis] += pull * point[axis]);
            weights += pull;
        }
        let next = sum.map(|x| x / weights);
        let moved = apart(next, at);
        at = next;
        if moved <= 1e-9 * spread {
            break;
        }
    }
    Some(nearest_place(at))
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::{displaced, distance};

    #[test]
    fn the_median_is_where_pulls_balance() {
        let center = Place::new(51.0, 7.0).unwrap();
        let at = |azimuth: f64, meters: f64| displaced(center, azimuth, meters);
        // Three directions at 120 degrees balance, however far each is.
        let third = std::f64::consts::TAU / 3.0;
        let three = [(at(0.0, 500.0), 1.0), (at(third, 900.0), 1.0), (at(2.0 * third, 100.0), 1.0)];
        assert!(distance(geometric_median(&three).unwrap(), center) < 0.01);
        // A place with more than half of the weight is the median.
        let heavy = [(at(0.0, 500.0), 3.0), (at(third, 900.0), 1.0), (at(2.0 * third, 100.0), 1.5)];
        assert!(distance(geometric_median(&heavy).unwrap(), heavy[0].0) < 1e-6);
        assert_eq!(geometric_median(&[]), None);
        assert_eq!(geometric_median(&[(center, 0.0)]), None);
    }
}
