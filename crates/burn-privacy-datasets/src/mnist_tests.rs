//! The reader against small files of the same form.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const TRAIN: usize = 5;
const TEST: usize = 3;

fn images(count: usize) -> Vec<u8> {
    let header = [0x0803, count as u32, 28, 28].map(u32::to_be_bytes).concat();
    let pixels = (0..count * 784).map(|at| (at % 251) as u8).collect();
    [header, pixels].concat()
}

fn labels(count: usize) -> Vec<u8> {
    let header = [0x0801, count as u32].map(u32::to_be_bytes).concat();
    [header, (0..count).map(|at| (at % 10) as u8).collect()].concat()
}

fn contents() -> [Vec<u8>; 4] {
    [images(TRAIN), labels(TRAIN), images(TEST), labels(TEST)]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in NAMES.iter().zip(contents()) {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    folder
}

fn load(folder: &Path) -> Result<Mnist, DatasetError> {
    Mnist::load(MnistVariant::Digits, folder, Checksum::Skip)
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let message = load(folder).expect_err("this must be refused").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn plain_and_packed_files_give_the_same_images() {
    let folder = folder();
    let plain = load(folder.path()).unwrap();
    assert_eq!((plain.train.len(), plain.test.len(), plain.train.shape()), (TRAIN, TEST, MNIST_SHAPE));
    assert_eq!(plain.train.pixels(), &images(TRAIN)[16..]);
    assert_eq!(plain.train.get(2).unwrap().pixels(), &images(TRAIN)[16 + 2 * 784..][..784]);
    assert_eq!(plain.test.labels(), [0, 1, 2]);
    for name in [NAMES[0], NAMES[3]] {
        let path = folder.path().join(name);
        fs::write(folder.path().join(format!("{name}.gz")), gzip(&fs::read(&path).unwrap())).unwrap();
        fs::remove_file(path).unwrap();
    }
    let packed = load(folder.path()).unwrap();
    assert_eq!(packed.train.pixels(), plain.train.pixels());
    assert_eq!(packed.test.labels(), plain.test.labels());
}

#[test]
fn absent_things_are_named() {
    let empty = tempfile::tempdir().unwrap();
    refused(empty.path(), &["holds no MNIST file", "train-images-idx3-ubyte"]);
    refused(&empty.path().join("nowhere"), &["nowhere", "no such file or folder"]);
    let some = folder();
    fs::remove_file(some.path().join(NAMES[1])).unwrap();
    refused(some.path(), &["missing train-labels-idx1-ubyte"]);
}

#[test]
fn wrong_headers_sizes_and_labels_are_named_with_the_byte() {
    let folder = folder();
    let file = folder.path().join(NAMES[0]);
    let good = images(TRAIN);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, words) in [
        (with(3, 1), ["the magic number (byte 0 on) is 2049", "expected 2051"]),
        (with(11, 29), ["the number of rows (byte 8 on) is 29", "expected 28"]),
        (with(15, 27), ["the number of columns (byte 12 on) is 27", "expected 28"]),
        (with(7, 6), ["ends at byte 3936, in record 5", "6 records of 784 bytes"]),
        (with(4, 255), ["the number of records (byte 4 on) is 4278190085", "allowed are at most 1000000"]),
        (with(5, 15), ["ends at byte 3936", "983045 records"]),
        (with(7, 4), ["goes on at byte 3152", "4 records"]),
        (good[..10].to_vec(), ["ends at byte 10", "record 0"]),
        (Vec::new(), ["ends at byte 0", "record 0"]),
        (images(4), ["3136 image bytes for 5 labels", "784"]),
    ] {
        fs::write(&file, bytes).unwrap();
        refused(folder.path(), &words);
    }
    fs::write(&file, &good).unwrap();
    let mut bytes = labels(TRAIN);
    bytes[10] = 10;
    fs::write(folder.path().join(NAMES[1]), bytes).unwrap();
    refused(folder.path(), &["byte 10 (the label of record 2) is 10, allowed are 0 to 9", "IDX"]);
}

#[test]
fn other_contents_than_the_published_are_refused_unless_asked_for() {
    let folder = folder();
    let verify = |variant| Mnist::load(variant, folder.path(), Checksum::Verify).unwrap_err().to_string();
    assert!(verify(MnistVariant::Digits).contains("published is 6bbc9ace898e44ae57da46a324031adb"));
    assert!(verify(MnistVariant::Fashion).contains("train-images-idx3-ubyte.gz"));
    let packed = folder.path().join("train-images-idx3-ubyte.gz");
    fs::write(packed, gzip(&images(TRAIN))).unwrap();
    fs::remove_file(folder.path().join(NAMES[0])).unwrap();
    assert!(verify(MnistVariant::Fashion).contains("published is 8d4fb7e6c68d591d4c3dfef9ec88bf0d"));
}

#[test]
fn names_as_kaggle_and_pytorch_leave_them() {
    let expected = load(folder().path()).unwrap();
    let similar = |data: Mnist| {
        assert_eq!((data.train.pixels(), data.test.labels()), (expected.train.pixels(), expected.test.labels()));
    };
    let kaggle = |name: &str| name.replace("-idx", ".idx");
    let packed = |name: &str| format!("{name}.gz");
    type Names<'a> = &'a dyn Fn(&str) -> String;
    let kinds: [(&str, Names<'_>); 7] = [
        ("", &kaggle),
        ("", &|name| name.to_uppercase()),
        ("", &|name| format!("{}/{}", kaggle(name), kaggle(name))), // each in a folder of its name
        ("raw", &|name| name.to_owned()),
        ("MNIST/raw", &|name| name.to_owned()),
        ("mnist", &packed), // gzip by its name alone
        ("Mnist", &kaggle),
    ];
    for (inner, name) in kinds {
        for pack in [false, true] {
            let above = tempfile::tempdir().unwrap();
            for (original, contents) in NAMES.iter().zip(contents()) {
                let path = above.path().join(inner).join(name(original));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                // Whether it's packed is seen in the file.
                fs::write(path, if pack { gzip(&contents) } else { contents }).unwrap();
            }
            similar(load(above.path()).unwrap());
            let found = locate_mnist(MnistVariant::Digits, Some(above.path())).unwrap().unwrap();
            similar(load(&found).unwrap());
            if inner == "MNIST/raw" {
                assert!(locate_mnist(MnistVariant::Fashion, Some(above.path())).is_err());
            }
        }
    }
}

#[test]
fn web_pages_and_archives_in_the_place_of_files_are_named() {
    let folder = folder();
    let file = folder.path().join("t10k-labels-idx1-ubyte.gz");
    fs::remove_file(folder.path().join(NAMES[3])).unwrap();
    fs::write(&file, "\n<html><head><title>403 Forbidden</title>").unwrap();
    refused(folder.path(), &["t10k-labels-idx1-ubyte.gz: this is a web page", "fetch the file again"]);
    fs::write(&file, "version https://git-lfs.github.com/spec/v1\noid sha256:1\n").unwrap();
    refused(folder.path(), &["Git LFS pointer"]);
}

#[test]
fn small_files_that_unpack_to_much_are_not_unpacked() {
    let folder = folder();
    let file = folder.path().join("train-images-idx3-ubyte.gz");
    fs::remove_file(folder.path().join(NAMES[0])).unwrap();
    let bomb = |records: u32, megabytes: usize| {
        let mut encoder = GzEncoder::new(fs::File::create(&file).unwrap(), Compression::best());
        encoder.write_all(&[0x0803, records, 28, 28].map(u32::to_be_bytes).concat()).unwrap();
        (0..megabytes).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
        encoder.finish().unwrap();
    };
    // All that its header promises.
    bomb(u32::MAX, 256);
    refused(folder.path(), &["train-images-idx3-ubyte.gz: the number of records (byte 4 on) is 4294967295"]);
    // More than its header promises: no more is read.
    bomb(10, 256);
    refused(folder.path(), &["goes on at byte 7856"]);
    // Published contents have a published number: more is refused before it's read.
    bomb(900_000, 256);
    let error = Mnist::load(MnistVariant::Digits, folder.path(), Checksum::Verify).unwrap_err().to_string();
    assert!(error.contains("the number of records (byte 4 on) is 900000, allowed are at most 60000"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cutting off or altering bytes anywhere: loaded or refused with the file named, no panic.
    #[test]
    fn damaged_files_never_panic(
        file in 0..4usize,
        packed in any::<bool>(),
        cut in proptest::option::of(0.0..1.0f64),
        flips in proptest::collection::vec((0.0..1.0f64, 1..=255u8), 0..4),
    ) {
        let folder = folder();
        let mut bytes = contents()[file].clone();
        let mut name = NAMES[file].to_owned();
        if packed {
            bytes = gzip(&bytes);
            fs::remove_file(folder.path().join(&name)).unwrap();
            name.push_str(".gz");
        }
        for (share, bits) in flips {
            let at = (share * bytes.len() as f64) as usize;
            bytes[at] ^= bits;
        }
        if let Some(share) = cut {
            bytes.truncate((share * bytes.len() as f64) as usize);
        }
        fs::write(folder.path().join(&name), bytes).unwrap();
        if let Err(error) = load(folder.path()) {
            let message = error.to_string();
            prop_assert!(message.contains(&name) || message.contains("MNIST t"), "{}", message);
        }
    }
}
