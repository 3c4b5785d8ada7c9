//! How it is known that no example's gradient depends on another, in the steps of a session so far.

use burn_privacy_budget::statement::Independence as Stated;

/// The weakest knowledge of the steps so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Independence(Option<Stated>);

impl Independence {
    /// One more step, of which so much is known.
    pub(crate) fn also(&mut self, of_step: Stated) {
        self.0 = Some(match self.0 {
            Some(so_far) => so_far.weaker(of_step),
            None => of_step,
        });
    }

    /// The weakest so far. Without a step, nothing speaks against the strongest.
    pub(crate) fn so_far(&self) -> Stated {
        self.0.unwrap_or(Stated::ProvedAtEveryStep)
    }

    /// What a statement may say: nothing stronger than what held at every step.
    pub(crate) fn stated(&self) -> Stated {
        self.0.unwrap_or(Stated::CheckedNumerically)
    }
}
