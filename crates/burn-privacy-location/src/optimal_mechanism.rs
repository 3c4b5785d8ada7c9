//! The optimal mechanism of geo-indistinguishability for a few cells, by linear programming over a spanner.

use std::time::Duration;

use burn_privacy_accounting::round_up_for_display;
use burn_privacy_budget::statement::Guarantee;
use microlp::{ComparisonOp, OptimizationDirection, Problem};

use super::error::LocationError;
use super::finite_mechanism::{FiniteMechanism, distances};
use super::mask::PointMask;
use super::place::Place;
use super::population::Population;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// The most cells: the linear program has as many variables as their square.
pub const MOST_CELLS: usize = 49;
/// A path of the spanner is at most this many times longer than the way itself.
const DILATION: f64 = 1.1;
/// What the solver is asked for is this much below epsilon, so that its tolerances stay within it.
const MARGIN: f64 = 1e-3;
/// The smallest probability, so that every ratio is finite.
const FLOOR: f64 = 1e-9;
/// What the solver may take.
const TIME: Duration = Duration::from_secs(600);

/// The mechanism with the smallest expected displacement among all that are geo-indistinguishable between given cells, for
/// people at these cells (Bordenabe, Chatzikokolakis and Palamidessi, "Optimal geo-indistinguishable mechanisms for location
/// privacy", CCS 2014), up to the spanner's dilation of 1.1.
///
/// # Formal guarantees
///
/// The solver is not trusted: its matrix is brought to integers, and the guarantee is the largest ratio of the integers
/// that are drawn from ([`FiniteMechanism::epsilon_per_meter`]), which must not exceed what was asked for. A place counts as its nearest
/// cell. Several reports add up.
#[derive(Debug, Clone)]
pub struct OptimalMechanism {
    mechanism: FiniteMechanism,
    nearest: Population,
    people: Vec<f64>,
    epsilon: f64,
}

impl OptimalMechanism {
    /// Solves for cells with people (the public prior) and an epsilon per meter.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless there are 2 to [`MOST_CELLS`] different cells and epsilon is above 0;
    /// [`LocationError::Unreachable`] if the solver does not solve it within ten minutes, or its answer breaks the guarantee.
    pub fn solve(cells: &[(Place, f64)], epsilon_per_meter: f64) -> Result<Self, LocationError> {
        let count = cells.len();
        if !(2..=MOST_CELLS).contains(&count) {
            let allowed = format!("from 2 to {MOST_CELLS}: the linear program grows with their square");
            return Err(LocationError::parameter("the number of cells", count, allowed));
        }
        if !(epsilon_per_meter > 0.0 && epsilon_per_meter.is_finite()) {
            return Err(LocationError::parameter("epsilon", epsilon_per_meter, "above 0 and finite, per meter"));
        }
        let nearest = Population::new(cells.to_vec())?;
        let all: f64 = cells.iter().map(|(_, people)| people).sum();
        if all <= 0.0 {
            return Err(LocationError::parameter("the prior", "without people", "at least one cell with people"));
        }
        let (places, people): (Vec<Place>, Vec<f64>) =
            cells.iter().map(|(place, people)| (*place, people / all)).unzip();
        let apart = distances(&places);
        if (0..count).any(|x| (0..x).any(|y| apart[x][y] < 1e-3)) {
            return Err(LocationError::parameter("the cells", "two at one place", "at different places"));
        }
        let rows = solved(&apart, &people, epsilon_per_meter * (1.0 - MARGIN) / DILATION)?;
        let mechanism = FiniteMechanism::of_probabilities(places, &rows, FLOOR)?;
        let reached = mechanism.epsilon_per_meter();
        if reached > epsilon_per_meter {
            let reason = format!(
                "the solver's mechanism is geo-indistinguishable at {reached:e} per meter, not at {epsilon_per_meter:e}: use \
                 fewer cells, or planar Laplace noise"
            );
            return Err(LocationError::Unreachable { reason });
        }
        Ok(Self { mechanism, nearest, people, epsilon: reached })
    }

