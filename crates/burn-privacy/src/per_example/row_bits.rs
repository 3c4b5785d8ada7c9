//! Tests that what one record makes of a step is the same to the last bit beside any number of others, at any place among them.
//!
//! The proof in `exact_sum.rs` rests on it, for one backward pass on the CPU.

use burn::nn::PaddingConfig2d;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_privacy_kernels::Rounding;

use super::batch_layout::BatchLayout;
use super::factors::ClipFactors;
use super::tape::{GradientMemory, Tape};
use crate::activation::{gelu, relu, sigmoid, silu, softmax, tanh};
use crate::attention::attention;
use crate::loss::{binary_cross_entropy_with_logits, cross_entropy, mean_squared_error};
use crate::nn::{
    Conv2dConfig, EmbeddingConfig, GroupNormConfig, LayerNormConfig, LinearConfig, MaxPool2dConfig,
    WeightStandardizedConv2d,
};

/// Rows that are cut out in runs.
const ROWS: usize = 300;
/// Gradients of so many entries are compared, longer ones by what they are products of.
const FEW_ENTRIES: usize = 4_000;

fn device() -> Device {
    Device::flex().autodiff()
}

fn values(count: usize) -> Vec<f32> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next() * 1.6).collect()
}

/// Bits of everything that a step makes of each row: loss, gradients at outputs, gradients, bounds of norms, clip factor.
fn shown(rows: &[f32], width: usize, losses: &impl Fn(Tensor<2>) -> Tensor<1>) -> Vec<Vec<u32>> {
    let count = rows.len() / width;
    let input = Tensor::<2>::from_data(TensorData::new(rows.to_vec(), [count, width]), &device());
    let (losses, mut uses) = Tape::record(BatchLayout::new(count, 1), || Ok(losses(input))).unwrap();
    let mut found: Vec<Tensor<2>> = vec![losses.clone().inner().reshape([count, 1])];
    let mut gradients = losses.sum().backward();
    uses.iter_mut().for_each(|layer_use| layer_use.take_output_gradient(&mut gradients));
    let (rounding, mut memory) = (Rounding::SINGLE, GradientMemory::of(&uses));
    let mut squares = Vec::new();
    for layer_use in &uses {
        found.push(layer_use.output_gradient_rows().expect("every output reaches the losses"));
        squares.push(layer_use.squared_norm_bound(rounding, &mut memory).squared);
        if layer_use.entries() <= FEW_ENTRIES {
            found.extend(layer_use.gradients_of_examples(0..count).into_iter().map(|gradient| gradient.values));
        }
    }
    found.extend(squares.iter().map(|squares| squares.clone().reshape([count, 1])));
    found.push(ClipFactors::flat(&squares, 0.3, rounding, &[count]).weights().reshape([count, 1]));
    let mut bits = vec![Vec::new(); count];
    for part in found {
        let length = part.dims()[1];
        let part = part.into_data().try_to_vec::<f32>().unwrap();
        for (bits, row) in bits.iter_mut().zip(part.chunks_exact(length)) {
            bits.extend(row.iter().map(|value| value.to_bits()));
        }
    }
    bits
}

fn assert_rows_are_their_own(
    width: usize,
    counts: impl Iterator<Item = usize>,
    losses: impl Fn(Tensor<2>) -> Tensor<1>,
) {
    let rows = values(ROWS * width);
    let alone: Vec<Vec<u32>> = rows.chunks_exact(width).flat_map(|row| shown(row, width, &losses)).collect();
    assert!(alone.iter().skip(1).any(|row| *row != alone[0]), "rows that show the same show nothing");
    for count in counts {
        let first = (count * 37) % (ROWS + 1 - count);
        let found = shown(&rows[first * width..(first + count) * width], width, &losses);
        for (row, (found, alone)) in found.iter().zip(&alone[first..]).enumerate() {
            assert!(found == alone, "row {row} of {count}");
        }
    }
}

/// All counts up to 40, and every eleventh from there.
fn some_counts() -> impl Iterator<Item = usize> {
    (1..=ROWS).filter(|count| *count <= 40 || count % 11 == 0)
}

fn targets(input: &Tensor<2>, classes: i64) -> Tensor<1, Int> {
    let [count, _] = input.dims();
    (input.clone().inner().slice([0..count, 0..1]).abs() * 100.0).int().remainder_scalar(classes).reshape([count])
}

#[test]
fn linear_layers_normalizations_and_activations() {
    let device = device();
    let first = LinearConfig::new(12, 70).init(&device);
    let norm = LayerNormConfig::new(70).init(&device);
    let second = LinearConfig::new(70, 24).with_bias(false).init(&device);
    let third = LinearConfig::new(24, 5).init(&device);
    assert_rows_are_their_own(12, 1..=ROWS, |input| {
        let targets = Tensor::<1, Int>::from_data(targets(&input, 5).into_data(), &input.device());
        let hidden = norm.forward(tanh(first.forward(input)));
        let hidden = second.forward(gelu(hidden));
        cross_entropy(third.forward(silu(sigmoid(hidden))), targets)
    });
}

