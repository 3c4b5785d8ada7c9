//! CIFAR-10, or generated images of its shape.

mod models;
mod presets;

use std::path::{Path, PathBuf};

use burn_privacy::datasets::{
    Checksum, Cifar10, DATA_VARIABLE, DEFAULT_FOLDER, Download, GENERATED_TRAIN, generated, locate_cifar10,
};
pub use models::{HandoutCnn, LinearModel, QuickCnn, ScatterCnn, TanhCnn, WideResNet};
pub use presets::{FEATURES, ModelName, PresetName};

use crate::Result;
use crate::image_training::ImageSource;

/// What `--data` says for images drawn by code.
pub const GENERATED: &str = "generated";

/// Finds, fetches or draws the images: at `data`, a folder or archive or [`GENERATED`], else where the environment says,
/// else in the default folder, else generated ones.
///
/// # Errors
///
/// If a path that somebody named has no sound data, or they can't be fetched.
pub fn source(data: Option<&Path>, download: bool) -> Result<ImageSource> {
    let path = if data.is_some_and(|data| data.as_os_str() == GENERATED) {
        None
    } else if download {
        Some(Download::cifar10().fetch_into(download_folder(data))?)
    } else {
        locate_cifar10(data)?
    };
    let Some(path) = path else {
        let images = generated();
        return Ok(ImageSource {
            name: "generated images (not CIFAR-10)".into(),
            short_name: "generated",
            train: images.train,
            test: Some(images.test),
            published: Some((GENERATED_TRAIN, "the program that draws them")),
        });
    };
    let images = Cifar10::load(&path, Checksum::Verify)?;
    let name = format!("CIFAR-10 from {}", path.display());
    let published = Some((50_000, "the authors of CIFAR-10, whose files these are by their checksums"));
    Ok(ImageSource { name, short_name: "cifar10", train: images.train, test: images.test, published })
}

/// Where `--download` puts the archive: where it would be looked for without it.
fn download_folder(explicit: Option<&Path>) -> PathBuf {
    let variable = || std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    explicit.map(Path::to_owned).or_else(variable).unwrap_or_else(|| DEFAULT_FOLDER.into())
}
