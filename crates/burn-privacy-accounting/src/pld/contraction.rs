//! A distribution on a grid that is *less* revealing than the true one: the optimistic dots.
//!
//! With X = dP/dQ, a pair is less revealing than another if X is smaller in the convex order under Q: the means agree
//! and the hockey-stick curve x -> E_Q[(X - x)+] lies nowhere above the other's (Blackwell's theorem). Divide the
//! losses into bins, one around each knot x_i, and let t_i be the tangent of the true curve at the bin's upper end.
//! Tangents of a convex curve lie below it. The polygon through
//!
//! ```text
//! g(x_i) = min(t_{i-1}(x_i), t_i(x_i))
//! ```
//!
//! lies on each segment `[x_i, x_{i+1}]` below t_i, since both its ends do, and so below the curve. Its kinks are masses
//! on the knots; with D_i = E_Q[x_i - X; bin i] they are, written with P-masses,
//!
//! ```text
//! p_i = P(bin i) + D_i + (min(0, D_{i+1}) + max(0, D_i)) / E_i - (min(0, D_i) + max(0, D_{i-1})) / F_{i-1},
//! ```
//!
//! E_i = e^(l_{i+1} - l_i) - 1, F_i = 1 - e^(l_i - l_{i+1}). Where the polygon is not convex a mass is negative; its
//! knot is dropped, which lowers the polygon further (to its convex hull, whose knots are knots).

use super::pair::MASS_ROUNDING;

/// What was collected for one knot's bin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bin {
    /// P's mass in the bin.
    pub(super) mass: f64,
    /// D, the integral of e^(knot - l) - 1 against P.
    pub(super) excess: f64,
}

/// The P-masses on the knots at the losses `losses` (increasing), or none if these bins allow no contraction.
pub(super) fn contract(losses: &[f64], bins: &[Bin]) -> Option<Vec<f64>> {
    let count = losses.len();
    let rises: Vec<f64> = losses.windows(2).map(|pair| (pair[1] - pair[0]).exp_m1()).collect();
    // How far the polygon lies below the tangents, at the left end of each segment plus at its right end.
    let corrections: Vec<f64> =
        (0..count.saturating_sub(1)).map(|i| bins[i + 1].excess.min(0.0) + bins[i].excess.max(0.0)).collect();
    let mut masses: Vec<f64> = (0..count)
        .map(|i| {
            let right = if i + 1 < count { corrections[i] / rises[i] } else { 0.0 };
            // 1 / F = 1 / E + 1.
            let left = if i > 0 { corrections[i - 1] / rises[i - 1] + corrections[i - 1] } else { 0.0 };
            bins[i].mass + bins[i].excess + right - left
        })
        .collect();
    if !masses.iter().all(|mass| mass.is_finite()) {
        return None;
    }
    end_at_zero(losses, &mut masses)?;
    // The same at the small losses, in the mirror: Q's masses at the losses' opposites.
    let mirrored: Vec<f64> = losses.iter().rev().map(|loss| -loss).collect();
    let mut others: Vec<f64> = losses.iter().zip(&masses).rev().map(|(loss, mass)| mass * (-loss).exp()).collect();
    if end_at_zero(&mirrored, &mut others)? {
        masses = losses.iter().zip(others.iter().rev()).map(|(loss, mass)| mass * loss.exp()).collect();
    }
    drop_negative(losses, &mut masses)?;
    // Both totals have to be what they were.
    let p = bins.iter().map(|bin| bin.mass).sum::<f64>();
    let q = bins.iter().zip(losses).map(|(bin, loss)| (bin.mass + bin.excess) * (-loss).exp()).sum::<f64>();
    let new_p = masses.iter().sum::<f64>();
    let new_q = masses.iter().zip(losses).map(|(mass, loss)| mass * (-loss).exp()).sum::<f64>();
    let same = |a: f64, b: f64| (a - b).abs() <= MASS_ROUNDING * a;
    (same(p, new_p) && same(q, new_q)).then_some(masses)
}

