//! What an adversary makes of released places: averaging of repeated reports, the nearest address, and home and work of a
//! trace. (The best guess under a prior is [`BayesianAdversary`](super::BayesianAdversary).)

use std::collections::HashMap;

use super::geodesy::{distance, nearest_place, position};
use super::place::Place;
use super::population::Population;
use super::public_grid::PublicGrid;

/// The mean of reports: their mean position in space, brought to the ellipsoid; none of no reports.
///
/// Noise that is drawn anew averages out: `n` reports are off by `1 / sqrt(n)` of what one is.
pub fn averaged(reports: &[Place]) -> Option<Place> {
    if reports.is_empty() {
        return None;
    }
    let mut sum = [0.0; 3];
    for report in reports {
        let at = position(*report);
        (0..3).for_each(|axis| sum[axis] += at[axis]);
    }
    Some(nearest_place(sum.map(|x| x / reports.len() as f64)))
}

/// Where a released point leads: the nearest known address, and whether it is the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddressGuess {
    /// Number of the address in the population.
    pub number: usize,
    /// What it is from the true place, in meters; zero up to a meter is a hit.
    pub error: f64,
    /// People who live as near to the released point as the true place does: what the guess had to choose among.
    pub people_as_near: f64,
}

/// The nearest address of a released point.
pub fn nearest_address(addresses: &Population, released: Place, truth: Place) -> Option<AddressGuess> {
    let nearest = addresses.nearest(released).next()?;
    Some(AddressGuess {
        number: nearest.number,
        error: distance(nearest.place, truth),
        people_as_near: addresses.people_as_near(released, truth, f64::INFINITY),
    })
}

/// Hours that count as being at home: from 21 to 6.
const NIGHT: [u32; 9] = [21, 22, 23, 0, 1, 2, 3, 4, 5];
/// Hours that count as being at work: from 9 to 17.
const OFFICE: std::ops::Range<u32> = 9..17;

/// Home and work as a trace gives them away.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Anchors {
    /// The middle of the busiest cell of the nights.
    pub home: Option<Place>,
    /// The middle of the busiest cell of office hours.
    pub work: Option<Place>,
}

/// Home and work from a trace of places with times such as `2026-11-29T22:10` (Freudiger, Shokri and Hubaux, "Evaluating
/// the privacy risk of location-based services", FC 2011): the mean of the reports in the busiest cell, with its neighbors, of a
/// grid of `spacing`. Times that are not read count for neither.
pub fn home_and_work(trace: &[(Place, String)], spacing: PublicGrid) -> Anchors {
    let of_hours = |wanted: &dyn Fn(u32) -> bool| -> Option<Place> {
        let chosen: Vec<Place> =
            trace.iter().filter(|(_, time)| hour(time).is_some_and(wanted)).map(|(place, _)| *place).collect();
        let mut counts: HashMap<[u64; 2], u64> = HashMap::new();
        for place in &chosen {
            *counts.entry(spacing.cell(*place)).or_insert(0) += 1;
        }
        // The first of equals by number, so that the answer is one.
        let busiest = counts.into_iter().max_by_key(|&(cell, count)| (count, std::cmp::Reverse(cell)))?.0;
        let center = spacing.center(busiest);
        let near: Vec<Place> =
            chosen.into_iter().filter(|place| distance(*place, center) <= 1.5 * spacing.spacing()).collect();
        averaged(&near)
    };
    Anchors { home: of_hours(&|hour| NIGHT.contains(&hour)), work: of_hours(&|hour| OFFICE.contains(&hour)) }
}

/// The hour of an ISO 8601 time, `YYYY-MM-DDThh..` or with a space.
fn hour(time: &str) -> Option<u32> {
    let (date, clock) = (time.get(..10)?, time.get(11..13)?);
    let is_date = date.bytes().filter(|&byte| byte == b'-').count() == 2;
    clock.parse().ok().filter(|&hour| is_date && hour < 24)
}

/// Mean, median and 95th percentile of errors in meters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorSummary {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Half of them are at most this.
    pub median: f64,
    /// 95 % of them are at most this.
    pub most: f64,
}

/// A summary of errors in meters; none of no errors.
pub fn summary(mut errors: Vec<f64>) -> Option<ErrorSummary> {
    errors.sort_by(f64::total_cmp);
    let count = errors.len();
    let at = |share: f64| errors.get(((count as f64 * share).ceil() as usize).saturating_sub(1)).copied();
    Some(ErrorSummary { count, mean: errors.iter().sum::<f64>() / count as f64, median: at(0.5)?, most: at(0.95)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::displaced;

    #[test]
    fn means_work_across_the_antimeridian_and_at_the_pole() {
        let place = |latitude, longitude| Place::new(latitude, longitude).unwrap();
        let mean = averaged(&[place(10.0, 179.9), place(10.0, -179.9)]).unwrap();
        assert!(distance(mean, place(10.0, 180.0)) < 20.0, "{mean:?}");
        let mean = averaged(&[place(89.9, 0.0), place(89.9, 180.0)]).unwrap();
        assert!(distance(mean, place(90.0, 0.0)) < 20.0);
        assert_eq!(averaged(&[]), None);
    }

    #[test]
    fn home_and_work_are_found_in_a_plain_trace() {
        let (home, work) = (Place::new(52.5, 13.4).unwrap(), Place::new(52.52, 13.45).unwrap());
        let trace: Vec<(Place, String)> = (0..30)
            .flat_map(|day| {
                let near = |place, turn: f64| displaced(place, turn, 15.0);
                [
                    (near(home, f64::from(day)), format!("2026-11-{day:02}T23:10:00")),
                    (near(work, f64::from(day)), format!("2026-11-{day:02} 10:00")),
                ]
            })
            .collect();
        let found = home_and_work(&trace, PublicGrid::new(100.0).unwrap());
        assert!(distance(found.home.unwrap(), home) < 15.0 && distance(found.work.unwrap(), work) < 15.0);
        for time in ["", "22:10", "2026-11-29", "2026-11-29T99", "2026.11.29T10", "übermorgen, sehr spät"] {
            assert_eq!(hour(time), None, "{time}");
        }
    }

    #[test]
    fn errors_are_summed_up() {
        let summary = summary((1..=100).map(f64::from).collect()).unwrap();
        assert_eq!((summary.count, summary.mean, summary.median, summary.most), (100, 50.5, 50.0, 95.0));
        assert!(super::summary(vec![]).is_none());
    }
}
