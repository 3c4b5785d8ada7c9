//! The operations: one function each, which takes the fastest way that there is for its tensors.
//!
//! Where a kernel of a backend (`backends`) serves the tensors, it is taken; else Burn's operations compute the
//! same, on every backend. An operation that is worth its while only with a kernel gives `None` elsewhere, and says so.

pub mod activation;
pub mod attention;
pub mod convolution;
pub mod embedding;
pub mod exact_grid;
pub mod examples;
pub mod linear;
pub mod noise;
pub mod normalization;
pub mod pointwise;
pub mod pooling;
pub mod recorded;
pub mod row_weights;
pub mod squared_norms;
pub mod standardization;
pub mod tap;
pub mod weights;
