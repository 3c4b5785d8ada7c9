//! Data sets from the outside: files of the full size, the generated images, and downloads from a server of our
//! own on this machine. No test needs a network or the real CIFAR-10.

use std::fs;
use std::path::Path;

use burn_privacy_datasets::{
    Checksum, Cifar10, DatasetError, GENERATED_SEED, IMAGE_BYTES, generated_with, locate_cifar10,
};

const RECORD: usize = 1 + IMAGE_BYTES;

/// A file as CIFAR-10 has six: 10,000 records, all pixels `shade`, labels counting 0 to 9.
fn full_file(shade: u8) -> Vec<u8> {
    let mut bytes = vec![shade; 10_000 * RECORD];
    bytes.chunks_exact_mut(RECORD).zip((0..10).cycle()).for_each(|(record, label)| record[0] = label);
    bytes
}

fn message(path: &Path, checksum: Checksum) -> String {
    Cifar10::load(path, checksum).expect_err("this must be refused").to_string()
}

#[test]
fn files_of_the_full_size() {
    let folder = tempfile::tempdir().unwrap();
    for file in 1..=5 {
        fs::write(folder.path().join(format!("data_batch_{file}.bin")), full_file(file)).unwrap();
    }
    let found = locate_cifar10(Some(folder.path())).unwrap().unwrap();
    let data = Cifar10::load(&found, Checksum::Skip).unwrap();
    assert!(data.test.is_none());
    assert_eq!(data.train.len(), 50_000);
    assert_eq!(data.train.classes()[9], "truck");
    let (train, held_out) = data.train.split_at(45_000).unwrap();
    assert_eq!((train.len(), held_out.len()), (45_000, 5_000));
    assert_eq!(held_out.get(0).unwrap().pixels(), [5; IMAGE_BYTES]);
    assert_eq!(train.get(10_001).unwrap().label(), 1);

    // The published checksum, unless one asks to skip it.
    let text = message(folder.path(), Checksum::Verify);
    assert!(text.contains("data_batch_1.bin: the MD5 of bytes 0 to 30730000"), "{text}");

    let last = folder.path().join("data_batch_5.bin");
    fs::write(&last, &full_file(5)[..30_000_000]).unwrap();
    let text = message(folder.path(), Checksum::Skip);
    assert!(text.contains("data_batch_5.bin: ends at byte 30000000, in record 9762"), "{text}");

    let mut bytes = full_file(5);
    bytes[9_999 * RECORD] = 10;
    fs::write(&last, bytes).unwrap();
    let text = message(folder.path(), Checksum::Skip);
    assert!(text.contains("data_batch_5.bin: byte 30726927 (the label of record 9999) is 10"), "{text}");

    fs::remove_file(&last).unwrap();
    let text = message(folder.path(), Checksum::Skip);
    assert!(text.contains("missing data_batch_5.bin"), "{text}");
}

#[test]
fn a_path_without_data() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(locate_cifar10(Some(folder.path())), Err(DatasetError::NoFiles { .. })));
    assert!(matches!(Cifar10::load(folder.path(), Checksum::Verify), Err(DatasetError::NoFiles { .. })));
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(locate_cifar10(Some(&nowhere)), Err(DatasetError::NotFound { .. })));
    assert!(matches!(Cifar10::load(&nowhere, Checksum::Verify), Err(DatasetError::NotFound { .. })));
}

#[test]
fn generated_images_have_no_image_in_common_between_training_and_test() {
    let data = generated_with(GENERATED_SEED, 3_000, 1_000);
    let train: std::collections::HashSet<&[u8]> = data.train.pixels().chunks_exact(IMAGE_BYTES).collect();
    assert_eq!(train.len(), 3_000, "an image occurs twice");
    assert!(data.test.pixels().chunks_exact(IMAGE_BYTES).all(|image| !train.contains(image)));
}

/// Softmax regression on the pixels, by gradient descent with momentum and weight decay (its gradient is written
/// out: no automatic differentiation). Prints the best test accuracy of any epoch at each setting.
#[test]
#[ignore = "half a minute in a release build: cargo test --release -p burn-privacy-datasets --test datasets -- --ignored linear --nocapture"]
fn a_linear_model_stays_below_60_percent_on_the_generated_images() {
    use burn::data::dataloader::batcher::Batcher as _;
    use burn::tensor::activation::softmax;
    use burn::tensor::{Device, Tensor};
    use burn_privacy_datasets::{ImageBatch, ImageBatcher, ImageDataset, generated};

    let device = Device::flex();
    let batch = |data: &ImageDataset| -> (Tensor<2>, ImageBatch) {
        let items = (0..data.len()).map(|index| data.get(index).unwrap()).collect();
        let batch = ImageBatcher::default().batch(items, &device);
        (batch.images.clone().flatten(1, 3), batch)
    };
    let data = generated();
    // Every ten images hold every class once, so that slices in order are balanced batches.
    let batches: Vec<_> = (0..data.train.len())
        .step_by(500)
        .map(|start| {
            let (pixels, batch) = batch(&data.train.slice(start..start + 500).unwrap());
            (pixels, batch.labels.one_hot::<2>(10).float())
        })
        .collect();
    let (test, expected) = batch(&data.test);
    let expected: Vec<i64> = expected.labels.into_data().iter::<i64>().collect();

    for (rate, decay, epochs) in [(0.002, 0.0, 30), (0.005, 0.05, 30), (0.002, 0.2, 30), (0.002, 0.5, 30)] {
        let mut weights = Tensor::<2>::zeros([IMAGE_BYTES, 10], &device);
        let mut bias = Tensor::<2>::zeros([1, 10], &device);
        let (mut weights_pace, mut bias_pace) = (weights.clone(), bias.clone());
        let mut best = 0.0f64;
        for epoch in 0..epochs {
            let rate = rate * (1.0 - f64::from(epoch) / f64::from(epochs));
            for (pixels, classes) in &batches {
                let scores = pixels.clone().matmul(weights.clone()) + bias.clone();
                let error = (softmax(scores, 1) - classes.clone()) / 500.0;
                let gradient = pixels.clone().transpose().matmul(error.clone()) + weights.clone() * decay;
                weights_pace = weights_pace * 0.9 + gradient;
                bias_pace = bias_pace * 0.9 + error.sum_dim(0);
                weights = weights - weights_pace.clone() * rate;
                bias = bias - bias_pace.clone() * rate;
            }
            let scores = test.clone().matmul(weights.clone()) + bias.clone();
            let answers = scores.argmax(1).into_data();
            let right = answers.iter::<i64>().zip(&expected).filter(|(answer, label)| answer == *label).count();
            best = best.max(right as f64 / expected.len() as f64);
        }
        println!("rate {rate}, weight decay {decay}: {:.1} %", 100.0 * best);
        assert!(best < 0.6, "a linear model reaches {best}");
    }
}

