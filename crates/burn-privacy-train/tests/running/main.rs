//! Training from its start to its end, and again after it was interrupted.

mod checkpoints;
mod killed;
mod line;
mod resumed_accuracy;
mod resumed_ranks;
mod training;