    /// The matrix.
    pub fn mechanism(&self) -> &FiniteMechanism {
        &self.mechanism
    }

    /// The share of the people at each cell.
    pub fn people(&self) -> &[f64] {
        &self.people
    }

    /// Number of the cell that a place counts as.
    pub fn cell(&self, place: Place) -> usize {
        self.nearest.nearest(place).next().map_or(0, |neighbor| neighbor.number)
    }
}

/// Edges of a greedy spanner: pairs whose way over other edges is longer than the dilation allows.
fn spanner(apart: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let count = apart.len();
    let mut pairs: Vec<(usize, usize)> = (0..count).flat_map(|x| (0..x).map(move |y| (x, y))).collect();
    pairs.sort_by(|a, b| apart[a.0][a.1].total_cmp(&apart[b.0][b.1]));
    let mut paths = vec![vec![f64::INFINITY; count]; count];
    (0..count).for_each(|x| paths[x][x] = 0.0);
    let mut edges = Vec::new();
    for (x, y) in pairs {
        let length = apart[x][y];
        // Less than the dilation, for the rounding of sums of lengths.
        if paths[x][y] <= DILATION * (1.0 - 1e-9) * length {
            continue;
        }
        edges.push((x, y));
        for a in 0..count {
            for b in 0..count {
                let through = (paths[a][x] + length + paths[y][b]).min(paths[a][y] + length + paths[x][b]);
                paths[a][b] = paths[a][b].min(through);
            }
        }
    }
    edges
}

/// The probabilities of the best mechanism whose ratios along the spanner's edges are bounded.
fn solved(apart: &[Vec<f64>], people: &[f64], epsilon: f64) -> Result<Vec<Vec<f64>>, LocationError> {
    let count = apart.len();
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    problem.set_time_limit(TIME);
    let scale = apart.iter().flatten().copied().fold(0.0, f64::max);
    let variables: Vec<Vec<_>> = (0..count)
        .map(|x| (0..count).map(|z| problem.add_var(people[x] * apart[x][z] / scale, (0.0, 1.0))).collect())
        .collect();
    for row in &variables {
        let sum: Vec<_> = row.iter().map(|&variable| (variable, 1.0)).collect();
        problem.add_constraint(sum.as_slice(), ComparisonOp::Eq, 1.0);
    }
    for (x, y) in spanner(apart) {
        let shrink = (-epsilon * apart[x][y]).exp();
        for (&a, &b) in variables[x].iter().zip(&variables[y]) {
            problem.add_constraint([(a, shrink), (b, -1.0)].as_slice(), ComparisonOp::Le, 0.0);
            problem.add_constraint([(b, shrink), (a, -1.0)].as_slice(), ComparisonOp::Le, 0.0);
        }
    }
    let unsolved = |reason: String| LocationError::Unreachable { reason };
    let outcome = problem.solve().map_err(|error| unsolved(format!("the linear program has no solution: {error}")))?;
    if !outcome.is_optimal() {
        return Err(unsolved("the linear program was not solved within ten minutes: use fewer cells".to_owned()));
    }
    let solution = outcome.solution().ok_or_else(|| unsolved("the solver gave no solution".to_owned()))?;
    Ok(variables.iter().map(|row| row.iter().map(|&variable| solution.var_value(variable)).collect()).collect())
}