#[cfg(feature = "download")]
mod download {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use burn_privacy_datasets::Download;

    use super::*;

    /// MD5 of `BODY`.
    const MD5: &str = "9e107d9d372bb6826bd81d3542a419d6";
    const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";

    /// A server that answers one request with `answer`, byte for byte, and hangs up. Gives its address.
    fn server(answer: Vec<u8>) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.bin", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            stream.write_all(&answer).unwrap();
        });
        (url, thread)
    }

    fn answer(head: &str, body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
    }

    fn with_length(body: &[u8]) -> Vec<u8> {
        answer(&format!("200 OK\r\nContent-Length: {}", body.len()), body)
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The error of fetching what a server answers; nothing may be left in the folder.
    fn failure(answer: Vec<u8>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (url, thread) = server(answer);
        let error = Download::new(url, "file.bin", MD5).fetch_into(folder.path()).expect_err("this must fail");
        thread.join().unwrap();
        assert!(names(folder.path()).is_empty(), "left behind: {:?}", names(folder.path()));
        error.to_string()
    }

    #[test]
    fn a_file_arrives_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("made/on/the/way");
        let (url, thread) = server(with_length(BODY));
        let download = Download::new(url, "file.bin", MD5.to_uppercase());
        let path = download.fetch_into(&target).unwrap();
        thread.join().unwrap();
        assert_eq!(path, target.join("file.bin"));
        assert_eq!(fs::read(&path).unwrap(), BODY);
        assert_eq!(names(&target), ["file.bin"]);
        // The server is gone: a second call is content with the file that is there.
        assert_eq!(download.fetch_into(&target).unwrap(), path);
    }

    #[test]
    fn a_file_of_unknown_length_arrives_and_replaces_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file.bin"), b"half of an earlier").unwrap();
        let (url, thread) = server(answer("200 OK", BODY));
        let path = Download::new(url, "file.bin", MD5).fetch_into(folder.path()).unwrap();
        thread.join().unwrap();
        assert_eq!(fs::read(path).unwrap(), BODY);
    }

    #[test]
    fn other_contents_are_not_kept() {
        let text = failure(with_length(b"The quick brown fox jumps over the lazy cog"));
        for word in ["43 bytes arrived", "1055d3e698d289f2af8663725127bd4b", MD5, "nothing was kept"] {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }

    #[test]
    fn a_transfer_that_breaks_off() {
        let text = failure(answer("200 OK\r\nContent-Length: 43", &BODY[..20]));
        assert!(text.contains("20 bytes had arrived") && text.contains("broke off"), "{text}");
        // Without a length, only the checksum can tell.
        let text = failure(answer("200 OK", &BODY[..20]));
        assert!(text.contains("20 bytes arrived"), "{text}");
    }

    #[test]
    fn an_answer_that_is_not_the_file() {
        for (head, status) in [("503 Service Unavailable", "503"), ("404 Not Found", "404")] {
            let text = failure(answer(&format!("{head}\r\nContent-Length: 0"), b""));
            assert!(text.contains(&format!("status {status}")) && text.contains("by hand"), "{text}");
        }
        let text = failure(b"what is HTTP?\r\n\r\n".to_vec());
        assert!(text.contains("could not be fetched"), "{text}");
    }

    #[test]
    fn a_failure_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file.bin"), b"older").unwrap();
        let (url, thread) = server(answer("500 Internal Server Error\r\nContent-Length: 0", b""));
        Download::new(url, "file.bin", MD5).fetch_into(folder.path()).unwrap_err();
        thread.join().unwrap();
        assert_eq!(fs::read(folder.path().join("file.bin")).unwrap(), b"older");
    }

    #[test]
    fn no_server_and_no_network() {
        let folder = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for url in [format!("http://127.0.0.1:{port}/file.bin"), "http://no-such-host.invalid/file.bin".to_owned()] {
            let error = Download::new(&url, "file.bin", MD5).fetch_into(folder.path()).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, DatasetError::Download { .. }), "{text}");
            for word in [url.as_str(), "could not be fetched", "file.bin", "by hand", "0 bytes had arrived"] {
                assert!(text.contains(word), "{word:?} is not in: {text}");
            }
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn a_folder_that_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a file");
        fs::write(&file, b"").unwrap();
        let error = Download::new("http://127.0.0.1:9/x", "x", MD5).fetch_into(file.join("below")).unwrap_err();
        assert!(matches!(error, DatasetError::Write { .. }), "{error}");
        assert!(error.to_string().contains("a file"), "{error}");
    }
}
