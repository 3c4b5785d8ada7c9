//! Why a program could not be recorded, or was refused.

use burn::module::ParamId;

/// Why per-example gradients can't be taken from a model's operation graph.
///
/// Each message says what was found and what to do. None holds a value of a record or the number of examples, and neither does
/// `Debug`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The gradient of one example depends on another: a proof, not a suspicion.
    #[error("examples are coupled: {how} (operation {operation} of {shapes})")]
    Coupled {
        /// What the operation does to the examples.
        how: String,
        /// The recorded operation.
        operation: String,
        /// Shapes of its inputs, `B` for the number of examples.
        shapes: String,
        /// The parameter that was used last before it.
        near: Option<ParamId>,
    },
    /// A number that the program computes with changes with the number of examples.
    #[error(
        "a setting of operation {operation} changes with the number of examples in the batch or with its records (a division by \
         the batch size, a number read from the batch or drawn on the host, a count of calls): the loss of one example would depend on \
         others. Divide by a constant, or leave the division to the session, which divides by the public expected batch size"
    )]
    BatchSize {
        /// The recorded operation.
        operation: String,
    },
    /// Other operations for another number of examples.
    #[error(
        "the program records other operations for one number of examples than for another (at operation {at}: {operations}), so \
         that nothing about one number says anything about another. Let the program not depend on the batch's size or \
         values, or train with PerExample::Loop"
    )]
    OtherOperations {
        /// Position of the first difference.
        at: usize,
        /// The two operations.
        operations: String,
    },
    /// A length that is no multiple of the number of examples.
    #[error(
        "axis {axis} of a tensor that operation {operation} makes or reads grows with the batch, but is no multiple of the \
         number of examples (rows of a memory or of constants beside the batch's own?)"
    )]
    Length {
        /// The axis.
        axis: usize,
        /// The recorded operation.
        operation: String,
    },
    /// A constant without an axis for the examples that is another one with other records.
    #[error(
        "a constant of shape {shape:?} that the loss closure or the batcher makes on the host has other values for other records, or \
         from call to call: a statistic of the batch, or state. If it is public (a schedule, weights of another \
         network), declare it: burn_privacy::per_example::public(tensor)"
    )]
    ChangingConstant {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A constant whose row for a record depends on its place or on other records.
    #[error(
        "a constant that the batcher or the loss closure makes on the host, with a row for each example, has another row for the same record \
         at another place or beside other records, or the same rows for other records (a range that numbers the examples, a mean or \
         a largest value of the batch): what an example gets would depend on others. Make a record's row of that record \
         alone, or compute on tensors"
    )]
    NumbersExamples,
    /// Other operations or shapes for other records.
    #[error(
        "the program records other operations or shapes for other records (a batch padded to its longest record, a branch or a number of \
         passes that follows the records): what an example gets depends on other examples of the batch. Pad to a fixed length, compute on tensors, \
         or train with PerExample::Loop"
    )]
    FollowsRecords,
    /// An operation without a rule.
    #[error(
        "there is no rule for operation {operation} of {shapes}. Train with the layers of burn_privacy::nn or with \
         PerExample::Loop"
    )]
    UnknownOperation {
        /// The recorded operation.
        operation: String,
        /// Shapes of its inputs, `B` for the number of examples.
        shapes: String,
    },
    /// The program read a value that is not there while it is recorded.
    #[error(
        "the forward pass or the loss closure reads a value of a tensor on the host (into_scalar, into_data, a condition on a tensor), which an \
         operation graph can't show. Compute on tensors (mask_where, gather) or train with PerExample::Loop"
    )]
    ReadsValue,
    /// A tensor that comes from neither the batch nor the model.
    #[error(
        "the loss closure uses a tensor that is part of neither the batch nor the model: one that it kept from another call, or one \
         on another device. Make constants on the batch's device; declare what is public and comes from outside: \
         burn_privacy::per_example::public(tensor)"
    )]
    OutsideTensor,
    /// Burn refused what the program did on the recording device.
    #[error(
        "the program can't be recorded: the batcher, the model or the loss closure panics or does what the recording device can't \
         (the text may hold records: unprotected_text() of the source gives it). Train with the layers of burn_privacy::nn or \
         with PerExample::Loop"
    )]
    Unrecordable(UnprotectedText),
    /// The loss is not connected to a parameter.
    #[error("the loss is not connected to the model's parameters")]
    Untracked,
    /// Not one loss an example.
    #[error("the loss closure returned {found}, where one value for each row of the batch is needed")]
    LossCount {
        /// What it returned, in words that do not tell how many rows there are.
        found: String,
    },
    /// A recording inside another.
    #[error("a recording was started inside a recording")]
    Nested,
}

/// How many values a loss closure returned, in words that do not tell how many `examples` there are.
pub fn count_in_words(found: usize, examples: usize) -> String {
    match found.checked_rem(examples) {
        _ if found == 1 => "1 value for the whole batch".to_owned(),
        Some(0) => format!("{} values for each example", found / examples),
        _ => "a number of values that is not the number of examples".to_owned(),
    }
}

/// What a program said when it could not be recorded. It may hold records, so that neither `Debug` nor an error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnprotectedText(String);

impl UnprotectedText {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the program's author: whoever publishes it may publish records.
    pub fn unprotected_text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for UnprotectedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}
