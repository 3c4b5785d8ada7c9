//! Public weights for private training: files of weights into any Burn module, and EfficientNet-Lite0.
//!
//! Whoever trained a model on public data has spent nobody's privacy. A private run that starts from it learns a head, adapters or
//! biases, and the statement should name the public model and its data.
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::prelude::*;
//! use burn_privacy_pretrained::{PretrainedError, WeightFile};
//!
//! #[derive(Module, Debug)]
//! struct Model {
//!     body: Linear,
//!     head: Linear,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::flex();
//! let model = |classes| Model {
//!     body: LinearConfig::new(4, 8).init(&device),
//!     head: LinearConfig::new(8, classes).init(&device),
//! };
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("public.bpk");
//! model(1000).save_file(&file)?;
//!
//! // Another number of classes: what does not fit is said by name.
//! let refused = WeightFile::new(&file).load_into(model(10)).unwrap_err();
//! assert!(matches!(refused, PretrainedError::Mismatch { .. }));
//! assert!(refused.to_string().contains("head.weight: [8, 1000] in the file, [8, 10] in the module"));
//!
//! // The new head keeps its own weights.
//! let (model, loaded) = WeightFile::new(&file).keeping("^head\\.").load_into(model(10))?;
//! assert_eq!(loaded.applied, ["body.bias", "body.weight"]);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```

#[cfg(doctest)]
mod book;

mod efficientnet_lite;
mod error;
mod weight_file;

pub use efficientnet_lite::{Block, ConvNorm, EfficientNetLite0, PIXELS};
pub use error::{PretrainedError, Result, ShapeDifference};
pub use weight_file::{Loaded, WeightFile};
