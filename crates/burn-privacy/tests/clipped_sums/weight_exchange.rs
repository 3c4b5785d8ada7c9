//! Weights move between a Burn model and ours in both directions, by record and by `From`, bit for bit.

use burn::nn as stock;
use burn::nn::{LinearLayout, PaddingConfig2d};
use burn::prelude::*;
use burn_privacy::nn as private;

use crate::support::{Values, all_parameters, flex, with_values};

/// What a model says. Equal if no two numbers differ by more than rounding: without autodiff our layers use kernels of
/// their own.
#[derive(Debug)]
struct Outputs(Vec<f32>);

impl PartialEq for Outputs {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs.all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b.abs()))
    }
}

/// The same struct twice: over Burn's layers, and over ours.
macro_rules! model {
    ($name:ident, $nn:ident, $conv:ident) => {
        #[derive(Module, Debug)]
        struct $name {
            words: $nn::Embedding,
            image: $conv::Conv2d,
            channels: $nn::GroupNorm,
            features: $nn::LayerNorm,
            head: $nn::Linear,
            columns: Option<$nn::Linear>,
        }

        impl $name {
            fn new(device: &Device, seed: u64) -> Self {
                with_values(Self::fresh(device), seed)
            }

            /// Not initialized yet, as a model is when a record is loaded. (Burn refuses to load a weight in column
            /// layout into an initialized layer.)
            fn fresh(device: &Device) -> Self {
                Self {
                    words: $nn::EmbeddingConfig::new(5, 4).init(device),
                    image: $conv::Conv2dConfig::new([2, 4], [2, 3])
                        .with_padding(PaddingConfig2d::Same)
                        .with_groups(2)
                        .init(device),
                    channels: $nn::GroupNormConfig::new(2, 4).init(device),
                    features: $nn::LayerNormConfig::new(4).init(device),
                    head: $nn::LinearConfig::new(4, 3).init(device),
                    columns: Some($nn::LinearConfig::new(3, 2).with_layout(LinearLayout::Col).init(device)),
                }
            }

            fn outputs(&self, device: &Device) -> Outputs {
                let image = Values::new(1).normals(6 * 2 * 3 * 4);
                let image = Tensor::<1>::from_floats(image.as_slice(), device).reshape([6, 2, 3, 4]);
                let image = self.channels.forward(self.image.forward(image)).reshape([6, 4, 12]).swap_dims(1, 2);
                let tokens = Tensor::<2, Int>::from_ints([[0, 1], [2, 3], [4, 4], [1, 0], [3, 3], [2, 0]], device);
                let text = self.words.forward(tokens).sum_dim(1);
                let x = self.head.forward(self.features.forward(image + text));
                let x = self.columns.as_ref().unwrap().forward(x);
                Outputs(x.into_data().try_to_vec().unwrap())
            }
        }
    };
}

use burn::nn::conv as stock_conv;
use burn_privacy::nn as private_conv;

model!(Stock, stock, stock_conv);
model!(Private, private, private_conv);

#[test]
fn records_move_both_ways() {
    for device in [flex(), Device::flex()] {
        let (theirs, ours) = (Stock::new(&device, 1), Private::new(&device, 2));
        assert_ne!(theirs.outputs(&device), ours.outputs(&device));

        let into_ours = Private::fresh(&device).load_record(theirs.clone().into_record());
        assert_eq!(all_parameters(&into_ours), all_parameters(&theirs));
        assert_eq!(into_ours.outputs(&device), theirs.outputs(&device));
        let into_theirs = Stock::fresh(&device).load_record(ours.clone().into_record());
        assert_eq!(all_parameters(&into_theirs), all_parameters(&ours));
        assert_eq!(into_theirs.outputs(&device), ours.outputs(&device));
    }
}

#[test]
fn files_move_both_ways() {
    let device = flex();
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (Stock::new(&device, 1), Private::new(&device, 2));

    let file = folder.path().join("theirs.bpk");
    theirs.clone().save_file(&file).unwrap();
    assert_eq!(Private::fresh(&device).load_file(&file).outputs(&device), theirs.outputs(&device));

    let file = folder.path().join("ours.bpk");
    ours.clone().save_file(&file).unwrap();
    assert_eq!(Stock::fresh(&device).load_file(&file).outputs(&device), ours.outputs(&device));
}

#[test]
fn layers_convert_both_ways() {
    let device = flex();
    let theirs = Stock::new(&device, 3);
    let ours = Private {
        words: theirs.words.clone().into(),
        image: theirs.image.clone().into(),
        channels: theirs.channels.clone().into(),
        features: theirs.features.clone().into(),
        head: theirs.head.clone().into(),
        columns: theirs.columns.clone().map(Into::into),
    };
    assert_eq!(ours.outputs(&device), theirs.outputs(&device));
    let back = Stock {
        words: ours.words.into(),
        image: ours.image.into(),
        channels: ours.channels.into(),
        features: ours.features.into(),
        head: ours.head.into(),
        columns: ours.columns.map(Into::into),
    };
    assert_eq!(back.outputs(&device), theirs.outputs(&device));
    assert_eq!(back.head.weight.id, theirs.head.weight.id);
}

#[test]
fn paths_and_sizes_are_burns() {
    let device = flex();
    let (theirs, ours) = (Stock::new(&device, 1), Private::new(&device, 1));
    let paths = |found: crate::support::ByPath| found.into_keys().collect::<Vec<_>>();
    assert_eq!(paths(all_parameters(&ours)), paths(all_parameters(&theirs)));
    assert_eq!(ours.num_params(), theirs.num_params());
    assert_eq!(ours.devices(), theirs.devices());
}

#[test]
fn valid_and_train_are_burns() {
    let device = flex();
    let (theirs, ours) = (Stock::new(&device, 1), Private::new(&device, 1));
    let valid = ours.valid();
    assert!(!valid.head.weight.val().is_require_grad());
    assert_eq!(valid.outputs(&Device::flex()), theirs.valid().outputs(&Device::flex()));
    let again = valid.train();
    assert!(again.head.weight.val().is_require_grad());
    assert_eq!(again.outputs(&device), ours.outputs(&device));
}
