use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::checksum::md5_hex;
use super::counted::Counted;
use super::idx::Idx;
use super::locate::{FileSet, GIVEN};
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
        FileSet { set, folder, files: FILES, holds_files }
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

/// A file of that name, plain or packed.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|file| file.is_file())
}

fn holds_files(folder: &Path) -> bool {
    NAMES.iter().any(|name| find(folder, name).is_some())
}

/// MNIST or Fashion-MNIST: 60,000 training and 10,000 test images of 28 x 28 grey pixels in ten classes.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training images, in the original order.
    pub train: ImageDataset,
    /// The test images.
    pub test: ImageDataset,
}

impl Mnist {
    /// Reads the four original files from `folder`, each plain or with `.gz` (the plain one is taken if both are there).
    /// [`locate_mnist`](super::locate_mnist) finds the folder. Takes 55 MB of memory, and as much again while reading.
    ///
    /// With [`Checksum::Skip`] any number of images is taken, as long as each has its label.
    ///
    /// # Errors
    ///
    /// A [`DatasetError`] that names the file and the byte: a missing folder or file, headers other than those of the
    /// format, files that are cut off or too long, damaged compression, labels above 9, images without labels, and,
    /// unless `checksum` is [`Checksum::Skip`], contents other than the published ones. Checksums of Fashion-MNIST are
    /// published for the packed files only, so its plain files need [`Checksum::Skip`].
    pub fn load(variant: MnistVariant, folder: impl AsRef<Path>, checksum: Checksum) -> Result<Self, DatasetError> {
        let (folder, files) = (folder.as_ref(), variant.files());
        if !folder.exists() {
            return Err(files.not_found(folder, GIVEN));
        }
        if !holds_files(folder) {
            return Err(files.no_files(folder));
        }
        let found = NAMES.map(|name| find(folder, name));
        let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = found else {
            let missing = NAMES.iter().filter(|name| find(folder, name).is_none()).map(|name| (*name).to_owned());
            return Err(DatasetError::MissingFiles {
                place: folder.to_owned(),
                missing: missing.collect(),
                needed: FILES,
            });
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
    let unreadable = |byte, source| DatasetError::Read { file: path.to_owned(), byte, source };
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let mut file = Vec::new();
    File::open(path)
        .and_then(|mut opened| opened.read_to_end(&mut file))
        .map_err(|source| unreadable(file.len() as u64, source))?;
    let contents = if packed {
        let counted = Counted::new(BufReader::new(file.as_slice()));
        let count = counted.count();
        parse(&name, member, MultiGzDecoder::new(counted), |byte, source| DatasetError::Damaged {
            file: name.clone(),
            byte,
            packed_bytes: count.get(),
            source,
        })?
    } else {
        parse(&name, member, file.as_slice(), unreadable)?
    };
    if checksum == Checksum::Verify {
        let (bytes, expected) = match (member.contents_md5, packed) {
            (Some(md5), _) => (&contents.contents, md5),
            (None, true) => (&file, member.packed_md5),
            (None, false) => {
                let (set, name) = (variant.name(), member.name);
                return Err(DatasetError::NoChecksum { file: path.to_owned(), set, name });
            }
        };
        let found = md5_hex(bytes);
        if found != expected {
            let (bytes, expected) = (bytes.len() as u64, expected.to_owned());
            return Err(DatasetError::Checksum { file: name, bytes, found, expected });
        }
    }
    Ok(contents.values())
}

fn parse(
    name: &str,
    member: Member,
    reader: impl Read,
    failed: impl Fn(u64, std::io::Error) -> DatasetError,
) -> Result<Idx, DatasetError> {
    if member.name.contains("labels") {
        Idx::labels(name, MNIST_CLASSES.len() as u8, reader, failed)
    } else {
        Idx::images(name, [MNIST_SHAPE[1] as u32, MNIST_SHAPE[2] as u32], reader, failed)
    }
}

#[cfg(test)]
#[path = "mnist_tests.rs"]
mod tests;
