//! A training run under a plan: draw, clip, add noise, charge.

mod batch_memory;
mod batcher_calls;
mod connection;
mod made;
mod noise;
mod physical_batch;
mod ranks;
mod replay_check;
mod resume;
mod start;
mod statement;
mod step;
mod traced;
mod users;
mod validation;

use std::marker::PhantomData;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::{Device, Tensor};
use burn_privacy_accounting::PlannedSchedule;
use burn_privacy_budget::LedgerRun;
use burn_privacy_budget::statement::{Noise, PrivacyStatement};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};

use crate::charges::Charges;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::per_example::{GradientSum, PerExample, ValidationSchedule};
use crate::plan::{Clipping, PrivacyPlan, ProtectedUnit};
use crate::sampler::PoissonSampler;
use crate::traced::{Independence, Proofs};

use connection::Ranks;
use made::StepsMade;

pub use batch_memory::PhysicalBatch;
pub use batcher_calls::BatcherCalls;
pub use start::StartPlan;
pub use step::Step;
pub use users::{UserGradient, Users};

/// More examples at once are not faster on a CPU.
const MOST_AT_ONCE: usize = 256;

/// What a loss closure returns: one loss per example, `[batch]`, or any error.
pub type LossResult = std::result::Result<Tensor<1>, Box<dyn std::error::Error + Send + Sync>>;

