//! What makes fixed features of images: the scattering transform, patches of generated images beside it, or a body with public
//! weights.

use std::path::Path;

use burn_privacy::datasets::ImageDataset;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy_features::frozen_body::PublicFeatures;
use burn_privacy_features::normalization::ChannelBounds;
use burn_privacy_features::{FeatureTable, ImageFeatures, PatchFeatures, dead_leaves};
use burn_privacy_pretrained::{EfficientNetLite0, PIXELS};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;

/// Public images that units and norms of scattering features are taken from.
const PUBLIC_IMAGES: usize = 1_000;

/// Filters that are learned from generated images.
const FILTERS: usize = 800;

/// The same for a body, whose features take longer.
const PUBLIC_IMAGES_OF_BODY: usize = 500;

/// Which features.
#[derive(Clone, Copy, Debug)]
pub enum FeatureSource<'a> {
    /// The scattering transform.
    Scattering,
    /// The same, and how much an image looks like patches of generated ones.
    ScatteringAndPatches,
    /// EfficientNet-Lite0 with the weights of a file, on images enlarged to a side of so many pixels.
    EfficientNet {
        /// Its weights.
        weights: &'a Path,
        /// Pixels.
        side: usize,
    },
}

/// Makes features of images of one shape.
pub(super) enum Extractor {
    Scattering { features: Box<ImageFeatures>, patches: Option<Box<PatchFeatures>>, colors: usize, side: usize },
    Public { features: Box<PublicFeatures>, colors: usize, side: usize, enlarged: usize },
}

impl Extractor {
    /// # Errors
    ///
    /// If the images have another shape than the features need, or the weights can't be read.
    pub(super) fn new(source: FeatureSource<'_>, colors: usize, side: usize, mirrored: bool) -> Result<Self> {
        match source {
            FeatureSource::Scattering | FeatureSource::ScatteringAndPatches => {
                let features = Box::new(ImageFeatures::new(colors, side, mirrored)?);
                let patches = match source {
                    FeatureSource::ScatteringAndPatches => {
                        Some(Box::new(PatchFeatures::new(colors, side, FILTERS, mirrored)?))
                    }
                    _ => None,
                };
                Ok(Self::Scattering { features, patches, colors, side })
            }
            FeatureSource::EfficientNet { weights, side: enlarged } => {
                if colors != 3 {
                    return Err(format!("EfficientNet-Lite0 sees images of 3 colors, and these have {colors}").into());
                }
                let device = select_device(DeviceChoice::Cpu)?.device;
                let network = EfficientNetLite0::load(weights, 1000, &device)?;
                let (body, name) = (network.frozen_body()?, EfficientNetLite0::NAME);
                let features = Box::new(PublicFeatures::new(body, name, PIXELS, [side, enlarged], mirrored)?);
                Ok(Self::Public { features, colors, side, enlarged })
            }
        }
    }

    /// For the program's output.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Scattering { features, patches, side, .. } => {
                let scattering = format!("{} scattering channels of {} x {}", features.channels(), side / 4, side / 4);
                match patches {
                    Some(patches) => format!("{scattering}, {} channels of patches", patches.channels()),
                    None => scattering,
                }
            }
            Self::Public { features, enlarged, .. } => {
                format!("{} of {}, at {enlarged} x {enlarged} pixels", features.width(), features.name())
            }
        }
    }

    /// What is learned on, for statements.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Scattering { patches: Some(_), .. } => "scattering features and patches of generated images".into(),
            Self::Scattering { .. } => "scattering features".into(),
            Self::Public { features, .. } => format!("features of {}", features.name()),
        }
    }

    /// What a statement assumes beyond what is assumed of all fixed features.
    pub(super) fn assumption(&self) -> Option<String> {
        match self {
            Self::Scattering { .. } => None,
            Self::Public { features, .. } => Some(format!(
                "the weights of {} are public: its training data are not protected, and none of them is among the private images",
                features.name()
            )),
        }
    }

    /// The features of some images, with a bar while they are computed.
    pub(super) fn table(&self, images: &ImageDataset, cache: &Path) -> Result<FeatureTable> {
        let style = ProgressStyle::with_template("  features {bar:30} {percent:>3} % {eta} left")?;
        // The number of private images is not shown, nor kept on the screen.
        let bar = ProgressBar::new(images.len() as u64).with_style(style);
        let progress = |done| bar.set_position(done as u64);
        let features = match self {
            Self::Scattering { features, patches, .. } => {
                let scattering = features.cached(cache, images.pixels(), progress)?;
                match patches {
                    Some(patches) => {
                        FeatureTable::joined(&[scattering, patches.cached(cache, images.pixels(), progress)?])?
                    }
                    None => scattering,
                }
            }
            Self::Public { features, .. } => features.cached(cache, images.pixels(), progress)?,
        };
        bar.finish_and_clear();
        Ok(features)
    }

    /// Bounds of the channels' statistics, from images that the program draws.
    pub(super) fn public_bounds(&self, cache: &Path) -> Result<ChannelBounds> {
        let public = match self {
            Self::Scattering { features, patches, colors, side } => {
                let images = dead_leaves(PUBLIC_IMAGES, *colors, *side);
                match patches {
                    Some(patches) => FeatureTable::joined(&[features.table(&images)?, patches.table(&images)?])?,
                    None => features.table(&images)?,
                }
            }
            Self::Public { features, colors, side, .. } => {
                features.cached(cache, &dead_leaves(PUBLIC_IMAGES_OF_BODY, *colors, *side), |_| ())?
            }
        };
        Ok(ChannelBounds::of_public_records(&public)?)
    }
}
