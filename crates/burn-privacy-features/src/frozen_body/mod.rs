//! A convolutional body whose weights are public and never trained, for features of images: MobileNets and EfficientNet-Lite.
//!
//! What somebody learned from public images costs no privacy. [`FrozenBody`] is inverted residual blocks (Sandler et al.,
//! "MobileNetV2", CVPR 2018) with BatchNorm folded into the convolutions' weights, channels last, so that a pointwise convolution is
//! one matrix product and a depthwise one runs over neighboring channels: the same numbers as the trained network's, in a fraction of
//! the time. [`PublicFeatures`] makes features of images of bytes with it, and keeps them on disk.

mod body;
mod images;
mod layers;

pub use body::{FrozenBody, InvertedResidual};
pub use images::{PixelScale, PublicFeatures};
pub use layers::{Dense, Depthwise, FrozenNorm};
