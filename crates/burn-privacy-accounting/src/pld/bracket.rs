//! From steps to a bracket of epsilon or delta in one direction: chooses tilt, grid and window, and refines until the bracket
//! is narrow.
//!
//! Long because: one search over tilt, grid and window, and its tests beside it.

use super::base::Direction;
use super::blocks::{RATIO, in_blocks};
use super::composition::{Part, compose};
use super::curve::{Curve, Side};
use super::goal::{Goal, Sides};
use super::lattice::{Lattice, Layout, at_least_once};
use super::mixture::Mixture;
use super::sketch::Sketch;
use super::step::Step;
use super::tilt::{chernoff_epsilon, log_chernoff, log_delta_estimate, tilt_for_delta, tilt_for_epsilon, total};
use super::transform::MOST_POINTS;
use super::window::{Wanted, Window};

/// Deltas below this are not resolved.
pub(super) const LEAST_DELTA: f64 = 1e-280;

/// Tails are cut off where they can change delta by no more than this part of the accuracy.
const TAIL: f64 = 0.1;

/// A grid is made finer than the accuracy needs if it has no more points than this.
const FINER_POINTS: f64 = DEAR_POINTS;

/// The same as long as the upper bound is not settled, which needs no such points.
const CHEAP_POINTS: f64 = 32_768.0;

/// Relative rounding of an atom's loss, and of its place on the grid.
const ATOM_ROUNDING: f64 = 20.0 * f64::EPSILON;

/// Blocks whose bracket is wider than so many times what was aimed at are given up.
const HOPELESS_WIDTH: f64 = 100.0;

/// With more points than this on a single grid, steps are put into blocks.
const SINGLE_POINTS: f64 = 131_072.0;

/// A grid of more points than this is not refined unless that helps.
const DEAR_POINTS: f64 = 400_000.0;

/// No block is made of fewer than this many others.
const FEWEST_BLOCKS: f64 = 16.0;

/// Log probabilities below this are not worth a second grid.
const HOPELESS: f64 = -1_500.0;

/// Part of the width that is aimed at which may be expected: the expectation is up to twice too small.
const ESTIMATE: f64 = 0.45;

/// A first look at a delta whose size is not known is so many times coarser.
const UNSURE: f64 = 100.0;

/// A bracket that is so many times wider than a fine enough grid should leave is wide for another reason.
const LOOSE: f64 = 3.0;

/// How often a grid is refined.
const MOST_ROUNDS: usize = 6;

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
pub(super) struct OneWay {
    pairs: Vec<(Mixture, f64)>,
    sketches: Vec<Sketch>,
    /// ln of the delta that the tails were cut for.
    pub(super) log_delta: f64,
    log_tail: f64,
    /// Bounds of P's probability of an infinite total loss.
    infinite: (f64, f64),
    largest_loss: f64,
    /// By how much rounding can have moved an atom's total loss.
    moved: f64,
}

fn sketches(pairs: &[(Mixture, f64)], log_tail: f64) -> Vec<Sketch> {
    pairs.iter().map(|(pair, count)| pair.sketch(*count, log_tail)).collect()
}

impl OneWay {
    /// The steps seen from one direction, with tails cut for `accuracy` and for the delta that is `known` or asked for.
    pub(super) fn new(
        steps: &[(Step, u64)],
        direction: Direction,
        accuracy: f64,
        goal: Goal,
        known: Option<f64>,
    ) -> Self {
        let count: f64 = steps.iter().map(|(_, count)| *count as f64).sum();
        let pairs: Vec<(Mixture, f64)> =
            steps.iter().map(|(step, count)| (Mixture::of_step(step, direction), *count as f64)).collect();
        let log_delta = match goal {
            Goal::EpsilonAt(delta) => delta.max(LEAST_DELTA).ln(),
            Goal::DeltaAt(epsilon) => known.unwrap_or_else(|| {
                // A first look at how small the delta is.
                let sketches = sketches(&pairs, (1e-30_f64).ln());
                log_chernoff(&sketches, epsilon).clamp(LEAST_DELTA.ln(), 0.0)
            }),
        };
        let log_tail = log_delta - count.max(1.0).ln() + (TAIL * accuracy).ln();
        Self {
            sketches: sketches(&pairs, log_tail),
            log_delta,
            log_tail,
            infinite: at_least_once(pairs.iter().map(|(pair, count)| (pair.infinite_mass(), *count))),
            largest_loss: pairs.iter().map(|(pair, count)| count * pair.largest_loss()).sum::<f64>() * (1.0 + 1e-14),
            moved: pairs.iter().map(|(pair, count)| count * pair.largest_atom()).sum::<f64>() * ATOM_ROUNDING,
            pairs,
        }
    }

