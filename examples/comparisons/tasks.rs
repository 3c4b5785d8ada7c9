//! Images as vectors, two small networks, and one way to train them.

use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn_privacy::activation::relu;
use burn_privacy::datasets::{Checksum, Cifar10, ImageDataset, Mnist, MnistVariant, locate_cifar10, locate_mnist};
use burn_privacy::nn::{Conv2d, Conv2dConfig, Linear, LinearConfig};
use burn_privacy::prelude::*;

use super::Result;

pub const CLASSES: usize = 10;

/// An image from -1 to 1, and its class.
pub type Picture = (Vec<f32>, i64);

/// Pictures to train on, pictures to score on, and their channels, rows and columns.
pub struct Pictures {
    pub train: Vec<Picture>,
    pub test: Vec<Picture>,
    pub shape: [usize; 3],
}

#[derive(Clone, Copy)]
pub struct Stack {
    pub length: usize,
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub pixels: Tensor<2>,
    pub classes: Tensor<1, Int>,
}

impl Batcher<Picture, Batch> for Stack {
    fn batch(&self, pictures: Vec<Picture>, device: &Device) -> Batch {
        let count = pictures.len();
        let classes: Vec<i64> = pictures.iter().map(|(_, class)| *class).collect();
        let pixels: Vec<f32> = pictures.into_iter().flat_map(|(pixels, _)| pixels).collect();
        Batch {
            pixels: Tensor::from_data(TensorData::new(pixels, [count, self.length]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

/// A classifier of such pictures.
pub trait Network: Module + 'static {
    fn new(device: &Device) -> Self;
    fn logits(&self, pixels: Tensor<2>) -> Tensor<2>;
}

/// One hidden layer of 64 units.
#[derive(Module, Debug)]
pub struct Dense {
    first: Linear,
    second: Linear,
}

impl Network for Dense {
    fn new(device: &Device) -> Self {
        Self { first: LinearConfig::new(784, 64).init(device), second: LinearConfig::new(64, CLASSES).init(device) }
    }

    fn logits(&self, pixels: Tensor<2>) -> Tensor<2> {
        self.second.forward(relu(self.first.forward(pixels)))
    }
}

/// Two convolutions of 16 and 32 channels, and a head.
#[derive(Module, Debug)]
pub struct Convolutional {
    first: Conv2d,
    second: Conv2d,
    head: Linear,
}

impl Network for Convolutional {
    fn new(device: &Device) -> Self {
        let convolution = |inputs, outputs| {
            Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Valid)
                .init(device)
        };
        Self {
            first: convolution(3, 16),
            second: convolution(16, 32),
            head: LinearConfig::new(32 * 3 * 3, CLASSES).init(device),
        }
    }

    fn logits(&self, pixels: Tensor<2>) -> Tensor<2> {
        let count = pixels.dims()[0];
        let x = relu(self.first.forward(pixels.reshape([count, 3, 16, 16])));
        let x = relu(self.second.forward(x));
        self.head.forward(x.reshape([count, 32 * 3 * 3]))
    }
}

/// MNIST, if it is here.
pub fn mnist(folder: Option<&Path>) -> Result<Option<Pictures>> {
    let Some(path) = locate_mnist(MnistVariant::Digits, folder)? else { return Ok(None) };
    let images = Mnist::load(MnistVariant::Digits, path, Checksum::Verify)?;
    let read = |images: &ImageDataset| {
        pictures(images, |pixels| pixels.iter().map(|&pixel| scaled(f32::from(pixel))).collect())
    };
    Ok(Some(Pictures { train: read(&images.train), test: read(&images.test), shape: [1, 28, 28] }))
}

/// CIFAR-10 with the mean of each four pixels, if it is here. It is scored on the last 5,000 of its training images.
pub fn cifar(folder: Option<&Path>) -> Result<Option<Pictures>> {
    let Some(path) = locate_cifar10(folder)? else { return Ok(None) };
    let images = Cifar10::load(path, Checksum::Verify)?;
    let quartered = |pixels: &[u8]| {
        let at = |channel: usize, y: usize, x: usize| f32::from(pixels[(channel * 32 + y) * 32 + x]);
        let places = (0..3 * 16 * 16).map(|place| (place / 256, place / 16 % 16 * 2, place % 16 * 2));
        places
            .map(|(c, y, x)| scaled(0.25 * (at(c, y, x) + at(c, y, x + 1) + at(c, y + 1, x) + at(c, y + 1, x + 1))))
            .collect()
    };
    let mut train = pictures(&images.train, quartered);
    let test = train.split_off(45_000);
    Ok(Some(Pictures { train, test, shape: [3, 16, 16] }))
}

fn scaled(pixel: f32) -> f32 {
    pixel / 127.5 - 1.0
}

fn pictures(images: &ImageDataset, read: impl Fn(&[u8]) -> Vec<f32>) -> Vec<Picture> {
    (0..images.len())
        .filter_map(|index| images.get(index))
        .map(|image| (read(image.pixels()), i64::from(image.label())))
        .collect()
}

/// Trains with Adam at a learning rate that falls to 0, and gives the accuracy in %.
pub fn trained<N: Network>(
    mut session: Session<Picture, Batch, burn::data::dataset::InMemDataset<Picture>, Stack>,
    rate: f64,
    test: &[Picture],
    stack: Stack,
    device: &Device,
) -> Result<f64> {
    let mut model = N::new(device);
    let mut optimizer = AdamConfig::new().init();
    let planned = session.plan().steps() as f64;
    while let Some(step) = session.next_step()? {
        let left = 1.0 - step.index() as f64 / planned;
        let update = step.gradients(&model, |model: &N, batch: Batch| {
            Ok(cross_entropy(model.logits(batch.pixels), batch.classes))
        })?;
        model = optimizer.step(rate * left, model, update.into());
    }
    let _ = session.finish()?;
    let (model, device) = (model.valid(), device.clone().without_autodiff());
    let mut right = 0;
    for part in test.chunks(500) {
        let batch = stack.batch(part.to_vec(), &device);
        let found = model.logits(batch.pixels).argmax(1).reshape([part.len()]);
        right += found.equal(batch.classes).int().sum().into_scalar::<i64>();
    }
    Ok(100.0 * right as f64 / test.len() as f64)
}
