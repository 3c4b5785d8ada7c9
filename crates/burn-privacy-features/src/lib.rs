//! Fixed features for private training: the scattering transform and bodies with public weights, a cache of them on disk, and
//! normalization, free or paid for. No deep-learning framework needed.
//!
//! A model that only learns a linear head on features which nobody's data were learned for spends its whole privacy budget on few
//! numbers. On images, [`scattering`] features with a head of `burn-privacy-linear` are more accurate than small networks
//! trained end to end, at every epsilon that people use, and take minutes (Tramer and Boneh, "Differentially private
//! learning needs better features (or much more data)", ICLR 2021).
//!
//! ```
//! use burn_privacy_features::cache::{CacheKey, TableShape, cached};
//! use burn_privacy_features::normalization::{normalize_groups, unit_rows};
//! use burn_privacy_features::scattering::{CHANNELS, Scattering};
//!
//! # let folder = tempfile::tempdir().expect("a folder for the example");
//! # let folder = folder.path();
//! // Ten images of 8 x 8 pixels, a byte each.
//! let images: Vec<u8> = (0..640_u32).map(|at| (at * at % 251) as u8).collect();
//! let scattering = Scattering::<f32>::new(8)?;
//! let key = CacheKey::new("scattering J2 L8, pixels / 255", images.chunks(64));
//! let shape = TableShape { rows: 10, channels: CHANNELS, positions: scattering.positions() };
//! let compute = |rows: std::ops::Range<usize>| {
//!     let pixels: Vec<f32> = images[rows.start * 64..rows.end * 64].iter().map(|&byte| f32::from(byte) / 255.0).collect();
//!     scattering.transform_all(&pixels, rows.len())
//! };
//! let features = cached(folder, &key, shape, compute, |rows| println!("{rows} of 10"))?;
//!
//! let mut row = vec![0.0; features.width()];
//! features.read_row(3, &mut row);
//! normalize_groups(&mut row, CHANNELS, 9)?;
//! unit_rows(&mut row);
//! # Ok::<(), burn_privacy_features::FeatureError>(())
//! ```

pub mod cache;
pub mod frozen_body;
pub mod normalization;
pub mod scattering;

mod dead_leaves;
mod error;
mod images;
mod patches;
mod table;

pub use dead_leaves::dead_leaves;
pub use error::{FeatureError, Result};
pub use images::ImageFeatures;
pub use patches::PatchFeatures;
pub use table::{FeatureTable, TablePart};
