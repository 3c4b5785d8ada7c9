//! Searches by cheap guesses of epsilon first, and by few epsilons near where they lead.

use super::narrowing::{Holds, WEAKER, weakest};
use crate::{MAX_COUNT, Result};

/// The search by guesses of epsilon first, and by few epsilons near where they lead; none if that leads nowhere, for the
/// search by epsilons alone to say why.
pub(super) fn near_a_guess(
    guess: impl Fn(f64) -> Result<Option<f64>>,
    epsilon: impl Fn(f64) -> Result<f64>,
    target: f64,
    holds: Holds,
) -> Result<Option<f64>> {
    // ln(guess / target) over the parameter's logarithm.
    let height = |log: f64| -> Result<Option<f64>> {
        let height = guess(log.exp())?.map(|guess| (guess / target).ln());
        Ok(height.filter(|height| height.is_finite()))
    };
    let (mut low, mut high) = match holds {
        Holds::Above => (-0.7, 0.7),
        Holds::Below => (-7.0, -3.0),
    };
    let (Some(mut at_low), Some(mut at_high)) = (height(low)?, height(high)?) else { return Ok(None) };
    // Walk until the target is in between, then secant steps; the curve is smooth and steep.
    for _ in 0..30 {
        let outside = at_low.signum() == at_high.signum();
        let slope = (at_high - at_low) / (high - low);
        let next = high - at_high / slope;
        if !(next.is_finite() && slope * holds.sign() < 0.0) || next.abs() > 30.0 {
            return Ok(None);
        }
        let next = if outside { next.clamp(low - 3.0, high + 3.0) } else { next };
        if holds == Holds::Below && next > 0.0 {
            return Ok(None);
        }
        let Some(at_next) = height(next)? else { return Ok(None) };
        // Keep the nearer one.
        if (next - low).abs() < (next - high).abs() {
            (high, at_high) = (low, at_low);
        }
        (low, at_low) = (high, at_high);
        (high, at_high) = (next, at_next);
        if at_high.abs() < 3e-4 || (high - low).abs() < 1e-9 {
            break;
        }
    }
    if at_high.abs() > 0.01 || (high - low).abs() < 1e-9 {
        return Ok(None);
    }
    let mut slope = (at_high - at_low) / (high - low);
    let mut from = high;
    let mut at = (epsilon(from.exp())? / target).ln();
    for _ in 0..8 {
        // A hair towards where the target holds.
        let next = from - at / slope + holds.sign() * 0.3 * WEAKER;
        if !next.is_finite() || (next - from).abs() > 1.0 || (holds == Holds::Below && next > 0.0) {
            return Ok(None);
        }
        let found = next.exp();
        let reached = epsilon(found)?;
        let at_next = (reached / target).ln();
        if (next - from).abs() > WEAKER {
            slope = (at_next - at) / (next - from);
        }
        (at, from) = (at_next, next);
        if reached <= target && at > -0.8 * WEAKER * slope.abs() {
            return weakest(epsilon, target, found, holds).map(Some);
        }
    }
    Ok(None)
}

/// A number of steps that holds the target and one that does not, near each other, by guesses first; none if these lead
/// nowhere.
pub(super) fn steps_near_a_guess(
    guess: impl Fn(u64) -> Result<Option<f64>>,
    epsilon: impl Fn(u64) -> Result<f64>,
    target: f64,
) -> Result<Option<(u64, u64)>> {
    let most = (MAX_COUNT as f64).ln();
    // ln(guess / target) over the logarithm of the steps.
    let height = |log: f64| -> Result<Option<f64>> {
        let steps = (log.exp() as u64).clamp(1, MAX_COUNT);
        Ok(guess(steps)?.map(|guess| (guess / target).ln()).filter(|height| height.is_finite()))
    };
    let (mut from, mut log) = (7.0_f64, 9.0_f64);
    let (Some(mut at_from), Some(mut at)) = (height(from)?, height(log)?) else { return Ok(None) };
    for _ in 0..30 {
        if at.abs() < 1e-3 {
            break;
        }
        let slope = (at - at_from) / (log - from);
        // Between one and a half, mostly; a guess's error must not lead far away.
        let next = (log - at / slope.clamp(0.2, 2.0)).clamp(log - 5.0, log + 5.0).clamp(0.0, most);
        if !next.is_finite() || (next - log).abs() < 1e-7 {
            break;
        }
        (from, at_from) = (log, at);
        log = next;
        let Some(at_next) = height(log)? else { return Ok(None) };
        at = at_next;
    }
    // Outwards from the guess, in steps that follow from how far off it is.
    let steps = |log: f64| (log.exp() as u64).clamp(1, MAX_COUNT);
    let mut middle = steps(log);
    let (mut holding, mut failing) = (0, u64::MAX);
    for round in 0..24 {
        let at = epsilon(middle)?;
        if at <= target {
            holding = holding.max(middle);
            if middle == MAX_COUNT {
                return Ok(None);
            }
        } else {
            failing = failing.min(middle);
        }
        if failing <= holding + 1 || (failing < u64::MAX && failing - holding <= 1 + (holding as f64 * WEAKER) as u64) {
            break;
        }
        // A hair beyond where the target is expected.
        let off = (target / at).ln() * 1.5;
        let beyond = if at <= target { 1.0 } else { -1.0 } * 0.5 * WEAKER * f64::from(1 << (2 * round.min(10)));
        let next = steps(((middle as f64).ln() + if off.is_finite() { off.clamp(-2.0, 2.0) } else { -1.0 }) + beyond);
        middle = if failing == u64::MAX {
            next.max(holding + 1)
        } else if next > holding && next < failing {
            next
        } else {
            holding + (failing - holding) / 2
        };
    }
    Ok((holding < failing && failing < u64::MAX).then_some((holding, failing)))
}
