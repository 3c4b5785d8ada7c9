//! What a batcher is handed at once.

/// How often a step that is [traced](crate::per_example::PerExample::Traced) calls the batcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatcherCalls {
    /// Once for each physical batch. That it makes a record's rows of that record alone is checked on records drawn at random.
    #[default]
    OncePerBatch,
    /// Once more for each record alone; what it puts into tensors is joined, and takes the place of what it made of them together.
    /// No row can depend on another record then, whatever the batcher does, but for what it keeps from call to call.
    /// For tensors that the batcher makes of numbers; those that it computes of others are part of the graph. Values that
    /// the loss closure puts into tensors itself are checked as before.
    OncePerRecord,
}
