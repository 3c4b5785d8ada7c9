//! Features learned from images that belong to nobody: how much the patches of an image look like patches of generated ones.
//!
//! A synthetic prior, as DP-RandP (Tang, Panda, Sehwag, Mittal, "Differentially private image classification by learning priors from
//! random processes", NeurIPS 2023) has it for networks, in its simplest form: one layer of filters, which are whitened
//! patches of [dead leaves](crate::dead_leaves) drawn at random (Coates and Ng, "The importance of encoding versus training with sparse
//! coding and vector quantization", ICML 2011, with random patches and soft thresholds). Mean and whitening of patches come from
//! the generated images, too. Nothing is learned from anybody's data, and nothing is paid for.
//!
//! # Definition
//!
//! A patch of 6 x 6 pixels in all colors, at every second pixel, less its own mean, over its own standard deviation (of which
//! 10/255^2 are added as variance); whitened (0.1 added to the eigenvalues of the covariance); its products z with the filters,
//! of norm 1. Features are the means of `max(0, z - 0.25)` and of `max(0, -z - 0.25)` over each quarter of the image: `2 x filters`
//! channels of 4 positions.

use std::ops::Range;
use std::path::Path;

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::cache::{CacheKey, TableShape, cached};
use crate::error::whole_images;
use crate::{FeatureError, FeatureTable, Result, dead_leaves};

/// Side of a patch, and pixels between patches.
const PATCH: usize = 6;
const STRIDE: usize = 2;

/// Generated images, and patches of each, that mean and whitening are taken from.
const IMAGES: usize = 2_000;
const PATCHES_OF_IMAGE: usize = 20;

/// Added to a patch's variance, of pixels from 0 to 1.
const PIXEL_VARIANCE: f32 = 10.0 / 255.0 / 255.0;

/// Added to the eigenvalues of the patches' covariance.
const WHITENING: f64 = 0.1;

/// What a product must exceed to count.
const THRESHOLD: f32 = 0.25;

/// Parts of the image in each direction that features are averaged over.
const PARTS: usize = 2;

/// Filters that were learned from generated images of one shape.
pub struct PatchFeatures {
    colors: usize,
    side: usize,
    mirrored: bool,
    /// `[filters, patch]`, whitening included.
    filters: Vec<f32>,
    /// The product of each filter with the mean patch.
    offsets: Vec<f32>,
}

impl PatchFeatures {
    /// `filters` of them, for images of `[colors, side, side]` bytes; the same on every machine up to rounding. If `mirrored`, the
    /// features are the mean of an image's and of its mirror image's.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] without colors or filters, or for a side below 8.
    pub fn new(colors: usize, side: usize, filters: usize, mirrored: bool) -> Result<Self> {
        if colors == 0 {
            return Err(FeatureError::invalid("the number of colors", 0, "at least 1"));
        }
        if side < PATCH + STRIDE {
            return Err(FeatureError::invalid("the side of images", side, "at least 8"));
        }
        if filters == 0 {
            return Err(FeatureError::invalid("the number of filters", 0, "at least 1"));
        }
        let length = colors * PATCH * PATCH;
        let patches = public_patches(colors, side, filters.max(IMAGES * PATCHES_OF_IMAGE));
        let count = patches.len() / length;
        let all = MatRef::from_row_major_slice(&patches, count, length);
        let mean: Vec<f64> =
            (0..length).map(|at| (0..count).map(|row| all[(row, at)]).sum::<f64>() / count as f64).collect();
        let centered = Mat::from_fn(count, length, |row, column| all[(row, column)] - mean[column]);
        let covariance = centered.transpose() * &centered * faer::Scale(1.0 / count as f64);
        let regular = Mat::from_fn(length, length, |i, j| covariance[(i, j)] + if i == j { WHITENING } else { 0.0 });
        let refused = |_| FeatureError::invalid("the covariance of generated patches", "not finite", "finite");
        let factor = regular.llt(Side::Lower).map_err(refused)?;
        // Evenly from all generated images.
        let stride = (count / filters).max(1);
        let mut solved = Mat::from_fn(length, filters, |at, filter| centered[(filter * stride % count, at)]);
        let chosen = solved.clone();
        // The product of two whitened patches p and x is p^T C^-1 x, and the square of a whitened filter's norm p^T C^-1 p.
        factor.solve_in_place(&mut solved);
        let mut whole = Vec::with_capacity(filters * length);
        let mut offsets = Vec::with_capacity(filters);
        for filter in 0..filters {
            let square: f64 = (0..length).map(|at| chosen[(at, filter)] * solved[(at, filter)]).sum();
            let weight = |at: usize| solved[(at, filter)] / square.max(1e-24).sqrt();
            offsets.push((0..length).map(|at| weight(at) * mean[at]).sum::<f64>() as f32);
            whole.extend((0..length).map(|at| weight(at) as f32));
        }
        Ok(Self { colors, side, mirrored, filters: whole, offsets })
    }

