//! Images in memory, with their labels.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError as BurnDatasetError};

use super::DatasetError;

/// The shape of a color image, as of CIFAR-10: three planes (red, green, blue) of 32 rows of 32 pixels.
pub const IMAGE_SHAPE: [usize; 3] = [3, 32, 32];

/// The bytes of one such image: 3 x 32 x 32.
pub const IMAGE_BYTES: usize = IMAGE_SHAPE[0] * IMAGE_SHAPE[1] * IMAGE_SHAPE[2];

/// The pixels of a data set, shared by all its parts.
struct Store {
    name: String,
    classes: Vec<String>,
    shape: [usize; 3],
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Store {
    /// The bytes of one image.
    fn image_bytes(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One image and its label: a view of the data set it comes from, so that handing it on copies no pixels.
#[derive(Clone)]
pub struct ImageItem {
    store: Arc<Store>,
    index: usize,
}

impl ImageItem {
    /// The pixels, of [`shape`](Self::shape) flattened: plane after plane (red, green, blue; or the only one), each row
    /// by row from the top left, each value from 0 to 255.
    pub fn pixels(&self) -> &[u8] {
        let bytes = self.store.image_bytes();
        &self.store.images[self.index * bytes..][..bytes]
    }

    /// `[channels, rows, columns]`.
    pub fn shape(&self) -> [usize; 3] {
        self.store.shape
    }

    /// The class, from 0 to the number of classes less one.
    pub fn label(&self) -> u8 {
        self.store.labels[self.index]
    }
}

impl fmt::Debug for ImageItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageItem").field("label", &self.label()).finish_non_exhaustive()
    }
}

/// Labeled images of one shape, in memory, a byte a value.
///
/// Cloning and taking parts share the pixels. It is a Burn [`Dataset`] of [`ImageItem`]s.
///
/// ```
/// use burn_privacy_datasets::{IMAGE_BYTES, ImageDataset};
///
/// let gray = ImageDataset::new("two gray squares", &["light", "dark"], [vec![200; IMAGE_BYTES], vec![50; IMAGE_BYTES]].concat(), vec![0, 1])?;
/// let (first, rest) = gray.split_at(1)?;
/// assert_eq!((first.len(), rest.len()), (1, 1));
/// assert_eq!(rest.get(0).unwrap().label(), 1);
/// # Ok::<(), burn_privacy_datasets::DatasetError>(())
/// ```
#[derive(Clone)]
pub struct ImageDataset {
    store: Arc<Store>,
    range: Range<usize>,
}

impl ImageDataset {
    /// A data set of color images of shape `[3, 32, 32]` from its parts.
    ///
    /// - `name`: said in the first line of a run, so that nobody takes one data set for another.
    /// - `classes`: the name of each class; a label is an index into it.
    /// - `images`: 3,072 bytes an image, in the order of [`ImageItem::pixels`].
    /// - `labels`: one an image.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Lengths`] unless there are 3,072 image bytes a label, [`DatasetError::Class`] if a label
    /// has no class.
    pub fn new<C: AsRef<str>>(
        name: impl Into<String>,
        classes: &[C],
        images: Vec<u8>,
        labels: Vec<u8>,
    ) -> Result<Self, DatasetError> {
        Self::with_shape(name, classes, IMAGE_SHAPE, images, labels)
    }

    /// A data set of images of any shape `[channels, rows, columns]`, in the order of [`ImageItem::pixels`].
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_shape<C: AsRef<str>>(
        name: impl Into<String>,
        classes: &[C],
        shape: [usize; 3],
        images: Vec<u8>,
        labels: Vec<u8>,
    ) -> Result<Self, DatasetError> {
        let name = name.into();
        let per_image = shape.iter().product();
        if labels.len().checked_mul(per_image) != Some(images.len()) {
            return Err(DatasetError::Lengths { name, images: images.len(), labels: labels.len(), per_image });
        }
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes.len()) {
            return Err(DatasetError::Class { name, index, found: labels[index], classes: classes.len() });
        }
        let classes = classes.iter().map(|class| class.as_ref().to_owned()).collect();
        let range = 0..labels.len();
        Ok(Self { store: Arc::new(Store { name, classes, shape, images, labels }), range })
    }

    /// What these images are, in words.
    pub fn name(&self) -> &str {
        &self.store.name
    }

    /// The name of each class, in the order of the labels.
    pub fn classes(&self) -> &[String] {
        &self.store.classes
    }

