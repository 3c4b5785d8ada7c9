//! Data sets: CIFAR-10, MNIST and Fashion-MNIST from their original files, and generated images that need no file.
//!
//! | What | How |
//! |---|---|
//! | CIFAR-10 from a folder or the original archive | [`locate_cifar10`], [`Cifar10::load`] |
//! | CIFAR-10 from its official address (feature `download`) | `Download::cifar10` |
//! | MNIST or Fashion-MNIST from a folder | [`locate_mnist`], [`Mnist::load`] |
//! | the same from a well-known address (feature `download`) | `Download::mnist` |
//! | 20,000 + 2,000 images made by code, at once | [`generated()`], [`generated_digits()`] |
//! | a CSV file, packed or not, in bounded memory | [`open_text`] |
//! | images of your own | [`ImageDataset::with_shape`] |
//! | any data set, perturbed once before training | [`PerturbedDataset`] |
//!
//! All are [`ImageDataset`]s, which are Burn [`Dataset`](burn::data::dataset::Dataset)s of [`ImageItem`]s;
//! [`ImageBatcher`] makes [`ImageBatch`]es of them, [`AugmentedBatcher`] random views. Malformed files are errors that name the file and the byte
//! ([`DatasetError`]).

mod archive;
mod augmented;
mod batcher;
mod checksum;
mod cifar10;
mod cifar10_assembly;
mod contents;
mod counted;
#[cfg(feature = "download")]
mod download;
mod error;
mod generated;
mod idx;
mod images;
mod listing;
mod locate;
mod mnist;
mod perturbed;
mod records;

pub use augmented::{Augmentation, AugmentedBatcher};
pub use batcher::{ImageBatch, ImageBatcher, Normalization};
pub use checksum::Checksum;
pub use cifar10::{CIFAR10_ARCHIVE, DEFAULT_FOLDER, locate_cifar10};
pub use cifar10_assembly::{CIFAR10_CLASSES, Cifar10};
pub use contents::open_text;
#[cfg(feature = "download")]
pub use download::Download;
pub use error::{DatasetError, Result};
pub use generated::{
    GENERATED_CLASSES, GENERATED_SEED, GENERATED_TEST, GENERATED_TRAIN, Generated, generated, generated_digits,
    generated_digits_with, generated_with,
};
pub use images::{IMAGE_BYTES, IMAGE_SHAPE, ImageDataset, ImageItem};
pub use locate::DATA_VARIABLE;
pub use mnist::{FASHION_MNIST_CLASSES, MNIST_CLASSES, MNIST_SHAPE, Mnist, MnistVariant, locate_mnist};
pub use perturbed::PerturbedDataset;
