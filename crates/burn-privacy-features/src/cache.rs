//! Features on disk, so that they are computed once.
//!
//! A file is named for a [`CacheKey`]: the hash of the records and of everything that decides about their features. It grows
//! beside its place, in blocks with check sums, and is moved there when it is complete; after a crash, what is sound of it is
//! used and the rest computed. **It is as private as the records**: on Unix nobody but its owner may read it.
//!
//! Layout: 24 bytes of magic, the key's 32, rows and width as `u64`, then blocks of [`BLOCK`] rows (the last may be shorter) of
//! little-endian `f16`, each followed by the first 16 bytes of SHA-256 of the key, the block's number and its bytes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt;
use sha2::{Digest, Sha256};

use crate::{FeatureError, FeatureTable, Result};

/// Rows of a block.
pub const BLOCK: usize = 500;

const MAGIC: &[u8; 24] = b"burn-privacy-features 1\n";
const HEADER: u64 = 24 + 32 + 8 + 8;
const CHECK: usize = 16;

/// What features are of: a hash of the records and of what is made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// `transform` names the transform with all its parameters and its version; `records` are hashed in their order.
    pub fn new<'a>(transform: &str, records: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        hash.update((transform.len() as u64).to_le_bytes());
        hash.update(transform);
        for record in records {
            hash.update((record.len() as u64).to_le_bytes());
            hash.update(record);
        }
        Self(hash.finalize().into())
    }

    fn name(&self) -> String {
        let digits: String = self.0[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}.features")
    }
}

/// The shape of a table that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Records.
    pub rows: usize,
    /// Channels of a record.
    pub channels: usize,
    /// Numbers in a channel.
    pub positions: usize,
}

impl TableShape {
    fn width(&self) -> usize {
        self.channels * self.positions
    }

    fn block(&self, block: usize) -> Range<usize> {
        block * BLOCK..self.rows.min((block + 1) * BLOCK)
    }

    fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK)
    }
}

/// The features of `key` from the folder's file, or computed into it.
///
/// `compute` gives `[rows of the range, width]`; `progress` is told how many rows there are after each block.
///
/// # Errors
///
/// [`FeatureError::Damaged`] if the finished file is not what was written; [`FeatureError::InUse`] if another process writes it;
/// [`FeatureError::Io`]; those of `compute`; [`FeatureError::Length`] if it gives another number of features.
pub fn cached(
    folder: &Path,
    key: &CacheKey,
    shape: TableShape,
    mut compute: impl FnMut(Range<usize>) -> Result<Vec<f32>>,
    mut progress: impl FnMut(usize),
) -> Result<FeatureTable> {
    fs::create_dir_all(folder).map_err(io("create", folder))?;
    let finished = folder.join(key.name());
    let mut values = Vec::with_capacity(shape.rows * shape.width());
    if let Ok(file) = File::open(&finished) {
        let mut reader = Reader::open(file, key, shape).ok_or(damaged(&finished, "the header"))?;
        for block in 0..shape.blocks() {
            if !reader.block(block, &mut values) {
                return Err(damaged(&finished, "a block's check sum"));
            }
            progress(shape.block(block).end);
        }
        return FeatureTable::new(shape.channels, shape.positions, values);
    }
    let part = folder.join(format!("{}.part", key.name()));
    let mut file = open_part(&part)?;
    let sound = match Reader::open(file.try_clone().map_err(io("open", &part))?, key, shape) {
        Some(mut reader) => {
            let sound = (0..shape.blocks()).take_while(|&block| reader.block(block, &mut values)).count();
            file.set_len(position(sound, shape)).map_err(io("shorten", &part))?;
            sound
        }
        None => {
            file.set_len(0).map_err(io("empty", &part))?;
            file.seek(SeekFrom::Start(0)).map_err(io("write", &part))?;
            let sizes = [shape.rows as u64, shape.width() as u64].map(u64::to_le_bytes).concat();
            file.write_all(&[&MAGIC[..], &key.0, &sizes].concat()).map_err(io("write", &part))?;
            0
        }
    };
    file.seek(SeekFrom::End(0)).map_err(io("write", &part))?;
    for block in sound..shape.blocks() {
        let rows = shape.block(block);
        let features = compute(rows.clone())?;
        let expected = rows.len() * shape.width();
        if features.len() != expected {
            return Err(FeatureError::Length { what: "features", given: features.len(), expected });
        }
        let start = values.len();
        values.resize(start + expected, f16::ZERO);
        values[start..].convert_from_f32_slice(&features);
        let mut bytes: Vec<u8> = values[start..].iter().flat_map(|value| value.to_le_bytes()).collect();
        let check = check(key, block, &bytes);
        bytes.extend(check);
        file.write_all(&bytes).map_err(io("write", &part))?;
        progress(rows.end);
    }
    file.sync_all().map_err(io("write", &part))?;
    fs::rename(&part, &finished).map_err(io("move", &part))?;
    // The name is durable when the folder is; elsewhere than on Unix folders can't be opened.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    FeatureTable::new(shape.channels, shape.positions, values)
}

