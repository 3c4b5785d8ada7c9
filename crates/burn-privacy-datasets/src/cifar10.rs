//! CIFAR-10 from its binary files, as they are or in their archive.

use std::path::{Path, PathBuf};

use super::archive::{self, ArchiveMember};
use super::cifar10_assembly::{Assembly, Cifar10, MEMBERS, Member, NEEDED, missing};
use super::contents::Unpacked;
use super::listing::{Listing, is_named};
use super::locate::{FileSet, GIVEN, variable};
use super::records::{Format, Records};
use super::{Checksum, DatasetError};

/// The archive as its authors publish it.
pub const CIFAR10_ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// Where CIFAR-10 is looked for when neither a path nor [`DATA_VARIABLE`](super::DATA_VARIABLE) is given, relative to the
/// current folder.
pub const DEFAULT_FOLDER: &str = "datasets/cifar10";

/// The folder inside the archive.
const UNPACKED: &str = "cifar-10-batches-bin";

/// The same of the archive for Python, which its authors publish too.
const PYTHON_ARCHIVES: [&str; 2] = ["cifar-10-python.tar.gz", "cifar-10-python.tar"];
const PYTHON_UNPACKED: &str = "cifar-10-batches-py";

/// What each of the six files holds: 10,000 records of a label and 3,072 bytes of pixels.
const FORMAT: Format = Format { records: 10_000, classes: 10 };

/// Finds the CIFAR-10 files: at `explicit` if given, else at the folder in the environment variable
/// `BURN_PRIVACY_DATA` if that is set and not empty, else at `datasets/cifar10`.
///
/// The path may be the folder of the files, a folder with the files in its subfolder `cifar10`, or the archive
/// `cifar-10-binary.tar.gz` itself. Give the answer to [`Cifar10::load`].
///
/// `Ok(None)` means that nobody named a path and the default folder holds no CIFAR-10 file: the time for
/// [`generated`](super::generated()). A path that somebody did name never falls back silently.
///
/// # Errors
///
/// [`DatasetError::NotFound`] or [`DatasetError::NoFiles`] for a named path without the data.
pub fn locate_cifar10(explicit: Option<&Path>) -> Result<Option<PathBuf>, DatasetError> {
    FILES.locate(explicit, variable().as_deref(), Path::new(DEFAULT_FOLDER))
}

impl Cifar10 {
    /// Reads the original binary files.
    ///
    /// `path` is a folder with `data_batch_1.bin` to `data_batch_5.bin` and, if there, `test_batch.bin`, each
    /// plain or with `.gz` (the plain one is taken if both are there); or a folder with
    /// `cifar-10-binary.tar.gz`; or that archive itself, under any name. The files may also lie in the folder
    /// `cifar-10-batches-bin`, as unpacking the archive leaves them, and all of it in a subfolder `cifar10`. Letters may be
    /// large or small, and whether a file is packed is seen in its contents, not in its name. [`locate_cifar10`] finds the
    /// path. Takes 184 MB of memory, and 31 MB more while reading, whatever the files hold.
    ///
    /// # Errors
    ///
    /// A [`DatasetError`] that names the file and the byte: a missing path, folder without the files, missing
    /// training files, files that are cut off or too long, damaged compression, labels above 9, the version for Python, web
    /// pages and other archives in the place of the files, an archive that unpacks to more than 256 MiB, and, unless `checksum` is [`Checksum::Skip`], contents other than the published ones.
    pub fn load(path: impl AsRef<Path>, checksum: Checksum) -> Result<Self, DatasetError> {
        Reader { format: FORMAT, checksum }.load(path.as_ref())
    }
}

/// The files as they are looked for.
pub(super) const FILES: FileSet = FileSet {
    set: "CIFAR-10",
    folder: "cifar10",
    inner: UNPACKED,
    files: "data_batch_1.bin to data_batch_5.bin (plain or .gz) or cifar-10-binary.tar.gz, there or in its folder \
            cifar-10-batches-bin",
    holds_files: |folder| !matches!(Layout::of(folder), Layout::Nothing),
};

