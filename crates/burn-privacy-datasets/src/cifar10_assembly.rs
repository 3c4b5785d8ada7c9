//! CIFAR-10 as it comes together, file by file in any order.

use std::path::Path;

use super::records::{Format, Records};
use super::{DatasetError, IMAGE_BYTES, ImageDataset};

/// The ten classes, in the order of the labels.
pub const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// CIFAR-10: 60,000 photographs of 32 x 32 pixels in ten classes, 6,000 a class.
///
/// Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
/// <https://www.cs.toronto.edu/~kriz/cifar.html>, "binary version".
#[derive(Clone, Debug)]
pub struct Cifar10 {
    /// The 50,000 training images, in the original order.
    pub train: ImageDataset,
    /// The 10,000 test images; `None` if `test_batch.bin` is not there. Then hold out the last training images
    /// ([`ImageDataset::split_at`]), and say so beside every accuracy.
    pub test: Option<ImageDataset>,
}

/// A file of the data set and the published MD5 of its uncompressed contents.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) md5: &'static str,
}

/// The training files in order, and the test file last.
pub(super) const MEMBERS: [Member; 6] = [
    Member { name: "data_batch_1.bin", md5: "5dd7e06a14cb22eb9f671a540d1b7c25" },
    Member { name: "data_batch_2.bin", md5: "5ea93a67294ea407fff1d09f752e9692" },
    Member { name: "data_batch_3.bin", md5: "942cd6a4bcdd0dd3c604fbe906cb4421" },
    Member { name: "data_batch_4.bin", md5: "ae636b3ba5c66a11e91e8cb52e771fcb" },
    Member { name: "data_batch_5.bin", md5: "53f37980c15c3d472c316c40844f3f0d" },
    Member { name: "test_batch.bin", md5: "803d5f7f4d78ea53de84dbe85f74fb6d" },
];

/// The place of the test file in [`MEMBERS`].
const TEST: usize = 5;

/// What must not be missing, in words.
pub(super) const NEEDED: &str =
    "all of data_batch_1.bin to data_batch_5.bin (each plain or .gz; test_batch.bin may be absent)";

/// The names of the training files that are not there.
pub(super) fn missing(found: &[bool; 6]) -> Vec<String> {
    let training = MEMBERS.iter().zip(found).take(TEST);
    training.filter(|(_, found)| !**found).map(|(member, _)| member.name.to_owned()).collect()
}

/// The parts that are there so far.
pub(super) struct Assembly {
    format: Format,
    images: Vec<u8>,
    labels: Vec<u8>,
    test: Option<(Vec<u8>, Vec<u8>)>,
    found: [bool; MEMBERS.len()],
}

impl Assembly {
    pub(super) fn new(format: Format) -> Self {
        let images = vec![0; TEST * format.records * IMAGE_BYTES];
        let labels = vec![0; TEST * format.records];
        Self { format, images, labels, test: None, found: [false; MEMBERS.len()] }
    }

    /// Adds the records of the file at `index` of [`MEMBERS`].
    pub(super) fn add(&mut self, index: usize, records: &Records) {
        let Format { records: count, .. } = self.format;
        self.found[index] = true;
        if index == TEST {
            let (mut images, mut labels) = (vec![0; count * IMAGE_BYTES], vec![0; count]);
            records.split_into(&mut images, &mut labels);
            self.test = Some((images, labels));
        } else {
            records.split_into(
                &mut self.images[index * count * IMAGE_BYTES..][..count * IMAGE_BYTES],
                &mut self.labels[index * count..][..count],
            );
        }
    }

    /// The data set, if all training files are there. `place` is for the message.
    pub(super) fn finish(self, place: &Path) -> Result<Cifar10, DatasetError> {
        let missing = missing(&self.found);
        if !missing.is_empty() {
            return Err(DatasetError::MissingFiles { place: place.to_owned(), missing, needed: NEEDED });
        }
        let test = |(images, labels)| ImageDataset::new("CIFAR-10 test images", &CIFAR10_CLASSES, images, labels);
        Ok(Cifar10 {
            train: ImageDataset::new("CIFAR-10 training images", &CIFAR10_CLASSES, self.images, self.labels)?,
            test: self.test.map(test).transpose()?,
        })
    }
}