    /// True if this direction is proved to be no worse than an upper bound of the other one.
    pub(super) fn is_surely_below(&self, goal: Goal, upper: f64) -> bool {
        match goal {
            Goal::EpsilonAt(_) if upper == f64::INFINITY => true,
            Goal::DeltaAt(_) if upper >= 1.0 => true,
            Goal::EpsilonAt(delta) => upper > 0.0 && self.delta_is_below(upper, delta),
            Goal::DeltaAt(epsilon) => self.delta_is_below(epsilon, upper),
        }
    }

    /// True if delta at `epsilon` is proved to be at most `limit`: by the largest loss, or by Chernoff's bound,
    /// E[(1 - e^(epsilon-l))+] <= M(s) e^(-s epsilon) s^s / (1+s)^(1+s) for any s > 0, of a coarse lattice from above. The
    /// sketches choose s and the lattice's spacing only.
    fn delta_is_below(&self, epsilon: f64, limit: f64) -> bool {
        if self.infinite.1 == 0.0 && self.largest_loss <= epsilon {
            return true;
        }
        let tilt = tilt_for_epsilon(&self.sketches, epsilon);
        let steps: f64 = self.pairs.iter().map(|(_, count)| count).sum();
        let spacing = 0.2 * (total(&self.sketches, tilt).variance / steps).sqrt();
        if !(spacing > 0.0 && spacing.is_finite()) {
            return false;
        }
        let layout = Layout { spacing, tilt, log_tail: self.log_tail };
        let mut log_mean = -tilt * (epsilon - self.moved) + tilt * tilt.ln() - (1.0 + tilt) * tilt.ln_1p();
        let mut infinite = Vec::new();
        for ((pair, count), sketch) in self.pairs.iter().zip(&self.sketches) {
            let step = pair.lattice(layout, &Self::log_means(sketch, tilt)).upper;
            log_mean += count * (step.log_mean(spacing, tilt) + pair.rounding() + 1e-13);
            infinite.push((step.infinite, *count));
        }
        (log_mean + 1e-9).exp() + at_least_once(infinite.into_iter()).1 <= limit
    }