/// What a folder holds.
enum Layout {
    /// Separate files in the order of [`MEMBERS`], all training files among them.
    Files([Option<PathBuf>; 6]),
    /// The archive.
    Archive(PathBuf),
    /// Some files, but not all that are needed.
    Incomplete { folder: PathBuf, missing: Vec<String> },
    /// The version for Python, and nothing else.
    Python(PathBuf),
    /// No file of the data set.
    Nothing,
}

impl Layout {
    fn of(folder: &Path) -> Self {
        let listing = Listing::of(folder);
        let files = MEMBERS.map(|member| listing.file(member.name));
        let missing = missing(&files.each_ref().map(Option::is_some));
        if missing.is_empty() {
            return Self::Files(files);
        }
        let packed = [CIFAR10_ARCHIVE, "cifar-10-binary.tar"].into_iter().find_map(|name| listing.file(name));
        let python = || PYTHON_ARCHIVES.into_iter().chain(python_files()).find_map(|name| listing.file(name));
        if let Some(archive) = packed {
            Self::Archive(archive)
        } else if files.iter().any(Option::is_some) {
            Self::Incomplete { folder: folder.to_owned(), missing }
        } else if let Some(python) = python().or_else(|| listing.folder(PYTHON_UNPACKED)) {
            Self::Python(python)
        } else {
            Self::Nothing
        }
    }

    /// Whether there are images in it: if not, another place is looked at.
    fn is_usable(&self) -> bool {
        matches!(self, Self::Files(_) | Self::Archive(_))
    }
}

/// The names of the files in the version for Python.
fn python_files() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().filter_map(|member| member.name.strip_suffix(".bin"))
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
        let mut layouts: Vec<Layout> = FILES.places(path).iter().map(|place| Layout::of(place)).collect();
        let usable = layouts.iter().position(Layout::is_usable);
        let best = usable.or_else(|| layouts.iter().position(|layout| !matches!(layout, Layout::Nothing)));
        match best.map_or(Layout::Nothing, |best| layouts.swap_remove(best)) {
            Layout::Files(files) => self.files(path, files),
            Layout::Archive(archive) => self.archive(&archive),
            Layout::Incomplete { folder, missing } => {
                Err(DatasetError::MissingFiles { place: folder, missing, needed: NEEDED })
            }
            Layout::Python(place) => Err(DatasetError::PythonVersion { place }),
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
        let file = Unpacked::open(path)?;
        let failure = file.failure();
        let records = Records::read(&name, self.format, file, |byte, source| failure.at(&name, byte, source))?;
        records.check(&name, member.md5, self.checksum)?;
        Ok(records)
    }

    fn archive(&self, path: &Path) -> Result<Cifar10, DatasetError> {
        let python_version = || DatasetError::PythonVersion { place: path.to_owned() };
        if python_files().any(|name| is_named(path, name)) {
            return Err(python_version());
        }
        let mut assembly = Assembly::new(self.format);
        let wanted = |member: &[u8]| {
            let mut folders = member.split(|&byte| byte == b'/');
            let name = folders.next_back().unwrap_or(member);
            if folders.any(|folder| folder == PYTHON_UNPACKED.as_bytes())
                || python_files().any(|python| python.as_bytes() == name)
            {
                return Err(python_version());
            }
            Ok(MEMBERS.iter().position(|member| member.name.as_bytes().eq_ignore_ascii_case(name)))
        };
        archive::read(path, wanted, |index, ArchiveMember { name, reader, failed }| {
            let records = Records::read(name, self.format, reader, failed)?;
            records.check(name, MEMBERS[index].md5, self.checksum)?;
            assembly.add(index, &records);
            Ok(())
        })?;
        assembly.finish(path)
    }
}

#[cfg(test)]
#[path = "cifar10_tests.rs"]
mod tests;
