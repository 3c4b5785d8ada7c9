//! How the steps of a session so far were made: what a statement may say of all of them is what holds of the weakest.

use burn_privacy_budget::statement::{Independence as Stated, LastBits, Noise};

use crate::traced::Independence;

/// The weakest of the steps so far; `None` before the first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StepsMade(Option<(LastBits, Noise)>);

impl StepsMade {
    /// Whether no step was made.
    pub(super) fn is_none(self) -> bool {
        self.0.is_none()
    }

    /// One more step.
    pub(super) fn also(&mut self, last_bits: LastBits, noise: Noise) {
        self.0 = Some(self.with(last_bits, noise));
    }

    /// Steps of an earlier session, of which nothing is recorded but their number.
    pub(super) fn also_unknown(&mut self, independence: &mut Independence) {
        self.also(LastBits::OfTheBatch, Noise::FloatingPoint);
        independence.also(Stated::CheckedNumerically);
    }

    /// The weakest if one more step were made.
    pub(super) fn with(self, last_bits: LastBits, noise: Noise) -> (LastBits, Noise) {
        match self.0 {
            Some((last_bits_so_far, noise_so_far)) => (last_bits_so_far.weaker(last_bits), noise_so_far.weaker(noise)),
            None => (last_bits, noise),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_all_steps_that_one_of_them_did_not_have() {
        let mut made = StepsMade::default();
        let best = (LastBits::OfTheRecordAlone, Noise::ExactRounded);
        assert_eq!(made.with(best.0, best.1), best);
        made.also(best.0, best.1);
        made.also(LastBits::OfTheClosure, Noise::ExactRounded);
        assert_eq!(made.with(best.0, best.1), (LastBits::OfTheClosure, Noise::ExactRounded));
        made.also(LastBits::OfTheRecordAlone, Noise::FloatingPoint);
        assert_eq!(made.with(best.0, best.1), (LastBits::OfTheClosure, Noise::FloatingPoint));
        let mut resumed = StepsMade::default();
        resumed.also_unknown(&mut Independence::default());
        resumed.also(best.0, best.1);
        assert_eq!(resumed.with(best.0, best.1), (LastBits::OfTheBatch, Noise::FloatingPoint));
    }
}
