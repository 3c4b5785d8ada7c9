//! At which steps a model and a loss closure are validated.

use std::any::TypeId;

use burn::module::ParamId;
use burn_privacy_budget::statement::Independence;

use super::PerExample;

/// What a validation is about: while all of this stays the same, an earlier validation is taken to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValidatedSetting {
    pub(crate) model: TypeId,
    pub(crate) closure: TypeId,
    /// The trainable parameters and their entries: layers that were frozen, added or exchanged are another model.
    pub(crate) parameters: Vec<(ParamId, usize)>,
    pub(crate) per_example: PerExample,
    pub(crate) views: usize,
    /// Examples of a physical batch.
    pub(crate) examples: usize,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// At the physical batch size, twice.
    Full,
    /// Once, with a few examples.
    Short,
}

impl Thoroughness {
    /// How many examples are looked at together, where a physical batch has so many.
    pub(crate) fn examples_of(self, physical_batch: usize) -> usize {
        match self {
            Self::Full => physical_batch,
            Self::Short => physical_batch.min(FEW),
        }
    }
}

/// Examples of a short validation.
const FEW: usize = 8;
/// Full validations of one setting are at most so many steps apart.
const FULL_EVERY: u64 = 128;
/// Settings that are remembered: enough for several closures in turn, and a bound on memory.
const REMEMBERED: usize = 16;

/// The settings that passed, and the steps taken with each.
#[derive(Debug, Default)]
pub(crate) struct ValidationSchedule {
    settings: Vec<(ValidatedSetting, u64, Independence)>,
}

impl ValidationSchedule {
    /// What must be looked at before a step in this setting: everything before the first, then something before the second,
    /// third, fifth, ninth and so on, and everything again once in 128 steps.
    pub(crate) fn due(&self, setting: &ValidatedSetting) -> Option<Thoroughness> {
        let steps = self.settings.iter().find(|(known, ..)| known == setting).map_or(0, |(_, steps, _)| *steps);
        match steps {
            steps if steps % FULL_EVERY == 0 => Some(Thoroughness::Full),
            steps if steps < FULL_EVERY && steps.is_power_of_two() => Some(Thoroughness::Short),
            _ => None,
        }
    }

    /// What is known of the independence of a setting's examples, from its first step.
    pub(crate) fn known(&self, setting: &ValidatedSetting) -> Option<Independence> {
        self.settings.iter().find(|(known, ..)| known == setting).map(|(_, _, independence)| *independence)
    }

    /// Counts a step whose validation, if it was due, passed.
    pub(crate) fn passed(&mut self, setting: ValidatedSetting, independence: Independence) {
        match self.settings.iter_mut().find(|(known, ..)| *known == setting) {
            Some((_, steps, _)) => *steps += 1,
            None => {
                if self.settings.len() == REMEMBERED {
                    self.settings.remove(0);
                }
                self.settings.push((setting, 1, independence));
            }
        }
    }

    /// Forgets a setting that was refused: it must pass in full before anything is released.
    pub(crate) fn refused(&mut self, setting: &ValidatedSetting) {
        self.settings.retain(|(known, ..)| known != setting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(examples: usize) -> ValidatedSetting {
        ValidatedSetting {
            model: TypeId::of::<u8>(),
            closure: TypeId::of::<u16>(),
            parameters: Vec::new(),
            per_example: PerExample::OneBackward,
            views: 1,
            examples,
        }
    }

    #[test]
    fn no_first_step_goes_unseen_and_later_ones_are_looked_at_again() {
        let mut schedule = ValidationSchedule::default();
        let mut seen = Vec::new();
        for step in 0..300 {
            if let Some(thoroughness) = schedule.due(&setting(4)) {
                seen.push((step, thoroughness == Thoroughness::Full));
            }
            schedule.passed(setting(4), Independence::CheckedNumerically);
        }
        let short = [1, 2, 4, 8, 16, 32, 64].map(|step| (step, false));
        assert_eq!(seen, [&[(0, true)], &short[..], &[(128, true), (256, true)]].concat());
        // Another setting starts anew, and a refusal forgets.
        assert_eq!(schedule.due(&setting(5)), Some(Thoroughness::Full));
        schedule.refused(&setting(4));
        assert_eq!(schedule.due(&setting(4)), Some(Thoroughness::Full));
    }

    #[test]
    fn closures_in_turn_are_remembered_and_memory_is_bounded() {
        let mut schedule = ValidationSchedule::default();
        for examples in 0..1_000 {
            assert_eq!(schedule.due(&setting(examples)), Some(Thoroughness::Full));
            schedule.passed(setting(examples), Independence::CheckedNumerically);
        }
        assert_eq!(schedule.settings.len(), REMEMBERED);
        (997..1_000).for_each(|examples| assert_eq!(schedule.due(&setting(examples)), Some(Thoroughness::Short)));
    }
}
