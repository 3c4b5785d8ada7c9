//! Finding the parameter that meets a target epsilon, always on the safe side.

mod crossing;
mod guess;
mod narrowing;

use guess::{near_a_guess, steps_near_a_guess};
use narrowing::{
    Holds, LARGEST_NOISE_MULTIPLIER, SMALLEST_NOISE_MULTIPLIER, SMALLEST_SAMPLING_RATE, WEAKER, narrow, weakest,
};

use crate::error::{finite_at_least_zero, open_delta};
use crate::{Accountant, AccountingError, DpEvent, MAX_COUNT, Result};

/// The smallest noise multiplier whose event meets (`target_epsilon`, `delta`), to one part in a million or better.
///
/// `make_event` makes the whole mechanism (all steps) from a noise multiplier; more noise must not cost more privacy.
/// `new_accountant` makes an empty accountant, which also decides the adjacency.
///
/// # Formal guarantees
///
/// The accountant's epsilon of `make_event(result)` was computed and is at most `target_epsilon`; that of one part in a
/// million less noise is above it, or, for a target of 0, its delta at epsilon 0 is above `delta`. The result is 0 if no noise is
/// needed, and 0.01 if less than that would do.
///
/// # Errors
///
/// If `target_epsilon` is negative, NaN or infinite, if `delta` is not strictly between 0 and 1, if the accountant
/// refuses the event, or [`AccountingError::UnreachableTarget`] if no noise multiplier up to 1e12 is enough.
///
/// ```
/// use burn_privacy_accounting::{Adjacency, DpEvent, RdpAccountant, calibrate_noise_multiplier};
///
/// let noise_multiplier = calibrate_noise_multiplier(
///     |noise_multiplier| {
///         let step = DpEvent::poisson_sampled(0.005, DpEvent::gaussian(noise_multiplier)?)?;
///         DpEvent::self_composed(step, 2_000)
///     },
///     3.0,
///     1e-5,
///     || RdpAccountant::new(Adjacency::AddOrRemoveOne),
/// )?;
/// assert!((noise_multiplier - 0.7608).abs() < 1e-4);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn calibrate_noise_multiplier<A: Accountant>(
    make_event: impl Fn(f64) -> Result<DpEvent>,
    target_epsilon: f64,
    delta: f64,
    new_accountant: impl Fn() -> A,
) -> Result<f64> {
    let target = Target::new(target_epsilon, delta, make_event, new_accountant)?;
    let epsilon = |noise: f64| target.epsilon_at(noise);
    if let Some(found) = target.near_a_guess(Holds::Above)? {
        return Ok(found);
    }
    if epsilon(0.0)? <= target.epsilon {
        return Ok(0.0);
    }
    // An epsilon of 0 says nothing about how near it is; the delta at it does.
    if target.epsilon == 0.0 {
        let at_zero = |noise: f64| target.composed(noise)?.delta(0.0);
        let rough = |noise: f64| Ok(target.composed(noise)?.rough_delta(0.0));
        let about = |noise: f64| -> Result<Option<f64>> {
            let accountant = target.composed(noise)?;
            accountant.delta_guess(0.0).map_or_else(|| accountant.delta(0.0), Ok).map(Some)
        };
        if let Some(found) = near_a_guess(rough, about, at_zero, delta, Holds::Above)? {
            // Both questions have their own rounding.
            for by in [0.0, 1e-9, 1e-7, WEAKER, 1e-5, 1e-4] {
                let found = found * (1.0 + by);
                if epsilon(found)? == 0.0 {
                    // (0, delta) is a matter of the delta at 0, and its question the cheaper one; that of less noise than was found
                    // is answered.
                    return if by == 0.0 { Ok(found) } else { weakest(at_zero, delta, found, Holds::Above) };
                }
            }
        }
    }
    if epsilon(SMALLEST_NOISE_MULTIPLIER)? <= target.epsilon {
        return Ok(SMALLEST_NOISE_MULTIPLIER);
    }
    // Bracket: `low` fails, `high` holds.
    let (mut low, mut high) = (SMALLEST_NOISE_MULTIPLIER, 1.0);
    let mut at_low = f64::INFINITY;
    let mut at_high = epsilon(high)?;
    if at_high > target.epsilon {
        while at_high > target.epsilon {
            if high >= LARGEST_NOISE_MULTIPLIER {
                return Err(target.unreachable("noise multiplier", high, at_high));
            }
            (low, at_low) = (high, at_high);
            high = (2.0 * high).min(LARGEST_NOISE_MULTIPLIER);
            at_high = epsilon(high)?;
        }
    } else {
        loop {
            let next = (high / 2.0).max(SMALLEST_NOISE_MULTIPLIER);
            let at_next = epsilon(next)?;
            if at_next > target.epsilon {
                (low, at_low) = (next, at_next);
                break;
            }
            (high, at_high) = (next, at_next);
        }
    }
    narrow(epsilon, target.epsilon, (low, at_low), (high, at_high))
}

