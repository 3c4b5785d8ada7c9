//! MNIST and Fashion-MNIST from their files.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::checksum::{expect_md5, file_md5, md5_hex};
use super::contents::Unpacked;
use super::idx::{Idx, MOST_RECORDS};
use super::listing::Listing;
use super::locate::{FileSet, GIVEN, variable};
use super::{Checksum, DatasetError, ImageDataset};

/// The shape of an image: one plane of 28 rows of 28 pixels.
pub const MNIST_SHAPE: [usize; 3] = [1, 28, 28];

/// The ten digits, in the order of the labels.
pub const MNIST_CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The ten articles of Fashion-MNIST, in the order of the labels.
pub const FASHION_MNIST_CLASSES: [&str; 10] =
    ["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// What must be there, in words.
const FILES: &str = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                     t10k-labels-idx1-ubyte (each plain or .gz)";

/// Finds the folder with MNIST's files, or Fashion-MNIST's, as [`locate_cifar10`](super::locate_cifar10) does: the subfolder is
/// `mnist` or `fashion-mnist`, the default [`MnistVariant::default_folder`]. Give the answer to [`Mnist::load`].
///
/// # Errors
///
/// As [`locate_cifar10`](super::locate_cifar10).
pub fn locate_mnist(variant: MnistVariant, explicit: Option<&Path>) -> Result<Option<PathBuf>, DatasetError> {
    variant.files().locate(explicit, variable().as_deref(), &variant.default_folder())
}

/// Which of the two data sets of MNIST's form. Their files have the same names; the checksums tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MnistVariant {
    /// MNIST: handwritten digits. Source: Y. LeCun, C. Cortes, C. Burges, 1998.
    #[default]
    Digits,
    /// Fashion-MNIST: articles of clothing. Source: H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747.
    Fashion,
}

/// A file of the data set.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    /// Published MD5 of the file with `.gz`.
    pub(super) packed_md5: &'static str,
    /// MD5 of the contents, where it is known.
    contents_md5: Option<&'static str>,
    /// How many images or labels the published file has.
    records: u32,
}

impl MnistVariant {
    /// `"MNIST"` or `"Fashion-MNIST"`.
    pub fn name(self) -> &'static str {
        self.files().set
    }

    /// Where it is looked for when nobody names a path, relative to the current folder: `datasets/mnist` or
    /// `datasets/fashion-mnist`.
    pub fn default_folder(self) -> PathBuf {
        Path::new("datasets").join(self.files().folder)
    }

    pub(super) fn files(self) -> FileSet {
        let (set, folder) = match self {
            Self::Digits => ("MNIST", "mnist"),
            Self::Fashion => ("Fashion-MNIST", "fashion-mnist"),
        };
        FileSet { set, folder, inner: "raw", files: FILES, holds_files }
    }

    /// Training images, training labels, test images, test labels.
    pub(super) fn members(self) -> [Member; 4] {
        let (packed, contents) = match self {
            Self::Digits => (
                [
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ],
                [
                    Some("6bbc9ace898e44ae57da46a324031adb"),
                    Some("a25bea736e30d166cdddb491f175f624"),
                    Some("2646ac647ad5339dbf082846283269ea"),
                    Some("27ae3e4e09519cfbb04c329615203637"),
                ],
            ),
            Self::Fashion => (
                [
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ],
                [None; 4],
            ),
        };
        std::array::from_fn(|index| Member {
            name: NAMES[index],
            packed_md5: packed[index],
            contents_md5: contents[index],
            records: if index < 2 { 60_000 } else { 10_000 },
        })
    }

    fn classes(self) -> [&'static str; 10] {
        match self {
            Self::Digits => MNIST_CLASSES,
            Self::Fashion => FASHION_MNIST_CLASSES,
        }
    }
}

/// Names of the files, in the order of [`MnistVariant::members`].
const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The four files in a folder, in the order of [`NAMES`].
fn files_in(folder: &Path) -> [Option<PathBuf>; 4] {
    let listing = Listing::of(folder);
    NAMES.map(|name| listing.file(name))
}

fn holds_files(folder: &Path) -> bool {
    files_in(folder).iter().any(Option::is_some)
}

/// MNIST or Fashion-MNIST: 60,000 training and 10,000 test images of 28 x 28 gray pixels in ten classes.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training images, in the original order.
    pub train: ImageDataset,
    /// The test images.
    pub test: ImageDataset,
}

