//! Many steps in blocks: 256 steps are composed on a fine grid and put on one that is 16 times coarser, then 256 of those.
//!
//! A grid adds its squared spacing to the variance at every composition. With a single grid, T steps need a spacing of one
//! over the square root of T and a window that is as long as the total's: far too many points for a billion steps. A block
//! of k steps may lie on a grid that is coarser by the square root of k, and adds no more than its k steps did.
//!
//! *Above,* each mass of a block is raised by what rounding may have taken, and split between two points of the coarser grid
//! (see [`super::lattice`]); what lies above the block's window has an infinite loss, what lies below is moved up to its end.
//! *Below,* each is lowered by what rounding and folding may have added: without some of P's mass, no hockey-stick is
//! larger, in a composition neither (its curve is an integral over P's masses). Then it is contracted as a step is.

use super::composition::{Part, compose};
use super::contraction::contract;
use super::curve::Side;
use super::lattice::{Sparse, at_least_once, bins};
use super::quadrature::Moments;
use super::window::Window;
use crate::keeping_nan::at_least_zero;

/// Steps in a block.
const BLOCK: u64 = 256;

/// The coarser grid's spacing: the square root of a block.
pub(super) const RATIO: f64 = 16.0;

/// Rounding of a mass that is moved to the coarser grid.
const ROUNDING: f64 = 1e-12;

/// Composes `counted` steps on a grid in blocks, `levels` times; gives steps on the last grid.
///
/// `tilt` is that under which the total's masses matter, and e^`log_tail` what each step may leave out.
pub(super) fn in_blocks(
    counted: Vec<(Sparse, u64)>,
    spacing: f64,
    levels: i32,
    (tilt, log_tail): (f64, f64),
    side: Side,
) -> Option<Vec<(Sparse, u64)>> {
    let mut parts = counted;
    for level in 0..levels {
        let spacing = spacing * RATIO.powi(level);
        let mut coarse = Vec::with_capacity(parts.len() + 1);
        for (step, count) in &parts {
            for (steps, times) in [(BLOCK, count / BLOCK), (count % BLOCK, 1)] {
                if steps > 0 && times > 0 {
                    coarse.push((block(step, spacing, steps, (tilt, log_tail), side)?, times));
                }
            }
        }
        parts = coarse;
    }
    Some(parts)
}