/// Opens or creates the unfinished file, for this process alone.
fn open_part(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FeatureError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(FeatureError::Io { action: "lock", path: path.to_owned(), source }),
    }
}

/// Reads blocks one after another.
struct Reader<'a> {
    file: BufReader<File>,
    key: &'a CacheKey,
    shape: TableShape,
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Nothing if the file has another header.
    fn open(file: File, key: &'a CacheKey, shape: TableShape) -> Option<Self> {
        let mut file = BufReader::new(file);
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header).ok()?;
        let sizes = [shape.rows as u64, shape.width() as u64].map(u64::to_le_bytes).concat();
        (header[..24] == *MAGIC && header[24..56] == key.0 && header[56..] == sizes).then_some(Self {
            file,
            key,
            shape,
            bytes: Vec::new(),
        })
    }

    /// Appends a block; false, and nothing appended, if it is not there or not sound.
    fn block(&mut self, block: usize, values: &mut Vec<f16>) -> bool {
        let bytes = self.shape.block(block).len() * self.shape.width() * 2;
        self.bytes.resize(bytes + CHECK, 0);
        if self.file.read_exact(&mut self.bytes).is_err() {
            return false;
        }
        let (bytes, found) = self.bytes.split_at(bytes);
        if check(self.key, block, bytes) != found {
            return false;
        }
        values.extend(bytes.as_chunks::<2>().0.iter().map(|pair| f16::from_le_bytes(*pair)));
        true
    }
}

/// Where a block begins.
fn position(block: usize, shape: TableShape) -> u64 {
    let bytes = shape.block(block).start.min(shape.rows) * shape.width() * 2 + block * CHECK;
    HEADER + bytes as u64
}

fn check(key: &CacheKey, block: usize, bytes: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(key.0);
    hash.update((block as u64).to_le_bytes());
    hash.update(bytes);
    let digest: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| digest[at])
}

fn damaged(path: &Path, why: &'static str) -> FeatureError {
    FeatureError::Damaged { path: path.to_owned(), why }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FeatureError {
    let path: PathBuf = path.to_owned();
    move |source| FeatureError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SHAPE: TableShape = TableShape { rows: 1_203, channels: 2, positions: 3 };

    fn key() -> CacheKey {
        CacheKey::new("a transform, version 1", [&[1_u8, 2][..], &[3]])
    }

    fn row(row: usize) -> impl Iterator<Item = f32> {
        (0..6).map(move |at| (row * 6 + at) as f32 / 64.0)
    }

    fn read(folder: &Path, computed: &Cell<usize>, fail_at: usize) -> Result<FeatureTable> {
        let compute = |rows: Range<usize>| {
            if rows.contains(&fail_at) {
                return Err(FeatureError::invalid("row", fail_at, "another"));
            }
            computed.set(computed.get() + rows.len());
            Ok(rows.flat_map(row).collect())
        };
        cached(folder, &key(), SHAPE, compute, |_| ())
    }

    #[test]
    fn features_are_computed_once_and_what_a_crash_left_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let computed = Cell::new(0);
        // A failure after one block.
        assert!(read(folder.path(), &computed, 700).is_err());
        assert_eq!(computed.get(), 500);
        // A torn block behind it.
        let part = folder.path().join(format!("{}.part", key().name()));
        let mut file = OpenOptions::new().append(true).open(&part).unwrap();
        file.write_all(&[7; 999]).unwrap();
        drop(file);
        let table = read(folder.path(), &computed, usize::MAX).unwrap();
        assert_eq!((computed.get(), table.rows()), (1_203, 1_203));
        assert!(!part.exists());
        let again = read(folder.path(), &computed, usize::MAX).unwrap();
        assert_eq!((computed.get(), &again), (1_203, &table));
        let mut values = [0.0; 6];
        for at in [0, 499, 500, 1_202] {
            again.read_row(at, &mut values);
            let rounded: Vec<f32> = row(at).map(|value| f16::from_f32(value).to_f32()).collect();
            assert_eq!(values[..], rounded);
        }
    }

    #[test]
    fn a_changed_file_is_found_out_and_an_unsound_start_computed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let computed = Cell::new(0);
        let path = folder.path().join(key().name());
        let part = folder.path().join(format!("{}.part", key().name()));
        fs::write(&part, b"something else").unwrap();
        read(folder.path(), &computed, usize::MAX).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, position(2, SHAPE) + 203 * 12 + 16);
        bytes[5_000] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let message = read(folder.path(), &computed, usize::MAX).unwrap_err().to_string();
        assert!(message.contains("delete it"), "{message}");
    }

    #[test]
    fn one_process_writes_and_the_key_tells_data_and_parameters_apart() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join(format!("{}.part", key().name()));
        let _held = open_part(&part).unwrap();
        assert!(matches!(read(folder.path(), &Cell::new(0), usize::MAX), Err(FeatureError::InUse { .. })));
        for other in [
            CacheKey::new("a transform, version 2", [&[1_u8, 2][..], &[3]]),
            CacheKey::new("a transform, version 1", [&[1_u8][..], &[2, 3]]),
        ] {
            assert_ne!(other, key());
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&part).unwrap().permissions()) & 0o777, 0o600);
    }
}
