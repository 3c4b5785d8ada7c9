//! The error type of the crate: why a model, a loss closure or a step was refused.

use burn::module::ParamId;
use burn_privacy_traced::TraceError;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong while planning or running private training.
///
/// Each message says what was given, what is allowed and what to do. A refused step is charged but releases
/// nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- The model is not one whose per-example gradients are known. ----
    /// A trainable parameter was used by no recorded layer.
    #[error(
        "parameter `{path}` (in {layer}) is trainable, but no per-example rule covers it. {remedy}. (A layer that the \
         forward pass skips, or whose inner Burn layer it calls, counts as uncovered, too.)"
    )]
    UntrackedParameter {
        /// Dotted path in the module.
        path: String,
        /// The layer that holds it.
        layer: String,
        /// What works for such a layer.
        remedy: String,
    },
    /// The forward pass recorded a parameter that the model does not hold.
    #[error(
        "the loss closure used {layer}, which is not part of the model that was given to gradients(). If it should be \
         trained by this step, pass the module that owns every trainable layer. If it is a second network (a generator, a \
         teacher), take its gradients off: teacher.clone().no_grad() takes tensors of the training device, \
         teacher.valid() those of the device without autodiff (Tensor::inner, Tensor::from_inner)."
    )]
    ForeignParameter {
        /// Kind and shape of the layer.
        layer: String,
    },
    /// A weight was used outside its layer.
    #[error(
        "parameter `{path}` received a gradient outside its layer (tied weights, or a penalty computed from the \
         weights), which no per-example norm counted. Give the second use a parameter of its own, use the layer \
         itself a second time, move a penalty on the weights to the optimizer's weight decay, or train with \
         PerExample::Loop."
    )]
    WeightOutsideLayer {
        /// Dotted path in the module.
        path: String,
    },
    /// Two fields of the module hold parameters with one id.
    #[error(
        "`{first}` and `{second}` have one parameter id, so their gradients would overwrite each other. Initialize \
         the second layer from its own configuration instead of cloning the first; keep a frozen copy (a teacher, a \
         reference) out of the model, and let the closure use its `valid()`."
    )]
    DuplicateParameter {
        /// Path of the first.
        first: String,
        /// Path of the second.
        second: String,
    },
    /// A BatchNorm in training mode.
    #[error(
        "`{path}` is a BatchNorm in training mode: its batch statistics couple the examples, and its running \
         statistics release them without noise. Replace it with burn_privacy::nn::GroupNorm or LayerNorm, or freeze \
         it (Module::freeze_group) so that it uses fixed statistics."
    )]
    BatchNorm {
        /// Dotted path in the module.
        path: String,
    },
    /// A module whose parameters can't be carried over to another.
    #[error(
        "`{path}` {reason}. The second module must be the first with group norms in the place of its BatchNorms, and all else alike."
    )]
    Conversion {
        /// Dotted path in the module.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// A part of a module that was named but is not there.
    #[error("the module has no parameter under `{given}`: its parameters are {}", parameters.join(", "))]
    NoSuchPart {
        /// The path that was given.
        given: String,
        /// All paths of parameters and buffers.
        parameters: Vec<String>,
    },
    /// Axis 0 of a recorded tensor is not the example axis.
    #[error(
        "a layer received {rows} along axis 0, where there must be one for each example (and view): axis 0 must be the \
         example axis. Keep inputs as [batch, .., features] instead of [batch * tokens, features] or \
         [tokens, batch, features]; Linear and LayerNorm take any rank."
    )]
    ExampleAxis {
        /// Rows of the recorded input or output, in terms of examples: how many of those there are is private.
        rows: String,
        /// Parameters of the layer.
        parameters: Vec<ParamId>,
    },
    /// The loss of one example depends on another.
    #[error(
        "the loss of one example depends on other examples of the batch (seen {seen}). Remove batch statistics, \
         division by the batch size, losses that compare examples, masks or weights made from the whole batch, and \
         state that the closure, the batcher or the model keeps from one call to the next; check that axis 0 is the \
         batch axis everywhere."
    )]
    CoupledExamples {
        /// Where it showed.
        seen: String,
    },
    /// Per-example gradients can't be taken from the model's operation graph.
    #[error("{error}{near}")]
    Traced {
        /// Why.
        error: TraceError,
        /// The parameter near it, in words, if it is known.
        near: String,
    },
    /// No record was found on which a model and a loss could be validated.
    #[error(
        "it could not be checked that the loss of one example depends on no other: none of up to {tried} records of the \
         data set, drawn at random, has a finite loss and a finite gradient. Look for NaN or infinity in the data, in \
         the loss or in the model's parameters (a learning rate that is too high)."
    )]
    NothingToValidate {
        /// Most records that were tried.
        tried: usize,
    },
    /// A tensor that is not trained changed during the forward pass.
    #[error(
        "`{path}` is not trained but changed during the forward pass: a statistic of the batch would be released \
         without noise. Use a layer without running state, or freeze it."
    )]
    BufferChanged {
        /// Dotted path in the module.
        path: String,
    },
    /// A trainable parameter is not 32-bit.
    #[error(
        "`{path}` is {found}, and norms, sums and noise are computed in 32-bit floating point, whose rounding errors the \
         clipping accounts for: keep trainable parameters in f32."
    )]
    Precision {
        /// Dotted path in the module.
        path: String,
        /// Its element type.
        found: String,
    },
    /// The model is not where the session puts its batches.
    #[error("`{path}` is on {found}, the session was started on {expected}: start it on the model's device.")]
    OtherDevice {
        /// Dotted path in the module.
        path: String,
        /// Where the parameter is.
        found: String,
        /// Where the batches are.
        expected: String,
    },
    /// The model has no trainable parameter.
    #[error(
        "the model has no trainable parameter. Create it on an autodiff device (device.autodiff()), call train() \
         after valid(), and unfreeze what should be trained. (clone().no_grad() before a model's first use freezes the \
         original, too: freeze a copy after it, or take valid().)"
    )]
    NothingToTrain,
    /// The loss closure did not return one loss an example.
    #[error(
        "the loss closure returned {found}. Return one loss per example, \
         [batch]: do not average or sum over the batch (see burn_privacy::loss)."
    )]
    LossPerExample {
        /// What it returned, in terms of examples: how many of those there are is private.
        found: String,
    },
    /// The loss is not connected to the model.
    #[error(
        "the loss is not connected to the model's parameters. Compute it from the output of the model that the loss closure is given, on the \
         same autodiff device, without detach() or inner()."
    )]
    UntrackedLoss,
    /// A recording scope inside another.
    #[error("gradients() was called inside a loss closure: per-example recording does not nest")]
    NestedRecording,
    /// The loss closure failed.
    #[error("the loss closure failed: {0}")]
    Loss(#[source] Box<dyn std::error::Error + Send + Sync>),

    // ---- The plan. ----
    /// A field of the plan has a value it can't have.
    #[error("{field} = {given} is not possible: {allowed}")]
    Plan {
        /// Name of the field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed and what to do.
        allowed: String,
    },
    /// The data set does not have the public size that the plan states.
    #[error(
        "the data set does not have as many records as the plan states, {stated}. Under {adjacency} adjacency the size is public \
         and must be right: state the true size, or use add/remove adjacency, where it is private."
    )]
    DatasetSize {
        /// The plan's nominal size.
        stated: usize,
        /// The plan's adjacency.
        adjacency: String,
    },
    /// A batch that was not drawn for this session and step, or a sampler that is not available.
    #[error(
        "this batch can't be used here: {difference}. Take batches from Session::next_step, or all of them, in order, \
         from the one sampler that Session::take_sampler gives."
    )]
    ForeignSampler {
        /// What is wrong with it.
        difference: String,
    },
    /// Every planned step was charged.
    #[error("the plan's {steps} steps are spent. Make a new plan; its cost adds to this one.")]
    BudgetSpent {
        /// Planned steps.
        steps: u64,
    },

    // ---- Around it. ----
    /// A record that was drawn could not be read.
    #[error(
        "a record of the batch could not be read. Which one is private, since who is drawn must stay secret: read all \
         records of the data set once before training to find it (or look at the error's unprotected source)."
    )]
    DrawnRecord {
        /// What the data set said.
        unprotected_source: Unprotected<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A device that was asked for cannot be used.
    #[error("{0}")]
    Device(String),
    /// A value could not be read back from the device.
    #[error("the device failed: {0}")]
    Execution(String),
    /// The ranks of a run did not come together.
    #[error(transparent)]
    Exchange(#[from] crate::exchange::ExchangeError),
    /// Accounting refused.
    #[error(transparent)]
    Accounting(#[from] burn_privacy_accounting::AccountingError),
    /// Noise or key generation failed.
    #[error(transparent)]
    Mechanism(#[from] burn_privacy_mechanisms::MechanismError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] burn_privacy_budget::ledger::LedgerError),
    /// The plan or the ledger refused for a reason that has no name of its own here.
    #[error(transparent)]
    Budget(burn_privacy_budget::BudgetError),
    /// A data set could not be loaded.
    #[error(transparent)]
    Dataset(#[from] burn_privacy_datasets::DatasetError),
    /// An ensemble refused.
    #[error(transparent)]
    Ensemble(#[from] burn_privacy_ensemble::EnsembleError),
    /// A sweep could not start or go on.
    #[error(transparent)]
    Sweep(#[from] burn_privacy_sweep::SweepError),
    /// An audit was refused.
    #[error(transparent)]
    Audit(#[from] burn_privacy_audit::AuditError),
    /// A report could not be written or read.
    #[error(transparent)]
    Report(#[from] burn_privacy_report::ReportError),
}

impl From<burn_privacy_budget::BudgetError> for Error {
    fn from(error: burn_privacy_budget::BudgetError) -> Self {
        use burn_privacy_budget::BudgetError;
        match error {
            BudgetError::Plan { field, given, allowed } => Self::Plan { field, given, allowed },
            BudgetError::DatasetSize { stated, adjacency } => Self::DatasetSize { stated, adjacency },
            BudgetError::Accounting(error) => Self::Accounting(error),
            BudgetError::Ledger(error) => Self::Ledger(error),
            error => Self::Budget(error),
        }
    }
}

impl Error {
    /// A layer that got `found` rows for `expected` ones. The ratio is a shape, and public; the numbers are not.
    pub(crate) fn example_axis(found: usize, expected: usize, parameters: Vec<ParamId>) -> Self {
        let rows = match found.checked_rem(expected) {
            Some(0) => format!("{} rows for each", found / expected),
            _ => "a number of rows that is no multiple of the examples'".into(),
        };
        Self::ExampleAxis { rows, parameters }
    }

    /// A loss closure that returned `found` values for `expected` examples.
    pub(crate) fn loss_per_example(found: usize, expected: usize) -> Self {
        Self::LossPerExample { found: burn_privacy_traced::count_in_words(found, expected) }
    }
}

/// Something private that an error keeps for whoever may see it. It is not shown.
pub struct Unprotected<T>(T);

impl<T> Unprotected<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The private value: not for logs or reports.
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Unprotected<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unprotected(..)")
    }
}
