//! Small files that unpack to a lot: what reading them takes of memory is measured by the allocator. One test in a program of its
//! own, so that nobody else allocates meanwhile.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use burn_privacy_datasets::{Checksum, Cifar10, DatasetError, Mnist, MnistVariant, open_text};
use flate2::Compression;
use flate2::write::GzEncoder;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEGABYTE: usize = 1 << 20;

/// Packs `start` and then so many megabytes of one byte, piece by piece; returns the packed length.
fn pack(path: &Path, start: &[u8], megabytes: usize, byte: u8) -> u64 {
    let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    encoder.write_all(start).unwrap();
    let piece = vec![byte; MEGABYTE];
    (0..megabytes).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap().metadata().unwrap().len()
}

/// What `read` takes at most beyond what there is, in megabytes, and what it says.
fn peak<T>(read: impl FnOnce() -> Result<T, DatasetError>) -> (usize, String) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let message = read().err().expect("this must be refused").to_string();
    (ALLOCATOR.peak_usage().saturating_sub(before) / MEGABYTE, message)
}

fn header(name: &str, kind: tar::EntryType, megabytes: usize) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size((megabytes * MEGABYTE) as u64);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn reading_takes_as_much_memory_as_the_data_set_needs_whatever_a_file_unpacks_to() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("cifar.tar.gz");
    let of_archive = || peak(|| Cifar10::load(&archive, Checksum::Skip));
    // Names of members, of both kinds; without a bound each takes its whole length.
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let packed = pack(&archive, &header("././@LongLink", kind, 512), 512, b'a');
        let (megabytes, message) = of_archive();
        assert!(packed < 8 << 20 && megabytes < 200, "{packed} bytes took {megabytes} MB: {message}");
        assert!(message.contains("longer than the 65536 bytes"), "{message}");
    }
    // A member that is wanted, one that is not, and what follows the end.
    for (start, words) in [
        (header("data_batch_1.bin", tar::EntryType::Regular, 512), "goes on at byte 30730000"),
        (header("readme.html", tar::EntryType::Regular, 512), "unpacks to more than"),
        (vec![0; 1024], "unpacks to more than"),
    ] {
        pack(&archive, &start, 512, 1);
        let (megabytes, message) = of_archive();
        assert!(megabytes < 200 && message.contains(words), "{megabytes} MB: {message}");
    }

    // A header that promises more than there can be, and more than its header promises.
    let file = folder.path().join("train-images-idx3-ubyte.gz");
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(folder.path().join(name), [0, 0, 8, 1, 0, 0, 0, 0]).unwrap();
    }
    for (images, checksum, most) in
        [(u32::MAX, Checksum::Skip, 1), (900_000, Checksum::Verify, 1), (1_000, Checksum::Skip, 4)]
    {
        let start = [0x0803, images, 28, 28].map(u32::to_be_bytes).concat();
        pack(&file, &start, 512, 0);
        let (megabytes, message) = peak(|| Mnist::load(MnistVariant::Digits, folder.path(), checksum));
        assert!(megabytes <= most && message.contains("train-images"), "{images}: {megabytes} MB: {message}");
    }

    // Text without an end.
    pack(&archive, b"", 512, b'1');
    let (megabytes, _) = peak(|| {
        let read = std::io::read_to_string(open_text(&archive, 4 << 20)?);
        read.map_err(|source| DatasetError::Read { file: archive.clone(), byte: 0, source })
    });
    assert!(megabytes <= 16, "{megabytes} MB");
}
