//! One trial of a sweep: its number, setting, randomness and initial model, and its outcome.

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burn_privacy_mechanisms::Entropy;

use super::config::Setting;

/// How often a model is built again before it is taken as it is.
const MOST_ATTEMPTS: u32 = 16;

/// What a trial's closure gives back, or any error.
pub type TrialResult = Result<TrialOutcome, Box<dyn std::error::Error + Send + Sync>>;

/// What a trial found.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialOutcome {
    /// How good the model is; more is better. Computed on data that are declared public, or paid for.
    pub score: f64,
    /// The model, serialized. Kept by [private selection](super::PrivateSelection) for the winner, and dropped otherwise.
    pub model: Vec<u8>,
}

impl TrialOutcome {
    /// A score without a model.
    pub fn score(score: f64) -> Self {
        Self { score, model: Vec::new() }
    }
}

/// One run of one setting.
#[derive(Clone, Debug)]
pub struct Trial {
    pub(super) number: usize,
    pub(super) setting: Option<Setting>,
    pub(super) repeat: u32,
    pub(super) seed: Option<u64>,
}

impl Trial {
    /// Number of the trial in its sweep, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// What it is made with; `None` for a trial without privacy.
    pub fn setting(&self) -> Option<&Setting> {
        self.setting.as_ref()
    }

    /// Which run of its setting it is, from 0.
    pub fn repeat(&self) -> u32 {
        self.repeat
    }

    /// The fixed seed, if the sweep has one.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The randomness for `PrivacyPlan::start`: of the operating system, or the fixed
    /// seed's, which protects nobody.
    pub fn entropy(&self) -> Entropy {
        self.seed.map_or(Entropy::os(), Entropy::seeded)
    }

    /// Builds a model whose weights depend on the repeat (and the sweep's fixed seed, if it has one) alone, so that settings
    /// are compared from the same starts. Weights at the start need not be secret.
    ///
    /// Burn's generator is one for all threads, so another trial may draw from it in between: a model is taken once two in a
    /// row came out the same. Where trials draw all the time (dropout), that may never be, and after some attempts the last
    /// one is taken: run such trials one at a time for a table that can be reproduced.
    pub fn initialize<M: Module>(&self, device: &Device, build: impl Fn() -> M) -> M {
        static SEEDING: Mutex<()> = Mutex::new(());
        let _guard = SEEDING.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = self.seed.unwrap_or(self.repeat.into());
        let attempt = || {
            device.seed(seed);
            let model = build();
            // Burn draws a parameter when it is first looked at.
            let mut weights = Weights(Vec::new());
            model.visit(&mut weights);
            (model, weights.0)
        };
        let mut last = attempt();
        for _ in 0..MOST_ATTEMPTS {
            let next = attempt();
            let same = next.1 == last.1;
            last = next;
            if same {
                break;
            }
        }
        last.0
    }
}

/// All weights of a model, as bytes.
struct Weights(Vec<Vec<u8>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data().as_bytes().to_vec());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use burn::tensor::Distribution;

    use super::*;
    use burn::nn::{Linear, LinearConfig};

    fn weights(seed: Option<u64>, repeat: u32) -> Vec<Vec<u8>> {
        let device = Device::flex().autodiff();
        let trial = Trial { number: 0, setting: None, repeat, seed };
        let model: Linear = trial.initialize(&device, || LinearConfig::new(50, 40).init(&device));
        let mut weights = Weights(Vec::new());
        model.visit(&mut weights);
        weights.0
    }

    #[test]
    fn weights_depend_on_seed_and_repeat_alone_whatever_other_threads_draw() {
        let (plain, seeded) = (weights(None, 1), weights(Some(5), 0));
        assert!(plain != seeded && plain != weights(None, 2));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Some initializations are disturbed, and most are not.
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _ = Tensor::<1>::random([1], Distribution::Default, &Device::flex());
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            });
            for _ in 0..100 {
                assert_eq!(weights(None, 1), plain);
                assert_eq!(weights(Some(5), 0), seeded);
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}
