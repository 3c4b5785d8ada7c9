//! Convolutions with standardized kernels: against the loop, and against the gradient by definition in f64.

use burn::module::{ModuleMapper, Param, ParamGroup, ParamId};
use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn_privacy::nn::{Conv2dConfig, WeightStandardizedConv2d};
use proptest::prelude::*;

use crate::support::witness::{Witnessed, checked_factor, witness_loss, witnessed};
use crate::support::{
    Ask, Batch, Example, Values, assert_equals_loop, assert_views_equal_loop, clipped_sum, distance, flex, given,
    parameters, values_of, with_values,
};

fn layer(channels: [usize; 2], kernel: [usize; 2]) -> Conv2dConfig {
    Conv2dConfig::new(channels, kernel)
}

/// With values of the tests.
fn standardized(config: &Conv2dConfig) -> WeightStandardizedConv2d {
    with_values(config.init(&flex()).into(), 5)
}

/// What maps images of two channels, 5 x 6, to a loss.
fn losses(model: &WeightStandardizedConv2d, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.shaped(&[2, 5, 6])), batch.target)
}

fn examples(model: &WeightStandardizedConv2d, count: usize) -> Vec<Example> {
    let outputs = model.forward(Tensor::zeros([1, 2, 5, 6], &flex())).shape().num_elements();
    Values::new(3).examples(count, 2 * 5 * 6, outputs)
}

fn check(model: &WeightStandardizedConv2d) {
    assert_equals_loop(&flex(), model, &examples(model, 6), losses);
}

#[test]
fn kernels_of_every_kind() {
    let same = PaddingConfig2d::Same;
    for config in [
        layer([2, 3], [3, 3]),
        layer([2, 3], [3, 3]).with_bias(false),
        layer([2, 3], [2, 4]).with_padding(same.clone()).with_stride([2, 1]),
        layer([2, 4], [3, 2]).with_groups(2).with_padding(PaddingConfig2d::Explicit(0, 1, 2, 1)),
        layer([2, 20], [3, 3]).with_padding(same),
        layer([2, 3], [2, 2]).with_dilation([2, 3]),
    ] {
        check(&standardized(&config));
    }
}

#[test]
fn each_parameter_trained_alone_and_frozen_alone() {
    let paths = ["convolution.weight", "gain", "convolution.bias"];
    let model = standardized(&layer([2, 3], [3, 3]));
    let mut known: Vec<String> = parameters(&model).into_keys().collect();
    known.sort_by_key(|path| paths.iter().position(|known| known == path));
    assert_eq!(known, paths);
    for path in paths {
        check(&model.clone().set_require_grad_group(ParamGroup::from_path(path), false));
        check(&model.clone().no_grad().set_require_grad_group(ParamGroup::from_path(path), true));
    }
}

/// Weights so small that their deviation is clamped and no longer divided by, in every other channel.
fn with_clamped_channels(model: WeightStandardizedConv2d) -> WeightStandardizedConv2d {
    struct Shrink;
    impl ModuleMapper for Shrink {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if D != 4 {
                return param;
            }
            param.map(|old| {
                let (dims, device) = (old.dims(), old.device());
                let entries = dims.iter().product::<usize>() / dims[0];
                let factor = |channel| if channel % 2 == 0 { 1e-3 } else { 1.0 };
                let values = values_of(old).into_iter().enumerate();
                let values: Vec<f32> = values.map(|(i, value)| (value * factor(i / entries)) as f32).collect();
                Tensor::from_data(TensorData::new(values, dims), &device).require_grad()
            })
        }
    }
    model.map(&mut Shrink)
}

#[test]
fn channels_whose_deviation_is_clamped() {
    let model = with_clamped_channels(standardized(&layer([2, 3], [3, 3])));
    let kernel = &parameters(&model)["convolution.weight"];
    let squares = [0, 1].map(|channel| kernel[channel * 18..][..18].iter().map(|x| x * x).sum::<f64>());
    assert!(squares[0] < 1e-4 && squares[1] > 1e-2, "{squares:?}");
    check(&model);
}

