//! Convolutions of every padding, stride, dilation and grouping, against the batch-of-one loop.

use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Relu, pool::MaxPool2d};
use burn::prelude::*;
use burn_privacy::nn::{Conv2d, Conv2dConfig, Linear, LinearConfig};
use burn_privacy::prelude::*;
use proptest::prelude::*;

use crate::support::{
    Ask, Batch, Values, assert_equals_loop, clipped_sum, distance, flex, relative_difference, with_values,
};

/// One convolution of an image `[height, width]`, against the loop.
fn check(config: &Conv2dConfig, [height, width]: [usize; 2], examples: usize) {
    let channels = config.channels[0];
    let model = with_values(config.init(&flex()), 5);
    let [_, out, rows, columns] = model.forward(Tensor::zeros([1, channels, height, width], &flex())).dims();
    let examples = Values::new(11).examples(examples, channels * height * width, out * rows * columns);
    assert_equals_loop(&flex(), &model, &examples, |model, batch| {
        distance(model.forward(batch.shaped(&[channels, height, width])), batch.target)
    });
}

fn conv(channels: [usize; 2], kernel: [usize; 2]) -> Conv2dConfig {
    Conv2dConfig::new(channels, kernel)
}

#[test]
fn valid_padding() {
    check(&conv([2, 3], [3, 3]), [6, 5], 6);
    check(&conv([2, 3], [3, 3]).with_bias(false), [6, 5], 6);
    check(&conv([1, 1], [1, 1]), [3, 3], 4);
    check(&conv([3, 2], [4, 5]), [4, 5], 6);
}

#[test]
fn same_padding_with_even_kernels() {
    check(&conv([2, 3], [2, 2]).with_padding(PaddingConfig2d::Same), [5, 4], 6);
    check(&conv([2, 3], [4, 3]).with_padding(PaddingConfig2d::Same), [5, 6], 6);
    check(&conv([2, 3], [2, 4]).with_padding(PaddingConfig2d::Same).with_stride([2, 3]), [7, 8], 6);
}

#[test]
fn explicit_padding_with_four_different_sides() {
    check(&conv([2, 3], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)), [5, 5], 6);
    check(&conv([2, 3], [3, 2]).with_padding(PaddingConfig2d::Explicit(0, 1, 2, 3)), [4, 5], 6);
    check(&conv([2, 4], [3, 2]).with_padding(PaddingConfig2d::Explicit(2, 0, 1, 3)).with_groups(2), [4, 5], 6);
    check(&conv([2, 3], [3, 3]).with_padding(PaddingConfig2d::Explicit(2, 1, 0, 1)).with_bias(false), [4, 4], 6);
}

#[test]
fn a_stride_that_leaves_pixels_over() {
    // (6 - 3) / 2 leaves a row over, (8 - 3) / 3 two columns.
    check(&conv([2, 3], [3, 3]).with_stride([2, 3]), [6, 8], 6);
    check(&conv([2, 3], [2, 2]).with_stride([3, 2]).with_padding(PaddingConfig2d::Same), [7, 7], 6);
    // A stride above the kernel skips pixels altogether.
    check(&conv([2, 3], [1, 2]).with_stride([3, 4]), [8, 9], 6);
}

#[test]
fn dilation() {
    check(&conv([2, 3], [3, 2]).with_dilation([2, 3]), [7, 7], 6);
    check(&conv([2, 3], [2, 2]).with_dilation([2, 2]).with_padding(PaddingConfig2d::Same), [5, 5], 6);
    check(&conv([2, 3], [2, 2]).with_dilation([2, 1]).with_stride([2, 2]), [6, 6], 6);
}

#[test]
fn groups_and_depthwise() {
    check(&conv([4, 6], [3, 3]).with_groups(2), [5, 5], 6);
    check(&conv([4, 4], [3, 3]).with_groups(4), [5, 5], 6);
    check(&conv([3, 6], [2, 3]).with_groups(3).with_bias(false).with_stride([2, 1]), [5, 5], 6);
}

