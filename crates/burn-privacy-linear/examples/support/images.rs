//! The published files of MNIST and CIFAR-10.

use std::error::Error;
use std::io::Read;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Images, a byte a pixel, and their classes.
pub struct Images {
    #[allow(dead_code)] // not in every example
    pub colors: usize,
    pub side: usize,
    pub pixels: Vec<u8>,
    pub labels: Vec<u8>,
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A part of MNIST, `train` or `t10k`.
pub fn mnist(folder: &Path, part: &str) -> Result<Images> {
    let pixels = unpacked(&folder.join(format!("{part}-images-idx3-ubyte.gz")))?.split_off(16);
    let labels = unpacked(&folder.join(format!("{part}-labels-idx1-ubyte.gz")))?.split_off(8);
    Ok(Images { colors: 1, side: 28, pixels, labels })
}

/// The training part of CIFAR-10.
#[allow(dead_code)] // not in every example
pub fn cifar(folder: &Path) -> Result<Images> {
    let mut images = Images { colors: 3, side: 32, pixels: Vec::new(), labels: Vec::new() };
    for batch in 1..=5 {
        for record in unpacked(&folder.join(format!("data_batch_{batch}.bin.gz")))?.chunks_exact(3_073) {
            images.labels.push(record[0]);
            images.pixels.extend(&record[1..]);
        }
    }
    Ok(images)
}