/// `count` steps on the coarser grid.
fn block(step: &Sparse, spacing: f64, count: u64, (tilt, log_tail): (f64, f64), side: Side) -> Option<Sparse> {
    let times = count as f64;
    let log_mean = |u: f64| times * step.log_mean(spacing, u);
    let at_tilt = log_mean(tilt);
    let deviation = (times * step.variance(spacing, tilt)).sqrt();
    // Chernoff's bound is smallest about here.
    let unit = (-2.0 * log_tail).max(1.0).sqrt() / deviation;
    if !(unit.is_finite() && unit > 0.0 && at_tilt.is_finite()) {
        return None;
    }
    // Above `top` and below `bottom`, P has at most e^log_tail, and the tilted law, too.
    let near = |center: f64, sign: f64| [0.7, 1.0, 1.4].map(|factor| center + sign * factor * unit);
    let (mut top, mut bottom) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut tilted_top, mut tilted_bottom) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut tilt_of_missing, mut tilt_of_lost) = (unit, -unit);
    for u in near(0.0, 1.0) {
        let limit = (log_mean(u) - log_tail) / u;
        if limit < top {
            (top, tilt_of_missing) = (limit, u);
        }
    }
    for u in near(0.0, -1.0) {
        let limit = (log_mean(u) - log_tail) / u;
        if limit > bottom {
            (bottom, tilt_of_lost) = (limit, u);
        }
    }
    for u in near(tilt, 1.0) {
        tilted_top = tilted_top.min((log_mean(u) - at_tilt - log_tail) / (u - tilt));
    }
    for u in near(tilt, -1.0) {
        tilted_bottom = tilted_bottom.max((log_mean(u) - at_tilt - log_tail) / (u - tilt));
    }
    let (top, bottom) = (top.max(tilted_top), bottom.min(tilted_bottom));
    // The tilted mass that folds into the window from both sides.
    let fold = 2.0 * log_tail.exp() * (1.0 + 1e-9);
    let window = Window { tilt, bottom, top, tilt_of_missing, tilt_of_folded: tilt + unit };
    let composed = compose(&[Part { step, count: times }], spacing, window)?;
    // A mass without its tilt, and the relative error of that, which is its exponent's.
    let untilted = |index: i64| {
        let moved = tilt * (index as f64 * spacing);
        let error = ROUNDING + 4.0 * f64::EPSILON * (composed.log_mean.abs() + moved.abs());
        ((composed.log_mean - moved).exp(), error)
    };
    let (first, last) = (composed.first, composed.first + composed.masses.len() as i64 - 1);
    let ratio = RATIO as i64;
    let knots: Vec<i64> = (first.div_euclid(ratio)..=last.div_euclid(ratio) + 1).collect();
    let losses: Vec<f64> = knots.iter().map(|&knot| knot as f64 * RATIO * spacing).collect();
    let (least, most) = at_least_once(std::iter::once((step.infinite, times)));
    match side {
        Side::Above => {
            let mut masses = vec![0.0; knots.len()];
            for (index, tilted) in (first..).zip(&composed.masses) {
                // The true mass is at least 0, and at most this.
                let (scale, error) = untilted(index);
                let mass = at_least_zero(tilted + composed.cell_error) * scale * (1.0 + error);
                let place = (index.div_euclid(ratio) - knots[0]) as usize;
                // An outcome's share for the right knot is (1 - e^(a-l)) / (1 - e^(a-b)).
                let offset = index.rem_euclid(ratio) as f64 * spacing;
                let right = (-offset).exp_m1() / (-RATIO * spacing).exp_m1();
                masses[place] += mass * (1.0 - right);
                masses[place + 1] += mass * right;
            }
            // Chernoff's bound at the window's own end, which lies at or below `bottom`.
            let end = first as f64 * spacing;
            masses[0] += (log_mean(tilt_of_lost) - tilt_of_lost * end).exp() * (1.0 + ROUNDING);
            // Far below the tilt's bulk a mass that is all rounding may be beyond a float: no block then, not one without it.
            if !masses.iter().all(|mass| mass.is_finite()) {
                return None;
            }
            let infinite = (least, ((most + composed.missing) * (1.0 + 4.0 * f64::EPSILON)).min(1.0));
            Some(Sparse::new(&knots, &masses, infinite))
        }
        Side::Below => {
            let mut halves = vec![(Moments::default(), Moments::default()); knots.len() - 1];
            for (index, tilted) in (first..).zip(&composed.masses) {
                let (scale, error) = untilted(index);
                let mass = (tilted - composed.cell_error - fold) * scale * (1.0 - error);
                if mass > 0.0 && mass.is_finite() {
                    let place = (index.div_euclid(ratio) - knots[0]) as usize;
                    let loss = index as f64 * spacing;
                    if 2 * index.rem_euclid(ratio) < ratio {
                        halves[place].0.add(mass, losses[place], loss);
                    } else {
                        halves[place].1.add(mass, losses[place + 1], loss);
                    }
                }
            }
            let masses = contract(&losses, &bins(&losses, &halves))?;
            Some(Sparse::new(&knots, &masses, (least, most)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::{Base, Direction};
    use super::super::lattice::{Lattice, Layout};
    use super::super::pair::Pair;
    use super::*;

    /// ln E[e^(tilt x loss)] of one step adds up, and the true one lies between both sides at each level.
    #[test]
    fn moments_of_blocks_lie_around_the_true_ones() {
        let (noise, rate, tilt) = (100.0, 0.005, 6.0);
        let pair = Pair::new(Base::Gaussian { noise }, rate, Direction::Remove);
        let layout = Layout { spacing: 1e-6, tilt, log_tail: -43.0 };
        let lattice = Lattice::new(&pair, layout, &[(tilt, 0.0)]);
        // At order 7: ln sum_k C(7,k) (1-q)^(7-k) q^k e^((k^2-k)/(2 s^2)).
        let (mut truth, mut binomial) = (0.0, (1.0_f64 - rate).powi(7));
        for k in 0..=7 {
            let k = f64::from(k);
            truth += binomial * (k * (k - 1.0) / (2.0 * noise * noise)).exp_m1();
            binomial *= (7.0 - k) / (k + 1.0) * rate / (1.0 - rate);
        }
        let truth = truth.ln_1p();
        for levels in 0..=3 {
            let of_one = |step: &Sparse, side| {
                let all = 1 << (8 * levels);
                let parts = in_blocks(vec![(step.clone(), all)], 1e-6, levels, (tilt, -43.0), side).unwrap();
                assert!(parts.len() == 1 && parts[0].1 == 1);
                parts[0].0.log_mean(1e-6 * RATIO.powi(levels), tilt) / all as f64
            };
            let (above, below) = (of_one(&lattice.upper, Side::Above), of_one(&lattice.lower, Side::Below));
            assert!(below <= truth && truth <= above, "{levels}: {below:e} {truth:e} {above:e}");
            assert!(above / below - 1.0 < 5e-4, "{levels}: {below:e} {truth:e} {above:e}");
        }
    }

    #[test]
    fn what_is_left_of_a_block_is_counted() {
        let step = Sparse::new(&[-1, 2], &[0.4, 0.6], (0.0, 0.0));
        let parts = in_blocks(vec![(step, 1_000)], 0.01, 1, (1.0, -40.0), Side::Above).unwrap();
        let counts: Vec<u64> = parts.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [3, 1]);
        let mean = |(part, count): &(Sparse, u64)| *count as f64 * part.log_mean(0.01 * RATIO, 1.0);
        let truth = 1_000.0 * (0.4 * (-0.01_f64).exp() + 0.6 * 0.02_f64.exp()).ln();
        let found: f64 = parts.iter().map(mean).sum();
        assert!(found >= truth && found < 1.2 * truth, "{found} {truth}");
    }
}