impl Mnist {
    /// Reads the four original files from `folder`, each plain or with `.gz` (the plain one is taken if both are there).
    /// [`locate_mnist`] finds the folder. Takes 55 MB of memory, and as much again while reading.
    ///
    /// The files may also lie in its folder `raw`, in `mnist` or `fashion-mnist`, or in the `raw` of that, as PyTorch leaves
    /// them. Names are compared by letters and digits (`train-images.idx3-ubyte`, as Kaggle has it, is one), and whether a file
    /// is packed is seen in its contents.
    ///
    /// With [`Checksum::Skip`] any number of images up to 1,000,000 is taken, as long as each has its label. The number is then
    /// the file's own, and no public figure.
    ///
    /// # Errors
    ///
    /// A [`DatasetError`] that names the file and the byte: a missing folder or file, headers other than those of the
    /// format, more images than allowed, files that are cut off or too long, damaged compression, web pages and archives in the
    /// place of files, labels above 9, images without labels, and,
    /// unless `checksum` is [`Checksum::Skip`], contents other than the published ones. Checksums of Fashion-MNIST are
    /// published for the packed files only, so its plain files need [`Checksum::Skip`].
    pub fn load(variant: MnistVariant, folder: impl AsRef<Path>, checksum: Checksum) -> Result<Self, DatasetError> {
        let (folder, files) = (folder.as_ref(), variant.files());
        if !folder.exists() {
            return Err(files.not_found(folder, GIVEN));
        }
        let places = files.places(folder);
        let complete = places.iter().find(|place| files_in(place).iter().all(Option::is_some));
        let Some(place) = complete.or_else(|| places.iter().find(|place| holds_files(place))) else {
            return Err(files.no_files(folder));
        };
        let found = files_in(place);
        let missing = NAMES.iter().zip(&found).filter(|(_, file)| file.is_none()).map(|(name, _)| (*name).to_owned());
        let missing: Vec<String> = missing.collect();
        let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = found else {
            return Err(DatasetError::MissingFiles { place: place.clone(), missing, needed: FILES });
        };
        let [train_image_member, train_label_member, test_image_member, test_label_member] = variant.members();
        let read = |path: &Path, member| read(variant, path, member, checksum);
        let part = |part: &str, images: Vec<u8>, labels: Vec<u8>| {
            let name = format!("{} {part} images", variant.name());
            ImageDataset::with_shape(name, &variant.classes(), MNIST_SHAPE, images, labels)
        };
        Ok(Self {
            train: part(
                "training",
                read(&train_images, train_image_member)?,
                read(&train_labels, train_label_member)?,
            )?,
            test: part("test", read(&test_images, test_image_member)?, read(&test_labels, test_label_member)?)?,
        })
    }
}

/// The values of one file, checked.
fn read(variant: MnistVariant, path: &Path, member: Member, checksum: Checksum) -> Result<Vec<u8>, DatasetError> {
    let name = path.display().to_string();
    let file = Unpacked::open(path)?;
    let (failure, packed) = (file.failure(), file.is_packed());
    let most = if checksum == Checksum::Verify { member.records } else { MOST_RECORDS };
    let contents = parse(&name, member, most, file, |byte, source| failure.at(&name, byte, source))?;
    if checksum == Checksum::Verify {
        match (member.contents_md5, packed) {
            (Some(md5), _) => {
                let bytes = &contents.contents;
                expect_md5(&name, bytes.len() as u64, md5_hex(bytes), md5)?;
            }
            (None, true) => {
                let (bytes, found) = file_md5(path)?;
                expect_md5(&name, bytes, found, member.packed_md5)?;
            }
            (None, false) => {
                let (set, name) = (variant.name(), member.name);
                return Err(DatasetError::NoChecksum { file: path.to_owned(), set, name });
            }
        }
    }
    Ok(contents.values())
}

fn parse(
    name: &str,
    member: Member,
    most: u32,
    reader: impl Read,
    failed: impl Fn(u64, std::io::Error) -> DatasetError,
) -> Result<Idx, DatasetError> {
    if member.name.contains("labels") {
        Idx::labels(name, MNIST_CLASSES.len() as u8, most, reader, failed)
    } else {
        Idx::images(name, [MNIST_SHAPE[1] as u32, MNIST_SHAPE[2] as u32], most, reader, failed)
    }
}

#[cfg(test)]
#[path = "mnist_tests.rs"]
mod tests;
