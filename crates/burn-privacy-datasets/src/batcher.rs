//! Images as tensors, scaled by public constants.

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{IMAGE_SHAPE, ImageItem};

/// Mean and standard deviation of each color channel, by which pixels are centered and scaled.
///
/// Under differential privacy these must be *public* numbers, fixed before anyone looks at the private images: a
/// mean computed from the training set is a release of its own. Both are in units of the pixel range scaled to
/// 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// What is subtracted, for red, green, blue, in 0..1; a gray image uses the first.
    pub mean: [f32; 3],
    /// What the difference is divided by, for red, green, blue; positive; a gray image uses the first.
    pub std: [f32; 3],
}

impl Normalization {
    /// The well-known means and standard deviations of ImageNet: public, and of another data set. Used for
    /// CIFAR-10 by Tramer & Boneh, "Differentially Private Learning Needs Better Features", ICLR 2021.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// Maps 0..255 to -1..1.
    pub const SYMMETRIC: Self = Self { mean: [0.5; 3], std: [0.5; 3] };

    /// The mean and standard deviation of MNIST's training images, as tutorials give them. They were computed from these
    /// images, so they count as public only because everybody has long known them: on a data set of one's own it would
    /// be a release.
    pub const MNIST: Self = Self { mean: [0.1307; 3], std: [0.3081; 3] };

    /// Maps 0..255 to 0..1.
    pub const UNIT: Self = Self { mean: [0.0; 3], std: [1.0; 3] };
}

impl Default for Normalization {
    /// [`Normalization::IMAGENET`].
    fn default() -> Self {
        Self::IMAGENET
    }
}

/// A batch of images.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// Pixels, normalized, f32. Shape `[batch, channels, rows, columns]`.
    pub images: Tensor<4>,
    /// Classes, counted from 0. Shape `[batch]`.
    pub labels: Tensor<1, Int>,
}

/// Makes [`ImageBatch`]es of [`ImageItem`]s: `(pixel / 255 - mean) / std`.
///
/// Each image is treated on its own, so that no example influences another: per-example clipping rests on that.
/// The order of the items is kept, and any number of them is allowed, none included (a batch without images has the shape
/// `[0, 3, 32, 32]`). All items of a batch have one shape, with at most three channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageBatcher {
    normalization: Normalization,
}

impl ImageBatcher {
    /// A batcher that normalizes by public constants, see [`Normalization`].
    pub fn new(normalization: Normalization) -> Self {
        Self { normalization }
    }

    /// The constants in use.
    pub fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// The normalized pixels of all items, one after the other.
    pub(super) fn pixels(&self, items: &[ImageItem]) -> Vec<f32> {
        let [channels, rows, columns] = shape(items);
        // (b / 255 - mean) / std as one multiplication and one addition, their constants rounded once.
        let affine: [(f32, f32); 3] = std::array::from_fn(|channel| {
            let mean = f64::from(self.normalization.mean[channel]);
            let std = f64::from(self.normalization.std[channel]);
            ((1.0 / (255.0 * std)) as f32, (-mean / std) as f32)
        });
        let mut values = Vec::with_capacity(items.len() * channels * rows * columns);
        for item in items {
            for (plane, (scale, shift)) in item.pixels().chunks_exact(rows * columns).zip(affine) {
                values.extend(plane.iter().map(|&byte| f32::from(byte) * scale + shift));
            }
        }
        values
    }
}

/// The shape of the images of a batch.
pub(super) fn shape(items: &[ImageItem]) -> [usize; 3] {
    items.first().map_or(IMAGE_SHAPE, ImageItem::shape)
}

impl Batcher<ImageItem, ImageBatch> for ImageBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &Device) -> ImageBatch {
        let pixels = self.pixels(&items);
        self.batch_of(&items, pixels, device)
    }
}

impl ImageBatcher {
    /// The batch of items whose pixels are given, normalized.
    pub(super) fn batch_of(&self, items: &[ImageItem], pixels: Vec<f32>, device: &Device) -> ImageBatch {
        let [channels, rows, columns] = shape(items);
        let labels: Vec<i32> = items.iter().map(|item| i32::from(item.label())).collect();
        ImageBatch {
            images: Tensor::from_data(TensorData::new(pixels, [items.len(), channels, rows, columns]), device),
            labels: Tensor::from_data(TensorData::new(labels, [items.len()]), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IMAGE_BYTES, ImageDataset};

    fn ramp(count: usize) -> Vec<ImageItem> {
        let images = (0..count * IMAGE_BYTES).map(|i| (i % 251) as u8).collect();
        let labels = (0..count).map(|i| (i % 3) as u8).collect();
        let data = ImageDataset::new("ramp", &["a", "b", "c"], images, labels).unwrap();
        (0..count).map(|i| data.get(i).unwrap()).collect()
    }

    #[test]
    fn every_batch_size_has_its_shape_none_included() {
        let batcher = ImageBatcher::default();
        for count in [0, 1, 2, 7] {
            let batch = batcher.batch(ramp(count), &Device::flex());
            assert_eq!(batch.images.dims(), [count, 3, 32, 32]);
            assert_eq!(batch.labels.dims(), [count]);
        }
    }

    #[test]
    fn pixels_are_normalized_by_channel_and_stay_in_order() {
        let items = ramp(3);
        let batch = ImageBatcher::new(Normalization::IMAGENET).batch(items.clone(), &Device::flex());
        let values = batch.images.into_data().try_to_vec::<f32>().unwrap();
        for (i, item) in items.iter().enumerate() {
            for (j, &byte) in item.pixels().iter().enumerate() {
                let channel = j / 1024;
                let Normalization { mean, std } = Normalization::IMAGENET;
                let expected = (f64::from(byte) / 255.0 - f64::from(mean[channel])) / f64::from(std[channel]);
                assert!((f64::from(values[i * IMAGE_BYTES + j]) - expected).abs() < 1e-6);
            }
        }
        assert_eq!(batch.labels.into_data().convert::<i32>().try_to_vec::<i32>().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn gray_images_of_another_shape() {
        let gray = ImageDataset::with_shape("gray", &["a"], [1, 2, 3], (0..12).collect(), vec![0; 2]).unwrap();
        let items = vec![gray.get(0).unwrap(), gray.get(1).unwrap()];
        let batch = ImageBatcher::new(Normalization::UNIT).batch(items, &Device::flex());
        assert_eq!(batch.images.dims(), [2, 1, 2, 3]);
        let values = batch.images.into_data().try_to_vec::<f32>().unwrap();
        assert!(values.iter().zip(0..).all(|(value, byte)| (value - byte as f32 / 255.0).abs() < 1e-6));
    }

    #[test]
    fn an_image_does_not_depend_on_its_neighbors() {
        let batcher = ImageBatcher::default();
        let together = batcher.pixels(&ramp(4));
        for (i, item) in ramp(4).into_iter().enumerate() {
            assert_eq!(batcher.pixels(&[item]), together[i * IMAGE_BYTES..][..IMAGE_BYTES]);
        }
    }
}
