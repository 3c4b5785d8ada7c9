//! Files of images that are nearly right: refused with an error or read, without a panic and in bounded time.
#![allow(missing_docs, dead_code)]

use std::path::Path;

use burn_privacy_datasets::{Checksum, Cifar10, Mnist, MnistVariant};
use flate2::Compression;
use flate2::write::GzEncoder;

#[path = "../../../.ci/fuzzing/src/mutation.rs"]
mod mutation;

use mutation::{duration, run};

fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn idx(magic: u32, sizes: &[u32], values: usize) -> Vec<u8> {
    let header = [magic].into_iter().chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
    header.chain((0..values).map(|i| (i % 10) as u8)).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_of_mnist() {
    let folder = folder();
    let (images, labels) = (idx(0x0803, &[3, 28, 28], 3 * 784), idx(0x0801, &[3], 3));
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("train-labels-idx1-ubyte"), &labels).unwrap();
    std::fs::write(place("t10k-images-idx3-ubyte"), &images).unwrap();
    std::fs::write(place("t10k-labels-idx1-ubyte"), &labels).unwrap();
    std::fs::write(place("train-images-idx3-ubyte"), &images).unwrap();
    let load = || Mnist::load(MnistVariant::Digits, folder.path(), Checksum::Skip);
    assert_eq!(load().unwrap().train.len(), 3);
    let seeds = [images.clone(), packed(&images), packed(&packed(&images))];
    let executions = run("images in the IDX format", &seeds, duration(2), |bytes| {
        std::fs::write(place("train-images-idx3-ubyte"), bytes).unwrap();
        if let Ok(found) = load() {
            assert_eq!(found.train.len(), 3, "as many as there are labels");
        }
    });
    assert!(executions.0 > 50);
    std::fs::write(place("train-images-idx3-ubyte"), &images).unwrap();
    run("labels in the IDX format", &[labels.clone(), packed(&labels)], duration(2), |bytes| {
        std::fs::write(place("train-labels-idx1-ubyte"), bytes).unwrap();
        if let Ok(found) = load() {
            assert!(found.train.labels().iter().all(|label| *label < 10));
        }
    });
}

#[test]
fn archives_of_cifar10() {
    let folder = folder();
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["data_batch_1.bin", "test_batch.bin"] {
        let bytes = [[3_u8; 1 + 3_072], [9; 1 + 3_072]].concat();
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes.as_slice()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    let path = folder.path().join("cifar-10-binary.tar.gz");
    run("archives of CIFAR-10", &[archive.clone(), packed(&archive)], duration(2), |bytes| {
        std::fs::write(&path, bytes).unwrap();
        // Two batches are never all of it.
        assert!(Cifar10::load(&path, Checksum::Skip).is_err());
    });
}
