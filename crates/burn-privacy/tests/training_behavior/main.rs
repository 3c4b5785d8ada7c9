//! What training under a plan does: noise, normalizer, batches, randomness, budget.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod budget;
mod clipping_norm;
mod descent;
mod last_bits;
mod ledger;
mod noise;
mod physical_batches;
mod randomness;
mod ranks;
mod ranks_that_leave;
mod records_of_users;
mod schedules;
mod several_optimizers;
mod threads;
mod users;
