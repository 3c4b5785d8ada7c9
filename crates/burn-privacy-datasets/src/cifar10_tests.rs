//! The reader against small files of the same form: what it takes, and that it refuses everything else with
//! the file and the byte, and without a panic.
//!
//! Long because: all cases of one reader share the small files that are written here.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::IMAGE_BYTES;
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
    refused(folder.path(), &["data_batch_1.bin.gz: ends at byte 20, in record 0"]);
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

fn locate(explicit: Option<&Path>, variable: Option<&Path>, default: &Path) -> Result<Option<PathBuf>, DatasetError> {
    FILES.locate(explicit, variable, default)
}

fn folder_with(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"x").unwrap();
    folder
}

#[test]
fn the_given_path_wins_then_the_variable_then_the_default() {
    let (a, b, c) =
        (folder_with("data_batch_1.bin"), folder_with("data_batch_2.bin.gz"), folder_with("test_batch.bin"));
    let (a, b, c) = (a.path(), b.path(), c.path());
    assert_eq!(locate(Some(a), Some(b), c).unwrap().unwrap(), a);
    assert_eq!(locate(None, Some(b), c).unwrap().unwrap(), b);
    assert_eq!(locate(None, None, c).unwrap().unwrap(), c);
}

#[test]
fn a_folder_above_and_an_unpacked_archive_are_found() {
    let above = folder_with("cifar10/data_batch_1.bin.gz");
    let found = locate(Some(above.path()), None, Path::new("none")).unwrap().unwrap();
    assert_eq!(found, above.path().join("cifar10"));
    let unpacked = folder_with("cifar-10-batches-bin/data_batch_1.bin");
    assert_eq!(locate(None, None, unpacked.path()).unwrap().unwrap(), unpacked.path());
}

#[test]
fn an_archive_may_be_named_itself() {
    let folder = folder_with("elsewhere.tgz");
    let path = folder.path().join("elsewhere.tgz");
    assert_eq!(locate(Some(&path), None, Path::new("none")).unwrap().unwrap(), path);
}

#[test]
fn only_the_default_may_be_absent() {
    let empty = tempfile::tempdir().unwrap();
    let missing = empty.path().join("nowhere");
    assert!(locate(None, None, &missing).unwrap().is_none());
    assert!(locate(None, None, empty.path()).unwrap().is_none());

    let error = locate(None, Some(&missing), empty.path()).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("BURN_PRIVACY_DATA"), "{error}");
    let error = locate(Some(empty.path()), None, &missing).unwrap_err().to_string();
    assert!(error.contains("holds no CIFAR-10 file"), "{error}");
}

#[test]
fn names_in_other_letters_and_packed_files_without_the_suffix() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("CIFAR10");
    fs::create_dir(&inner).unwrap();
    for (file, name) in ["DATA_BATCH_1.BIN", "data-batch-2.bin", "data_batch_3.bin.GZ"].iter().enumerate() {
        let bytes = if file == 0 { contents(0) } else { gzip(&contents(file)) };
        fs::write(inner.join(name), bytes).unwrap();
    }
    refused(folder.path(), &["CIFAR10: incomplete, missing data_batch_4.bin, data_batch_5.bin"]);
    fs::write(inner.join("data_batch_4.bin.gz"), contents(3)).unwrap();
    fs::write(inner.join("Data_Batch_5.bin"), contents(4)).unwrap();
    expect_all(&load(folder.path()).unwrap(), false);
}

#[test]
fn an_archive_that_a_browser_has_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cifar-10-binary.tar"), tar_of(&all_members())).unwrap();
    expect_all(&load(folder.path()).unwrap(), true);
    fs::write(folder.path().join(CIFAR10_ARCHIVE), tar_of(&all_members())).unwrap();
    expect_all(&load(folder.path()).unwrap(), true);
}

#[test]
fn the_version_for_python_is_refused_by_name() {
    let words = ["CIFAR-10's Python version", "cifar-10-binary.tar.gz"];
    for file in ["cifar-10-python.tar.gz", "cifar-10-batches-py/data_batch_1", "cifar10/data_batch_1", "test_batch"] {
        let folder = folder_with(file);
        let found = locate(None, None, folder.path()).unwrap();
        if !file.starts_with("cifar10/") {
            // It lies where the data are looked for: not to be passed over in favor of generated images.
            assert_eq!(found.unwrap(), folder.path());
        }
        refused(folder.path(), &words);
    }
    let folder = tempfile::tempdir().unwrap();
    let pickle = folder.path().join("data_batch_1");
    fs::write(&pickle, [0x80, 2, 0x7d]).unwrap();
    refused(&pickle, &words);
    let archive = folder.path().join("renamed.tgz");
    for member in ["cifar-10-batches-py/data_batch_4", "cifar-10-batches-py/batches.meta", "data_batch_2"] {
        fs::write(&archive, gzip(&tar_of(&[(member, vec![0x80, 2])]))).unwrap();
        refused(&archive, &words);
    }
    // The binary files beside them are read.
    for (file, member) in MEMBERS.iter().enumerate() {
        fs::write(folder.path().join(member.name), contents(file)).unwrap();
    }
    expect_all(&load(folder.path()).unwrap(), true);
}

