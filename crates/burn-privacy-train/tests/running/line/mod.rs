//! A line with noise, what is trained on it, and how: shared by tests.
#![allow(dead_code)] // each test binary uses a part

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::Initializer;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

pub const RECORDS: usize = 400;

#[derive(Clone, Debug)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

#[derive(Clone, Debug)]
pub struct Points {
    pub x: Tensor<2>,
    pub y: Tensor<2>,
}

#[derive(Clone)]
pub struct PointBatcher;

impl Batcher<Point, Points> for PointBatcher {
    fn batch(&self, points: Vec<Point>, device: &Device) -> Points {
        let column = |values: Vec<f32>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count, 1]), device)
        };
        Points {
            x: column(points.iter().map(|point| point.x).collect()),
            y: column(points.iter().map(|point| point.y).collect()),
        }
    }
}

pub type LineSession = Session<Point, Points, InMemDataset<Point>, PointBatcher>;

/// y = 2 x - 1.
pub fn data() -> InMemDataset<Point> {
    let point = |index: usize| {
        let x = index as f32 / RECORDS as f32;
        Point { x, y: 2.0 * x - 1.0 }
    };
    InMemDataset::new((0..RECORDS).map(point).collect())
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

/// Always the same.
pub fn model(device: &Device) -> Linear {
    LinearConfig::new(1, 1).with_initializer(Initializer::Constant { value: 0.25 }).init(device)
}

pub fn weights(model: &Linear) -> Vec<f32> {
    let bias = model.bias.as_ref().unwrap().val().into_data();
    let weight = model.weight.val().into_data();
    weight.iter::<f32>().chain(bias.iter::<f32>()).collect()
}

pub fn losses(model: &Linear, points: Points) -> std::result::Result<Tensor<1>, burn_privacy_train::BoxedError> {
    Ok(mean_squared_error(model.forward(points.x), points.y))
}
