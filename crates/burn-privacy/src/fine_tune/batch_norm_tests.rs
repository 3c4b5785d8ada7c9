//! Stock CNNs with nested BatchNorms.

use burn::module::{Initializer, ParamGroup};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::norm::Normalization;
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig, LinearLayout};
use burn::prelude::*;
use burn::tensor::Distribution;

use super::*;

#[derive(Module, Debug)]
struct Block<N: Module> {
    conv: Conv2d,
    norm: N,
}

#[derive(Module, Debug)]
struct Network<N: Module> {
    stem: Block<N>,
    blocks: Vec<Block<N>>,
    shortcut: Option<N>,
    /// One of several types of norms.
    any: Normalization,
    head: Linear,
}

fn network<N: Module>(norm: impl Fn(usize) -> N, any: Normalization, device: &Device) -> Network<N> {
    let block = |from, to| Block { conv: Conv2dConfig::new([from, to], [3, 3]).init(device), norm: norm(to) };
    Network {
        stem: block(3, 4),
        blocks: vec![block(4, 4), block(4, 6)],
        shortcut: Some(norm(6)),
        any,
        head: LinearConfig::new(6, 2).with_layout(LinearLayout::Col).init(device),
    }
}

fn stock(device: &Device) -> Network<BatchNorm> {
    let norm = |channels| BatchNormConfig::new(channels).init(device);
    network(norm, norm(6).into(), device)
}

impl Network<BatchNorm> {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let step = |x, block: &Block<BatchNorm>| block.norm.forward(block.conv.forward(x));
        let x = self.blocks.iter().fold(step(x, &self.stem), step);
        self.any.forward(self.shortcut.iter().fold(x, |x, norm| norm.forward(x)))
    }
}

const PATHS: [&str; 5] = ["stem.norm", "blocks.0.norm", "blocks.1.norm", "shortcut", "any"];

#[test]
fn every_batch_norm_is_frozen_with_the_statistics_of_all_updates() {
    let device = Device::flex().autodiff();
    let network = stock(&device);
    for _ in 0..3 {
        _ = network.forward(Tensor::random([5, 3, 9, 9], Distribution::Normal(1.0, 2.0), &device));
    }
    let expected: Vec<f32> = network.blocks[1].norm.running_mean.value_sync().into_data().iter().collect();
    let id = network.stem.conv.weight.id;
    let (frozen, report) = freeze_batch_norms(network);
    assert_eq!(report.changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), PATHS);
    assert!(report.changes.iter().all(|change| {
        change.to == Replacement::Frozen { already: false, initial_statistics: false } && change.channels >= 4
    }));
    // Three convolutions and the head, each of weight and bias.
    assert_eq!(report.kept, 8);
    let found: Vec<f32> = frozen.blocks[1].norm.running_mean.value().into_data().iter().collect();
    assert_eq!(found, expected);
    assert!(frozen.stem.norm.gamma.val().is_require_grad());
    assert_eq!(frozen.stem.conv.weight.id, id);
    // In training it does what it does out of it, and no statistic moves.
    let x = Tensor::random([5, 3, 9, 9], Distribution::Normal(1.0, 2.0), &device);
    let in_training = frozen.forward(x.clone());
    let evaluated = frozen.valid().forward(x.inner());
    in_training.inner().into_data().assert_eq(&evaluated.into_data(), true);
    let (_, again) = freeze_batch_norms(frozen);
    assert!(again.changes.iter().all(|change| matches!(change.to, Replacement::Frozen { already: true, .. })));
    assert!(again.to_string().contains("shortcut: BatchNorm over 6 channels was frozen before"), "{again}");
}

#[test]
fn a_fresh_batch_norm_is_said_to_normalize_nothing_and_a_module_without_one_is_left_alone() {
    let device = Device::flex();
    let (_, report) = freeze_batch_norms(stock(&device));
    assert!(report.to_string().contains("stem.norm: BatchNorm over 4 channels is frozen now"), "{report}");
    assert!(report.to_string().contains("normalizes nothing"), "{report}");
    let (_, report) = freeze_batch_norms(LinearConfig::new(2, 2).init(&device));
    assert_eq!((report.changes.len(), report.kept), (0, 2));
    assert!(report.to_string().contains("no BatchNorm"), "{report}");
}

fn groups(device: &Device) -> Network<GroupNorm> {
    let norm = |channels| GroupNormConfig::new(2, channels).init(device);
    network(norm, norm(6).into(), device)
}

