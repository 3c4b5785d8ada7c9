//! The image set that needs no file: drawn at run time, the same on every machine.

mod digits;
mod figure;
mod scene;
mod stream;

pub use self::digits::{generated_digits, generated_digits_with};
use self::scene::draw;
use self::stream::Stream;
use super::{IMAGE_BYTES, ImageDataset};

/// The ten classes, in the order of the labels.
pub const GENERATED_CLASSES: [&str; 10] = [
    "level stripes",
    "upright stripes",
    "rising stripes",
    "falling stripes",
    "checkerboard",
    "disc",
    "ring",
    "square",
    "triangle",
    "cross",
];

/// The number of training images.
pub const GENERATED_TRAIN: usize = 20_000;

/// The number of test images.
pub const GENERATED_TEST: usize = 2_000;

/// The seed of the images. It is public, as the images are: nothing private hangs on it.
pub const GENERATED_SEED: u64 = 0x6275_726e_2d70_7276;

/// The images of [`generated()`].
#[derive(Clone, Debug)]
pub struct Generated {
    /// The images to train on.
    pub train: ImageDataset,
    /// The images to test on; none of them is in `train`.
    pub test: ImageDataset,
}

/// 20,000 training and 2,000 test images, drawn by this code within about a second: a stand-in for CIFAR-10 (its
/// shape, its number of classes, and none of its pictures) on a machine without any data.
///
/// Each shows one striped patch, checkerboard or shape ([`GENERATED_CLASSES`]) at a random place, size, turn and
/// color, lighter or darker than its ground at random, among blots and noise. The classes are balanced: every
/// ten images in a row from a multiple of ten hold one of each. Image `i` depends on the seed and on `i` only,
/// and no bit of it on the machine.
///
/// The folder `datasets` of the repository has the data card, with measured accuracies.
pub fn generated() -> Generated {
    generated_with(GENERATED_SEED, GENERATED_TRAIN, GENERATED_TEST)
}

/// As [`generated()`], with another seed and other numbers of images. The test images are numbers `train` to
/// `train + test - 1` of the sequence that the seed stands for.
pub fn generated_with(seed: u64, train: usize, test: usize) -> Generated {
    Generated {
        train: part("generated training images (not CIFAR-10)", seed, 0, train),
        test: part("generated test images (not CIFAR-10)", seed, train, test),
    }
}

fn part(name: &str, seed: u64, start: usize, count: usize) -> ImageDataset {
    let mut images = vec![0; count * IMAGE_BYTES];
    let mut labels = vec![0; count];
    for (index, (image, label)) in (start..).zip(images.chunks_exact_mut(IMAGE_BYTES).zip(&mut labels)) {
        *label = class_of(seed, index);
        draw(*label, &mut Stream::new(seed, index as u64), image);
    }
    match ImageDataset::new(name, &GENERATED_CLASSES, images, labels) {
        Ok(data) => data,
        // Lengths and labels are right by the lines above.
        Err(error) => unreachable!("{error}"),
    }
}

/// The class of image `index`: every ten images are one of each class, in an order of their own.
fn class_of(seed: u64, index: usize) -> u8 {
    let mut order: [u8; 10] = std::array::from_fn(|class| class as u8);
    // Not the stream of any image: the seed is another.
    let mut stream = Stream::new(!seed, (index / 10) as u64);
    for last in (1..order.len()).rev() {
        order.swap(last, stream.below(last as u32 + 1) as usize);
    }
    order[index % 10]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::md5_hex;

    #[test]
    fn the_first_images_are_the_same_everywhere() {
        let data = generated_with(GENERATED_SEED, 100, 10);
        assert_eq!(md5_hex(data.train.pixels()), "2f06415849e5cdc601359ecaff276bd7");
        assert_eq!(md5_hex(data.train.labels()), "64c8de0f9e0c8ce31996b06914dd04cd");
    }

    #[test]
    fn an_image_depends_on_seed_and_number_only() {
        let (few, more) = (generated_with(5, 30, 20), generated_with(5, 50, 0));
        assert_eq!(few.train.pixels(), more.train.slice(0..30).unwrap().pixels());
        assert_eq!(few.test.pixels(), more.train.slice(30..50).unwrap().pixels());
        assert_eq!(few.test.labels(), more.train.slice(30..50).unwrap().labels());
        assert_ne!(few.train.pixels(), generated_with(6, 30, 0).train.pixels());
    }

    #[test]
    fn every_ten_images_hold_each_class_once_in_changing_order() {
        let data = generated_with(GENERATED_SEED, 1_000, 200);
        for part in [&data.train, &data.test] {
            for ten in part.labels().chunks(10) {
                let mut sorted = ten.to_vec();
                sorted.sort_unstable();
                assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            }
        }
        let orders: std::collections::HashSet<&[u8]> = data.train.labels().chunks(10).collect();
        assert!(orders.len() > 90);
    }

    #[test]
    fn it_says_what_it_is_and_any_size_works() {
        let data = generated_with(1, 0, 1);
        assert!(data.train.is_empty() && data.test.len() == 1);
        assert!(data.test.name().contains("generated") && data.test.name().contains("not CIFAR-10"));
        assert_eq!(data.test.classes(), GENERATED_CLASSES);
    }

    #[test]
    fn pixels_use_the_range_without_sticking_to_its_ends() {
        let data = generated_with(GENERATED_SEED, 500, 0);
        let pixels = data.train.pixels();
        let share =
            |keep: fn(&u8) -> bool| pixels.iter().filter(|byte| keep(byte)).count() as f64 / pixels.len() as f64;
        assert!(share(|&byte| byte == 0 || byte == 255) < 0.05);
        assert!(share(|&byte| byte < 64) > 0.05 && share(|&byte| byte > 192) > 0.05);
    }
}
