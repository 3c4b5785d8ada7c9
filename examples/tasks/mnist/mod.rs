//! MNIST and Fashion-MNIST.

mod models;
mod presets;

use std::path::Path;

use burn_privacy::datasets::{
    Checksum, Download, GENERATED_TRAIN, Mnist, MnistVariant, generated_digits, locate_mnist,
};
pub use models::{MnistCnn, ModelName};
pub use presets::{FEATURES, PresetName};

use crate::Result;
use crate::image_training::ImageSource;

/// Digits drawn by code, for a machine without the data.
fn drawn(variant: MnistVariant) -> ImageSource {
    let images = generated_digits();
    ImageSource {
        name: format!("generated digits (not {})", variant.name()),
        short_name: "generated-digits",
        train: images.train,
        test: Some(images.test),
        published: Some((GENERATED_TRAIN, "the program that draws them")),
    }
}

/// Finds or fetches the images: at the folder `data`, else where the environment says, else in the default folder, else
/// generated digits, whichever of the two is asked for: every preset runs on a machine without files.
///
/// # Errors
///
/// If the place that was named has none, or not the published ones (unless `checksum` says otherwise), or they can't be fetched.
pub fn source(variant: MnistVariant, data: Option<&Path>, download: bool, checksum: Checksum) -> Result<ImageSource> {
    let folder = variant.default_folder();
    let path = if download {
        let folder = data.map_or(folder, Path::to_owned);
        for file in Download::mnist(variant) {
            file.fetch_into(&folder)?;
        }
        folder
    } else {
        match locate_mnist(variant, data)? {
            Some(path) => path,
            None => return Ok(drawn(variant)),
        }
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