/// The largest sampling rate whose event meets (`target_epsilon`, `delta`), to one part in a million or better.
///
/// `make_event` makes the whole mechanism from a sampling rate; a larger rate must not cost less privacy.
///
/// # Formal guarantees
///
/// The accountant's epsilon of `make_event(result)` was computed and is at most `target_epsilon`; that of a rate one part
/// in a million larger is above it. The result is 1 if all records can be used in every step, and 0 if only rates below
/// 1e-15 would do.
///
/// # Errors
///
/// As [`calibrate_noise_multiplier`]; unreachable if even sampling nothing costs too much.
pub fn calibrate_sampling_rate<A: Accountant>(
    make_event: impl Fn(f64) -> Result<DpEvent>,
    target_epsilon: f64,
    delta: f64,
    new_accountant: impl Fn() -> A,
) -> Result<f64> {
    let target = Target::new(target_epsilon, delta, make_event, new_accountant)?;
    let epsilon = |rate: f64| target.epsilon_at(rate);
    if let Some(found) = target.near_a_guess(Holds::Below)? {
        return Ok(found);
    }
    let mut at_failing = epsilon(1.0)?;
    if at_failing <= target.epsilon {
        return Ok(1.0);
    }
    let mut failing = 1.0;
    loop {
        let holding = failing / 4.0;
        if holding < SMALLEST_SAMPLING_RATE {
            let at_zero = epsilon(0.0)?;
            return if at_zero <= target.epsilon {
                Ok(0.0)
            } else {
                Err(target.unreachable("sampling rate", 0.0, at_zero))
            };
        }
        let at_holding = epsilon(holding)?;
        if at_holding <= target.epsilon {
            return narrow(epsilon, target.epsilon, (failing, at_failing), (holding, at_holding));
        }
        (failing, at_failing) = (holding, at_holding);
    }
}