    /// The shape of one image, `[channels, rows, columns]`.
    pub fn shape(&self) -> [usize; 3] {
        self.store.shape
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The image at `index`, or `None` at and beyond [`len`](Self::len).
    pub fn get(&self, index: usize) -> Option<ImageItem> {
        (index < self.len()).then(|| ImageItem { store: Arc::clone(&self.store), index: self.range.start + index })
    }

    /// The pixels of all images one after the other, of shape `[len, channels, rows, columns]` flattened.
    pub fn pixels(&self) -> &[u8] {
        let bytes = self.store.image_bytes();
        &self.store.images[self.range.start * bytes..self.range.end * bytes]
    }

    /// The labels of all images, of shape `[len]`.
    pub fn labels(&self) -> &[u8] {
        &self.store.labels[self.range.clone()]
    }

    /// The images of `range`, counted within this part. No pixel is copied.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Range`] if the range ends beyond the last image or before it starts.
    pub fn slice(&self, range: Range<usize>) -> Result<Self, DatasetError> {
        if range.start > range.end || range.end > self.len() {
            return Err(DatasetError::Range {
                name: self.store.name.clone(),
                start: range.start,
                end: range.end,
                len: self.len(),
            });
        }
        let range = self.range.start + range.start..self.range.start + range.end;
        Ok(Self { store: Arc::clone(&self.store), range })
    }

    /// The first `at` images, and the others. No pixel is copied.
    ///
    /// Holding out the last images of a training set is `train.split_at(train.len() - 5_000)`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Range`] if there are fewer than `at` images.
    pub fn split_at(&self, at: usize) -> Result<(Self, Self), DatasetError> {
        Ok((self.slice(0..at)?, self.slice(at..self.len())?))
    }
}

impl fmt::Debug for ImageDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDataset")
            .field("name", &self.store.name)
            .field("len", &self.len())
            .field("shape", &self.shape())
            .finish_non_exhaustive()
    }
}

impl Dataset<ImageItem> for ImageDataset {
    /// # Panics
    ///
    /// If `index` is not below the length, as Burn's trait asks.
    fn get(&self, index: usize) -> Result<ImageItem, BurnDatasetError> {
        match ImageDataset::get(self, index) {
            Some(item) => Ok(item),
            None => {
                panic!("image {index} was asked for, but data set {:?} has {}", self.name(), ImageDataset::len(self))
            }
        }
    }

    fn len(&self) -> usize {
        ImageDataset::len(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(count: usize) -> ImageDataset {
        let images = (0..count).flat_map(|i| vec![i as u8; IMAGE_BYTES]).collect();
        ImageDataset::new("counting", &["even", "odd"], images, (0..count).map(|i| (i % 2) as u8).collect()).unwrap()
    }

    #[test]
    fn parts_of_parts_count_from_their_own_start() {
        let all = counting(10);
        let (first, rest) = all.split_at(4).unwrap();
        assert_eq!((first.len(), rest.len()), (4, 6));
        let inner = rest.slice(1..3).unwrap();
        assert_eq!(inner.get(0).unwrap().pixels(), [5; IMAGE_BYTES]);
        assert_eq!(inner.labels(), [1, 0]);
        assert_eq!(inner.pixels().len(), 2 * IMAGE_BYTES);
        assert!(inner.get(2).is_none());
        assert!(all.slice(10..10).unwrap().is_empty());
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)]
    fn ranges_beyond_the_end_are_errors() {
        let part = counting(10).slice(2..6).unwrap();
        for range in [0..5, 5..5, 3..2, usize::MAX..usize::MAX, 0..usize::MAX] {
            let error = part.slice(range).unwrap_err();
            assert!(error.to_string().contains("there are 4"), "{error}");
        }
        assert!(part.split_at(5).is_err());
    }

    #[test]
    fn lengths_and_labels_are_checked() {
        let error = ImageDataset::new("x", &["a"], vec![0; IMAGE_BYTES + 1], vec![0]).unwrap_err();
        assert!(error.to_string().contains("3073 image bytes for 1 labels, expected 3072"), "{error}");
        let error = ImageDataset::new("x", &["a"], vec![0; 2 * IMAGE_BYTES], vec![0, 1]).unwrap_err();
        assert!(error.to_string().contains("label of image 1 is 1"), "{error}");
    }

    #[test]
    fn it_is_a_burn_dataset() {
        let data: &dyn Dataset<ImageItem> = &counting(3);
        assert_eq!(data.len(), 3);
        assert_eq!(data.get(2).unwrap().label(), 0);
    }

    #[test]
    #[should_panic(expected = "image 3 was asked for")]
    fn the_burn_dataset_panics_out_of_bounds_as_its_trait_says() {
        let _ = Dataset::get(&counting(3), 3);
    }
}
