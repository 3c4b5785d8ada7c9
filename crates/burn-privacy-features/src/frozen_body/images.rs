//! Features of images of bytes, by a frozen body.

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::FrozenBody;
use super::body::GROUP;
use crate::cache::{BLOCK, CacheKey, TableShape, cached};
use crate::error::whole_images;
use crate::{FeatureError, FeatureTable, Result};

/// How bytes become what a body was trained on: `(byte - mean) / deviation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScale {
    /// Subtracted.
    pub mean: f32,
    /// Divided by.
    pub deviation: f32,
}

/// How images become features: enlarged with bicubic interpolation, then through a public body.
#[derive(Clone, Debug)]
pub struct PublicFeatures {
    body: FrozenBody,
    name: String,
    scale: PixelScale,
    mirrored: bool,
    given: usize,
    side: usize,
    /// `[side, given]`.
    resize: Vec<f32>,
}

impl PublicFeatures {
    /// For square images with sides of `given` pixels, which the body gets with sides of `side`. `name` says in words what the body
    /// is and which public data it was trained on. If `mirrored`, features are the mean of an image's and its mirror image's.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] without pixels, or if images would become smaller; or for a deviation that is no positive number.
    pub fn new(
        body: FrozenBody,
        name: &str,
        scale: PixelScale,
        [given, side]: [usize; 2],
        mirrored: bool,
    ) -> Result<Self> {
        if given == 0 {
            return Err(FeatureError::invalid("the side of an image", given, "at least 1 pixel"));
        }
        if side < given {
            return Err(FeatureError::invalid("the side that images get", side, "at least that of the images"));
        }
        if !(scale.mean.is_finite() && scale.deviation.is_finite() && scale.deviation > 0.0) {
            return Err(FeatureError::invalid("the pixels' deviation", scale.deviation, "a positive number"));
        }
        Ok(Self { body, name: name.to_owned(), scale, mirrored, given, side, resize: bicubic(given, side) })
    }

    /// What the features come from, in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Features of a record.
    pub fn width(&self) -> usize {
        self.body.features()
    }

    fn image_bytes(&self) -> usize {
        self.body.colors() * self.given * self.given
    }

    /// `[images, features]` of `[images, colors, given, given]`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if the bytes are no whole number of images.
    pub fn compute(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        whole_images(pixels, self.image_bytes())?;
        let groups = pixels.par_chunks(GROUP * self.image_bytes());
        Ok(groups.flat_map_iter(|group| self.group(group)).collect())
    }

    fn group(&self, pixels: &[u8]) -> Vec<f32> {
        let size = self.side * self.side * self.body.colors();
        let mut images = vec![0.0; pixels.len() / self.image_bytes() * size];
        for (image, bytes) in images.chunks_exact_mut(size).zip(pixels.chunks_exact(self.image_bytes())) {
            self.enlarge(bytes, image);
        }
        let mut features = self.body.group(&images, self.side);
        if self.mirrored {
            let colors = self.body.colors();
            for row in images.chunks_exact_mut(self.side * colors) {
                for column in 0..self.side / 2 {
                    for color in 0..colors {
                        row.swap(column * colors + color, (self.side - 1 - column) * colors + color);
                    }
                }
            }
            let mirrored = self.body.group(&images, self.side);
            features.iter_mut().zip(mirrored).for_each(|(a, b)| *a = 0.5 * (*a + b));
        }
        features
    }

    /// `[side, side, colors]` of `[colors, given, given]`.
    fn enlarge(&self, bytes: &[u8], image: &mut [f32]) {
        let (given, side, colors) = (self.given, self.side, self.body.colors());
        let mut rows = vec![0.0; side * given];
        for (color, plane) in bytes.chunks_exact(given * given).enumerate() {
            rows.fill(0.0);
            for (out, weights) in rows.chunks_exact_mut(given).zip(self.resize.chunks_exact(given)) {
                for (row, &weight) in plane.chunks_exact(given).zip(weights).filter(|(_, weight)| **weight != 0.0) {
                    for (out, &byte) in out.iter_mut().zip(row) {
                        *out += weight * ((f32::from(byte) - self.scale.mean) / self.scale.deviation);
                    }
                }
            }
            for (at, row) in rows.chunks_exact(given).enumerate() {
                for (column, weights) in self.resize.chunks_exact(given).enumerate() {
                    let near = weights.iter().zip(row).filter(|(weight, _)| **weight != 0.0);
                    image[(at * side + column) * colors + color] = near.map(|(weight, value)| weight * value).sum();
                }
            }
        }
    }

    /// The features of all images, from a file in `folder` or computed into it ([`cached`]); `progress` is told how many are done.
    ///
    /// # Errors
    ///
    /// Those of [`compute`](Self::compute) and [`cached`].
    pub fn cached(&self, folder: &Path, pixels: &[u8], progress: impl FnMut(usize)) -> Result<FeatureTable> {
        whole_images(pixels, self.image_bytes())?;
        let (given, side, mirrored, bytes) = (self.given, self.side, self.mirrored, self.image_bytes());
        let PixelScale { mean, deviation } = self.scale;
        let transform = format!(
            "frozen body 2: weights {}, {given} to {side} bicubic, (byte - {mean}) / {deviation}, mirrored {mirrored}",
            self.body.fingerprint()
        );
        let key = CacheKey::new(&transform, pixels.chunks(bytes));
        let shape = TableShape { rows: pixels.len() / bytes, channels: self.width(), positions: 1 };
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
        for block in pixels.chunks(self.image_bytes() * BLOCK) {
            values.extend(self.compute(block)?.into_iter().map(half::f16::from_f32));
        }
        FeatureTable::new(self.width(), 1, values)
    }
}

/// Weights of cubic convolution (Keys 1981, with a = -0.75) between pixels' centers, `[to, from]`; pixels beyond the border are
/// those at it.
fn bicubic(from: usize, to: usize) -> Vec<f32> {
    let near = |t: f64| match t.abs() {
        t if t <= 1.0 => (1.25 * t - 2.25) * t * t + 1.0,
        t if t < 2.0 => -0.75 * (((t - 5.0) * t + 8.0) * t - 4.0),
        _ => 0.0,
    };
    let mut weights = vec![0.0_f64; from * to];
    for (at, row) in weights.chunks_exact_mut(from).enumerate() {
        let center = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        for step in -1..=2 {
            let pixel = center.floor() + f64::from(step);
            row[pixel.clamp(0.0, (from - 1) as f64) as usize] += near(center - pixel);
        }
    }
    weights.into_iter().map(|weight| weight as f32).collect()
}