#[test]
fn views_of_an_example_add_up_before_the_norm() {
    let model = standardized(&layer([2, 3], [3, 3]));
    let scaled = |model: &WeightStandardizedConv2d, mut batch: Batch| {
        let rows = batch.size();
        let scales: Vec<f32> = (0..rows).map(|row| 1.0 - 0.4 * (row % 3) as f32).collect();
        batch.input = batch.input * Tensor::<1>::from_floats(scales.as_slice(), &flex()).reshape([rows, 1]);
        losses(model, batch)
    };
    assert_views_equal_loop(3, &model, &examples(&model, 5), scaled);
}

#[test]
fn the_output_is_that_of_the_standardized_kernel() {
    let model = standardized(&layer([2, 3], [5, 6]));
    let values = parameters(&model);
    let (kernel, gain, bias) = (&values["convolution.weight"], &values["gain"], &values["convolution.bias"]);
    let image = Values::new(4).normals(60);
    let output = model.forward(Tensor::<1>::from_floats(image.as_slice(), &flex()).reshape([1, 2, 5, 6]));
    for (channel, found) in values_of(output).into_iter().enumerate() {
        let Standardized { unit, .. } = Standardized::of(&kernel[channel * 60..][..60]);
        let product: f64 = unit.iter().zip(&image).map(|(u, x)| u * f64::from(*x)).sum();
        let expected = gain[channel] * product + bias[channel];
        assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
    }
}

/// One channel's weights, standardized in f64.
struct Standardized {
    unit: Vec<f64>,
    deviation: f64,
}

impl Standardized {
    fn of(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let deviation = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>().max(1e-4).sqrt();
        Self { unit: weights.iter().map(|w| (w - mean) / deviation).collect(), deviation }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Images that lie, but for `small`, in the plane that the standardization removes: the gradient of the weights is what
    /// is left of a cancellation. The gain, whose gradient is not, is frozen.
    #[test]
    fn contributions_are_bounded_where_the_projection_cancels(
        seed: u64, small in -9.0..0.0_f64, size in -4..5_i32, part in -4.0..0.5_f64, gain in -3.0..2.0_f64,
    ) {
        let mut values = Values::new(seed);
        let gain = 10_f64.powf(gain) as f32;
        let one: WeightStandardizedConv2d = layer([1, 1], [4, 5]).with_bias(false).init(&flex()).into();
        let mut model = witnessed(&flex(), with_values(one, seed));
        model.1.gain = Param::initialized(ParamId::new(), Tensor::from_floats([gain], &flex()));
        let weights = &parameters(&model.1)["convolution.weight"];
        let Standardized { unit, deviation } = Standardized::of(weights);
        let [mean, along] = [values.normal(), values.normal()];
        let size = 10_f64.powi(size);
        let image: Vec<f32> =
            unit.iter().map(|u| (size * (mean + along * u + 10_f64.powf(small) * values.normal())) as f32).collect();
        let gradient = values.normals(1);

        // One position: the gradient of the kernel is the image times the output's gradient.
        let of_kernel: Vec<f64> = image.iter().map(|x| f64::from(*x) * f64::from(gradient[0])).collect();
        let mean = of_kernel.iter().sum::<f64>() / 20.0;
        let along: f64 = of_kernel.iter().zip(&unit).map(|(g, u)| g * u).sum();
        let scale = f64::from(gain) / deviation;
        let squares = of_kernel.iter().zip(&unit).map(|(g, u)| (scale * (g - mean - u * along)).powi(2));
        let true_norm = squares.sum::<f64>().sqrt();

        let (clip, h) = ((true_norm * 10_f64.powf(part)).clamp(1e-12, 1e12), (true_norm * 1e-3) as f32);
        let examples = [Example::new(image, gradient)];
        let sum = clipped_sum(&Ask::flex(clip), &model, &examples, |model: &Witnessed<WeightStandardizedConv2d>, batch| {
            witness_loss(model, &batch, h) + given(model.1.forward(batch.shaped(&[1, 4, 5])), batch.target)
        });
        checked_factor(&sum, h, true_norm, clip);
    }
}