#[test]
fn layers_with_one_output_or_one_input() {
    let device = device();
    let first = LinearConfig::new(1, 600).init(&device);
    let second = LinearConfig::new(600, 1).init(&device);
    let third = LinearConfig::new(1, 1).init(&device);
    assert_rows_are_their_own(1, 1..=ROWS, |input| {
        let target = input.clone().sign().clamp_min(0.0);
        binary_cross_entropy_with_logits(third.forward(second.forward(relu(first.forward(input)))), target)
    });
}

#[test]
fn wide_linear_layers() {
    let device = device();
    let first = LinearConfig::new(784, 1024).init(&device);
    let second = LinearConfig::new(1024, 10).init(&device);
    assert_rows_are_their_own(784, [2, 3, 7, 64, 65, 300].into_iter(), |input| {
        let targets = Tensor::<1, Int>::from_data(targets(&input, 10).into_data(), &input.device());
        cross_entropy(second.forward(relu(first.forward(input))), targets)
    });
}

#[test]
fn convolutions_of_all_kinds() {
    let device = device();
    let same = PaddingConfig2d::Same;
    let windowed = Conv2dConfig::new([2, 4], [3, 3]).with_padding(same.clone()).init(&device);
    let norm = GroupNormConfig::new(2, 4).init(&device);
    let pointwise = Conv2dConfig::new([4, 32], [1, 1]).init(&device);
    let standardized: WeightStandardizedConv2d =
        Conv2dConfig::new([32, 16], [3, 3]).with_padding(same.clone()).init(&device).into();
    let position_major = Conv2dConfig::new([16, 16], [3, 3]).with_stride([2, 2]).init(&device);
    let grouped = Conv2dConfig::new([16, 8], [2, 2]).with_groups(4).with_dilation([1, 2]).init(&device);
    let pool = MaxPool2dConfig::new([2, 2]).init();
    let head = LinearConfig::new(8 * 2, 3).init(&device);
    assert_rows_are_their_own(2 * 9 * 11, some_counts(), |input| {
        let [count, _] = input.dims();
        let targets = Tensor::<1, Int>::from_data(targets(&input, 3).into_data(), &input.device());
        let image = relu(norm.forward(windowed.forward(input.reshape([count, 2, 9, 11]))));
        let image = tanh(standardized.forward(tanh(pointwise.forward(image))));
        let image = relu(grouped.forward(position_major.forward(image)));
        let image = pool.forward(image.repeat(&[1, 1, 1, 2]));
        let [_, channels, height, width] = image.dims();
        let features = image.reshape([count, channels * height * width]);
        cross_entropy(head.forward(features.slice([0..count, 0..16])), targets)
    });
}

#[test]
fn attention_embeddings_and_sequences() {
    const TOKENS: usize = 6;
    let device = device();
    let embedding = EmbeddingConfig::new(40, 24).init(&device);
    let [query, key, value] = std::array::from_fn(|_| LinearConfig::new(24, 24).init(&device));
    let norm = LayerNormConfig::new(24).init(&device);
    let head = LinearConfig::new(24, 7).init(&device);
    for masked in [false, true] {
        let causal: Vec<bool> = (0..TOKENS * TOKENS).map(|i| i % TOKENS > i / TOKENS).collect();
        assert_rows_are_their_own(TOKENS, some_counts(), |input| {
            let [count, _] = input.dims();
            let targets = Tensor::<1, Int>::from_data(targets(&input, 7).into_data(), &input.device());
            let tokens = (input.abs() * 25.0).int().clamp(0, 39);
            let mask = masked.then(|| {
                let mask = TensorData::new(causal.clone(), [1, TOKENS, TOKENS]);
                Tensor::<3, Bool>::from_data(mask, &device).expand([count, TOKENS, TOKENS])
            });
            let vectors = embedding.forward(tokens);
            let mixed = attention(
                query.forward(vectors.clone()),
                key.forward(vectors.clone()),
                value.forward(vectors.clone()),
                3,
                mask,
            );
            let vectors = norm.forward(vectors + softmax(mixed, 2));
            let pooled = vectors.mean_dim(1).reshape([count, 24]);
            cross_entropy(head.forward(pooled), targets)
        });
    }
}

#[test]
fn the_smallest_layers_beside_more_rows_than_one_thread_is_given() {
    let device = device();
    let first = LinearConfig::new(4, 10).init(&device);
    let second = LinearConfig::new(10, 1).init(&device);
    let losses = |input: Tensor<2>| {
        let target = input.clone().sum_dim(1);
        mean_squared_error(second.forward(tanh(first.forward(input))), target)
    };
    let rows = values(60_000 * 4);
    let together = shown(&rows, 4, &losses);
    for row in [0, 1, 4_321, 30_000, 59_999] {
        assert!(together[row] == shown(&rows[row * 4..(row + 1) * 4], 4, &losses)[0], "row {row}");
    }
}
