//! What a report says about where somebody is, given where people are: for a better output, and for the adversary.

use std::sync::Arc;

use super::error::LocationError;
use super::geodesy::distance;
use super::geometric_median::geometric_median;
use super::mask::PointMask;
use super::place::Place;
use super::planar_laplace::PlanarLaplace;
use super::population::Population;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// Places of the prior farther than this many times 1/epsilon from a report are left out: their likelihood is below 1e-13.
const FAR: f64 = 30.0;

/// The optimal Bayesian adversary of planar Laplace noise (Shokri et al., "Quantifying location privacy", IEEE S&P 2011): knows
/// the mechanism and where people are, and guesses the place with the smallest expected distance.
#[derive(Debug, Clone)]
pub struct BayesianAdversary {
    noise: PlanarLaplace,
    prior: Arc<Population>,
}

/// What an adversary makes of one report.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The place with the smallest expected distance from the true one.
    pub place: Place,
    /// That distance in meters, by the adversary's own reckoning: no other guess does better.
    pub expected_error: f64,
    /// The probability of the likeliest place of the prior.
    pub likeliest: f64,
    /// The places of the prior that are needed for 95 % of the probability, likeliest first.
    pub places_for_95: usize,
    /// The people who live there.
    pub people_for_95: f64,
}

impl BayesianAdversary {
    /// An adversary of a mechanism with a prior.
    pub fn new(noise: PlanarLaplace, prior: Arc<Population>) -> Self {
        Self { noise, prior }
    }

    /// The probability of each place near a report, given the report; empty if nobody lives near it.
    ///
    /// The likelihood of a cell is taken as the noise's density at its center, which is what it is up to the spacing times
    /// epsilon. A guess and a remapping need no more: neither touches the guarantee.
    pub fn posterior(&self, report: Place) -> Vec<(usize, f64)> {
        let (epsilon, grid) = (self.noise.inner_epsilon_per_meter(), self.noise.grid());
        let mut likely: Vec<(usize, f64)> = self
            .prior
            .within(report, FAR / epsilon)
            .iter()
            .filter(|neighbor| neighbor.people > 0.0)
            .map(|neighbor| {
                (neighbor.number, neighbor.people.ln() - epsilon * distance(grid.snapped(neighbor.place), report))
            })
            .collect();
        let most = likely.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        likely.iter_mut().for_each(|(_, log)| *log = (*log - most).exp());
        let sum: f64 = likely.iter().map(|(_, weight)| weight).sum();
        likely.iter_mut().for_each(|(_, weight)| *weight /= sum);
        likely
    }

    /// The best guess of a report; none if nobody lives near it.
    pub fn guess(&self, report: Place) -> Option<Guess> {
        let posterior = self.posterior(report);
        let places = self.prior.places();
        let weighted: Vec<(Place, f64)> =
            posterior.iter().map(|&(number, weight)| (places[number].0, weight)).collect();
        let place = geometric_median(&weighted)?;
        let expected_error = weighted.iter().map(|(at, weight)| weight * distance(*at, place)).sum();
        let mut sorted = posterior;
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (mut sum, mut places_for_95, mut people_for_95) = (0.0, 0, 0.0);
        for &(number, weight) in &sorted {
            if sum >= 0.95 {
                break;
            }
            sum += weight;
            places_for_95 += 1;
            people_for_95 += places[number].1;
        }
        let likeliest = sorted.first()?.1;
        Some(Guess { place, expected_error, likeliest, places_for_95, people_for_95 })
    }
}

/// Planar Laplace noise whose report is replaced by the best guess under a public prior (Chatzikokolakis, ElSalamouny and
/// Palamidessi, "Efficient utility improvement for location privacy", PoPETs 2017).
///
/// # Formal guarantees
///
/// Those of [`PlanarLaplace`]: remapping sees the report and the public prior alone, so it is post-processing. The prior must
/// not be made from the places that are protected.
#[derive(Debug, Clone)]
pub struct Remapping {
    adversary: BayesianAdversary,
}

impl Remapping {
    /// Remapping of a mechanism's reports by a public prior.
    pub fn new(noise: PlanarLaplace, prior: Arc<Population>) -> Self {
        Self { adversary: BayesianAdversary::new(noise, prior) }
    }

    /// What a report becomes; itself where nobody of the prior lives near.
    pub fn remapped(&self, report: Place) -> Place {
        self.adversary.guess(report).map_or(report, |guess| guess.place)
    }
}

impl PointMask for Remapping {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        Some(self.remapped(self.adversary.noise.report(place, randomness)))
    }

    fn drawn_for(&self, place: Place) -> [u64; 2] {
        self.adversary.noise.drawn_for(place)
    }

    fn parameters(&self) -> Vec<u64> {
        // What is drawn is the noise; remapping is a function of it.
        self.adversary.noise.parameters()
    }

    fn charged_distance(&self, within: f64) -> f64 {
        self.adversary.noise.charged_distance(within)
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let statement = self.adversary.noise.statement()?;
        Ok(statement
            .fact(
                "Remapping",
                format!("to the best guess under a prior of {} places", self.adversary.prior.places().len()),
            )
            .fact("Displacement", "that of the noise above is before remapping")
            .assumption("the prior is public: it was not made from the places that are protected"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        self.adversary.noise.typical_displacement()
    }
}
