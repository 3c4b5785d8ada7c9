//! The CPU's own kernels: what Burn's tensor operations do in many passes over memory, done in one, on the flex backend.
//!
//! Every function returns `None`, or gives its tensor back as an error, for a tensor of another backend or number format; the
//! operation then takes its general path, against which the tests compare.

mod activations;
mod attention;
mod attention_shape;
mod autodiff;
mod convolution;
mod elementary;
mod fresh_memory;
mod ghost_norm;
mod lanes;
mod matrix_product;
mod normalization;
mod normalization_shape;
mod outer_products;
mod pooling;
mod pooling_shape;
mod recorded;
mod row_pairs;
mod row_product;
mod rows;
mod slices;
mod small_product;
mod standardization;
mod transposition;

pub(crate) use attention_shape::Attention;
pub(crate) use autodiff::{activate, attend, convolve, linear, max_pool, normalize, softmax, tap};
pub(crate) use normalization_shape::Normalization;
pub(crate) use pooling_shape::Pooling;
pub(crate) use recorded::{activation_gradient, convolution_input_gradient, linear_input_gradient};
pub(crate) use slices::*;