/// Cuts a polygon off where it falls below 0, which no hockey-stick does: from the last knot before that on it is 0. This
/// lowers it at that knot only, and leaves P's and Q's totals. True if something was changed, none if nothing is left.
fn end_at_zero(losses: &[f64], masses: &mut [f64]) -> Option<bool> {
    let count = masses.len();
    // The polygon's values at the knots, P-scaled: sum_{j > i} p_j (1 - e^(l_i - l_j)), from the right.
    let mut values = vec![0.0; count];
    let (mut p, mut q) = (0.0, 0.0);
    for i in (0..count.saturating_sub(1)).rev() {
        // Q's mass above, times e^(l_{i+1}).
        p += masses[i + 1];
        q += masses[i + 1];
        let shrink = (losses[i] - losses[i + 1]).exp();
        q *= shrink;
        values[i] = p - q;
    }
    let Some(negative) = values.iter().position(|&value| value < 0.0) else { return Some(false) };
    if negative < 3 {
        return None;
    }
    let end = negative - 1;
    masses[end..].fill(0.0);
    let fall = |from: usize, to: usize| -(losses[from] - losses[to]).exp_m1();
    masses[end] = values[end - 1] / fall(end - 1, end);
    masses[end - 1] = (values[end - 2] - masses[end] * fall(end - 2, end)) / fall(end - 2, end - 1);
    Some(true)
}

/// Spreads each negative mass onto its nearest remaining neighbors so that P's and Q's total stay, until none is left.
fn drop_negative(losses: &[f64], masses: &mut [f64]) -> Option<()> {
    const NONE: usize = usize::MAX;
    let count = masses.len();
    let mut before: Vec<usize> = (0..count).map(|i| i.wrapping_sub(1)).collect();
    let mut after: Vec<usize> = (0..count).map(|i| if i + 1 < count { i + 1 } else { NONE }).collect();
    let mut waiting: Vec<usize> = (0..count).filter(|&i| masses[i] < 0.0).collect();
    let mut gone = vec![false; count];
    while let Some(i) = waiting.pop() {
        if gone[i] || masses[i] >= 0.0 {
            continue;
        }
        let (left, right) = (before[i], after[i]);
        if left == NONE || right == NONE {
            // Rounding leaves specks at the ends; anything larger is no contraction.
            if masses[i] < -1e-14 {
                return None;
            }
            let neighbor = if left == NONE { right } else { left };
            if neighbor == NONE {
                return None;
            }
            masses[neighbor] += masses[i];
            masses[i] = 0.0;
        } else {
            let to_left = (losses[right] - losses[i]).exp_m1() / (losses[right] - losses[left]).exp_m1();
            let to_right = (losses[left] - losses[i]).exp_m1() / (losses[left] - losses[right]).exp_m1();
            masses[left] += masses[i] * to_left;
            masses[right] += masses[i] * to_right;
            masses[i] = 0.0;
        }
        gone[i] = true;
        for neighbor in [left, right] {
            if neighbor != NONE && masses[neighbor] < 0.0 {
                waiting.push(neighbor);
            }
        }
        if left != NONE {
            after[left] = right;
        }
        if right != NONE {
            before[right] = left;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_masses_go_and_both_totals_stay() {
        let losses = [-0.3_f64, -0.1, 0.0, 0.2, 0.25, 0.6];
        let mut masses = [0.3, 0.05, -0.1, 0.4, -0.02, 0.3];
        let totals = |masses: &[f64]| {
            let p: f64 = masses.iter().sum();
            let q: f64 = masses.iter().zip(losses).map(|(m, l)| m * (-l).exp()).sum();
            (p, q)
        };
        let before = totals(&masses);
        drop_negative(&losses, &mut masses).unwrap();
        let after = totals(&masses);
        assert!(masses.iter().all(|&mass| mass >= 0.0), "{masses:?}");
        assert!((before.0 - after.0).abs() < 1e-15 && (before.1 - after.1).abs() < 1e-15);
    }

    #[test]
    fn ends_that_cannot_be_contracted_are_refused() {
        assert!(drop_negative(&[0.0, 1.0, 2.0], &mut [-0.1, 0.6, 0.5]).is_none());
        assert!(drop_negative(&[0.0, 1.0, 2.0], &mut [0.6, 0.5, -0.1]).is_none());
    }
}
