use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::counted::Counted;
use super::locate::{FileSet, GIVEN};
use super::records::{Format, Records};
use super::{Checksum, DatasetError, IMAGE_BYTES, ImageDataset, archive};

/// The ten classes, in the order of the labels.
pub const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The archive as its authors publish it.
pub const CIFAR10_ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// The folder inside the archive.
const UNPACKED: &str = "cifar-10-batches-bin";

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

/// What each of the six files holds: 10,000 records of a label and 3,072 bytes of pixels.
const FORMAT: Format = Format { records: 10_000, classes: 10 };

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

impl Cifar10 {
    /// Reads the original binary files.
    ///
    /// `path` is a folder with `data_batch_1.bin` to `data_batch_5.bin` and, if there, `test_batch.bin`, each
    /// plain or with `.gz` (the plain one is taken if both are there); or a folder with
    /// `cifar-10-binary.tar.gz`; or that archive itself, under any name. The files may also lie in the folder
    /// `cifar-10-batches-bin`, as unpacking the archive leaves them. [`locate_cifar10`](super::locate_cifar10)
    /// finds the path. Takes 184 MB of memory, and 31 MB more while reading.
    ///
    /// # Errors
    ///
    /// A [`DatasetError`] that names the file and the byte: a missing path, folder without the files, missing
    /// training files, files that are cut off or too long, damaged compression, labels above 9, and, unless
    /// `checksum` is [`Checksum::Skip`], contents other than the published ones.
    pub fn load(path: impl AsRef<Path>, checksum: Checksum) -> Result<Self, DatasetError> {
        Reader { format: FORMAT, checksum }.load(path.as_ref())
    }
}

/// The files as they are looked for.
pub(super) const FILES: FileSet = FileSet {
    set: "CIFAR-10",
    folder: "cifar10",
    files: "data_batch_1.bin to data_batch_5.bin (plain or .gz) or cifar-10-binary.tar.gz, there or in its folder \
            cifar-10-batches-bin",
    holds_files: |folder| !matches!(Layout::of(folder), Layout::Nothing),
};

/// What must not be missing, in words.
const NEEDED: &str = "all of data_batch_1.bin to data_batch_5.bin (each plain or .gz; test_batch.bin may be absent)";

/// What a folder holds.
enum Layout {
    /// Separate files in the order of [`MEMBERS`], all training files among them.
    Files([Option<PathBuf>; 6]),
    /// The archive.
    Archive(PathBuf),
    /// Some files, but not all that are needed.
    Incomplete { folder: PathBuf, missing: Vec<String> },
    /// No file of the data set.
    Nothing,
}

impl Layout {
    fn of(folder: &Path) -> Self {
        let mut incomplete = None;
        for place in [folder.to_owned(), folder.join(UNPACKED)] {
            let files = MEMBERS.map(|member| {
                [place.join(member.name), place.join(format!("{}.gz", member.name))]
                    .into_iter()
                    .find(|file| file.is_file())
            });
            let missing = missing(&files.each_ref().map(Option::is_some));
            if missing.is_empty() {
                return Self::Files(files);
            }
            if files.iter().any(Option::is_some) {
                incomplete.get_or_insert(Self::Incomplete { folder: place, missing });
            }
        }
        let archive = folder.join(CIFAR10_ARCHIVE);
        if archive.is_file() { Self::Archive(archive) } else { incomplete.unwrap_or(Self::Nothing) }
    }
}

/// The names of the training files that are not there.
fn missing(found: &[bool; 6]) -> Vec<String> {
    let training = MEMBERS.iter().zip(found).take(TEST);
    training.filter(|(_, found)| !**found).map(|(member, _)| member.name.to_owned()).collect()
}

/// Reading with a given format, so that tests need not write 180 MB.
pub(super) struct Reader {
    pub(super) format: Format,
    pub(super) checksum: Checksum,
}

impl Reader {
    fn load(&self, path: &Path) -> Result<Cifar10, DatasetError> {
        if !path.exists() {
            return Err(FILES.not_found(path, GIVEN));
        }
        if !path.is_dir() {
            return self.archive(path);
        }
        match Layout::of(path) {
            Layout::Files(files) => self.files(path, files),
            Layout::Archive(archive) => self.archive(&archive),
            Layout::Incomplete { folder, missing } => {
                Err(DatasetError::MissingFiles { place: folder, missing, needed: NEEDED })
            }
            Layout::Nothing => Err(FILES.no_files(path)),
        }
    }

    fn files(&self, folder: &Path, files: [Option<PathBuf>; 6]) -> Result<Cifar10, DatasetError> {
        let mut assembly = Assembly::new(self.format);
        for (index, file) in files.into_iter().enumerate() {
            if let Some(file) = file {
                assembly.add(index, &self.file(&file, MEMBERS[index])?);
            }
        }
        assembly.finish(folder)
    }

    fn file(&self, path: &Path, member: Member) -> Result<Records, DatasetError> {
        let name = path.display().to_string();
        let file = open(path)?;
        let records = if path.extension().is_some_and(|extension| extension == "gz") {
            let packed = Counted::new(BufReader::new(file));
            let count = packed.count();
            Records::read(&name, self.format, MultiGzDecoder::new(packed), |byte, source| DatasetError::Damaged {
                file: name.clone(),
                byte,
                packed_bytes: count.get(),
                source,
            })?
        } else {
            Records::read(&name, self.format, file, |byte, source| DatasetError::Read {
                file: path.to_owned(),
                byte,
                source,
            })?
        };
        records.check(&name, member.md5, self.checksum)?;
        Ok(records)
    }

    fn archive(&self, path: &Path) -> Result<Cifar10, DatasetError> {
        let mut assembly = Assembly::new(self.format);
        archive::read(path, open(path)?, self, &mut assembly)?;
        assembly.finish(path)
    }
}

fn open(path: &Path) -> Result<File, DatasetError> {
    File::open(path).map_err(|source| DatasetError::Read { file: path.to_owned(), byte: 0, source })
}

/// The data set as it comes together, file by file in any order.
pub(super) struct Assembly {
    format: Format,
    images: Vec<u8>,
    labels: Vec<u8>,
    test: Option<(Vec<u8>, Vec<u8>)>,
    found: [bool; MEMBERS.len()],
}

impl Assembly {
    fn new(format: Format) -> Self {
        let images = vec![0; TEST * format.records * IMAGE_BYTES];
        let labels = vec![0; TEST * format.records];
        Self { format, images, labels, test: None, found: [false; MEMBERS.len()] }
    }

    /// Whether the file at `index` of [`MEMBERS`] is there already.
    pub(super) fn has(&self, index: usize) -> bool {
        self.found[index]
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

    fn finish(self, place: &Path) -> Result<Cifar10, DatasetError> {
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

#[cfg(test)]
#[path = "cifar10_tests.rs"]
mod tests;