/// One training run under a [`PrivacyPlan`].
///
/// The session owns its sampler, the key of the noise and the count of charged steps. Each
/// [`Step`] is consumed by use, and the only gradients it gives are [`NoisyGradients`](crate::NoisyGradients). See the [crate documentation](crate) for a whole program.
#[must_use = "a session that takes no step trains nothing"]
pub struct Session<I, O, D, B> {
    plan: Arc<PrivacyPlan>,
    dataset: D,
    /// Whose the records are, if users are drawn.
    users: Option<Users>,
    batcher: B,
    device: Device,
    /// `None` once it was taken.
    sampler: Option<PoissonSampler>,
    key: PrivacyKey,
    /// False if the entropy is a fixed seed.
    private: bool,
    /// Name of the data set, if there is a ledger.
    dataset_name: Option<String>,
    /// Name of the run in the ledger, if there is one.
    run_name: Option<String>,
    charges: Arc<Charges>,
    /// The other ranks, if there are several.
    ranks: Option<Ranks>,
    /// The next step to be used.
    next: u64,
    /// Of the next step, where clipping follows a quantile.
    clipping_norm: f64,
    schedule: PlannedSchedule,
    noise: Noise,
    per_example: PerExample,
    physical_batch: PhysicalBatch,
    batcher_calls: BatcherCalls,
    /// Examples (views) of a physical batch, at most.
    at_once: usize,
    /// They were found out.
    measured: bool,
    views: usize,
    validated: ValidationSchedule,
    proofs: Proofs,
    /// Numbers of examples of new proofs, of which no replay was compared with single examples yet.
    uncompared: Vec<usize>,
    /// Programs that no rules cover.
    on_graph: Vec<(std::any::TypeId, std::any::TypeId)>,
    /// Another rank has such programs.
    on_graph_elsewhere: bool,
    independence: Independence,
    made: StepsMade,
    last_bits_agreed: Option<bool>,
    items: PhantomData<fn() -> (I, O)>,
}

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    pub(crate) fn new(
        plan: Arc<PrivacyPlan>,
        dataset: D,
        users: Option<Users>,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Self> {
        users::check_unit(&plan, users.as_ref(), dataset.len())?;
        let (users, kept) = match (plan.protected_unit(), users) {
            (ProtectedUnit::UserByRecords { most_records }, Some(users)) => {
                (None, Some(users.first_records(most_records)))
            }
            (_, users) => (users, None),
        };
        let population = users.as_ref().map_or(dataset.len(), Users::count);
        let private = entropy.is_private();
        GradientSum::require_room(device, plan.sampling().expected_batch_size())?;
        let key = PrivacyKey::draw(entropy)?;
        let charges = Charges::new();
        let sampler = PoissonSampler::new(&charges, plan.clone(), population, kept, entropy)?;
        let schedule = plan.schedule()?;
        let clipping_norm = plan.clipping().norm();
        Ok(Self {
            plan,
            dataset,
            users,
            batcher,
            device: device.clone(),
            sampler: Some(sampler),
            key,
            private,
            dataset_name: None,
            run_name: None,
            charges,
            ranks: None,
            next: 0,
            clipping_norm,
            schedule,
            noise: Noise::FloatingPoint,
            per_example: PerExample::default(),
            physical_batch: PhysicalBatch::Auto,
            batcher_calls: BatcherCalls::default(),
            at_once: MOST_AT_ONCE,
            measured: false,
            views: 1,
            validated: ValidationSchedule::default(),
            proofs: Proofs::default(),
            uncompared: Vec::new(),
            on_graph: Vec::new(),
            on_graph_elsewhere: false,
            independence: Independence::default(),
            made: StepsMade::default(),
            last_bits_agreed: None,
            items: PhantomData,
        })
    }

    /// Augmentation multiplicity: the batcher gets each record of a batch so many times in a row and makes another
    /// augmented view of it each time. Zero counts as one.
    ///
    /// The loss closure returns one loss for each view, in the batcher's order. A record's gradient is that of the mean of
    /// its views' losses, and it is clipped as one: the guarantee is the same, whatever the number of views (65,536 at most:
    /// with more, no step is charged or made, and [`Error::Plan`] says so). A step costs the
    /// forward and backward passes of all views, but one norm for each record. `physical_batch` counts views.
    ///
    /// The batcher must make a view from its record alone: no mixing of records.
    ///
    /// Source: De et al. 2022 (arXiv 2204.13650), section 3.2.
    pub fn with_views(mut self, views: usize) -> Self {
        self.views = views.max(1);
        self
    }

    /// How per-example gradients are computed.
    pub fn with_per_example(mut self, per_example: PerExample) -> Self {
        self.per_example = per_example;
        self
    }

    /// How a traced step calls the batcher. The other ways to gradients call it once for each physical batch.
    pub fn with_batcher_calls(mut self, calls: BatcherCalls) -> Self {
        self.batcher_calls = calls;
        self
    }

    /// Charges every step to `ledger`, durably and before the update is released, under the run name `run`.
    ///
    /// A run of that name with the same plan that was interrupted is continued: its charged steps count, so the
    /// whole never exceeds the plan.
    ///
    /// # Errors
    ///
    /// If the ledger refuses: another plan under the name, a run that is spent or does not fit into the data set's
    /// budget, a file that can't be written. If steps were already taken, or the sampler was; at another rank than the first, which
    /// charges for all.
    pub fn with_ledger(mut self, ledger: Ledger, run: &str) -> Result<Self> {
        if self.charged_steps() > 0 || self.dataset_name.is_some() || self.sampler.is_none() {
            return Err(Error::Plan {
                field: "ledger",
                given: format!("after {} steps, another ledger or take_sampler()", self.charged_steps()),
                allowed: "open one ledger before anything else, so that every step is in it".into(),
            });
        }
        let rank = self.rank();
        if rank > 0 {
            return Err(Error::Plan {
                field: "ledger",
                given: format!("a ledger at rank {rank}"),
                allowed: "a ledger at rank 0, which charges for all".into(),
            });
        }
        self.run_name = Some(run.to_owned());
        let run = LedgerRun::begin_or_resume(ledger, run, &self.plan, self.private)?;
        self.dataset_name = Some(run.dataset().to_owned());
        self.charges.continue_in(run)?;
        self.next = self.charged_steps();
        if self.next > 0 {
            self.made.also_unknown(&mut self.independence);
        }
        Ok(self)
    }

    /// Goes on with a clipping norm that follows a quantile where an earlier session stopped: with its
    /// [`clipping_norm`](Self::clipping_norm).
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for another style of clipping, whose norm is the plan's, and for a norm that no plan may have.
    pub fn with_clipping_norm(mut self, norm: f64) -> Result<Self> {
        if !matches!(self.plan.clipping(), Clipping::Quantile { .. }) {
            return Err(Error::Plan {
                field: "clipping norm to go on with",
                given: norm.to_string(),
                allowed: format!("none: the plan has {}", self.plan.clipping()),
            });
        }
        Clipping::check_norm(norm)?;
        self.clipping_norm = norm;
        Ok(self)
    }

    /// The largest norm of a contribution in the next step: the plan's, or where it got to if it follows a quantile, which is part
    /// of what the steps released.
    pub fn clipping_norm(&self) -> f64 {
        self.clipping_norm_in(self.next)
    }

    /// [`clipping_norm`](Self::clipping_norm) in a step, if that is the next one.
    fn clipping_norm_in(&self, step: u64) -> f64 {
        match self.plan.clipping() {
            Clipping::Quantile { .. } => self.clipping_norm,
            _ => self.plan.clipping_in(step).norm(),
        }
    }

    /// The number of this rank where several ranks train one model, which begins at 0; 0 where there is one.
    pub fn rank(&self) -> usize {
        self.ranks.as_ref().map_or(0, Ranks::rank)
    }

    /// The data set's name in the ledger, if there is one.
    pub fn dataset_name(&self) -> Option<&str> {
        self.dataset_name.as_deref()
    }

    /// The run's name in the ledger, if there is one.
    pub fn run_name(&self) -> Option<&str> {
        self.run_name.as_deref()
    }

    /// The plan.
    pub fn plan(&self) -> &PrivacyPlan {
        &self.plan
    }

    /// Steps charged so far, released or not, those of earlier sessions on the ledger's run included.
    pub fn charged_steps(&self) -> u64 {
        self.charges.charged()
    }

    /// Epsilon of the charged steps at the plan's delta, an upper bound; see [`PlannedSchedule`]. Infinite in a session with
    /// a fixed seed. Some microseconds, and now and then some milliseconds.
    ///
    /// Valid as a guarantee of what was released so far only if the decision to stop here does not depend on
    /// the private data.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn epsilon_so_far(&self) -> Result<f64> {
        self.epsilon_after(self.charged_steps())
    }

    /// [`epsilon_so_far`](Self::epsilon_so_far) once so many steps are charged: public, as the plan is.
    ///
    /// # Errors
    ///
    /// If there are more steps than can be counted.
    pub fn epsilon_after(&self, steps: u64) -> Result<f64> {
        if self.private { Ok(self.schedule.epsilon_after(steps)?) } else { Ok(f64::INFINITY) }
    }

    /// Whether, at the last validation, a record had the same loss and the same gradients alone and in a batch, to the last bit;
    /// `None` before, for random losses, and one example at a time.
    ///
    /// The [statement](Self::statement) assumes that it has, on the CPU. If not, the loss closure, or a layer without trainable
    /// parameters, computes rows together: most likely a matrix product of its own. It says something about records that were
    /// looked at, so it is for the program's author, not to be published as a result.
    pub fn last_bits_agreed(&self) -> Option<bool> {
        self.last_bits_agreed
    }

    /// Ends the run: writes the true number of charged steps to the ledger, and returns the statement. A sampler that was
    /// taken draws nothing afterwards. Where several ranks train one model, the end of rank 0's session is that of the others' steps.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(mut self) -> Result<PrivacyStatement> {
        if let Some(ranks) = &mut self.ranks {
            ranks.end();
        }
        self.charges.end()?;
        self.statement()
    }
}

impl<I, O, D, B> std::fmt::Debug for Session<I, O, D, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("plan", &self.plan)
            .field("charged", &self.charges.charged())
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}
