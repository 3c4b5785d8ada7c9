//! Images: generated ones of which some classes are declared public, or CIFAR-10's features.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::prelude::*;
use burn_privacy::datasets::{GENERATED_CLASSES, ImageDataset, generated, generated_with};
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy_examples::cifar::source;
use burn_privacy_examples::{NominalSize, Result};
use burn_privacy_features::FeatureTable;
use burn_privacy_features::frozen_body::PublicFeatures;
use burn_privacy_features::normalization::{normalize_groups, unit_rows};
use burn_privacy_pretrained::{EfficientNetLite0, PIXELS};
use indicatif::{ProgressBar, ProgressStyle};

/// Of the public images; any other than the private ones'.
const PUBLIC_SEED: u64 = 7;

/// Images that are drawn for each of the two tasks, of which half show its classes.
const DRAWN: usize = 12_000;

/// Images to train and to test on, of other classes than the public ones.
pub struct PublicAndPrivate {
    /// Declared public.
    pub public: ImageDataset,
    /// Private.
    pub private: ImageDataset,
    /// As the private ones, declared public.
    pub test: ImageDataset,
    /// Public number of private images.
    pub nominal: NominalSize,
}

impl PublicAndPrivate {
    /// Every other class is public.
    pub fn generated() -> Result<Self> {
        let private = generated_with(burn_privacy::datasets::GENERATED_SEED, DRAWN, 2_000);
        Ok(Self {
            public: of_classes(&generated_with(PUBLIC_SEED, DRAWN, 0).train, 0)?,
            private: of_classes(&private.train, 1)?,
            test: of_classes(&private.test, 1)?,
            nominal: NominalSize::published(DRAWN / 2, "this program, which drew the images"),
        })
    }
}

/// Images of classes number `first`, `first + 2` and so on, which are counted from 0.
fn of_classes(images: &ImageDataset, first: u8) -> Result<ImageDataset> {
    let classes: Vec<&str> = GENERATED_CLASSES.iter().skip(usize::from(first)).step_by(2).copied().collect();
    let bytes = images.shape().iter().product();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (image, label) in images.pixels().chunks_exact(bytes).zip(images.labels()) {
        if label % 2 == first {
            pixels.extend_from_slice(image);
            labels.push(label / 2);
        }
    }
    Ok(ImageDataset::new(format!("{}, classes {}", images.name(), classes.join(", ")), &classes, pixels, labels)?)
}

/// Rows of features with their labels.
#[derive(Clone)]
pub struct Features {
    table: Arc<FeatureTable>,
    labels: Arc<Vec<u8>>,
    classes: usize,
}

/// A record: normalized by itself, so that it tells nothing of others.
pub type Row = (Vec<f32>, u8);

impl Features {
    /// Features of a record.
    pub fn width(&self) -> usize {
        self.table.width()
    }

    /// Classes of the labels.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Makes batches.
    pub fn batcher() -> Rows {
        Rows
    }
}

impl Dataset<Row> for Features {
    fn get(&self, index: usize) -> std::result::Result<Row, DatasetError> {
        let mut row = vec![0.0; self.table.width()];
        self.table.read_row(index, &mut row);
        // Can't fail: there is one group.
        _ = normalize_groups(&mut row, self.table.width(), 1);
        unit_rows(&mut row);
        Ok((row, self.labels[index]))
    }

    fn len(&self) -> usize {
        self.labels.len()
    }
}

/// Makes batches of rows.
#[derive(Clone, Copy)]
pub struct Rows;

impl Batcher<Row, (Tensor<2>, Tensor<1, Int>)> for Rows {
    fn batch(&self, items: Vec<Row>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let count = items.len();
        let labels: Vec<i32> = items.iter().map(|(_, label)| i32::from(*label)).collect();
        let values: Vec<f32> = items.into_iter().flat_map(|(row, _)| row).collect();
        let width = values.len() / count.max(1);
        (
            Tensor::from_data(TensorData::new(values, [count, width]), device),
            Tensor::from_data(TensorData::new(labels, [count]), device),
        )
    }
}

/// Features to train and to test on, and the public number of the former. Without test images the last fifth of the training
/// images is held out, of which the second half is tested on.
pub fn features(
    weights: &Path,
    side: usize,
    data: Option<&Path>,
    cache: &Path,
    limit: Option<usize>,
) -> Result<(Features, Features, NominalSize)> {
    let (train, test, published) = match data {
        Some(data) => {
            let source = source(Some(data), false)?;
            (source.train, source.test, source.published)
        }
        None => {
            let images = generated();
            (
                images.train,
                Some(images.test),
                Some((burn_privacy::datasets::GENERATED_TRAIN, "this program, which drew the images")),
            )
        }
    };
    let nominal = NominalSize::new(None, published)?;
    let (train, test, nominal) = match test {
        Some(test) => (train, test, nominal),
        None => {
            let fifth = nominal.get() / 5;
            let nominal = nominal.derived(nominal.get() - fifth, "four fifths of");
            let (train, held_out) = train.split_at(train.len() - fifth)?;
            (train, held_out.split_at(fifth / 2)?.1, nominal)
        }
    };
    let first = |images: &ImageDataset| images.slice(0..limit.map_or(images.len(), |limit| images.len().min(limit)));
    let (train, test, nominal) = (first(&train)?, first(&test)?, nominal.at_most(limit));
    let device = select_device(DeviceChoice::Cpu)?.device;
    let body = EfficientNetLite0::load(weights, 1000, &device)?.frozen_body()?;
    let [_, own, _] = train.shape();
    let extract = PublicFeatures::new(body, EfficientNetLite0::NAME, PIXELS, [own, side], false)?;
    let table = |images: &ImageDataset| -> Result<Features> {
        let style = ProgressStyle::with_template("  features {bar:30} {percent:>3} % {eta} left")?;
        let bar = ProgressBar::new(images.len() as u64).with_style(style);
        let table = extract.cached(cache, images.pixels(), |done| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        let (labels, classes) = (images.labels().to_vec(), images.classes().len());
        Ok(Features { table: Arc::new(table), labels: Arc::new(labels), classes })
    };
    Ok((table(&train)?, table(&test)?, nominal))
}