#[test]
fn more_gradient_entries_than_are_formed_at_once() {
    // 73,856 entries an example: 227 examples fill 2^24 entries.
    let model = with_values(conv([64, 128], [3, 3]).with_padding(PaddingConfig2d::Same).init(&flex()), 3);
    let examples = Values::new(9).examples(230, 64 * 4, 1);
    let sum = |physical_batch| {
        let ask = Ask::flex(1.0).physical_batch(physical_batch);
        clipped_sum(&ask, &model, &examples, |model: &Conv2d, batch| {
            let n = batch.size();
            model.forward(batch.shaped(&[64, 2, 2])).square().reshape([n, 128 * 4]).mean_dim(1).reshape([n])
        })
    };
    let difference = relative_difference(&sum(230), &sum(100));
    assert!(difference < 1e-4, "{difference:e}");
}

#[test]
fn more_sliding_windows_than_are_unfolded_at_once() {
    // 27,648 window entries an example: 151 examples fill 2^22.
    let model = with_values(conv([3, 2], [3, 3]).with_padding(PaddingConfig2d::Same).init(&flex()), 3);
    let examples = Values::new(9).examples(160, 3 * 1024, 1);
    let sum = |physical_batch| {
        let ask = Ask::flex(1.0).physical_batch(physical_batch);
        clipped_sum(&ask, &model, &examples, |model: &Conv2d, batch| {
            let n = batch.size();
            model.forward(batch.shaped(&[3, 32, 32])).square().reshape([n, 2 * 1024]).mean_dim(1).reshape([n])
        })
    };
    let difference = relative_difference(&sum(160), &sum(40));
    assert!(difference < 1e-4, "{difference:e}");
}

/// A network of the kind the library is for, with Burn's own layers wherever there is nothing to train.
#[derive(Module, Debug)]
struct Network {
    first: Conv2d,
    activation: Relu,
    pool: MaxPool2d,
    second: Conv2d,
    head: Linear,
}

impl Network {
    fn new() -> Self {
        let device = flex();
        let network = Self {
            first: conv([3, 8], [3, 3]).with_padding(PaddingConfig2d::Same).init(&device),
            activation: Relu::new(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            second: conv([8, 6], [3, 3]).with_stride([2, 2]).init(&device),
            head: LinearConfig::new(6, 4).init(&device),
        };
        with_values(network, 2)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let (n, classes) = (batch.size(), batch.classes());
        let x = self.pool.forward(self.activation.forward(self.first.forward(batch.shaped(&[3, 8, 8]))));
        let x = self.activation.forward(self.second.forward(x));
        cross_entropy(self.head.forward(x.reshape([n, 6])), classes)
    }
}

#[test]
fn a_network_with_burns_layers_between() {
    let mut values = Values::new(4);
    let mut examples = values.examples(9, 3 * 8 * 8, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 4) as f32]);
    assert_equals_loop(&flex(), &Network::new(), &examples, Network::losses);
}

// Two channels or more: the gradient of a single entry may cancel within an example, where the bound on its rounding
// error rightly exceeds 1e-4 of its norm.
proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes(
        groups in 1_usize..4,
        per_group in [2_usize..4, 2..4],
        kernel in [1_usize..4, 1..5],
        stride in [1_usize..4, 1..4],
        dilation in [1_usize..3, 1..3],
        extra in [0_usize..5, 0..5],
        sides in [0_usize..3, 0..3, 0..3, 0..3],
        padding in 0..3,
        bias: bool,
    ) {
        let [top, left, bottom, right] = sides;
        let padding = match padding {
            0 => PaddingConfig2d::Valid,
            1 => PaddingConfig2d::Same,
            _ => PaddingConfig2d::Explicit(top, left, bottom, right),
        };
        let config = conv([groups * per_group[0], groups * per_group[1]], kernel)
            .with_groups(groups)
            .with_stride(stride)
            .with_dilation(dilation)
            // Without a bias, an output that sees nothing but padding has no gradient at all.
            .with_bias(bias || matches!(padding, PaddingConfig2d::Explicit(..)))
            .with_padding(padding);
        let size = [0, 1].map(|axis| dilation[axis] * (kernel[axis] - 1) + 1 + extra[axis]);
        check(&config, size, 4);
    }
}
