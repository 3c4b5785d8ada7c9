//! Training stock models on their own operation graph.
#![cfg(feature = "flex")]

#[path = "../support/mod.rs"]
mod support;

mod couplings;
mod fine_tuning;
mod host_code;
mod layers;
mod programs;
mod sessions;
mod third_party;
