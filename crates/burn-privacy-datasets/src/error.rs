//! Why a data set could not be found, read or fetched.

use std::io;
use std::path::PathBuf;

/// `std::result::Result` with this crate's [`DatasetError`].
pub type Result<T, E = DatasetError> = std::result::Result<T, E>;

/// Why a data set could not be found, read or fetched.
///
/// Every message names the file, says what was found and what is allowed, and what to do about it. Where a
/// place in the file is meant, `byte` counts from 0 in the *uncompressed* contents: for a `.gz` file and for a
/// member of an archive, it is the offset after unpacking.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A record could not be read or perturbed. The text does not say which, because messages are kept in logs; the fields do.
    #[error(
        "a record of the data set could not be read or perturbed; which one and why is in the fields of this error alone, \
         because both tell of the record: try each record to find it"
    )]
    Record {
        /// Index of the record.
        index: usize,
        /// What the data set, or the perturbation, said. No `source`, so that no report prints it by itself.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Key generation failed.
    #[error(transparent)]
    Mechanism(#[from] burn_privacy_mechanisms::MechanismError),
    /// The path that was asked for does not exist.
    #[error(
        "{}: there is no such file or folder ({asked_by}); give the folder that holds the {set} files {files}",
        path.display()
    )]
    NotFound {
        /// The path as given.
        path: PathBuf,
        /// Who asked for it, in words: a flag, an environment variable, a caller.
        asked_by: String,
        /// The data set.
        set: &'static str,
        /// Its files, in words.
        files: &'static str,
    },

    /// The folder exists, and holds none of the files of the data set.
    #[error(
        "{}: this folder holds no {set} file; expected {files}; put them there, give another folder, or fetch them \
         with the download option", folder.display()
    )]
    NoFiles {
        /// The folder that was searched.
        folder: PathBuf,
        /// The data set.
        set: &'static str,
        /// Its files, in words.
        files: &'static str,
    },

    /// Some files of the data set are there, and others are not.
    #[error(
        "{}: incomplete, missing {}; needed are {needed}; put the missing files there",
        place.display(), missing.join(", ")
    )]
    MissingFiles {
        /// The folder or the archive.
        place: PathBuf,
        /// Names of the missing files, without `.gz`.
        missing: Vec<String>,
        /// What is needed, in words.
        needed: &'static str,
    },

    /// One member occurs more than once in an archive, so that it isn't clear which is meant.
    #[error(
        "{}: the archive holds {member} twice (the second one at byte {byte} of the unpacked archive), allowed \
         is once; use the original cifar-10-binary.tar.gz", archive.display()
    )]
    Duplicate {
        /// The archive.
        archive: PathBuf,
        /// The member's name.
        member: String,
        /// Where the second one starts in the unpacked archive.
        byte: u64,
    },

    /// The operating system refused to open or read a file.
    #[error("{}: cannot be read at byte {byte}: {source}; check that it is a file you may read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Bytes read before the failure.
        byte: u64,
        /// The system's answer.
        source: io::Error,
    },

    /// A file was named that is no archive of the data set.
    #[error(
        "{}: not a gzip file: byte 0 on is {found}, expected 1f 8b (nor is it an unpacked tar archive); give the original \
         cifar-10-binary.tar.gz, or the folder that holds the files", file.display()
    )]
    NotAnArchive {
        /// The file.
        file: PathBuf,
        /// The first bytes in hexadecimal, or that there are none.
        found: String,
    },

    /// A file holds something else altogether, whatever its name says.
    #[error(
        "{}: this is {found}, not the data; fetch the file again, and check that what arrives is the file itself and not a page \
         about it", file.display()
    )]
    OtherContents {
        /// The file.
        file: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },

    /// CIFAR-10 was found in the form for Python.
    #[error(
        "{}: this is CIFAR-10's Python version, whose files are pickles; only the binary version can be read: get \
         cifar-10-binary.tar.gz (\"CIFAR-10 binary version\") from https://www.cs.toronto.edu/~kriz/cifar.html, or use the \
         download option", place.display()
    )]
    PythonVersion {
        /// The archive, or the folder or file.
        place: PathBuf,
    },

    /// A file or an archive holds, or unpacks to, more than any data set of its kind.
    #[error(
        "{}: holds or unpacks to more than {most} bytes, which are allowed; this is not the original file: fetch it again",
        file.display()
    )]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Bytes of contents that are allowed.
        most: u64,
    },

    /// A member of an archive has a longer name than any file has.
    #[error(
        "{}: the properties of a member (such as its name), at byte {byte} of the unpacked archive, are longer than the {most} \
         bytes that are allowed; this is not the original archive: fetch it again", file.display()
    )]
    LongProperties {
        /// The archive.
        file: PathBuf,
        /// Where they start in the unpacked archive.
        byte: u64,
        /// Bytes that are allowed.
        most: u64,
    },

    /// The header of a file promises more records than any data set of its kind has.
    #[error(
        "{file}: the number of records (byte 4 on) is {found}, allowed are at most {most}; the file is damaged or made to fill \
         the memory: fetch it again"
    )]
    TooMany {
        /// The file.
        file: String,
        /// How many its header promises.
        found: u32,
        /// How many are allowed.
        most: u32,
    },

    /// A compressed file or an archive does not unpack.
    #[error(
        "{file}: the compressed data is damaged or cut off: unpacking failed at byte {byte} of the contents, \
         with {packed_bytes} bytes of the packed file read ({source}); fetch the file again"
    )]
    Damaged {
        /// The file, and the member in it if it is an archive.
        file: String,
        /// Bytes of contents unpacked before the failure.
        byte: u64,
        /// Bytes of the packed file read by then; the damage lies at or before this.
        packed_bytes: u64,
        /// What the decoder said.
        source: io::Error,
    },

    /// A file ends early.
    #[error(
        "{file}: ends at byte {byte}, in record {record}; expected {records} records of {record_bytes} bytes, \
         {expected} bytes in all; the file is cut off: fetch it again"
    )]
    Truncated {
        /// The file, and the member in it if it is an archive.
        file: String,
        /// Where it ends, in bytes.
        byte: u64,
        /// The record in which that is, counted from 0.
        record: u64,
        /// How many records there must be.
        records: u64,
        /// The length of one record in bytes.
        record_bytes: u64,
        /// The length the file must have in bytes.
        expected: u64,
    },

    /// A file is longer than the format allows.
    #[error(
        "{file}: goes on at byte {expected}, where it must end; expected {records} records of {record_bytes} bytes; \
         this is not the original file: fetch it again"
    )]
    TooLong {
        /// The file, and the member in it if it is an archive.
        file: String,
        /// The length the file must have in bytes.
        expected: u64,
        /// How many records there must be.
        records: u64,
        /// The length of one record in bytes.
        record_bytes: u64,
    },

    /// A label is no class of the data set.
    #[error(
        "{file}: byte {byte} (the label of record {record}) is {found}, allowed are 0 to {max}; the file is \
         damaged or is not in the {format} format: fetch it again"
    )]
    Label {
        /// The file, and the member in it if it is an archive.
        file: String,
        /// The offset of the label in bytes.
        byte: u64,
        /// The record, counted from 0.
        record: u64,
        /// The label found.
        found: u8,
        /// The largest label allowed.
        max: u8,
        /// What the file should be.
        format: &'static str,
    },

    /// The start of a file is not that of the format.
    #[error(
        "{file}: {what} (byte {byte} on) is {found}, expected {expected}; this is not the original file: fetch it again"
    )]
    Header {
        /// The file.
        file: String,
        /// Which part of the header.
        what: &'static str,
        /// Where that part starts, in bytes.
        byte: u64,
        /// What it says.
        found: u32,
        /// What it must say.
        expected: u32,
    },

    /// There is nothing to compare a file with.
    #[error(
        "{}: checksums of {set} are published for the compressed files only; give the original {name}.gz, or skip the \
         check if you mean to use this copy", file.display()
    )]
    NoChecksum {
        /// The file.
        file: PathBuf,
        /// The data set.
        set: &'static str,
        /// The file's name without `.gz`.
        name: &'static str,
    },

    /// The contents differ from the published checksum.
    #[error(
        "{file}: the MD5 of bytes 0 to {bytes} is {found}, published is {expected}; the file has the right form \
         but other contents: fetch it again, or skip the check if you mean to use an altered copy"
    )]
    Checksum {
        /// The file, and the member in it if it is an archive.
        file: String,
        /// How many bytes went into the checksum.
        bytes: u64,
        /// The MD5 found, in hexadecimal.
        found: String,
        /// The MD5 published by the authors, in hexadecimal.
        expected: String,
    },

    /// Images and labels given by a caller don't belong together.
    #[error(
        "data set {name:?}: {images} image bytes for {labels} labels, expected {per_image} bytes an image; give \
         one label for every image"
    )]
    Lengths {
        /// The data set's name.
        name: String,
        /// Bytes of images.
        images: usize,
        /// Number of labels.
        labels: usize,
        /// Bytes of one image.
        per_image: usize,
    },

    /// A label given by a caller is no class of the data set.
    #[error(
        "data set {name:?}: the label of image {index} is {found}, but there are {classes} classes; allowed are labels below that"
    )]
    Class {
        /// The data set's name.
        name: String,
        /// The image, counted from 0.
        index: usize,
        /// The label found.
        found: u8,
        /// The number of classes.
        classes: usize,
    },

    /// A part of a data set was asked for that reaches beyond it.
    #[error(
        "data set {name:?}: images {start}..{end} were asked for, but there are {len}; ask for a range within 0..{len}"
    )]
    Range {
        /// The data set's name.
        name: String,
        /// First image asked for.
        start: usize,
        /// One past the last image asked for.
        end: usize,
        /// Images there are.
        len: usize,
    },

    /// A file or folder could not be written.
    #[error("{}: cannot be written: {source}; check that the folder exists, is yours and has room", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The network or the server did not deliver.
    #[error(
        "{url}: could not be fetched into {} ({bytes} bytes had arrived): {reason}; check the network (HTTPS_PROXY \
         is honored), or fetch {file_name} on another machine, put it into {} by hand and give that folder as the \
         data folder", folder.display(), folder.display()
    )]
    Download {
        /// The address.
        url: String,
        /// The folder that was to receive the file.
        folder: PathBuf,
        /// The file's name there.
        file_name: String,
        /// Bytes that had arrived.
        bytes: u64,
        /// What went wrong.
        reason: String,
    },

    /// What arrived is not the published file.
    #[error(
        "{url}: {bytes} bytes arrived, with MD5 {found}; published is {expected}; nothing was kept: try again, and \
         if it happens twice, something between here and there alters the file: fetch {file_name} some other way"
    )]
    DownloadChecksum {
        /// The address.
        url: String,
        /// The file's name.
        file_name: String,
        /// Bytes that arrived.
        bytes: u64,
        /// The MD5 of what arrived, in hexadecimal.
        found: String,
        /// The MD5 published, in hexadecimal.
        expected: String,
    },
}
