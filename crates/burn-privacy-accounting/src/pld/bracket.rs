//! From steps to a bracket of epsilon or delta: chooses tilt, grid and window, and refines until the bracket is narrow.

use super::composition::{MOST_POINTS, Part, compose};
use super::curve::{Curve, Side};
use super::lattice::{Lattice, Layout, Sparse};
use super::mixture::Mixture;
use super::pair::{Base, Direction};
use super::terms::Step;
use super::tilt::{
    Sketch, chernoff_epsilon, log_chernoff, log_delta_estimate, tilt_for_delta, tilt_for_epsilon, total,
};
use super::window::{Wanted, Window};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// The epsilon at this delta.
    EpsilonAt(f64),
    /// The delta at this epsilon.
    DeltaAt(f64),
}

/// Deltas below this are not resolved.
const LEAST_DELTA: f64 = 1e-280;

/// Tails are cut off where they can change delta by no more than this part of the accuracy.
const TAIL: f64 = 0.1;

/// A grid is made finer than the accuracy needs if it has no more points than this.
const FINER_POINTS: f64 = 1e6;

/// Relative rounding of an atom's loss, and of its place on the grid.
const ATOM_ROUNDING: f64 = 20.0 * f64::EPSILON;

/// Sketches of more steps than this are not trusted with a decision.
const MOST_SKETCHED: f64 = 1e12;

/// Log probabilities below this are not worth a second grid.
const HOPELESS: f64 = -1_500.0;

/// Part of the width that is aimed at which may be expected: the expectation is up to twice too small.
const ESTIMATE: f64 = 0.45;

/// Accuracy of a first look.
const COARSE: f64 = 0.01;

/// How often a delta is looked at again when it turns out to be smaller than the tails were cut for.
const MOST_LOOKS: usize = 3;

/// How often a grid is refined.
const MOST_ROUNDS: usize = 6;

/// Steps with their counts.
#[derive(Clone, Debug)]
pub(super) struct Composition {
    steps: Vec<(Step, u64)>,
    accuracy: f64,
}

/// Where the answer is expected.
#[derive(Clone, Copy, Debug)]
struct Plan {
    epsilons: (f64, f64),
    log_delta: f64,
    saddle: f64,
    /// False if a coarse grid has to find out first.
    sure: bool,
}

/// One direction's pairs, with what is known about their total loss.
struct OneWay {
    pairs: Vec<(Mixture, f64)>,
    sketches: Vec<Sketch>,
    /// ln of the delta that the tails were cut for.
    log_delta: f64,
    log_tail: f64,
    /// Bounds of P's probability of an infinite total loss.
    infinite: (f64, f64),
    largest_loss: f64,
    /// By how much rounding can have moved an atom's total loss.
    moved: f64,
}

impl Composition {
    /// `gaussian` is the noise multiplier of a further single, unsampled Gaussian step.
    pub(super) fn new(steps: impl Iterator<Item = (Step, u64)>, gaussian: Option<f64>, accuracy: f64) -> Self {
        let gaussian = gaussian.map(|noise| (Step::unsampled(Base::Gaussian { noise }), 1));
        Self { steps: steps.chain(gaussian).collect(), accuracy }
    }

    pub(super) fn bounds(&self, goal: Goal) -> (f64, f64) {
        let (lower, upper) = self.directed(Direction::Remove, goal);
        if self.steps.iter().all(|(step, _)| step.is_symmetric()) {
            // All pairs are symmetric.
            return (lower, upper);
        }
        let other = self.one_way(Direction::Add, goal, None);
        if other.is_surely_below(goal, upper) {
            return (lower, upper);
        }
        // A coarse grid may show the same.
        if self.accuracy < COARSE && other.bounds(goal, COARSE).1 <= lower {
            return (lower, upper);
        }
        let (other_lower, other_upper) = self.directed(Direction::Add, goal);
        (lower.max(other_lower), upper.max(other_upper))
    }

    /// In one direction. How much of the tails matters isn't known beforehand for a delta, so that a wide bracket is asked
    /// for again with what the first one said.
    fn directed(&self, direction: Direction, goal: Goal) -> (f64, f64) {
        let first = self.one_way(direction, goal, None);
        let mut known = first.log_delta;
        let (mut lower, mut upper) = first.bounds(goal, self.accuracy);
        for _ in 0..MOST_LOOKS {
            let now = (0.1 * upper).max(lower).max(LEAST_DELTA).ln();
            let narrow = upper <= lower * (1.0 + 4.0 * self.accuracy);
            if matches!(goal, Goal::EpsilonAt(_)) || narrow || upper >= 1.0 || now > known - 1.0 {
                break;
            }
            let again = self.one_way(direction, goal, Some(now)).bounds(goal, self.accuracy);
            (lower, upper, known) = (lower.max(again.0), upper.min(again.1), now);
        }
        (lower, upper)
    }