    pub(super) fn bounds(&self, goal: Goal, accuracy: f64, sides: Sides) -> (f64, f64) {
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
            Goal::EpsilonAt(delta) => self.plan((delta - self.infinite.1).ln(), tilt),
            Goal::DeltaAt(epsilon) => Plan {
                epsilons: (epsilon, epsilon),
                log_delta: log_delta_estimate(&self.sketches, epsilon).min(0.0),
                saddle: tilt,
                // Below the mean loss there is no saddle point, and the estimate may be far off.
                sure: epsilon >= total(&self.sketches, 0.0).mean || self.is_nearly_sure(epsilon),
            },
        };
        if plan.log_delta < HOPELESS {
            return (lower, upper);
        }
        let mut refinement = 1.0;
        let (mut before, mut last_new, mut settled) = (f64::NAN, f64::NAN, false);
        let (mut blocks, mut last_width, mut last_upper) = (true, f64::INFINITY, f64::INFINITY);
        let mut loose = false;
        for _ in 0..MOST_ROUNDS {
            let center = total(&self.sketches, plan.saddle);
            let deviation = center.variance.sqrt();
            let reference = if plan.sure { 0.5 * (plan.epsilons.0 + plan.epsilons.1) } else { plan.epsilons.1 };
            let tolerance = accuracy * reference.max(0.02 * deviation);
            if !(tolerance > 0.0 && deviation > 0.0 && center.log_mean.is_finite()) {
                return (lower, upper);
            }
            // Both discretizations together change the variance by about spacing^2 / 4 a step, and epsilon by tilt + 1
            // times half of that.
            let aim = match goal {
                _ if plan.sure => tolerance,
                Goal::EpsilonAt(_) => 0.02 * reference,
                Goal::DeltaAt(_) => UNSURE * tolerance,
            };
            let fine = (8.0 * 0.55 * aim / (steps * (plan.saddle + 1.0))).sqrt().min(deviation / 8.0) * refinement;
            let wanted = Wanted {
                epsilons: plan.epsilons,
                log_delta: plan.log_delta,
                log_error: (0.1 * (plan.saddle * aim).min(0.3)).ln(),
                saddle: plan.saddle,
            };
            let window = Window::new(&self.sketches, wanted);
            let levels = if blocks { self.levels((window.top - window.bottom) / fine) } else { 0 };
            let fine = fine / f64::from(levels + 1).sqrt();
            // In units of the finest grid.
            let length = (window.top - window.bottom) / RATIO.powi(levels);
            let narrowest = 1.01 * length / (MOST_POINTS as f64 - 8.0);
            let mut spacing = self.fitted(fine.max(narrowest), length, settled);
            let expected = self.expected_width(spacing, plan.saddle, levels);
            if expected > ESTIMATE * aim {
                spacing = self.fitted((spacing * (ESTIMATE * aim / expected).sqrt()).max(narrowest), length, settled);
            }
            if spacing == before {
                break;
            }
            // Nearly all losses are far above epsilon, so that delta is 1 to a float, and the grid can't be fine enough to say less.
            if let Goal::DeltaAt(epsilon) = goal
                && expected > aim
                && self.is_nearly_sure(epsilon)
            {
                return (lower, upper);
            }
            // Not for the lower bound alone.
            if length / spacing > DEAR_POINTS && (last_upper - upper).abs() < accuracy * upper {
                break;
            }
            before = spacing;
            let without_lower = sides == Sides::Upper && (loose || self.has_no_lower(spacing));
            let layout = Layout { spacing, tilt: plan.saddle, log_tail: self.log_tail };
            let lattices: Vec<Lattice> = self
                .pairs
                .iter()
                .zip(&self.sketches)
                .map(|((pair, _), sketch)| pair.lattice(layout, &Self::log_means(sketch, plan.saddle)))
                .collect();
            let at = |side| self.at_spacing(goal, &lattices, side, (spacing, levels), plan.saddle, window);
            let new_upper = at(Side::Above);
            let new_lower = if without_lower { lower } else { at(Side::Below) };
            lower = lower.max(new_lower);
            last_upper = upper;
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
            let failed = !new_upper.is_finite() || width > HOPELESS_WIDTH * reached;
            // What the grid does not explain, a finer one does not mend.
            loose |= plan.sure && expected <= ESTIMATE * aim && width > LOOSE * reached;
            if levels > 0 && failed {
                // Blocks are no gain where tails are heavy: once more on a single grid.
                blocks = false;
                (before, last_upper) = (f64::NAN, f64::INFINITY);
                continue;
            }
            // Errors fall with the spacing's square: what two grids agree on is the upper bound's, whatever the lower one is.
            let change = match goal {
                Goal::EpsilonAt(_) => (new_upper - last_new).abs(),
                Goal::DeltaAt(_) => (new_upper / last_new).ln().abs() / (plan.saddle + 1.0 / deviation),
            };
            settled |= plan.sure && change <= 0.5 * reached;
            if width <= reached || (settled && sides == Sides::Upper) || (plan.sure && fine <= narrowest) {
                break;
            }
            last_new = new_upper;
            // Rounding is all that is left of the width.
            if (levels > 0 || length / spacing > DEAR_POINTS) && width > 0.8 * last_width && settled {
                break;
            }
            last_width = width;
            match goal {
                Goal::EpsilonAt(_) if !plan.sure || upper < plan.epsilons.0 || lower > plan.epsilons.1 => {
                    let saddle = tilt_for_epsilon(&self.sketches, upper.min(plan.epsilons.1));
                    let low = if lower > 0.0 { lower } else { 0.5 * upper };
                    (before, last_upper, last_new) = (f64::NAN, f64::INFINITY, f64::NAN);
                    plan = Plan { epsilons: (0.99 * low, 1.01 * upper), saddle, sure: true, ..plan };
                }
                Goal::DeltaAt(_)
                    if !plan.sure || (plan.log_delta - (upper - self.infinite.1).max(LEAST_DELTA).ln()).abs() > 0.5 =>
                {
                    // The guess was bad: once more with what is known now.
                    plan.sure = true;
                    plan.log_delta = (upper - self.infinite.1).max(LEAST_DELTA).ln();
                    plan.saddle = tilt_for_delta(&self.sketches, plan.log_delta);
                    (before, last_upper, last_new) = (f64::NAN, f64::INFINITY, f64::NAN);
                }
                _ => {
                    // First it is seen whether the upper bound moves at all: all rounds of a search are rounds of a bracket.
                    let finest = if settled { 0.1 } else { 0.5 };
                    refinement *=
                        if width.is_finite() { (0.7 * tolerance / width).sqrt().clamp(finest, 0.8) } else { 0.25 };
                }
            }
        }
        (lower.min(upper), upper)
    }

    /// True if a grid is so coarse that no point lies between 0 and where the losses end, so that it has no lower bound.
    fn has_no_lower(&self, spacing: f64) -> bool {
        let ends = self.pairs.iter().find_map(|(pair, _)| pair.anchor());
        ends.is_some_and(|(loss, is_atom)| !is_atom && loss < spacing)
    }

    /// True if the total loss is above epsilon but for a probability that no float next to 1 shows. Part of no bound.
    fn is_nearly_sure(&self, epsilon: f64) -> bool {
        let center = total(&self.sketches, 0.0);
        let above = center.mean - epsilon;
        above > 40.0 && above > 10.0 * center.variance.sqrt()
    }

    /// Tilts under which a step's losses matter, with its ln E[e^(tilt x loss)].
    fn log_means(sketch: &Sketch, tilt: f64) -> [(f64, f64); 3] {
        [1.0, 0.5, 0.2].map(|factor| (factor * tilt, sketch.cumulants(factor * tilt).log_mean))
    }

    /// Where the epsilon of a delta is looked for: near the saddle point's guess, unless that disagrees with Chernoff's bound,
    /// which is below it where rare losses are large: the mean jumps from none of them to many within a small range of tilts.
    fn plan(&self, log_delta: f64, tilt: f64) -> Plan {
        let limit = chernoff_epsilon(&self.sketches, log_delta, tilt).min(self.largest_loss);
        let guess = total(&self.sketches, tilt).mean;
        if guess > 0.0 && limit < 1.2 * guess && guess <= 1.05 * limit {
            return Plan { epsilons: (0.9 * guess.min(limit), 1.1 * guess), log_delta, saddle: tilt, sure: true };
        }
        // A coarse grid looks for epsilon.
        let saddle = if guess > limit { tilt_for_epsilon(&self.sketches, limit) } else { tilt };
        let limit = limit.min(chernoff_epsilon(&self.sketches, log_delta, saddle));
        Plan { epsilons: (0.0, limit), log_delta, saddle, sure: false }
    }

    /// How wide the bracket will about be: what both discretizations add to the variance, times half of tilt + 1.
    fn expected_width(&self, spacing: f64, tilt: f64, levels: i32) -> f64 {
        let layout = Layout { spacing, tilt, log_tail: self.log_tail };
        let added: f64 = self
            .pairs
            .iter()
            .zip(&self.sketches)
            .map(|((pair, count), sketch)| count * pair.added_variance(layout, &Self::log_means(sketch, tilt)))
            .sum();
        // Each coarser grid adds as much as the finest one would.
        let steps: f64 = self.sketches.iter().map(Sketch::count).sum();
        let coarser = 0.25 * f64::from(levels) * steps * spacing * spacing;
        0.5 * (tilt + 1.0) * (added + coarser)
    }

    /// How often steps are put into blocks, if a single grid would have this many points.
    fn levels(&self, points: f64) -> i32 {
        let most = self.pairs.iter().map(|(_, count)| *count).fold(0.0, f64::max);
        let mut levels = 0;
        while points / RATIO.powi(levels) > SINGLE_POINTS && most / (RATIO * RATIO).powi(levels + 1) > FEWEST_BLOCKS {
            levels += 1;
        }
        levels
    }

    /// A spacing that puts the end of a step's losses onto the grid, if that is near, and that is fine enough for some
    /// points between that end and 0, without which there is no lower bound, if the window's `length` allows it.
    fn fitted(&self, spacing: f64, length: f64, for_lower: bool) -> f64 {
        let Some((loss, is_atom)) = self.pairs.iter().find_map(|(pair, _)| pair.anchor()) else { return spacing };
        let cells = loss / spacing;
        let fewest = if is_atom { 1.0 } else { 3.0 };
        if cells < fewest {
            let finer = loss / fewest;
            let most = if is_atom || for_lower { FINER_POINTS } else { CHEAP_POINTS };
            return if length / finer < most { finer } else { spacing };
        }
        if !is_atom && cells <= 8.0 {
            return spacing;
        }
        let finer = loss / cells.ceil();
        if length / finer <= MOST_POINTS as f64 - 8.0 { finer } else { loss / cells.floor() }
    }

    /// The bound on one side, from a grid.
    fn at_spacing(
        &self,
        goal: Goal,
        lattices: &[Lattice],
        side: Side,
        (spacing, levels): (f64, i32),
        tilt: f64,
        window: Window,
    ) -> f64 {
        let choose = |lattice: &Lattice| match side {
            Side::Above => lattice.upper.clone(),
            Side::Below => lattice.lower.clone(),
        };
        let found = || {
            let counted =
                lattices.iter().zip(&self.pairs).map(|(lattice, (_, count))| (choose(lattice), *count as u64));
            let counted = in_blocks(counted.collect(), spacing, levels, (tilt, self.log_tail), side)?;
            let spacing = spacing * RATIO.powi(levels);
            let parts: Vec<Part<'_>> =
                counted.iter().map(|(step, count)| Part { step, count: *count as f64 }).collect();
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
                // Not raised to 0: the curve goes on to negative epsilons, and falls.
                (Goal::DeltaAt(epsilon), Side::Above) => curve.delta(epsilon - self.moved),
                (Goal::DeltaAt(epsilon), Side::Below) => curve.delta(epsilon + self.moved),
            })
        };
        let trivial = match (side, goal) {
            (Side::Below, _) => 0.0,
            (Side::Above, Goal::EpsilonAt(_)) => f64::INFINITY,
            (Side::Above, Goal::DeltaAt(_)) => 1.0,
        };
        found().filter(|bound| !bound.is_nan()).unwrap_or(trivial)
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::Base;
    use super::*;

    /// P's probabilities of the total losses of `count` randomized responses among `categories` answers, by adding one at a
    /// time: index i is the loss (i - count) x `loss`.
    fn total_losses(loss: f64, categories: u64, count: usize) -> Vec<f64> {
        let truth = 1.0 / (1.0 + (categories - 1) as f64 * (-loss).exp());
        let other = truth * (-loss).exp();
        let single = [other, (categories - 2) as f64 * other, truth];
        (0..count).fold(vec![1.0], |law, _| {
            let mut next = vec![0.0; law.len() + 2];
            for (place, mass) in law.iter().enumerate() {
                for (shift, part) in single.iter().enumerate() {
                    next[place + shift] += mass * part;
                }
            }
            next
        })
    }

    /// Hockey-stick at any epsilon of a law on whole multiples of `loss`.
    fn stick(law: &[f64], loss: f64, count: usize, epsilon: f64) -> f64 {
        let losses = (0..law.len()).map(|place| (place as f64 - count as f64) * loss);
        losses.zip(law).filter(|(l, _)| *l > epsilon).map(|(l, mass)| -mass * (epsilon - l).exp_m1()).sum()
    }

    fn one_way(loss: f64, categories: u64, count: usize, epsilon: f64) -> OneWay {
        let truth = 1.0 / (1.0 + (categories - 1) as f64 * (-loss).exp());
        let step = Step::unsampled(Base::RandomizedResponse { truth, loss, categories });
        OneWay::new(&[(step, count as u64)], Direction::Remove, 1e-4, Goal::DeltaAt(epsilon), None)
    }

    /// Losses that may have been moved are larger by that in the worst case, also where epsilon is smaller than that: the
    /// upper bound is that at a negative epsilon. It was that at 0.
    #[test]
    fn moved_losses_count_where_epsilon_is_smaller_than_the_move() {
        for (loss, categories, count) in [(0.3, 2, 25), (0.05, 7, 40), (1.1, 3, 4)] {
            let law = total_losses(loss, categories, count);
            for (moved, epsilon) in [(0.01, 0.0), (0.01, 0.004), (0.03, 0.0)] {
                let mut way = one_way(loss, categories, count, epsilon);
                way.moved = moved;
                let (lower, upper) = way.bounds(Goal::DeltaAt(epsilon), 1e-4, Sides::Both);
                let most = stick(&law, loss, count, epsilon - moved);
                let least = stick(&law, loss, count, epsilon + moved);
                assert!(upper >= most, "{loss} {categories} {count} {moved} {epsilon}: {upper} {most}");
                assert!(upper <= most * 1.001 && lower <= least, "{loss} {moved} {epsilon}: {lower} {upper} {most}");
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        /// Delta at and near epsilon 0, where all losses are atoms.
        #[test]
        fn deltas_of_atoms_near_zero_lie_between_the_bounds(
            loss in 1e-3..3.0_f64,
            categories in 2..40_u64,
            count in 1..60_usize,
            part in proptest::prop_oneof![proptest::strategy::Just(0.0), -1e-14..1e-14_f64, 0.0..3.0_f64],
        ) {
            let epsilon = (part * loss).abs();
            let law = total_losses(loss, categories, count);
            let truth = stick(&law, loss, count, epsilon);
            let (lower, upper) = one_way(loss, categories, count, epsilon).bounds(Goal::DeltaAt(epsilon), 1e-4, Sides::Both);
            // The sum above has rounding of its own.
            let rounding = 1e-14 * (1.0 + count as f64);
            proptest::prop_assert!(lower <= truth * (1.0 + rounding), "{} {}", lower, truth);
            proptest::prop_assert!(upper >= truth * (1.0 - rounding), "{} {}", upper, truth);
        }
    }
}
