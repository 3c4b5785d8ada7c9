//! How it is known that what one record adds to a sum depends on no other record.

use super::PrivacyStatement;

/// How far the independence of a batch's examples is proved. Later ones are weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Independence {
    /// Every step executed an operation graph that was proved to keep the examples apart.
    ProvedAtEveryStep,
    /// The operation graph of a first step was proved to; later steps were taken to be the same program.
    ProvedAtFirstStep,
    /// Losses and gradients were compared on records drawn at random.
    CheckedNumerically,
}

impl Independence {
    /// The weaker one of two.
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }

    /// The assumption that remains, in words.
    pub fn assumption(self) -> &'static str {
        match self {
            Self::ProvedAtEveryStep => {
                "the loss and the gradient of a record depend on that record and the model only: proved on the operation \
                 graph at every step, which executes what was proved; promised by the author of the program for what a graph \
                 can't show, code on the host (that the batcher and the loss closure make a record's row of that record), \
                 which is checked on records drawn at random"
            }
            Self::ProvedAtFirstStep => {
                "the loss and the gradient of a record depend on that record and the model only: proved on the operation \
                 graph at the first step, and checked numerically, on records drawn at random, before it and now and then \
                 again; promised by the author of the program for code on the host and for behavior that shows later"
            }
            Self::CheckedNumerically => {
                "the loss and the gradient of a record depend on that record and the model only: checked in part, on records \
                 drawn at random, before the first step and now and then again (batches with a common half must give it the same \
                 losses and gradients), and promised by the author of the program for what that can't see: influences smaller \
                 than the randomness of a loss, state or behavior that shows later, a few particular records"
            }
        }
    }
}

impl PrivacyStatement {
    /// The statement with what is known of the independence of the examples in the place of the weakest that it says.
    pub fn with_independence(mut self, independence: Independence) -> Self {
        let weakest = Independence::CheckedNumerically.assumption();
        self.assumptions.iter_mut().filter(|text| *text == weakest).for_each(|text| {
            *text = independence.assumption().to_owned();
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weaker_of_two_is_said() {
        use Independence::{CheckedNumerically, ProvedAtEveryStep, ProvedAtFirstStep};
        assert_eq!(ProvedAtEveryStep.weaker(ProvedAtFirstStep), ProvedAtFirstStep);
        assert_eq!(CheckedNumerically.weaker(ProvedAtEveryStep), CheckedNumerically);
        assert!(ProvedAtEveryStep.assumption().contains("proved on the operation graph at every step"));
    }
}
