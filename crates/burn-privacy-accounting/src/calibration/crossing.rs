//! Where a monotonic curve crosses zero: secant steps that never leave what is known to enclose it.

/// Heights further away count as this far: of an epsilon of 0, or of none, nothing says how far away it is.
const FAR: f64 = 60.0;

/// A step is no longer, in logarithms of a parameter.
pub(super) const LONGEST: f64 = 4.0;

/// A place and the slope there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) at: f64,
    pub(super) slope: f64,
}

/// ln(number / target), within [`FAR`].
pub(super) fn height(number: f64, target: f64) -> f64 {
    let height = (number / target).ln();
    if height.is_nan() { FAR } else { height.clamp(-FAR, FAR) }
}

/// A search in progress.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    line: Line,
    limits: (f64, f64),
    /// The last place that was looked at, and its height.
    last: Option<(f64, f64)>,
    /// The nearest places on either side of the crossing.
    below: Option<f64>,
    above: Option<f64>,
    looks: usize,
    /// How far a step goes at most; twice as far the next time.
    longest: f64,
}

impl Crossing {
    /// A search that begins at a line's place, with its slope, between `limits`.
    pub(super) fn new(line: Line, limits: (f64, f64)) -> Self {
        let at = line.at.clamp(limits.0, limits.1);
        Self { line: Line { at, ..line }, limits, last: None, below: None, above: None, looks: 0, longest: LONGEST }
    }

    /// As [`Self::new`], with first steps of at most `longest`: for where the line is trusted.
    pub(super) fn near(line: Line, limits: (f64, f64), longest: f64) -> Self {
        Self { longest, ..Self::new(line, limits) }
    }

    /// The middle of what encloses the crossing, if that is at most so wide.
    pub(super) fn enclosed(&self, width: f64) -> Option<f64> {
        let (below, above) = self.below.zip(self.above)?;
        ((above - below).abs() <= width).then_some(0.5 * (below + above))
    }

    /// Where to look now.
    pub(super) fn at(&self) -> f64 {
        self.line.at
    }

    /// That place, with the slope that is known.
    pub(super) fn line(&self) -> Line {
        self.line
    }

    /// Takes the height that was found there.
    pub(super) fn add(&mut self, height: f64) {
        let Line { at, slope } = self.line;
        if let Some((before, height_before)) = self.last
            && height.abs() < FAR
            && height_before.abs() < FAR
        {
            let new = (height - height_before) / (at - before);
            // Next to each other, rounding is all that two heights differ by.
            if (at - before).abs() > 1e-6 && new * slope > 0.0 && (0.02..50.0).contains(&new.abs()) {
                self.line.slope = new;
            }
        }
        if height * slope > 0.0 {
            self.above = Some(at);
        } else {
            self.below = Some(at);
        }
        self.last = Some((at, height));
        self.looks += 1;
    }

    /// Goes to where the crossing is expected; false if there is none within the limits, or no room left.
    pub(super) fn advance(&mut self) -> bool {
        self.advance_beyond(0.0)
    }

    /// As [`Self::advance`], and a little further.
    pub(super) fn advance_beyond(&mut self, beyond: f64) -> bool {
        let Some((at, height)) = self.last else { return true };
        let step = if height.abs() < FAR {
            -height / self.line.slope
        } else {
            -height.signum() * LONGEST / self.line.slope.signum()
        };
        let mut next = at + step.clamp(-self.longest, self.longest) + beyond;
        if step.abs() > self.longest {
            self.longest = (2.0 * self.longest).min(LONGEST);
        }
        match (self.below, self.above) {
            (Some(below), Some(above)) => {
                if above - below < 1e-10 {
                    return false;
                }
                // Every fourth look halves what encloses it, however the curve bends.
                if !(below < next && next < above) || (self.looks.is_multiple_of(4) && height.abs() > 0.01) {
                    next = 0.5 * (below + above);
                }
            }
            _ => {
                next = next.clamp(self.limits.0, self.limits.1);
                if next == at {
                    return false;
                }
            }
        }
        self.line.at = next;
        true
    }

    /// Looks somewhere else.
    pub(super) fn go_to(&mut self, at: f64) {
        self.line.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_that_bend_jump_or_vanish_are_crossed_in_few_looks() {
        let bent = |x: f64| -2.0 * (x - 1.3) - 0.3 * (x - 1.3).powi(3);
        let jump = |x: f64| if x < -2.7 { 5.0 } else { -FAR };
        let flat = |x: f64| if x < 4.0 { FAR } else { -0.9 * (x - 5.0) };
        for (curve, crossing, most) in [(&bent as &dyn Fn(f64) -> f64, 1.3, 8), (&jump, -2.7, 40), (&flat, 5.0, 12)] {
            let mut search = Crossing::new(Line { at: 0.0, slope: -1.0 }, (-20.0, 20.0));
            let mut looks = 0;
            loop {
                looks += 1;
                let height = curve(search.at());
                search.add(height);
                if height.abs() < 1e-6 || !search.advance() {
                    break;
                }
            }
            assert!(
                (search.at() - crossing).abs() < 1e-5 && looks <= most,
                "{crossing}: {} after {looks}",
                search.at()
            );
        }
    }

    #[test]
    fn without_a_crossing_the_search_ends_at_its_limit() {
        let mut search = Crossing::new(Line { at: 0.0, slope: -1.0 }, (-3.0, 3.0));
        for _ in 0..3 {
            search.add(FAR);
            if !search.advance() {
                return;
            }
        }
        panic!("still searching at {}", search.at());
    }
}