/// The largest number of steps whose event meets (`target_epsilon`, `delta`): exactly up to a million steps, and to one part in
/// a million beyond.
///
/// `make_event` makes the whole mechanism from a number of steps; more steps must not cost less privacy.
///
/// # Formal guarantees
///
/// The accountant's epsilon of `make_event(result)` was computed and is at most `target_epsilon`; that of one step
/// more, or of one part in a million more if these are more steps, is above it, unless the result is [`MAX_COUNT`].
///
/// # Errors
///
/// As [`calibrate_noise_multiplier`]; unreachable if even no step at all costs too much. The result is 0 if one step
/// is too many.
pub fn calibrate_steps<A: Accountant>(
    make_event: impl Fn(u64) -> Result<DpEvent>,
    target_epsilon: f64,
    delta: f64,
    new_accountant: impl Fn() -> A,
) -> Result<u64> {
    let target = Target::new(target_epsilon, delta, make_event, new_accountant)?;
    let epsilon = |steps: u64| target.epsilon_at(steps);
    let at_zero = epsilon(0)?;
    if at_zero > target.epsilon {
        return Err(target.unreachable("number of steps", 0.0, at_zero));
    }
    // As many as can be counted, where a rough number already says so.
    let rough = target.roughly_at(MAX_COUNT)?;
    if rough.is_some_and(|rough| rough <= target.epsilon) && epsilon(MAX_COUNT)? <= target.epsilon {
        return Ok(MAX_COUNT);
    }
    let near =
        steps_near_a_guess(|steps| target.roughly_at(steps), |steps| target.guess_at(steps), epsilon, target.epsilon)?;
    let (mut holding, mut failing) = match near {
        Some(bracket) => bracket,
        None => {
            let (mut holding, mut failing) = (0, 1);
            while epsilon(failing)? <= target.epsilon {
                if failing == MAX_COUNT {
                    return Ok(MAX_COUNT);
                }
                holding = failing;
                failing = (4 * failing).min(MAX_COUNT);
            }
            (holding, failing)
        }
    };
    while failing - holding > 1 + (holding as f64 * WEAKER) as u64 {
        let middle = holding + (failing - holding) / 2;
        if epsilon(middle)? <= target.epsilon {
            holding = middle;
        } else {
            failing = middle;
        }
    }
    Ok(holding)
}

/// What a calibration aims at, checked, and how to see what a parameter reaches.
struct Target<M, N> {
    epsilon: f64,
    delta: f64,
    make_event: M,
    new_accountant: N,
}

impl<M, N> Target<M, N> {
    fn new(epsilon: f64, delta: f64, make_event: M, new_accountant: N) -> Result<Self> {
        let epsilon = finite_at_least_zero("target_epsilon", epsilon)?;
        Ok(Self { epsilon, delta: open_delta(delta)?, make_event, new_accountant })
    }

    /// An accountant that has counted the event of a parameter.
    fn composed<P, A>(&self, parameter: P) -> Result<A>
    where
        M: Fn(P) -> Result<DpEvent>,
        N: Fn() -> A,
        A: Accountant,
    {
        let mut accountant = (self.new_accountant)();
        accountant.compose(&(self.make_event)(parameter)?, 1)?;
        Ok(accountant)
    }

    fn epsilon_at<P, A>(&self, parameter: P) -> Result<f64>
    where
        M: Fn(P) -> Result<DpEvent>,
        N: Fn() -> A,
        A: Accountant,
    {
        self.composed(parameter)?.epsilon(self.delta)
    }

    /// A cheap guess of the same, where there is one.
    fn guess_at<P, A>(&self, parameter: P) -> Result<Option<f64>>
    where
        M: Fn(P) -> Result<DpEvent>,
        N: Fn() -> A,
        A: Accountant,
    {
        Ok(self.composed(parameter)?.epsilon_guess(self.delta))
    }

    /// A number of its size that is cheaper still.
    fn roughly_at<P, A>(&self, parameter: P) -> Result<Option<f64>>
    where
        M: Fn(P) -> Result<DpEvent>,
        N: Fn() -> A,
        A: Accountant,
    {
        Ok(self.composed(parameter)?.rough_epsilon(self.delta))
    }

    /// By guesses first; of an epsilon of 0 there is none that says how near it is.
    fn near_a_guess<A>(&self, holds: Holds) -> Result<Option<f64>>
    where
        M: Fn(f64) -> Result<DpEvent>,
        N: Fn() -> A,
        A: Accountant,
    {
        if self.epsilon == 0.0 {
            return Ok(None);
        }
        let (rough, guess) = (|value| self.roughly_at(value), |value| self.guess_at(value));
        near_a_guess(rough, guess, |value| self.epsilon_at(value), self.epsilon, holds)
    }

    fn unreachable(&self, parameter: &'static str, limit: f64, epsilon: f64) -> AccountingError {
        AccountingError::UnreachableTarget {
            parameter,
            limit,
            target_epsilon: self.epsilon,
            delta: self.delta,
            epsilon,
        }
    }
}
