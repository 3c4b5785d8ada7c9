//! Making a model that was trained on public data ready for private training: which parameters are trained, and what becomes of
//! its BatchNorms.
//!
//! A frozen part is neither differentiated nor noised, so that the less is trained, the less noise there is and the cheaper a step
//! is. [`only`] and [`biases_only`] choose by name; Burn's `apply_lora` adds small matrices and freezes the rest.
//!
//! A BatchNorm in training couples the examples of a batch, and no step takes one. [`freeze_batch_norms`] works on any module:
//! each layer keeps its statistics, which must be public, and is a scale and a shift from then on. Group norms look at one example
//! at a time and need no statistics, but are of another type: a module can't change the types of its fields (Burn's mapper sees
//! tensors and flags, not layers), so that [`with_group_norms`] takes a second module that has them, and carries everything
//! else over by name. Where a model is generic in its norm, that is one line:
//!
//! ```
//! use burn::nn::conv::{Conv2d, Conv2dConfig};
//! use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig};
//! use burn::prelude::*;
//! use burn_privacy::fine_tune::{freeze_batch_norms, with_group_norms};
//!
//! #[derive(Module, Debug)]
//! struct Block<N: Module> {
//!     conv: Conv2d,
//!     norm: N,
//! }
//!
//! let device = Device::flex().autodiff();
//! let conv = || Conv2dConfig::new([3, 8], [3, 3]).init(&device);
//! let public = Block { conv: conv(), norm: BatchNormConfig::new(8).init(&device) };
//!
//! let with_groups: Block<GroupNorm> = Block { conv: conv(), norm: GroupNormConfig::new(4, 8).init(&device) };
//! let (with_groups, report) = with_group_norms(&public, with_groups)?;
//! println!("{report}"); // norm: BatchNorm over 8 channels is a GroupNorm now ..
//!
//! let (frozen, report) = freeze_batch_norms(public);
//! println!("{report}"); // norm: BatchNorm over 8 channels is frozen .. its statistics are the initial ones ..
//! # let (_, _): (Block<GroupNorm>, Block<BatchNorm>) = (with_groups, frozen);
//! # Ok::<(), burn_privacy::Error>(())
//! ```

mod batch_norm;
mod report;
mod trainable;

pub use batch_norm::{freeze_batch_norms, with_group_norms};
pub use report::{Change, Conversion, Replacement};
pub use trainable::{biases_only, only};