    fn one_way(&self, direction: Direction, goal: Goal, known: Option<f64>) -> OneWay {
        let count: f64 = self.steps.iter().map(|(_, count)| *count as f64).sum();
        let pairs: Vec<(Mixture, f64)> =
            self.steps.iter().map(|(step, count)| (step.mixture(direction), *count as f64)).collect();
        let log_delta = match goal {
            Goal::EpsilonAt(delta) => delta.max(LEAST_DELTA).ln(),
            Goal::DeltaAt(epsilon) => known.unwrap_or_else(|| {
                // A first look at how small the delta is.
                let sketches = sketches(&pairs, (1e-30_f64).ln());
                log_chernoff(&sketches, epsilon).clamp(LEAST_DELTA.ln(), 0.0)
            }),
        };
        let log_tail = log_delta - count.max(1.0).ln() + (TAIL * self.accuracy).ln();
        OneWay {
            sketches: sketches(&pairs, log_tail),
            log_delta,
            log_tail,
            infinite: at_least_once(pairs.iter().map(|(pair, count)| (pair.infinite_mass(), *count))),
            largest_loss: pairs.iter().map(|(pair, count)| count * pair.largest_loss()).sum::<f64>() * (1.0 + 1e-14),
            moved: pairs.iter().map(|(pair, count)| count * pair.largest_atom()).sum::<f64>() * ATOM_ROUNDING,
            pairs,
        }
    }
}

fn sketches(pairs: &[(Mixture, f64)], log_tail: f64) -> Vec<Sketch> {
    pairs.iter().map(|(pair, count)| pair.sketch(*count, log_tail)).collect()
}

impl OneWay {
    /// True if this direction can't be worse than a bound of the other one.
    fn is_surely_below(&self, goal: Goal, upper: f64) -> bool {
        // The sketches are good to far better than this, in logarithms.
        const MARGIN: f64 = 1.0;
        let steps: f64 = self.pairs.iter().map(|(_, count)| count).sum();
        match goal {
            _ if self.infinite.1 > 0.0 || steps > MOST_SKETCHED => false,
            Goal::EpsilonAt(_) if upper == f64::INFINITY || self.largest_loss <= upper => true,
            Goal::EpsilonAt(delta) => upper > 0.0 && log_chernoff(&self.sketches, upper) + MARGIN < delta.ln(),
            Goal::DeltaAt(epsilon) => {
                self.largest_loss <= epsilon || log_chernoff(&self.sketches, epsilon) + MARGIN < upper.ln()
            }
        }
    }

