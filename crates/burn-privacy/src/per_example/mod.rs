//! Per-example gradients in one backward pass, clipped and summed.
//!
//! Burn has neither module hooks nor a vectorizing transform, so per-example gradients are formed by
//! book-keeping (Bu et al. 2022, "Differentially Private Optimization on Large Model at Small Cost",
//! arXiv 2210.00038):
//!
//! 1. Inside a recording scope each layer of [`nn`](crate::nn) uses its weights *untracked*, adds a zero leaf
//!    (a probe) to its output and records its input.
//! 2. One `backward` of the sum of the per-example losses leaves each layer's per-example output gradient on
//!    its probe.
//! 3. Norms ([`sum_of_squares_bound`]) follow from (input, output gradient) without forming per-example gradients where a
//!    cheaper identity exists; clip factors follow from the norms.
//! 4. One weighted weight-gradient product per layer gives the sum of the clipped gradients.
//!
//! A model that no rules cover is trained on its own operation graph ([`PerExample::Traced`], crate `burn-privacy-traced`): there the
//! independence of the examples is proved at every step.
//!
//! Nothing in this module adds noise: what it computes is **private data**, and only
//! [`Step::gradients`](crate::session::Step::gradients) turns it into something an optimizer may see.
//!
//! # Formal guarantee
//!
//! For a model that passes the coverage checks, and with `g_i` the gradient of example `i`'s loss
//! that follows exactly from the recorded layer inputs and output gradients,
//! the sum is `sum_i c_i g_i`, with an error that is part of its sensitivity (see the module `exact_sum`), and `||c_i g_i||_2 <= C` for every example (C the [`Clipping::norm`](crate::plan::Clipping::norm) of its style): the factor is computed from an upper
//! bound of the norm, never from an estimate that rounding may have pushed below it. Examples with a
//! non-finite gradient contribute exactly zero.
//!
//! # What is checked, and what is promised
//!
//! That `g_i` is a function of record `i` and the model alone is what a step's sensitivity rests on. No step is released before
//! its model and closure were *validated*: run on records drawn at random from the data set, in two batches of the physical
//! batch size that share a random half, and one example alone. That is a check on a sample. At the first step the program's operation
//! graph is traced, too, where it can be: a coupling that the graph shows is refused whatever the records are.
//!
//! | what couples examples | |
//! |---|---|
//! | BatchNorm in training mode; a buffer that a forward pass changes; a weight used outside its layer; a layer of another model; an axis 0 that is not the examples | refused at every step |
//! | batch statistics (also detached), losses that compare examples, a division by the batch size, masks and weights counted in the batch, a batcher that normalizes, mixes or pads visibly; from a size of the batch on; in the gradients alone | refused when validated |
//! | the same where losses are random from call to call | refused if a gradient flows along it, or if the influence is about as large as the randomness; **promised** otherwise |
//! | state that the closure, the batcher or the model keeps from call to call (a moving average, the batch before, a count of calls), also in [`PerExample::Loop`] | refused when validated, if it then shows; **promised** where it shows only later |
//! | another closure or model type, other trainable parameters, another batch size | validated before its first step |
//! | the same closure or model that changes what it does | validated again before steps 2, 3, 5, 9, 17, 33, 65 with eight examples, before every 128th in full; **promised** between them |
//! | numbers that the batcher or the closure reads of the batch on the host, on the operation graph | refused if they differ for one of eight records alone, or from step to step; **promised** if they are one number for nearly all records, or are hidden in random augmentation |
//! | a few particular examples only | **promised** |
//! | a data set in which none of 32 random records has a finite loss and gradient | refused: nothing could be validated |
//!
//! A refusal is not covered by the guarantee: it says that the program is at fault on some of the records that were looked at,
//! whoever was in the batch. Mend the program; don't publish the refusal as a result.

mod backward;
mod batch_layout;
mod buffers;
mod clipping;
mod coverage;
mod evaluation;
mod exact_sum;
mod factors;
mod fixed_ranges;
mod gradient_sum;
mod layer_name;
mod model_variants;
mod one_at_a_time;
mod param;
mod parameter_gradients;
mod random_records;
mod rank_tests;
#[cfg(all(test, feature = "flex"))]
mod row_bits;
mod rule;
mod tape;
mod validation_schedule;
mod validator;

pub use batch_layout::BatchLayout;
pub use burn_privacy_budget::plan::ProtectedUnit;
pub use burn_privacy_kernels::Rounding;
pub use burn_privacy_kernels::ops::squared_norms::sum_of_squares_bound;
pub use burn_privacy_traced::{TraceError, public};
pub use factors::ClipFactors;
pub use param::per_example;
pub(crate) use param::{ParamRule, trainable};
pub use parameter_gradients::{ParameterGradients, ParameterSum};
pub use rule::PerExampleRule;
pub(crate) use tape::{LayerUse, known_use, recording_layout};
pub use tape::{is_recording, record};

pub(crate) use backward::{clipped_sum, clipped_sum_of_uses, require_one_loss_per_example};
pub(crate) use buffers::NonTrainable;
pub(crate) use clipping::StepClipping;
pub(crate) use coverage::TrainableParameters;
pub(crate) use evaluation::norm;
pub(crate) use fixed_ranges::FixedRanges;
pub(crate) use gradient_sum::{GradientSum, Integers, Total};
pub(crate) use model_variants::{OwnLeaves, Perturb, Quieten, has_enabled_flags};
pub(crate) use one_at_a_time::{clipped_gradient_of_one, clipped_gradient_of_parts, gradients_of_one};
pub(crate) use random_records::RandomRecords;
pub(crate) use validation_schedule::{ValidatedSetting, ValidationSchedule};
pub(crate) use validator::{ROUNDS, Tolerance, Validation};

/// How the clipped per-example gradients of a physical batch are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PerExample {
    /// [`OneBackward`](Self::OneBackward) if layers of [`nn`](crate::nn) and rules cover every trainable parameter, otherwise
    /// [`Traced`](Self::Traced). Never the loop.
    #[default]
    Automatic,
    /// One backward pass for the whole physical batch, through the layers of [`nn`](crate::nn) and rules
    /// written by the user. Fast; refuses a module with a trainable parameter that no rule covers.
    OneBackward,
    /// The model's own operation graph: forward pass, loss closure and Burn's own backward pass are recorded at every step
    /// without being executed, *proved* to keep the examples of the batch apart, and replayed with the batch axis kept wherever
    /// Burn would sum over it. Trains stock Burn layers and any other module as it is.
    /// What a graph can't show is code on the host: the batcher and the closure are validated as for
    /// [`OneBackward`](Self::OneBackward), too.
    Traced,
    /// The exact batch-of-one loop: one forward and one backward pass per example, with Burn's own autodiff.
    /// Slow; trains any module whose forward pass changes no state (stock Burn layers, recurrent layers,
    /// attention). It is the reference every rule is tested against.
    Loop,
}
