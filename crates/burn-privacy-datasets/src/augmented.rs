//! Random views of images: shifted and mirrored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::Device;
use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_uniform};

use super::batcher::shape;
use super::{ImageBatch, ImageBatcher, ImageItem};
use crate::error::Result;

/// How images are changed at random, each on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// The largest shift in each direction, in pixels; what comes in at the border is the image reflected there. At most
    /// one less than the image's height and width.
    pub shift: usize,
    /// Whether every other image, on average, is mirrored left to right.
    pub mirror: bool,
}

/// An [`ImageBatcher`] whose images are shifted and mirrored at random, differently at each call.
///
/// With `Session::with_views` every image comes several times in a row, and so in
/// several views. Each view is made of its image alone, so that per-example clipping keeps its meaning.
#[derive(Clone, Debug)]
pub struct AugmentedBatcher {
    images: ImageBatcher,
    augmentation: Augmentation,
    key: Arc<PrivacyKey>,
    calls: Arc<AtomicU64>,
}

impl AugmentedBatcher {
    /// Augments what `images` makes. The randomness is not secret: it may come from a seed of its own.
    ///
    /// # Errors
    ///
    /// If the operating system gives no entropy.
    pub fn new(images: ImageBatcher, augmentation: Augmentation, entropy: Entropy) -> Result<Self> {
        Ok(Self { images, augmentation, key: Arc::new(PrivacyKey::draw(entropy)?), calls: Arc::default() })
    }
}

impl Batcher<ImageItem, ImageBatch> for AugmentedBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &Device) -> ImageBatch {
        let mut pixels = self.images.pixels(&items);
        if self.augmentation != Augmentation::default() && !items.is_empty() {
            let mut coins = vec![[0.0; 3]; items.len()];
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            fill_uniform(&self.key, Purpose::Augmentation, call, 0, coins.as_flattened_mut())
                .expect("a purpose that is not secret, and fewer calls and coins than there are numbers");
            let [channels, rows, columns] = shape(&items);
            for (image, coins) in pixels.chunks_exact_mut(channels * rows * columns).zip(coins) {
                self.augmentation.apply(image, [rows, columns], coins);
            }
        }
        self.images.batch_of(&items, pixels, device)
    }
}

impl Augmentation {
    /// Changes one image by three uniform numbers: shift down, shift right, mirror.
    fn apply(&self, image: &mut [f32], [rows, columns]: [usize; 2], [down, right, mirror]: [f64; 3]) {
        let sources = |size: usize, coin: f64, mirrored: bool| -> Vec<usize> {
            let most = self.shift.min(size - 1) as isize;
            // 0 to 2 * most, each equally likely.
            let shift = (coin * (2 * most + 1) as f64) as isize - most;
            (0..size)
                .map(|place| if mirrored { size - 1 - place } else { place } as isize + shift)
                .map(|place| reflected(place, size as isize))
                .collect()
        };
        let (of_rows, of_columns) = (sources(rows, down, false), sources(columns, right, self.mirror && mirror < 0.5));
        let mut original = vec![0.0; rows * columns];
        for plane in image.chunks_exact_mut(rows * columns) {
            original.copy_from_slice(plane);
            for (pixels, row) in plane.chunks_exact_mut(columns).zip(&of_rows) {
                for (pixel, column) in pixels.iter_mut().zip(&of_columns) {
                    *pixel = original[row * columns + column];
                }
            }
        }
    }
}

/// A place at most `size - 1` outside of `0..size`, reflected at the outermost pixels.
fn reflected(place: isize, size: isize) -> usize {
    let inside = if place < 0 { -place } else { place };
    (if inside >= size { 2 * (size - 1) - inside } else { inside }) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{ImageDataset, Normalization};

    const SHAPE: [usize; 3] = [2, 3, 4];

    fn items(count: usize) -> Vec<ImageItem> {
        let images = (0..count * 24).map(|i| i as u8).collect();
        let data = ImageDataset::with_shape("ramp", &["a"], SHAPE, images, vec![0; count]).unwrap();
        (0..count).map(|i| data.get(i).unwrap()).collect()
    }

    fn batcher(augmentation: Augmentation, seed: u64) -> AugmentedBatcher {
        AugmentedBatcher::new(ImageBatcher::new(Normalization::UNIT), augmentation, Entropy::seeded(seed)).unwrap()
    }

    fn bytes(batch: ImageBatch) -> Vec<Vec<u8>> {
        let values = batch.images.into_data().try_to_vec::<f32>().unwrap();
        values.chunks(24).map(|image| image.iter().map(|x| (x * 255.0).round() as u8).collect()).collect()
    }

    #[test]
    fn every_view_is_a_shift_and_a_mirror_image_of_its_own_image() {
        let augmentation = Augmentation { shift: 2, mirror: true };
        let expected = |image: &[u8]| -> HashSet<Vec<u8>> {
            let reflect = |i: isize, n: isize| (0..n).chain((0..n - 1).rev()).nth(i.unsigned_abs()).unwrap() as usize;
            let mut all = HashSet::new();
            for (down, right, mirrored) in (-2..=2).flat_map(|d| (-2..=2).flat_map(move |r| [(d, r, 0), (d, r, 1)])) {
                let mut view = Vec::new();
                for (plane, row, column) in
                    (0..2).flat_map(|p| (0..3).flat_map(move |r| (0..4).map(move |c| (p, r, c))))
                {
                    let column = if mirrored == 1 { 3 - column } else { column };
                    view.push(image[plane * 12 + reflect(row + down, 3) * 4 + reflect(column + right, 4)]);
                }
                all.insert(view);
            }
            all
        };
        let batcher = batcher(augmentation, 1);
        let mut seen = [HashSet::new(), HashSet::new()];
        for _ in 0..1_500 {
            for (image, view) in bytes(batcher.batch(items(2), &Device::flex())).into_iter().enumerate() {
                seen[image].insert(view);
            }
        }
        // 50 equally likely: one is missed in 1,500 draws with probability 50 (49/50)^1500 = 4e-12.
        for (image, seen) in seen.iter().enumerate() {
            assert_eq!(*seen, expected(items(2)[image].pixels()), "image {image}");
        }
    }

    #[test]
    fn without_augmentation_it_is_the_batcher_and_a_seed_repeats_itself() {
        let device = Device::flex();
        let plain = batcher(Augmentation::default(), 1).batch(items(3), &device).images.into_data();
        assert_eq!(plain, ImageBatcher::new(Normalization::UNIT).batch(items(3), &device).images.into_data());
        let augmentation = Augmentation { shift: 1, mirror: true };
        let [first, again] = [batcher(augmentation, 5), batcher(augmentation, 5)];
        for _ in 0..4 {
            assert_eq!(bytes(first.batch(items(3), &device)), bytes(again.batch(items(3), &device)));
        }
        assert_eq!(first.batch(Vec::new(), &device).labels.dims(), [0]);
    }
}
