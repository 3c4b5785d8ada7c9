//! The pages of the book that are about trainers, so that their code is compiled and run as doc tests.

#[doc = include_str!("../../../docs/src/checkpoints.md")]
pub struct Checkpoints;
#[cfg(feature = "train")]
#[doc = include_str!("../../../docs/src/learner.md")]
pub struct Learner;
