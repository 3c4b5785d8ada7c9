//! The reader against small files of the same form: what it takes, and that it refuses everything else with
//! the file and the byte, and without a panic.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const RECORDS: usize = 4;
const FORMAT: Format = Format { records: RECORDS, classes: 10 };
const RECORD: usize = 1 + IMAGE_BYTES;

fn load(path: &Path) -> Result<Cifar10, DatasetError> {
    Reader { format: FORMAT, checksum: Checksum::Skip }.load(path)
}

/// The contents of one file: record `r` of file `f` has label `(f + r) % 10` and pixels that tell the two apart.
fn contents(file: usize) -> Vec<u8> {
    (0..RECORDS)
        .flat_map(|record| {
            let pixels = (0..IMAGE_BYTES).map(move |i| (file * 41 + record * 7 + i % 89) as u8);
            std::iter::once(((file + record) % 10) as u8).chain(pixels)
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar_of(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// All members in the folder and (nearly) the order of the original archive.
fn all_members() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("cifar-10-batches-bin/batches.meta.txt", b"airplane\n".to_vec()),
        ("cifar-10-batches-bin/data_batch_1.bin", contents(0)),
        ("cifar-10-batches-bin/data_batch_5.bin", contents(4)),
        ("cifar-10-batches-bin/test_batch.bin", contents(5)),
        ("cifar-10-batches-bin/data_batch_4.bin", contents(3)),
        ("cifar-10-batches-bin/readme.html", b"<html>".to_vec()),
        ("cifar-10-batches-bin/data_batch_3.bin", contents(2)),
        ("cifar-10-batches-bin/data_batch_2.bin", contents(1)),
    ]
}

/// A folder with files 0 to `count - 1` as they are.
fn folder(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, member) in MEMBERS.iter().enumerate().take(count) {
        fs::write(folder.path().join(member.name), contents(file)).unwrap();
    }
    folder
}

fn expect_all(data: &Cifar10, test: bool) {
    assert_eq!(data.train.len(), 5 * RECORDS);
    assert_eq!(data.test.is_some(), test);
    let parts = (0..5).flat_map(|file| (0..RECORDS).map(move |record| (file, record)));
    for ((file, record), index) in parts.zip(0..) {
        let item = data.train.get(index).unwrap();
        let expected = &contents(file)[record * RECORD..][..RECORD];
        assert_eq!((item.label(), item.pixels()), (expected[0], &expected[1..]));
    }
    if let Some(test) = &data.test {
        assert_eq!(test.labels(), [5, 6, 7, 8]);
        assert_eq!(test.pixels()[..IMAGE_BYTES], contents(5)[1..RECORD]);
    }
}

/// The message of the error that loading `path` gives; it must hold every one of `words`.
#[track_caller]
fn refused(path: &Path, words: &[&str]) {
    let message = load(path).expect_err("this must be refused").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn plain_files_and_gzip_files_mixed_with_and_without_the_test_file() {
    expect_all(&load(folder(6).path()).unwrap(), true);
    let five = folder(5);
    expect_all(&load(five.path()).unwrap(), false);
    for file in [0, 3] {
        fs::remove_file(five.path().join(MEMBERS[file].name)).unwrap();
        fs::write(five.path().join(format!("{}.gz", MEMBERS[file].name)), gzip(&contents(file))).unwrap();
    }
    expect_all(&load(five.path()).unwrap(), false);
}

#[test]
fn a_gzip_file_of_two_parts_is_one_file() {
    let folder = folder(5);
    fs::remove_file(folder.path().join("data_batch_1.bin")).unwrap();
    let all = contents(0);
    let parts = [gzip(&all[..5000]), gzip(&all[5000..])].concat();
    fs::write(folder.path().join("data_batch_1.bin.gz"), parts).unwrap();
    expect_all(&load(folder.path()).unwrap(), false);
}

#[test]
fn the_archive_by_folder_and_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = gzip(&tar_of(&all_members()));
    fs::write(folder.path().join(CIFAR10_ARCHIVE), &bytes).unwrap();
    expect_all(&load(folder.path()).unwrap(), true);
    let other = folder.path().join("renamed");
    fs::write(&other, &bytes).unwrap();
    expect_all(&load(&other).unwrap(), true);
}

#[test]
fn an_unpacked_archive() {
    let above = tempfile::tempdir().unwrap();
    let inner = above.path().join("cifar-10-batches-bin");
    fs::create_dir(&inner).unwrap();
    for (file, member) in MEMBERS.iter().enumerate() {
        fs::write(inner.join(member.name), contents(file)).unwrap();
    }
    expect_all(&load(above.path()).unwrap(), true);
}

#[test]
fn incomplete_files_give_way_to_a_complete_archive() {
    let folder = folder(2);
    fs::write(folder.path().join(CIFAR10_ARCHIVE), gzip(&tar_of(&all_members()))).unwrap();
    expect_all(&load(folder.path()).unwrap(), true);
}

#[test]
fn absent_things_are_named() {
    let empty = tempfile::tempdir().unwrap();
    refused(empty.path(), &["holds no CIFAR-10 file", "data_batch_1.bin"]);
    refused(&empty.path().join("nowhere"), &["nowhere", "no such file or folder"]);
    let some = folder(3);
    refused(some.path(), &["missing data_batch_4.bin, data_batch_5.bin"]);
    let archive = some.path().join("partial.tar.gz");
    fs::write(&archive, gzip(&tar_of(&all_members()[..4]))).unwrap();
    refused(&archive, &["partial.tar.gz", "missing data_batch_2.bin, data_batch_3.bin, data_batch_4.bin"]);
}

#[test]
fn files_of_a_wrong_size() {
    let folder = folder(5);
    let file = folder.path().join("data_batch_3.bin");
    let good = contents(2);

    fs::write(&file, &good[..RECORD + 5]).unwrap();
    refused(folder.path(), &["data_batch_3.bin: ends at byte 3078, in record 1", "4 records of 3073 bytes", "12292"]);
    fs::write(&file, &good[..2 * RECORD]).unwrap();
    refused(folder.path(), &["ends at byte 6146, in record 2"]);
    fs::write(&file, b"").unwrap();
    refused(folder.path(), &["data_batch_3.bin: ends at byte 0, in record 0"]);
    fs::write(&file, [&good[..], &[0]].concat()).unwrap();
    refused(folder.path(), &["data_batch_3.bin: goes on at byte 12292"]);

    fs::remove_file(&file).unwrap();
    let packed = folder.path().join("data_batch_3.bin.gz");
    fs::write(&packed, gzip(&good[..RECORD + 5])).unwrap();
    refused(folder.path(), &["data_batch_3.bin.gz: ends at byte 3078"]);
    fs::write(&packed, gzip(&[&good[..], &good[..]].concat())).unwrap();
    refused(folder.path(), &["data_batch_3.bin.gz: goes on at byte 12292"]);
}

#[test]
fn labels_out_of_range() {
    let folder = folder(5);
    let mut bytes = contents(1);
    bytes[2 * RECORD] = 10;
    fs::write(folder.path().join("data_batch_2.bin"), bytes).unwrap();
    refused(folder.path(), &["data_batch_2.bin: byte 6146 (the label of record 2) is 10, allowed are 0 to 9"]);
}

#[test]
fn other_contents_than_the_published() {
    let folder = folder(5);
    let error = Reader { format: FORMAT, checksum: Checksum::Verify }.load(folder.path()).unwrap_err().to_string();
    for word in ["data_batch_1.bin: the MD5 of bytes 0 to 12292", "published is 5dd7e06a14cb22eb9f671a540d1b7c25"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn damaged_gzip() {
    let folder = folder(5);
    let (plain, packed) = (folder.path().join("data_batch_1.bin"), folder.path().join("data_batch_1.bin.gz"));
    fs::remove_file(plain).unwrap();
    let good = gzip(&contents(0));

    fs::write(&packed, &good[..good.len() / 2]).unwrap();
    refused(folder.path(), &["data_batch_1.bin.gz: the compressed data is damaged or cut off", "at byte"]);
    fs::write(&packed, &good[..good.len() - 4]).unwrap();
    refused(folder.path(), &["data_batch_1.bin.gz", "at byte 12292 of the contents"]);
    let mut flipped = good.clone();
    let last = flipped.len() - 6; // in the CRC
    flipped[last] ^= 1;
    fs::write(&packed, &flipped).unwrap();
    refused(folder.path(), &["at byte 12292 of the contents", "checksum"]);
    fs::write(&packed, b"this is no gzip file").unwrap();
    refused(folder.path(), &["data_batch_1.bin.gz: the compressed data is damaged", "at byte 0"]);
    fs::write(&packed, [&good[..], b"tail"].concat()).unwrap();
    refused(folder.path(), &["at byte 12292 of the contents"]);
}

#[test]
fn damaged_archives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.tar.gz");
    let tar = tar_of(&all_members());
    let write = |bytes: &[u8]| fs::write(&file, bytes).unwrap();

    write(&contents(0));
    refused(&file, &["it.tar.gz: not a gzip file: byte 0 on is 00 00, expected 1f 8b"]);
    write(b"");
    refused(&file, &["byte 0 on is the end of the file"]);
    write(&[0x1f]);
    refused(&file, &["1f and the end of the file"]);

    let packed = gzip(&tar);
    write(&packed[..packed.len() / 2]);
    refused(&file, &["it.tar.gz", "damaged or cut off"]);
    write(&packed[..packed.len() - 1]);
    refused(&file, &["it.tar.gz", "damaged or cut off"]);
    write(&gzip(&tar[..tar.len() / 2]));
    refused(&file, &["it.tar.gz"]);
    write(&gzip(&vec![7; 4096]));
    refused(&file, &["it.tar.gz: the compressed data is damaged", "at byte 512"]);

    let mut members = all_members();
    members[6].1.truncate(100);
    write(&gzip(&tar_of(&members)));
    refused(&file, &["it.tar.gz, member data_batch_3.bin: ends at byte 100, in record 0"]);
    members[6].1 = contents(2);
    members[6].1[0] = 255;
    write(&gzip(&tar_of(&members)));
    refused(&file, &["member data_batch_3.bin: byte 0 (the label of record 0) is 255"]);
    members[6] = ("again/data_batch_1.bin", contents(0));
    write(&gzip(&tar_of(&members)));
    refused(&file, &["holds data_batch_1.bin twice", "at byte "]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Cutting off or altering bytes anywhere, in any packing: loaded or refused with the file named, no panic.
    #[test]
    fn cut_off_and_altered_files_never_panic(
        packing in 0..3usize,
        cut in proptest::option::of(0.0..1.0f64),
        flips in proptest::collection::vec((0.0..1.0f64, 1..=255u8), 0..4),
        whole in any::<bool>(),
    ) {
        let folder = folder(5);
        let (name, mut bytes) = match packing {
            0 => ("data_batch_1.bin", contents(0)),
            1 => ("data_batch_1.bin.gz", gzip(&contents(0))),
            _ => (CIFAR10_ARCHIVE, tar_of(&all_members())),
        };
        let place = |share: f64, length: usize| (share * length as f64) as usize;
        // An archive is altered before or after packing: before, its checksum does not hide the rest.
        if packing == 2 && whole {
            bytes = gzip(&bytes);
        }
        for (share, bits) in flips {
            let at = place(share, bytes.len());
            bytes[at] ^= bits;
        }
        if let Some(share) = cut {
            bytes.truncate(place(share, bytes.len()));
        }
        if packing == 2 && !whole {
            bytes = gzip(&bytes);
        }
        if packing > 0 {
            fs::remove_file(folder.path().join("data_batch_1.bin")).unwrap();
        }
        fs::write(folder.path().join(name), bytes).unwrap();
        if let Err(error) = load(folder.path()) {
            let message = error.to_string();
            prop_assert!(message.contains(name), "{}", message);
            prop_assert!(message.contains("byte") || message.contains("missing"), "{}", message);
        }
    }

    /// Bytes that were never a file of this kind.
    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..4000), gzip_start in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CIFAR10_ARCHIVE);
        let start: &[u8] = if gzip_start { &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0] } else { &[] };
        fs::write(&file, [start, &noise].concat()).unwrap();
        prop_assert!(load(folder.path()).is_err());
    }
}
