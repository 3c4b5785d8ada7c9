//! Per-example gradients of unmodified Burn models, from the model's own operation graph.
//!
//! 1. [`record`] runs a model's forward pass, its loss closure and Burn's own backward pass on a device that only records.
//! 2. [`Proof::of`] shows of two recordings with different numbers of examples that no example's gradient depends on
//!    another, or says which operation mixes them.
//! 3. [`Proof::replay`] executes a recording of the proved program on the model's device, and keeps the terms wherever Burn would
//!    sum over the batch: the per-example gradients.
//!
//! Everything recorded and replayed is private data. Nothing here clips or adds noise.

// A value holds tensors by value, a few of them at a time: what a box saves is not worth its allocation.
#![expect(clippy::large_enum_variant, clippy::result_large_err)]

mod capture;
mod certify;
mod contract;
mod convolution;
mod error;
mod execute;
mod gradient;
mod graph;
mod kinds;
mod lift;
mod parameters;
mod per_example;
mod plan;
mod proof;
mod public;
mod recording_devices;
mod replay;
mod rows;
mod rules;
mod shapes;
mod tensors;

pub use capture::{RecordError, record, record_rows};
pub use certify::Records;
pub use error::{TraceError, UnprotectedText, count_in_words};
pub use gradient::{Gradient, KernelGradient};
pub use graph::Graph;
pub use parameters::{ParameterValues, values_of};
pub use proof::Proof;
pub use public::public;
pub use rows::RowsOfRecords;