impl PointMask for OptimalMechanism {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let output = self.mechanism.output(self.cell(place), randomness.word());
        self.mechanism.cells().get(output).copied()
    }

    fn drawn_for(&self, place: Place) -> [u64; 2] {
        [u64::MAX, self.cell(place) as u64]
    }

    fn parameters(&self) -> Vec<u64> {
        vec![8, self.epsilon.to_bits(), self.nearest.fingerprint(), self.mechanism.fingerprint()]
    }

    fn charged_distance(&self, _: f64) -> f64 {
        // Two places at a border belong to two cells, however near they are.
        self.mechanism.diameter()
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let guarantee = Guarantee::Metric {
            mechanism: "optimal mechanism on a grid".into(),
            name: "geo-indistinguishability".into(),
            epsilon: self.epsilon,
            unit: "meter".into(),
            delta: 0.0,
            of: "each report".into(),
        };
        Ok(PlaceStatement::new(guarantee)
            .fact("Epsilon per meter", round_up_for_display(self.epsilon))
            .fact("How it was found", "the largest ratio of all entries of the matrix that is drawn from")
            .fact("Cells", self.people.len())
            .fact(
                "Expected displacement",
                format!("{:.0} m, for people as in the prior", self.mechanism.expected_displacement(&self.people)),
            )
            .fact(
                "Best adversary's expected error",
                format!("{:.0} m, for the same", self.mechanism.adversary_error(&self.people)),
            )
            .assumption("the cells and the prior are public: they were not made from the places that are protected")
            .assumption("a distance is that of the cells that places count as")
            .not_covered("the number, times and order of the reports, the other columns, and the running time"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(self.mechanism.expected_displacement(&self.people))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::displaced;

    fn grid(side: usize, spacing: f64) -> Vec<(Place, f64)> {
        let corner = Place::new(48.8, 2.3).unwrap();
        let row = |y: usize| displaced(corner, 0.0, spacing * y as f64);
        let place = |x: usize, y: usize| displaced(row(y), std::f64::consts::FRAC_PI_2, spacing * x as f64);
        (0..side * side).map(|cell| (place(cell % side, cell / side), 1.0 + (cell * 7 % 5) as f64)).collect()
    }

    #[test]
    fn the_guarantee_is_read_off_the_integers_and_the_loss_is_below_planar_laplace() {
        let epsilon = 0.002;
        let optimal = OptimalMechanism::solve(&grid(4, 500.0), epsilon).unwrap();
        let (mechanism, people) = (optimal.mechanism(), optimal.people());
        let reached = mechanism.epsilon_per_meter();
        assert!(reached <= epsilon && reached > 0.85 * epsilon, "{reached}");
        // Planar Laplace noise is 1,000 m on average, and the best constant answer is no better than the optimum.
        let loss = mechanism.expected_displacement(people);
        assert!(loss < 0.7 * 2.0 / epsilon && loss > 100.0, "{loss}");
        // An optimal mechanism is its own best guess: no adversary does better than to believe it.
        let error = mechanism.adversary_error(people);
        assert!(error <= loss && error > 0.999 * loss, "{error} {loss}");
        let statement = optimal.statement().unwrap().to_string();
        assert!(statement.contains("per meter"), "{statement}");
    }

    #[test]
    fn outputs_have_the_entries_probabilities() {
        let optimal = OptimalMechanism::solve(&grid(2, 800.0), 0.001).unwrap();
        let mechanism = optimal.mechanism();
        let draws = 1 << 16;
        let mut counts = [0_u32; 4];
        (0..draws).for_each(|draw| counts[mechanism.output(1, (draw as u64) << 48)] += 1);
        for (output, count) in counts.into_iter().enumerate() {
            assert!((f64::from(count) / f64::from(draws) - mechanism.probability(1, output)).abs() < 2e-5);
        }
        assert_eq!(mechanism.output(0, u64::MAX), 3);
    }

    #[test]
    fn what_cannot_be_solved_is_refused() {
        assert!(OptimalMechanism::solve(&grid(8, 500.0), 0.001).unwrap_err().to_string().contains("49"));
        let twice = [grid(1, 1.0)[0], grid(1, 1.0)[0]];
        assert!(OptimalMechanism::solve(&twice, 0.001).unwrap_err().to_string().contains("different"));
        assert!(OptimalMechanism::solve(&grid(2, 500.0), 0.0).is_err());
    }
}
