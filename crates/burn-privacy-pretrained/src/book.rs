//! The page of the book that is about public weights, so that its code is compiled and run as doc tests.

#[doc = include_str!("../../../docs/src/fine-tuning.md")]
pub struct FineTuning;
