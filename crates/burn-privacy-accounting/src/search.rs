//! One-dimensional search: the minimum of a quasi-convex function, the root of a decreasing one.

/// The smallest value that a bracketing search and Brent's method find, with its argument.
///
/// `f` is quasi-convex on `[lowest, highest]` (it falls, then rises) and never NaN; infinity is allowed. If it is not
/// quasi-convex the answer is still a value that `f` takes, only perhaps not the smallest.
pub(crate) fn minimize(
    mut f: impl FnMut(f64) -> f64,
    start: f64,
    (lowest, highest): (f64, f64),
    tolerance: f64,
) -> (f64, f64) {
    const GOLDEN: f64 = 0.381_966_011_250_105;
    let mut step = 0.6;
    let mut middle = (start, f(start));
    let mut left = ((start - step).max(lowest), 0.0);
    left.1 = f(left.0);
    let mut right = ((start + step).min(highest), 0.0);
    right.1 = f(right.0);
    // Walk downhill with growing steps until the middle is no higher than both sides. Level infinity is uphill to the
    // right, since every curve that is searched here is finite towards the left.
    while left.0 > lowest && (left.1 < middle.1 || middle.1 == f64::INFINITY) {
        step *= 1.7;
        (right, middle) = (middle, left);
        left.0 = (middle.0 - step).max(lowest);
        left.1 = f(left.0);
    }
    while right.0 < highest && right.1 < middle.1 {
        step *= 1.7;
        (left, middle) = (middle, right);
        right.0 = (middle.0 + step).min(highest);
        right.1 = f(right.0);
    }
    // Brent (1973), chapter 5: parabolas through the best three points, golden sections when they misbehave.
    let mut best = middle;
    let (mut low, mut high) = (left.0, right.0);
    for end in [left, right] {
        if end.1 < best.1 {
            best = end;
        }
    }
    let (mut second, mut third) = if left.1 < right.1 { (left, right) } else { (right, left) };
    let (mut last_move, mut move_before) = (high - low, high - low);
    for _ in 0..100 {
        let center = 0.5 * (low + high);
        if (best.0 - center).abs() <= 2.0 * tolerance - 0.5 * (high - low) {
            break;
        }
        let r = (best.0 - second.0) * (best.1 - third.1);
        let q = (best.0 - third.0) * (best.1 - second.1);
        let numerator = (best.0 - third.0) * q - (best.0 - second.0) * r;
        let denominator = 2.0 * (q - r);
        let parabola = best.0 - numerator / denominator;
        let step = if parabola.is_finite()
            && parabola > low + tolerance
            && parabola < high - tolerance
            && (parabola - best.0).abs() < 0.5 * move_before.abs()
        {
            parabola - best.0
        } else {
            last_move = if best.0 < center { high - best.0 } else { low - best.0 };
            GOLDEN * last_move
        };
        move_before = last_move;
        last_move = if step.abs() < tolerance { tolerance.copysign(step) } else { step };
        let point = best.0 + last_move;
        let next = (point, f(point));
        if next.1 <= best.1 {
            if next.0 < best.0 {
                high = best.0;
            } else {
                low = best.0;
            }
            (third, second, best) = (second, best, next);
        } else {
            if next.0 < best.0 {
                low = next.0;
            } else {
                high = next.0;
            }
            if next.1 <= second.1 || second.0 == best.0 {
                (third, second) = (second, next);
            } else if next.1 <= third.1 || third.0 == best.0 || third.0 == second.0 {
                third = next;
            }
        }
    }
    best
}

/// Narrows `[low, high]`, where `holds(low)` is false and `holds(high)` is true, until no float lies between or 200
/// halvings are done; gives the end that holds.
pub(crate) fn bisect(mut low: f64, mut high: f64, mut holds: impl FnMut(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = low + 0.5 * (high - low);
        if middle <= low.min(high) || middle >= low.max(high) {
            break;
        }
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_minima_inside_and_at_the_ends() {
        for target in [-20.0, -3.0, 0.1, 2.0, 17.0, 30.0] {
            let (x, y) = minimize(|x| (x - target).powi(2) + 1.0, 1.0, (-10.0, 20.0), 1e-8);
            let nearest = f64::clamp(target, -10.0, 20.0);
            assert!((x - nearest).abs() < 1e-6, "{target} {x}");
            assert!((y - 1.0 - (nearest - target).powi(2)).abs() < 1e-6);
        }
    }

    #[test]
    fn copes_with_infinity_on_the_right() {
        let (x, _) = minimize(
            |x| {
                if x > -5.0 { f64::INFINITY } else { (x + 6.0).abs() }
            },
            1.0,
            (-14.0, 20.0),
            1e-8,
        );
        assert!((x + 6.0).abs() < 1e-6, "{x}");
    }

    #[test]
    fn bisects_to_the_last_bit() {
        let root = bisect(0.0, 4.0, |x| x * x >= 2.0);
        assert!(root * root >= 2.0 && root.next_down() * root.next_down() < 2.0);
    }
}
