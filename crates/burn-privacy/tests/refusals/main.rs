//! What is refused, and that each refusal says what to change.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod closures;
mod coupled_examples;
mod example_axis;
mod hidden_couplings;
mod models;
mod running_state;
