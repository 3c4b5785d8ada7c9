//! Searches by rough numbers first, then by guesses, and by few epsilons near where they lead.

use super::crossing::{Crossing, LONGEST, Line, height};
use super::narrowing::{
    Holds, LARGEST_NOISE_MULTIPLIER, SMALLEST_NOISE_MULTIPLIER, SMALLEST_SAMPLING_RATE, WEAKER, narrow, weakest,
};
use crate::{MAX_COUNT, Result};

/// How near the target a rough number leads, in logarithms.
const ROUGHLY: f64 = 0.01;

/// Rough numbers that jump over the target enclose where they do by this much, in logarithms of the parameter: a place to begin.
const JUMP: f64 = 0.05;

/// So many rough numbers are enough where they don't jump.
const SMOOTH_LOOKS: usize = 8;

/// The first step of guesses from where rough numbers led.
const FIRST_STEP: f64 = 0.5;

/// As near as guesses are good.
const GUESSED: f64 = 0.01;

/// How many rough numbers, guesses and epsilons are tried.
const MOST_ROUGH: usize = 60;
const MOST_GUESSES: usize = 16;
const MOST_EPSILONS: usize = 10;

/// Where guesses lead: a line through the logarithm of the target, over that of the parameter. None where they lead nowhere.
fn guessed(
    rough: impl Fn(f64) -> Result<Option<f64>>,
    guess: impl Fn(f64) -> Result<Option<f64>>,
    target: f64,
    start: Line,
    limits: (f64, f64),
) -> Result<Option<Line>> {
    let mut search = Crossing::new(start, limits);
    let mut longest = LONGEST;
    let mut start = start;
    for look in 0..MOST_ROUGH {
        let Some(number) = rough(search.at().exp())? else { break };
        let at = height(number, target);
        search.add(at);
        if at.abs() <= ROUGHLY {
            (start, longest) = (search.line(), FIRST_STEP);
            break;
        }
        if look >= SMOOTH_LOOKS
            && let Some(at) = search.enclosed(JUMP)
        {
            // Of either side of a jump no slope is known.
            (start.at, longest) = (at, FIRST_STEP);
            break;
        }
        if !search.advance() {
            break;
        }
    }
    let mut search = Crossing::near(start, limits, longest);
    for _ in 0..MOST_GUESSES {
        let Some(number) = guess(search.at().exp())? else { return Ok(None) };
        let at = height(number, target);
        search.add(at);
        if at.abs() <= GUESSED {
            return Ok(Some(search.line()));
        }
        if !search.advance() {
            break;
        }
    }
    Ok(None)
}

/// The search by guesses first, and by few epsilons near where they lead; none if that leads nowhere, for the search by
/// epsilons alone to say why.
pub(super) fn near_a_guess(
    rough: impl Fn(f64) -> Result<Option<f64>>,
    guess: impl Fn(f64) -> Result<Option<f64>>,
    epsilon: impl Fn(f64) -> Result<f64>,
    target: f64,
    holds: Holds,
) -> Result<Option<f64>> {
    let (start, limits) = match holds {
        Holds::Above => (0.0, (SMALLEST_NOISE_MULTIPLIER.ln(), LARGEST_NOISE_MULTIPLIER.ln())),
        Holds::Below => (-5.0, (SMALLEST_SAMPLING_RATE.ln(), 0.0)),
    };
    let start = Line { at: start, slope: -holds.sign() };
    let Some(line) = guessed(rough, guess, target, start, limits)? else { return Ok(None) };
    let mut search = Crossing::new(line, limits);
    let (mut holding, mut failing) = (None, None);
    for _ in 0..MOST_EPSILONS {
        let found = search.at().exp();
        let reached = epsilon(found)?;
        let at = height(reached, target);
        search.add(at);
        if reached <= target {
            if at > -0.8 * WEAKER * search.line().slope.abs() {
                return weakest(epsilon, target, found, holds).map(Some);
            }
            holding = Some((found, reached));
        } else {
            failing = Some((found, reached));
        }
        // A hair towards where the target holds.
        if !search.advance_beyond(holds.sign() * 0.3 * WEAKER) {
            break;
        }
    }
    match (failing, holding) {
        (Some(failing), Some(holding)) => narrow(epsilon, target, failing, holding).map(Some),
        _ => Ok(None),
    }
}

/// A number of steps that holds the target and one that does not, near each other, by guesses first; none if these lead
/// nowhere.
pub(super) fn steps_near_a_guess(
    rough: impl Fn(u64) -> Result<Option<f64>>,
    guess: impl Fn(u64) -> Result<Option<f64>>,
    epsilon: impl Fn(u64) -> Result<f64>,
    target: f64,
) -> Result<Option<(u64, u64)>> {
    let whole = |steps: f64| (steps as u64).clamp(1, MAX_COUNT);
    let limits = (0.0, (MAX_COUNT as f64).ln());
    let start = Line { at: 8.0, slope: 0.7 };
    let line = guessed(|steps| rough(whole(steps)), |steps| guess(whole(steps)), target, start, limits)?;
    // As many as can be counted, and one that can't.
    let all = Ok(Some((MAX_COUNT, MAX_COUNT + 1)));
    let Some(line) = line else { return if epsilon(MAX_COUNT)? <= target { all } else { Ok(None) } };
    let mut search = Crossing::new(line, limits);
    let (mut holding, mut failing) = (0, u64::MAX);
    // A little beyond the expected place, and further if that was not enough.
    let mut beyond = 0.3 * WEAKER;
    let mut before = None;
    for _ in 0..2 * MOST_EPSILONS {
        let middle = whole(search.at().exp());
        let reached = epsilon(middle)?;
        if reached <= target {
            holding = holding.max(middle);
            if middle == MAX_COUNT {
                return all;
            }
        } else {
            failing = failing.min(middle);
        }
        if failing - holding <= 1 + (holding as f64 * WEAKER) as u64 {
            break;
        }
        search.add(height(reached, target));
        beyond = if before == Some(reached <= target) { 2.0 * beyond } else { 0.3 * WEAKER };
        before = Some(reached <= target);
        // Beyond where the target is expected, so that both ends close in.
        if !search.advance_beyond(if reached <= target { beyond } else { -beyond }) {
            break;
        }
        // At least one step on.
        let next = whole(search.at().exp());
        if next <= holding {
            search.go_to(((holding + 1) as f64 + 0.5).ln());
        } else if next >= failing {
            search.go_to(((failing - 1) as f64 + 0.5).ln());
        }
    }
    Ok((holding < failing && failing < u64::MAX).then_some((holding, failing)))
}
