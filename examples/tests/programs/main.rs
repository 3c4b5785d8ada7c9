//! The programs from the outside, and what they are made of: one test program, for each that links Burn takes its time to build.

mod adult_dp;
mod affordability_dp;
mod anonymize_table;
mod cifar_dp;
mod fine_tuning;
mod mnist_dp;
mod support;
mod sweep_noise;
mod third_party;
