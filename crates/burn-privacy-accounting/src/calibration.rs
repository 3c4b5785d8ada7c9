//! Finding the parameter that meets a target epsilon, always on the safe side.

use crate::error::{any_epsilon, open_delta};
use crate::{Accountant, AccountingError, DpEvent, MAX_COUNT, Result};

/// Relative width of the bracket at which a calibration stops.
const RELATIVE_TOLERANCE: f64 = 1e-9;

/// One part in a million: how much weaker a parameter has to be to fail.
const WEAKER: f64 = 1e-6;

/// How often a search is repeated further out.
const MOST_REPEATS: usize = 24;

/// Noise multipliers above this are not searched.
const LARGEST_NOISE_MULTIPLIER: f64 = 1e12;

/// Noise multipliers below this are not searched: a smaller target is answered with this one or with 0.
const SMALLEST_NOISE_MULTIPLIER: f64 = 1e-6;

/// Sampling rates below this are not searched.
const SMALLEST_SAMPLING_RATE: f64 = 1e-15;

/// The smallest noise multiplier whose event meets (`target_epsilon`, `delta`), to one part in a million or better.
///
/// `make_event` makes the whole mechanism (all steps) from a noise multiplier; more noise must not cost more privacy.
/// `new_accountant` makes an empty accountant, which also decides the adjacency.
///
/// # Formal guarantees
///
/// The accountant's epsilon of `make_event(result)` was computed and is at most `target_epsilon`; that of one part in a
/// million less noise is above it. The result is 0 if no noise is needed.
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
    let target = Target::new(target_epsilon, delta)?;
    let epsilon = |noise: f64| target.epsilon(&make_event(noise)?, &new_accountant);
    let guess = |noise: f64| target.guess(&make_event(noise)?, &new_accountant);
    if let Some(found) = near_a_guess(guess, epsilon, target.epsilon, Holds::Above)? {
        return Ok(found);
    }
    if epsilon(0.0)? <= target.epsilon {
        return Ok(0.0);
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
    let target = Target::new(target_epsilon, delta)?;
    let epsilon = |rate: f64| target.epsilon(&make_event(rate)?, &new_accountant);
    let guess = |rate: f64| target.guess(&make_event(rate)?, &new_accountant);
    if let Some(found) = near_a_guess(guess, epsilon, target.epsilon, Holds::Below)? {
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

/// The largest number of steps whose event meets (`target_epsilon`, `delta`), exactly.
///
/// `make_event` makes the whole mechanism from a number of steps; more steps must not cost less privacy.
///
/// # Formal guarantees
///
/// The accountant's epsilon of `make_event(result)` was computed and is at most `target_epsilon`; that of one step
/// more is above it, unless the result is [`MAX_COUNT`].
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
    let target = Target::new(target_epsilon, delta)?;
    let epsilon = |steps: u64| target.epsilon(&make_event(steps)?, &new_accountant);
    let at_zero = epsilon(0)?;
    if at_zero > target.epsilon {
        return Err(target.unreachable("number of steps", 0.0, at_zero));
    }
    let (mut holding, mut failing) = (0, 1);
    while epsilon(failing)? <= target.epsilon {
        if failing == MAX_COUNT {
            return Ok(MAX_COUNT);
        }
        holding = failing;
        failing = (4 * failing).min(MAX_COUNT);
    }
    while failing - holding > 1 {
        let middle = holding + (failing - holding) / 2;
        if epsilon(middle)? <= target.epsilon {
            holding = middle;
        } else {
            failing = middle;
        }
    }
    Ok(holding)
}

/// What a calibration aims at, checked.
struct Target {
    epsilon: f64,
    delta: f64,
}

impl Target {
    fn new(epsilon: f64, delta: f64) -> Result<Self> {
        any_epsilon("target_epsilon", epsilon)?;
        if epsilon == f64::INFINITY {
            return Err(crate::error::invalid(
                "target_epsilon",
                epsilon,
                "finite; an infinite target needs no calibration",
            ));
        }
        Ok(Self { epsilon, delta: open_delta(delta)? })
    }

    fn epsilon<A: Accountant>(&self, event: &DpEvent, new: &impl Fn() -> A) -> Result<f64> {
        let mut accountant = new();
        accountant.compose(event, 1)?;
        accountant.epsilon(self.delta)
    }

    /// A cheap guess of the same, where there is one.
    fn guess<A: Accountant>(&self, event: &DpEvent, new: &impl Fn() -> A) -> Result<Option<f64>> {
        let mut accountant = new();
        accountant.compose(event, 1)?;
        Ok(accountant.epsilon_guess(self.delta))
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

/// On which side of the result the target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// For larger values: noise.
    Above,
    /// For smaller values: sampling rates.
    Below,
}

impl Holds {
    /// 1 for larger values.
    fn sign(self) -> f64 {
        if self == Self::Above { 1.0 } else { -1.0 }
    }

    /// A value weaker by a share, within what is searched.
    fn weaker(self, value: f64, by: f64) -> f64 {
        match self {
            Self::Above => (value * (1.0 - by)).max(SMALLEST_NOISE_MULTIPLIER),
            Self::Below => (value * (1.0 + by)).min(1.0),
        }
    }
}

/// The search by guesses of epsilon first, and by few epsilons near where they lead; none if that leads nowhere, for the
/// search by epsilons alone to say why.
fn near_a_guess(
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
    for _ in 0..16 {
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

/// Finds a value that holds the target while one weaker by [`WEAKER`] fails it, between a value that fails and one that
/// holds.
fn narrow(epsilon: impl Fn(f64) -> Result<f64>, target: f64, failing: (f64, f64), holding: (f64, f64)) -> Result<f64> {
    let holds = if failing.0 < holding.0 { Holds::Above } else { Holds::Below };
    let found = narrowed(&epsilon, target, failing, holding)?;
    weakest(epsilon, target, found, holds)
}

/// Moves a value that holds on to weaker ones as long as one weaker by [`WEAKER`] holds, too.
///
/// A bound by privacy loss distributions is not quite monotonic, since each parameter has a grid of its own: next to a
/// narrow bracket there may be weaker values that hold.
fn weakest(epsilon: impl Fn(f64) -> Result<f64>, target: f64, mut found: f64, holds: Holds) -> Result<f64> {
    for _ in 0..MOST_REPEATS {
        let mut holding = (found, target);
        let mut by = WEAKER;
        let failing = loop {
            let next = holds.weaker(found, by);
            if next == holding.0 {
                return Ok(next);
            }
            let at_next = epsilon(next)?;
            if at_next > target {
                break (next, at_next);
            }
            holding = (next, at_next);
            by = (4.0 * by).min(0.5);
        };
        if holding.0 == found {
            break;
        }
        found = narrowed(&epsilon, target, failing, holding)?;
    }
    Ok(found)
}

/// Narrows a bracket of two positive values, of which the first fails the target and the second holds it, and returns
/// the end that holds. Works on logarithms: secant steps (Illinois rule), and a bisection whenever they don't halve it.
fn narrowed(
    epsilon: impl Fn(f64) -> Result<f64>,
    target: f64,
    failing: (f64, f64),
    holding: (f64, f64),
) -> Result<f64> {
    // The residual's sign is the decision itself; its size only steers the search.
    let residual = |value: f64| {
        if value.is_infinite() {
            f64::INFINITY
        } else if target > 0.0 && value > 0.0 {
            (value / target).ln()
        } else {
            value - target
        }
    };
    let (mut low, mut at_low) = (failing.0.ln(), residual(failing.1));
    let (mut high, mut at_high) = (holding.0.ln(), residual(holding.1));
    let mut result = holding.0;
    let mut bisect = true;
    for _ in 0..200 {
        let width = (low - high).abs();
        if width <= RELATIVE_TOLERANCE {
            break;
        }
        let secant = high - at_high * (low - high) / (at_low - at_high);
        let usable = !bisect && at_low.is_finite() && at_low != at_high && secant.is_finite();
        let inner = 0.25 * RELATIVE_TOLERANCE;
        let next = if usable {
            // Strictly inside, and a hair towards the failing end, so that both ends close in.
            secant.clamp(low.min(high) + inner, low.max(high) - inner)
        } else {
            0.5 * (low + high)
        };
        let parameter = next.exp();
        let value = epsilon(parameter)?;
        if value <= target {
            (high, at_high) = (next, residual(value));
            result = parameter;
            at_low /= if usable { 2.0 } else { 1.0 };
        } else {
            (low, at_low) = (next, residual(value));
            at_high /= if usable { 2.0 } else { 1.0 };
        }
        bisect = (low - high).abs() > 0.5 * width && usable;
    }
    Ok(result)
}