    fn bounds(&self, goal: Goal, accuracy: f64) -> (f64, f64) {
        let (mut lower, mut upper) = match goal {
            Goal::EpsilonAt(delta) if self.infinite.0 > delta => return (f64::INFINITY, f64::INFINITY),
            Goal::EpsilonAt(delta) if self.infinite.1 > delta => return (0.0, f64::INFINITY),
            Goal::EpsilonAt(_) => (0.0, self.largest_loss),
            Goal::DeltaAt(epsilon) if epsilon >= self.largest_loss => return self.infinite,
            Goal::DeltaAt(epsilon) => {
                // No finite loss exceeds the largest one.
                let rest = -(epsilon - self.largest_loss).exp_m1();
                let upper = (self.infinite.1 + (1.0 - self.infinite.0) * rest * (1.0 + 1e-14)).min(1.0);
                if self.largest_loss - epsilon <= 1e-12 * epsilon {
                    return (self.infinite.0, upper);
                }
                (self.infinite.0, upper)
            }
        };
        let steps: f64 = self.sketches.iter().map(Sketch::count).sum();
        let tilt = match goal {
            Goal::EpsilonAt(delta) => {
                let finite = (delta - self.infinite.1).max(LEAST_DELTA);
                if finite <= LEAST_DELTA {
                    return (lower, upper);
                }
                tilt_for_delta(&self.sketches, finite.ln())
            }
            Goal::DeltaAt(epsilon) if epsilon == f64::INFINITY => return (self.infinite.0, 1.0),
            Goal::DeltaAt(epsilon) => tilt_for_epsilon(&self.sketches, epsilon),
        };
        let mut plan = match goal {
            Goal::EpsilonAt(delta) => {
                let log_delta = (delta - self.infinite.1).ln();
                let guess = total(&self.sketches, tilt).mean;
                let limit = chernoff_epsilon(&self.sketches, log_delta, tilt).min(self.largest_loss);
                // Where the two disagree the saddle point's guess isn't trusted, and a coarse grid looks for epsilon.
                let sure = guess > 0.0 && limit < 1.2 * guess;
                let epsilons = if sure { (0.9 * guess.min(limit), 1.1 * guess) } else { (0.0, limit) };
                Plan { epsilons, log_delta, saddle: tilt, sure }
            }
            Goal::DeltaAt(epsilon) => Plan {
                epsilons: (epsilon, epsilon),
                log_delta: log_delta_estimate(&self.sketches, epsilon).min(0.0),
                saddle: tilt,
                sure: true,
            },
        };
        let mut refinement = 1.0;
        let mut before = f64::NAN;
        let rounds = if plan.log_delta < HOPELESS { 1 } else { MOST_ROUNDS };
        for _ in 0..rounds {
            let centre = total(&self.sketches, plan.saddle);
            let deviation = centre.variance.sqrt();
            let reference = if plan.sure { 0.5 * (plan.epsilons.0 + plan.epsilons.1) } else { plan.epsilons.1 };
            let tolerance = accuracy * reference.max(0.02 * deviation);
            if !(tolerance > 0.0 && deviation > 0.0 && centre.log_mean.is_finite()) {
                return (lower, upper);
            }
            // Both discretisations together change the variance by about spacing^2 / 4 a step, and epsilon by tilt + 1
            // times half of that.
            let aim = if plan.sure { tolerance } else { 0.02 * reference };
            let fine = (8.0 * 0.55 * aim / (steps * (plan.saddle + 1.0))).sqrt().min(deviation / 8.0) * refinement;
            let wanted = Wanted {
                epsilons: plan.epsilons,
                log_delta: plan.log_delta,
                log_error: (0.1 * (plan.saddle * aim).min(0.3)).ln(),
                saddle: plan.saddle,
            };
            let window = Window::new(&self.sketches, wanted);
            let narrowest = 1.01 * (window.top - window.bottom) / (MOST_POINTS as f64 - 8.0);
            let length = window.top - window.bottom;
            let mut spacing = self.fitted(fine.max(narrowest), length);
            let expected = self.expected_width(spacing, plan.saddle);
            if expected > ESTIMATE * aim {
                spacing = self.fitted((spacing * (ESTIMATE * aim / expected).sqrt()).max(narrowest), length);
            }
            if spacing == before {
                break;
            }
            before = spacing;
            let (new_lower, new_upper) = self.at_spacing(goal, spacing, plan.saddle, window);
            lower = lower.max(new_lower);
            upper = upper.min(new_upper);
            let width = match goal {
                Goal::EpsilonAt(_) => upper - lower,
                // A delta's relative width, in units of epsilon.
                Goal::DeltaAt(_) => (upper / lower).ln() / (plan.saddle + 1.0 / deviation),
            };
            let reached = match goal {
                Goal::EpsilonAt(_) => accuracy * upper.max(0.02 * deviation),
                Goal::DeltaAt(_) => tolerance,
            };
            if width <= reached || (plan.sure && fine <= narrowest) {
                break;
            }
            match goal {
                Goal::EpsilonAt(_) if !plan.sure || upper < plan.epsilons.0 || lower > plan.epsilons.1 => {
                    let saddle = tilt_for_epsilon(&self.sketches, upper.min(plan.epsilons.1));
                    let low = if lower > 0.0 { lower } else { 0.5 * upper };
                    before = f64::NAN;
                    plan = Plan { epsilons: (0.99 * low, 1.01 * upper), saddle, sure: true, ..plan };
                }
                Goal::DeltaAt(_) if (plan.log_delta - (upper - self.infinite.1).max(LEAST_DELTA).ln()).abs() > 0.5 => {
                    // The guess was bad: once more with what is known now.
                    plan.log_delta = (upper - self.infinite.1).max(LEAST_DELTA).ln();
                    plan.saddle = tilt_for_delta(&self.sketches, plan.log_delta);
                    before = f64::NAN;
                }
                _ => {
                    refinement *=
                        if width.is_finite() { (0.7 * tolerance / width).sqrt().clamp(0.1, 0.8) } else { 0.25 };
                }
            }
        }
        (lower.min(upper), upper)
    }

    /// Tilts under which a step's losses matter, with its ln E[e^(tilt x loss)].
    fn log_means(sketch: &Sketch, tilt: f64) -> [(f64, f64); 3] {
        [1.0, 0.5, 0.2].map(|factor| (factor * tilt, sketch.cumulants(factor * tilt).log_mean))
    }

