//! Images as their scattering features, for networks: maps of 8 x 8 in place of pixels.

use std::path::Path;

use burn_privacy::datasets::ImageDataset;
use burn_privacy_features::ImageFeatures;
use burn_privacy_features::normalization::normalize_groups;
use indicatif::{ProgressBar, ProgressStyle};

use super::ImageData;
use crate::Result;

/// Channels are normalized in groups of as many of one color: free, since each image is treated by itself.
const GROUP: usize = 9;

/// The largest normalized feature that is told apart: a byte holds from -this to this.
pub const LARGEST: f32 = 4.0;

/// The same images with scattering features in the place of pixels, a byte each: `[colors, channels of a color x rows, columns]`, as
/// [`ImageDataset`] knows colors alone. `mirrored` averages an image's and its mirror image's.
///
/// # Errors
///
/// If images are not square with sides of a multiple of 4 pixels; those of the folder.
pub fn scattered(mut data: ImageData, mirrored: bool, cache: &Path) -> Result<ImageData> {
    data.train = features_of(&data.train, mirrored, cache)?;
    data.test = features_of(&data.test, mirrored, cache)?;
    data.validation = data.validation.map(|images| features_of(&images, mirrored, cache)).transpose()?;
    Ok(data)
}

fn features_of(images: &ImageDataset, mirrored: bool, cache: &Path) -> Result<ImageDataset> {
    let [colors, rows, columns] = images.shape();
    if rows != columns {
        return Err(format!("images of {rows} x {columns} pixels are not square, as scattering features need").into());
    }
    let extract = ImageFeatures::new(colors, rows, mirrored)?;
    let style = ProgressStyle::with_template("  features {bar:30} {percent:>3} % {eta} left")?;
    let bar = ProgressBar::new(images.len() as u64).with_style(style);
    let table = extract.cached(cache, images.pixels(), |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let channels = table.channels();
    // A group that divides the channels: checked once, so that it can't fail below.
    let groups = channels / GROUP;
    normalize_groups(&mut vec![0.0; table.width()], channels, groups)?;
    let mut row = vec![0.0; table.width()];
    let mut bytes = Vec::with_capacity(table.rows() * table.width());
    for at in 0..table.rows() {
        table.read_row(at, &mut row);
        normalize_groups(&mut row, channels, groups)?;
        bytes.extend(row.iter().map(|x| ((x / LARGEST + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8));
    }
    let side = rows / 4;
    let shape = [colors, channels / colors * side, side];
    Ok(ImageDataset::with_shape(images.name(), images.classes(), shape, bytes, images.labels().to_vec())?)
}
