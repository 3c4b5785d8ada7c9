use burn::module::ParamId;

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
        "`{first}` and `{second}` have one parameter id, so their gradients would overwrite each other. Initialise \
         the second layer from its own configuration instead of cloning the first."
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
    /// Axis 0 of a recorded tensor is not the example axis.
    #[error(
        "a layer received {found} rows along axis 0 where the batch has {expected} examples: axis 0 must be the \
         example axis. Keep inputs as [batch, .., features] instead of [batch * tokens, features] or \
         [tokens, batch, features]; Linear and LayerNorm take any rank."
    )]
    ExampleAxis {
        /// Rows of the recorded input or output.
        found: usize,
        /// Examples in the physical batch.
        expected: usize,
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
        "the loss closure returned {found} value(s) for a batch of {expected} examples. Return one loss per example, \
         [batch]: do not average or sum over the batch (see burn_privacy::loss)."
    )]
    LossPerExample {
        /// Length of the returned tensor.
        found: usize,
        /// Examples in the physical batch.
        expected: usize,
    },
    /// The loss is not connected to the model.
    #[error(
        "the loss is not connected to the model's parameters. Compute it from the model's output on the same autodiff \
         device, without detach() or inner()."
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
        "the data set has {found} records, the plan states {stated}. Under {adjacency} adjacency the size is public \
         and must be right: state the true size, or use add/remove adjacency, where it is private."
    )]
    DatasetSize {
        /// Records in the data set.
        found: usize,
        /// The plan's nominal size.
        stated: usize,
        /// The plan's adjacency.
        adjacency: String,
    },
    /// A batch that another plan's sampler drew.
    #[error(
        "this batch was drawn by a sampler that is not the plan's: {difference}. Take batches from \
         Session::next_step, or from the sampler of this session's own plan, in order."
    )]
    ForeignSampler {
        /// In what the two differ.
        difference: String,
    },
    /// Every planned step was charged.
    #[error("the plan's {steps} steps are spent. Make a new plan; its cost adds to this one.")]
    BudgetSpent {
        /// Planned steps.
        steps: u64,
    },

    // ---- Around it. ----
    /// A record of the data set could not be read.
    #[error("record {index} of the data set could not be read: {source}")]
    Record {
        /// Index of the record.
        index: usize,
        /// What the data set said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A device that was asked for cannot be used.
    #[error("{0}")]
    Device(String),
    /// A value could not be read back from the device.
    #[error("the device failed: {0}")]
    Execution(String),
    /// Accounting refused.
    #[error(transparent)]
    Accounting(#[from] burn_privacy_accounting::AccountingError),
    /// Noise or key generation failed.
    #[error(transparent)]
    Mechanism(#[from] burn_privacy_mechanisms::MechanismError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// A data set could not be loaded.
    #[error(transparent)]
    Dataset(#[from] crate::datasets::DatasetError),
    /// A sweep could not start or go on.
    #[error(transparent)]
    Sweep(#[from] crate::sweep::SweepError),
    /// A report could not be written or read.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
}
