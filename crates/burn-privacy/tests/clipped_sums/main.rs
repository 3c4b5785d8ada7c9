//! The sum of clipped per-example gradients: equal to the batch-of-one loop for every layer, and never more than the
//! clipping norm from one example.

#[path = "../support/mod.rs"]
mod support;

mod clipping_styles;
mod contributions;
mod convolutions;
mod embeddings;
mod excluded_examples;
mod frozen_parameters;
mod ignored_labels;
mod linear_layers;
mod magnitudes;
mod normalization;
mod own_parameters;
mod realistic_sizes;
mod rounding;
mod shared_layers;
mod views;
mod weight_exchange;
mod weight_standardization;