    /// How wide the bracket will about be: what both discretisations add to the variance, times half of tilt + 1.
    fn expected_width(&self, spacing: f64, tilt: f64) -> f64 {
        let layout = Layout { spacing, tilt, log_tail: self.log_tail };
        let added: f64 = self
            .pairs
            .iter()
            .zip(&self.sketches)
            .map(|((pair, count), sketch)| count * pair.added_variance(layout, &Self::log_means(sketch, tilt)))
            .sum();
        0.5 * (tilt + 1.0) * added
    }

    /// A spacing that puts the end of a step's losses onto the grid, if that is near, and that is fine enough for some
    /// points between that end and 0, without which there is no lower bound, if the window's `length` allows it.
    fn fitted(&self, spacing: f64, length: f64) -> f64 {
        let Some((loss, is_atom)) = self.pairs.iter().find_map(|(pair, _)| pair.anchor()) else { return spacing };
        let cells = loss / spacing;
        let fewest = if is_atom { 1.0 } else { 3.0 };
        if cells < fewest {
            let finer = loss / fewest;
            return if length / finer < FINER_POINTS { finer } else { spacing };
        }
        if !is_atom && cells <= 8.0 {
            return spacing;
        }
        let finer = loss / cells.ceil();
        if length / finer <= MOST_POINTS as f64 - 8.0 { finer } else { loss / cells.floor() }
    }

    fn at_spacing(&self, goal: Goal, spacing: f64, tilt: f64, window: Window) -> (f64, f64) {
        let layout = Layout { spacing, tilt, log_tail: self.log_tail };
        let lattices: Vec<Lattice> = self
            .pairs
            .iter()
            .zip(&self.sketches)
            .map(|((pair, _), sketch)| pair.lattice(layout, &Self::log_means(sketch, tilt)))
            .collect();
        let ask = |side: Side, choose: fn(&Lattice) -> &Sparse| {
            let parts: Vec<Part<'_>> = lattices
                .iter()
                .zip(&self.pairs)
                .map(|(lattice, (_, count))| Part { step: choose(lattice), count: *count })
                .collect();
            let (least, most) = at_least_once(parts.iter().map(|part| (part.step.infinite, part.count)));
            let infinite = if side == Side::Above { most } else { least };
            let steps: f64 = parts.iter().map(|part| part.count).sum();
            let composed = compose(&parts, spacing, window)?;
            let rounding = self.pairs.iter().map(|(pair, count)| count * pair.rounding()).sum();
            let curve = Curve::new(&composed, spacing, infinite, steps, rounding, side);
            // Losses that are larger, or smaller, by what they may have been moved.
            Some(match (goal, side) {
                (Goal::EpsilonAt(delta), Side::Above) => curve.epsilon(delta) + self.moved,
                (Goal::EpsilonAt(delta), Side::Below) => (curve.epsilon(delta) - self.moved).max(0.0),
                (Goal::DeltaAt(epsilon), Side::Above) => curve.delta((epsilon - self.moved).max(0.0)),
                (Goal::DeltaAt(epsilon), Side::Below) => curve.delta(epsilon + self.moved),
            })
        };
        let (least, most) = match goal {
            Goal::EpsilonAt(_) => (0.0, f64::INFINITY),
            Goal::DeltaAt(_) => (0.0, 1.0),
        };
        let upper = ask(Side::Above, |lattice| &lattice.upper).filter(|bound| !bound.is_nan()).unwrap_or(most);
        let lower = ask(Side::Below, |lattice| &lattice.lower).filter(|bound| !bound.is_nan()).unwrap_or(least);
        (lower, upper)
    }
}

/// Bounds of 1 - product of (1 - p)^count, where each p is given with its own bounds.
fn at_least_once(chances: impl Iterator<Item = ((f64, f64), f64)>) -> (f64, f64) {
    let mut single = None;
    let (mut least, mut most) = (0.0, 0.0);
    for ((low, high), count) in chances {
        if high > 0.0 {
            single = Some(if single.is_none() && count == 1.0 { (low, high) } else { (f64::NAN, f64::NAN) });
            least += count * (-low).ln_1p();
            most += count * (-high).ln_1p();
        }
    }
    match single {
        None => (0.0, 0.0),
        Some(bounds) if !bounds.0.is_nan() => bounds,
        Some(_) => {
            let rounding = 16.0 * f64::EPSILON;
            (-f64::exp_m1(least) * (1.0 - rounding), (-f64::exp_m1(most) * (1.0 + rounding)).min(1.0))
        }
    }
}