    /// Channels of a record's features.
    pub const fn channels(&self) -> usize {
        2 * self.offsets.len()
    }

    /// Numbers in a channel.
    pub const fn positions(&self) -> usize {
        PARTS * PARTS
    }

    fn image_bytes(&self) -> usize {
        self.colors * self.side * self.side
    }

    /// `[images, channels, positions]` of `[images, colors, side, side]`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if the bytes are no whole number of images.
    pub fn compute(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        whole_images(pixels, self.image_bytes())?;
        let bytes = self.image_bytes();
        let width = self.channels() * self.positions();
        let mut features = vec![0.0; pixels.len() / bytes * width];
        features.par_chunks_exact_mut(width).zip(pixels.par_chunks_exact(bytes)).for_each_init(
            || Work::new(self),
            |work, (out, image)| {
                work.add(self, image, out);
                if self.mirrored {
                    let mut turned = image.to_vec();
                    turned.chunks_exact_mut(self.side).for_each(<[u8]>::reverse);
                    work.add(self, &turned, out);
                    out.iter_mut().for_each(|value| *value *= 0.5);
                }
            },
        );
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
        let (colors, side, filters, mirrored) = (self.colors, self.side, self.offsets.len(), self.mirrored);
        let transform =
            format!("patches 1: {filters} of dead leaves, {colors} x {side} x {side} / 255, mirrored {mirrored}");
        let key = CacheKey::new(&transform, pixels.chunks(bytes));
        let shape = TableShape { rows: pixels.len() / bytes, channels: self.channels(), positions: self.positions() };
        let compute = |rows: Range<usize>| self.compute(&pixels[rows.start * bytes..rows.end * bytes]);
        cached(folder, &key, shape, compute, progress)
    }

    /// The features of all images, in memory alone.
    ///
    /// # Errors
    ///
    /// Those of [`compute`](Self::compute).
    pub fn table(&self, pixels: &[u8]) -> Result<FeatureTable> {
        let values = self.compute(pixels)?.into_iter().map(half::f16::from_f32).collect();
        FeatureTable::new(self.channels(), self.positions(), values)
    }
}

/// Patches in one direction.
const fn places(side: usize) -> usize {
    (side - PATCH) / STRIDE + 1
}

/// Copies a patch of an image and normalizes it.
fn read_patch(image: &[u8], colors: usize, side: usize, (row, column): (usize, usize), out: &mut [f32]) {
    let mut written = out.iter_mut();
    for color in 0..colors {
        for y in row..row + PATCH {
            let start = color * side * side + y * side + column;
            for (&byte, out) in image[start..start + PATCH].iter().zip(&mut written) {
                *out = f32::from(byte) / 255.0;
            }
        }
    }
    let count = out.len() as f32;
    let mean = out.iter().sum::<f32>() / count;
    let variance = out.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
    let factor = 1.0 / (variance + PIXEL_VARIANCE).sqrt();
    out.iter_mut().for_each(|x| *x = (*x - mean) * factor);
}

/// Normalized patches of generated images, `[patches, patch]`.
fn public_patches(colors: usize, side: usize, count: usize) -> Vec<f64> {
    let of_image = count.div_ceil(IMAGES);
    let images = dead_leaves(IMAGES, colors, side);
    let mut patch = vec![0.0; colors * PATCH * PATCH];
    let mut all = Vec::with_capacity(IMAGES * of_image * patch.len());
    let starts = side - PATCH + 1;
    for (number, image) in images.chunks_exact(colors * side * side).enumerate() {
        for draw in 0..of_image {
            // Golden ratios in two directions: places that fill the square evenly.
            let at = (number * of_image + draw + 1) as f64;
            let place = |ratio: f64| ((at * ratio).fract() * starts as f64) as usize;
            read_patch(image, colors, side, (place(0.754_877_666), place(0.569_840_291)), &mut patch);
            all.extend(patch.iter().map(|&x| f64::from(x)));
        }
    }
    all
}

/// What a thread reuses.
struct Work {
    patches: Vec<f32>,
    products: Vec<f32>,
}

