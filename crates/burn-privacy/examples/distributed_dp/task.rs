//! What is trained: a network of one hidden layer on made-up records, the same everywhere.

use burn::data::dataloader::batcher::Batcher;
use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use sha2::{Digest, Sha256};

pub const INPUTS: usize = 256;
pub const CLASSES: usize = 10;

/// An input and its class.
pub type Record = (Vec<f32>, i64);

#[derive(Clone)]
pub struct Records;

#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: Tensor<2>,
    pub classes: Tensor<1, Int>,
}

impl Batcher<Record, Batch> for Records {
    fn batch(&self, records: Vec<Record>, device: &Device) -> Batch {
        let count = records.len();
        let classes: Vec<i64> = records.iter().map(|(_, class)| *class).collect();
        let inputs: Vec<f32> = records.into_iter().flat_map(|(input, _)| input).collect();
        Batch {
            inputs: Tensor::from_data(TensorData::new(inputs, [count, INPUTS]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

#[derive(Module, Debug)]
pub struct Network {
    hidden: Linear,
    output: Linear,
}

impl Network {
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(inputs).tanh())
    }
}

/// A number from -1 to 1 for each place, the same everywhere.
fn made_up(place: u64) -> f32 {
    // SplitMix64.
    let mut z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}

/// Records around a center for each class, by their place in the whole data set.
pub fn records(places: std::ops::Range<usize>) -> Vec<Record> {
    let record = |place: usize| {
        let class = place % CLASSES;
        let entry =
            |i: usize| 0.3 * made_up((1 << 40) + (class * INPUTS + i) as u64) + made_up((place * INPUTS + i) as u64);
        ((0..INPUTS).map(entry).collect(), class as i64)
    };
    places.map(record).collect()
}

/// The same on every rank.
pub fn network(hidden: usize, device: &Device) -> Network {
    let layer = |inputs: usize, outputs: usize, first: u64| {
        let mut layer = LinearConfig::new(inputs, outputs).init(device);
        let scale = (1.0 / inputs as f32).sqrt();
        let weights: Vec<f32> = (0..inputs * outputs).map(|i| scale * made_up(first + i as u64)).collect();
        layer.weight = Param::from_data(TensorData::new(weights, [inputs, outputs]), device);
        layer.bias = Some(Param::from_data(TensorData::zeros::<f32, _>([outputs]), device));
        layer
    };
    Network { hidden: layer(INPUTS, hidden, 1 << 50), output: layer(hidden, CLASSES, 1 << 51) }
}

/// SHA-256 of all weights, bit by bit.
pub fn fingerprint(model: &Network) -> String {
    struct Weights(Sha256);
    impl ModuleVisitor for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            for value in param.val().into_data().iter::<f32>() {
                self.0.update(value.to_bits().to_le_bytes());
            }
        }
    }
    let mut weights = Weights(Sha256::new());
    model.visit(&mut weights);
    weights.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The share of fresh records of the same kind, from this place on, that are told right, in %.
pub fn accuracy(model: &Network, first: usize, device: &Device) -> f64 {
    let count = 1_000;
    let fresh = Records.batch(records(first..first + count), &device.clone().without_autodiff());
    let found = model.valid().forward(fresh.inputs).argmax(1).reshape([count]);
    100.0 * found.equal(fresh.classes).int().sum().into_scalar::<i64>() as f64 / count as f64
}