#[test]
fn group_norms_take_scales_and_shifts_and_everything_else_is_carried_over() {
    let device = Device::flex().autodiff();
    let mut from = stock(&device);
    from.blocks[1].norm.gamma = Initializer::Constant { value: 3.0 }.init([6], &device);
    if let Normalization::Batch(norm) = &mut from.any {
        norm.beta = Initializer::Constant { value: -2.0 }.init([6], &device);
    }
    let into = groups(&device).set_require_grad_group(ParamGroup::from_predicate("stem"), false);
    let (converted, report) = with_group_norms(&from, into).unwrap();
    assert_eq!(report.changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), PATHS);
    assert!(report.changes.iter().all(|change| change.to == Replacement::GroupNorm));
    assert_eq!(report.kept, 8);
    let same = |a: Tensor<2>, b: Tensor<2>| a.into_data().assert_eq(&b.into_data(), true);
    same(converted.head.weight.val(), from.head.weight.val());
    same(converted.blocks[0].conv.weight.val().flatten(1, 3), from.blocks[0].conv.weight.val().flatten(1, 3));
    let gamma = converted.blocks[1].norm.gamma.as_ref().unwrap().val();
    assert!(gamma.clone().is_require_grad() && gamma.into_data().iter::<f32>().all(|value| value == 3.0));
    let Normalization::Group(any) = &converted.any else { panic!("{:?}", converted.any) };
    assert!(any.beta.as_ref().unwrap().val().into_data().iter::<f32>().all(|value| value == -2.0));
    // Trainability is the second module's.
    assert!(!converted.stem.conv.weight.val().is_require_grad());
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let device = Device::flex();
    let refused = |error: Error| error.to_string();
    let both = refused(with_group_norms(&stock(&device), stock(&device)).unwrap_err());
    assert!(both.contains("`stem.norm`") && both.contains("a BatchNorm in the second module, too"), "{both}");
    let mut without = groups(&device);
    without.shortcut = None;
    let message = refused(with_group_norms(&stock(&device), without).unwrap_err());
    assert!(message.contains("`shortcut`") && message.contains("no GroupNorm"), "{message}");
    let mut other = groups(&device);
    other.head = LinearConfig::new(6, 3).init(&device);
    let message = refused(with_group_norms(&stock(&device), other).unwrap_err());
    assert!(message.contains("`head.") && message.contains("has the shape"), "{message}");
    let mut fewer = groups(&device);
    fewer.head.bias = None;
    let message = refused(with_group_norms(&stock(&device), fewer).unwrap_err());
    assert!(message.contains("`head.bias`") && message.contains("not in the second"), "{message}");
}

/// Layers of a user's own that have the names of Burn's and other fields.
mod named_alike {
    use burn::module::{Flag, Param};

    use super::*;

    #[derive(Module, Debug)]
    pub struct BatchNorm {
        pub gamma: Param<Tensor<1>>,
        pub beta: Param<Tensor<1>>,
    }

    pub mod switched {
        use super::*;

        #[derive(Module, Debug)]
        pub struct BatchNorm {
            pub gamma: Param<Tensor<1>>,
            pub training: Param<Flag>,
        }
    }
}

#[test]
fn a_layer_that_is_only_named_alike_is_left_alone() {
    let ones = |device: &Device| Initializer::Ones.init([3], device);
    for device in [Device::flex(), Device::flex().autodiff()] {
        let alike = named_alike::BatchNorm { gamma: ones(&device), beta: ones(&device) };
        let (_, report) = freeze_batch_norms(alike);
        assert_eq!((report.changes.len(), report.kept), (0, 2), "{report}");
        assert!(report.to_string().contains("no BatchNorm"), "{report}");

        let conv = || Conv2dConfig::new([3, 3], [3, 3]).init(&device);
        let norm = named_alike::switched::BatchNorm { gamma: ones(&device), training: Param::from_bool(true) };
        let (switched, report) = freeze_batch_norms(Block { conv: conv(), norm });
        assert_eq!((report.changes.len(), report.kept), (0, 3), "{report}");
        assert!(switched.norm.training.val().is_enabled(), "its own switch is not touched");

        // Beside a real one, and a real one alone.
        let norm = named_alike::BatchNorm { gamma: ones(&device), beta: ones(&device) };
        let both = (Block { conv: conv(), norm }, BatchNormConfig::new(3).init(&device));
        let (_, report) = freeze_batch_norms(both);
        assert_eq!((report.changes.len(), report.kept), (1, 4), "{report}");
        let (alone, report) = freeze_batch_norms(BatchNormConfig::new(3).init(&device));
        assert_eq!((report.changes.len(), report.kept), (1, 0), "{report}");
        assert!(!alone.training.val().is_enabled());
    }
}
