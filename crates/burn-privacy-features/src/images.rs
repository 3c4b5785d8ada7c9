//! Scattering features of images of bytes.

use std::ops::Range;
use std::path::Path;

use crate::cache::{CacheKey, TableShape, cached};
use crate::error::whole_images;
use crate::scattering::{CHANNELS, Scattering};
use crate::{FeatureError, FeatureTable, Result};

/// How images become features: each color's scattering transform, of pixels divided by 255.
pub struct ImageFeatures {
    scattering: Scattering<f32>,
    colors: usize,
    mirrored: bool,
}

impl ImageFeatures {
    /// For images of `[colors, side, side]` bytes. If `mirrored`, the features are the mean of an image's and of its mirror
    /// image's, for pictures whose left and right tell nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Scattering::new`]; [`FeatureError::Invalid`] without colors.
    pub fn new(colors: usize, side: usize, mirrored: bool) -> Result<Self> {
        if colors == 0 {
            return Err(FeatureError::invalid("the number of colors", 0, "at least 1"));
        }
        Ok(Self { scattering: Scattering::new(side)?, colors, mirrored })
    }

    /// Channels of a record's features.
    pub const fn channels(&self) -> usize {
        self.colors * CHANNELS
    }

    /// Features of a record.
    pub const fn width(&self) -> usize {
        self.channels() * self.scattering.positions()
    }

    fn image_bytes(&self) -> usize {
        self.colors * self.scattering.side() * self.scattering.side()
    }

    /// `[images, channels, positions]` of `[images, colors, side, side]`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if the bytes are no whole number of images.
    pub fn compute(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        whole_images(pixels, self.image_bytes())?;
        let planes = pixels.len() / self.image_bytes() * self.colors;
        let mut values: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let mut features = self.scattering.transform_all(&values, planes)?;
        if self.mirrored {
            values.chunks_exact_mut(self.scattering.side()).for_each(<[f32]>::reverse);
            let mirrored = self.scattering.transform_all(&values, planes)?;
            features.iter_mut().zip(mirrored).for_each(|(a, b)| *a = 0.5 * (*a + b));
        }
        Ok(features)
    }

    /// The features of all images, from a file in `folder` or computed into it ([`cached`]); `progress` is told how many are done.
    ///
    /// # Errors
    ///
    /// Those of [`compute`](Self::compute) and [`cached`].
    pub fn cached(&self, folder: &Path, pixels: &[u8], progress: impl FnMut(usize)) -> Result<FeatureTable> {
        whole_images(pixels, self.image_bytes())?;
        let bytes = self.image_bytes();
        let (side, colors, mirrored) = (self.scattering.side(), self.colors, self.mirrored);
        let transform =
            format!("scattering 1: J 2, L 8, order 2, {colors} x {side} x {side} / 255, mirrored {mirrored}");
        let key = CacheKey::new(&transform, pixels.chunks(bytes));
        let rows = pixels.len() / bytes;
        let shape = TableShape { rows, channels: self.channels(), positions: self.scattering.positions() };
        let compute = |rows: Range<usize>| self.compute(&pixels[rows.start * bytes..rows.end * bytes]);
        cached(folder, &key, shape, compute, progress)
    }

    /// The features of all images, in memory alone.
    ///
    /// # Errors
    ///
    /// Those of [`compute`](Self::compute).
    pub fn table(&self, pixels: &[u8]) -> Result<FeatureTable> {
        let mut values = Vec::with_capacity(pixels.len() / self.image_bytes() * self.width());
        for block in pixels.chunks(self.image_bytes() * crate::cache::BLOCK) {
            values.extend(self.compute(block)?.into_iter().map(half::f16::from_f32));
        }
        FeatureTable::new(self.channels(), self.scattering.positions(), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_images_have_the_same_features_if_they_are_mirrored() {
        let image: Vec<u8> = (0..192_u32).map(|at| (at * at * 7 % 256) as u8).collect();
        let mut turned = image.clone();
        turned.chunks_exact_mut(8).for_each(<[u8]>::reverse);
        let both = ImageFeatures::new(3, 8, true).unwrap();
        let (a, b) = (both.compute(&image).unwrap(), both.compute(&turned).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6));
        let plain = ImageFeatures::new(3, 8, false).unwrap();
        assert_ne!(plain.compute(&image).unwrap(), plain.compute(&turned).unwrap());
        assert_eq!((plain.channels(), plain.width()), (243, 972));
        assert!(plain.compute(&image[1..]).is_err() && ImageFeatures::new(0, 8, false).is_err());
    }

    #[test]
    fn the_cache_and_memory_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let images = crate::dead_leaves(7, 1, 8);
        let features = ImageFeatures::new(1, 8, false).unwrap();
        let first = features.cached(folder.path(), &images, |_| ()).unwrap();
        assert_eq!(first, features.table(&images).unwrap());
        assert_eq!(first, features.cached(folder.path(), &images, |_| ()).unwrap());
        // Other data, another file.
        assert_eq!(features.cached(folder.path(), &images[64..], |_| ()).unwrap().rows(), 6);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