#[test]
fn web_pages_and_other_archives_are_named() {
    let folder = folder(5);
    let file = folder.path().join("data_batch_3.bin.gz");
    fs::remove_file(folder.path().join("data_batch_3.bin")).unwrap();
    for (bytes, words) in
        [(&b"<!DOCTYPE html>\n<html><title>Sign in"[..], "web page"), (b"PK\x03\x04\x14", "ZIP archive")]
    {
        fs::write(&file, bytes).unwrap();
        refused(folder.path(), &["data_batch_3.bin.gz: this is a", words, "fetch the file again"]);
        let archive = folder.path().join("saved.tar.gz");
        fs::write(&archive, bytes).unwrap();
        refused(&archive, &["saved.tar.gz: this is a", words]);
    }
}

/// A tar header by hand: the crate's own builder would not make such archives.
fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// Packs `parts`, each a byte as often as it says, piece by piece.
fn gzip_of_runs(start: &[u8], parts: &[(u8, u64)], path: &Path) -> u64 {
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(start).unwrap();
    for &(byte, count) in parts {
        let piece = vec![byte; 1 << 20];
        for at in (0..count).step_by(piece.len()) {
            encoder.write_all(&piece[..piece.len().min((count - at) as usize)]).unwrap();
        }
    }
    encoder.finish().unwrap().metadata().unwrap().len()
}

#[test]
fn a_name_of_a_hundred_megabytes_is_refused_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("long.tar.gz");
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let size = 128 << 20;
        let packed = gzip_of_runs(header("././@LongLink", kind, size).as_bytes(), &[(b'a', size), (0, 1024)], &archive);
        assert!(packed < 1 << 20, "{packed}");
        refused(&archive, &["long.tar.gz", "at byte 0 of the unpacked archive, are longer than the 65536 bytes"]);
    }
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let folder = "f/".repeat(200);
    let archive = tempfile::NamedTempFile::new().unwrap();
    // GNU's, by the crate's builder.
    let names: Vec<String> = MEMBERS.iter().map(|member| format!("{folder}{}", member.name)).collect();
    let members: Vec<(&str, Vec<u8>)> =
        names.iter().enumerate().map(|(file, name)| (name.as_str(), contents(file))).collect();
    let tar = tar_of(&members);
    assert!(tar.windows(13).any(|window| window == b"././@LongLink"));
    fs::write(archive.path(), gzip(&tar)).unwrap();
    expect_all(&load(archive.path()).unwrap(), true);
    // POSIX's.
    let mut builder = tar::Builder::new(Vec::new());
    for (file, name) in names.iter().enumerate() {
        builder.append_pax_extensions([("mtime", &b"1.5"[..]), ("path", name.as_bytes())]).unwrap();
        let bytes = contents(file);
        builder.append(&header("short", tar::EntryType::Regular, bytes.len() as u64), &bytes[..]).unwrap();
    }
    fs::write(archive.path(), gzip(&builder.into_inner().unwrap())).unwrap();
    expect_all(&load(archive.path()).unwrap(), true);
}

#[test]
fn an_archive_that_unpacks_to_more_than_any_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("bomb.tar.gz");
    let size = 260 << 20;
    // In a member that nobody wants, and after the end.
    let unwanted = header("readme.html", tar::EntryType::Regular, size);
    gzip_of_runs(unwanted.as_bytes(), &[(b'a', size)], &archive);
    refused(&archive, &["bomb.tar.gz: holds or unpacks to more than 268435456 bytes"]);
    gzip_of_runs(&tar_of(&all_members()), &[(0, size)], &archive);
    refused(&archive, &["bomb.tar.gz: holds or unpacks to more than 268435456 bytes"]);
}

#[test]
fn a_wanted_member_and_a_file_are_not_read_beyond_their_size() {
    let folder = folder(5);
    let size = 128 << 20;
    let archive = folder.path().join("bomb.tar.gz");
    gzip_of_runs(
        header("data_batch_1.bin", tar::EntryType::Regular, size).as_bytes(),
        &[(1, size), (0, 1024)],
        &archive,
    );
    refused(&archive, &["member data_batch_1.bin: goes on at byte 12292"]);
    fs::remove_file(folder.path().join("data_batch_1.bin")).unwrap();
    gzip_of_runs(&[], &[(1, size)], &folder.path().join("data_batch_1.bin.gz"));
    refused(folder.path(), &["data_batch_1.bin.gz: goes on at byte 12292"]);
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