impl Work {
    fn new(features: &PatchFeatures) -> Self {
        let count = places(features.side).pow(2);
        let length = features.filters.len() / features.offsets.len();
        Self { patches: vec![0.0; count * length], products: vec![0.0; count * features.offsets.len()] }
    }

    /// Adds an image's features, `[channels, positions]`.
    fn add(&mut self, features: &PatchFeatures, image: &[u8], out: &mut [f32]) {
        let (side, filters) = (features.side, features.offsets.len());
        let (along, length) = (places(side), features.filters.len() / filters);
        for (at, patch) in self.patches.chunks_exact_mut(length).enumerate() {
            read_patch(image, features.colors, side, (at / along * STRIDE, at % along * STRIDE), patch);
        }
        let count = along * along;
        let patches = MatRef::from_row_major_slice(&self.patches, count, length);
        let weights = MatRef::from_row_major_slice(&features.filters, filters, length);
        let products = MatMut::from_row_major_slice_mut(&mut self.products, count, filters);
        matmul(products, Accum::Replace, patches, weights.transpose(), 1.0, Par::Seq);
        let part = |at: usize| at * PARTS / along;
        let sizes: Vec<usize> = (0..PARTS).map(|wanted| (0..along).filter(|&at| part(at) == wanted).count()).collect();
        for (at, products) in self.products.chunks_exact(filters).enumerate() {
            let (row, column) = (part(at / along), part(at % along));
            let (position, share) = (row * PARTS + column, 1.0 / (sizes[row] * sizes[column]) as f32);
            for (filter, (product, offset)) in products.iter().zip(&features.offsets).enumerate() {
                let z = product - offset;
                out[2 * filter * PARTS * PARTS + position] += share * (z - THRESHOLD).max(0.0);
                out[(2 * filter + 1) * PARTS * PARTS + position] += share * (-z - THRESHOLD).max(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_the_definition() {
        let features = PatchFeatures::new(1, 8, 5, false).unwrap();
        assert_eq!((features.channels(), features.positions()), (10, 4));
        let image = dead_leaves(1, 1, 8);
        let found = features.compute(&image).unwrap();
        // Four patches, one in each quarter.
        let mut patch = [0.0; 36];
        for (position, place) in [(0, 0), (0, 2), (2, 0), (2, 2)].into_iter().enumerate() {
            read_patch(&image, 1, 8, place, &mut patch);
            for filter in 0..5 {
                let weights = &features.filters[filter * 36..(filter + 1) * 36];
                let z: f32 = weights.iter().zip(&patch).map(|(a, b)| a * b).sum::<f32>() - features.offsets[filter];
                assert!((found[8 * filter + position] - (z - 0.25).max(0.0)).abs() < 1e-4);
                assert!((found[8 * filter + 4 + position] - (-z - 0.25).max(0.0)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn whitened_products_have_comparable_sizes_and_flat_images_are_silent_but_for_the_mean() {
        let features = PatchFeatures::new(3, 32, 16, true).unwrap();
        let images = dead_leaves(40, 3, 32);
        let table = features.table(&images).unwrap();
        assert_eq!((table.rows(), table.width()), (40, 128));
        let mean = |channel: usize| -> f32 {
            let values = table.values().chunks(128).flat_map(|row| &row[4 * channel..4 * channel + 4]);
            values.map(|value| value.to_f32()).sum::<f32>() / 160.0
        };
        let means: Vec<f32> = (0..32).map(mean).collect();
        let most = means.iter().copied().fold(0.0, f32::max);
        assert!(most > 0.0 && means.iter().filter(|&&mean| mean > most / 30.0).count() > 24, "{means:?}");
        let flat = [features.compute(&[7; 3072]).unwrap(), features.compute(&[200; 3072]).unwrap()];
        assert!(flat[0].iter().zip(&flat[1]).all(|(a, b)| (a - b).abs() < 1e-3));
        // Mirror images are the same.
        let mut turned = images[..3072].to_vec();
        turned.chunks_exact_mut(32).for_each(<[u8]>::reverse);
        let (a, b) = (features.compute(&images[..3072]).unwrap(), features.compute(&turned).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn what_has_no_patches_is_refused() {
        for (colors, side, filters) in [(0, 8, 1), (1, 7, 1), (1, 8, 0)] {
            assert!(PatchFeatures::new(colors, side, filters, false).is_err());
        }
        let features = PatchFeatures::new(1, 8, 1, false).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for bytes in [63, 65] {
            let pixels = vec![0; bytes];
            assert!(features.compute(&pixels).is_err() && features.cached(folder.path(), &pixels, |_| ()).is_err());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
