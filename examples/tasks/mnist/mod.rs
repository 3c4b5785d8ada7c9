//! MNIST and Fashion-MNIST.

mod models;
mod presets;

use std::path::Path;

use burn_privacy::datasets::{Checksum, DATA_VARIABLE, Download, Mnist, MnistVariant, locate_mnist};
pub use models::{MnistCnn, ModelName};
pub use presets::PresetName;

use crate::Result;
use crate::image_training::ImageSource;

/// Finds or fetches the images: at the folder `data`, else where the environment says, else in the default folder.
///
/// # Errors
///
/// If there are none, or not the published ones (unless `checksum` says otherwise), or they can't be fetched.
pub fn source(variant: MnistVariant, data: Option<&Path>, download: bool, checksum: Checksum) -> Result<ImageSource> {
    let folder = variant.default_folder();
    let path = if download {
        let folder = data.map_or(folder, Path::to_owned);
        for file in Download::mnist(variant) {
            file.fetch_into(&folder)?;
        }
        folder
    } else {
        locate_mnist(variant, data)?.ok_or_else(|| {
            let (name, folder) = (variant.name(), folder.display());
            format!(
                "{name} is not here: give its folder with --data or in {DATA_VARIABLE}, or fetch it into {folder} with \
                 --download"
            )
        })?
    };
    let images = Mnist::load(variant, &path, checksum)?;
    let name = format!("{} from {}", variant.name(), path.display());
    let short_name = match variant {
        MnistVariant::Digits => "mnist",
        MnistVariant::Fashion => "fashion-mnist",
    };
    // Other files hold any number of images, which is theirs.
    let by = "the authors of the data set, whose files these are by their checksums";
    let published = (checksum == Checksum::Verify).then_some((60_000, by));
    Ok(ImageSource { name, short_name, train: images.train, test: Some(images.test), published })
}
