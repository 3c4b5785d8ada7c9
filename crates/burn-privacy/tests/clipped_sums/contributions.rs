//! No example's contribution exceeds the clipping norm, although its gradient cancels so far that the f32 norm of it
//! is meaningless. See [`witness`](crate::support::witness) for what is computed.

use burn::nn::PaddingConfig2d;
use burn_privacy::nn::{Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};
use proptest::prelude::*;

use crate::support::witness::{Witnessed, cancelling_pairs, checked_factor, linear_norm, witness_loss, witnessed};
use crate::support::{Ask, Example, Values, clipped_sum, flex, given, norm};

fn clip_for(true_norm: f64, part: f64) -> f64 {
    if true_norm > 0.0 { (true_norm * part).clamp(1e-12, 1e12) } else { 1.0 }
}

fn witness_for(true_norm: f64) -> f32 {
    if true_norm > 0.0 { (true_norm * 1e-3) as f32 } else { 1.0 }
}

fn check_linear(input: Vec<f32>, gradient: Vec<f32>, shape: [usize; 3], bias: bool, part: f64) {
    let [positions, from, to] = shape;
    let true_norm = linear_norm(&input, &gradient, shape, bias);
    let (clip, h) = (clip_for(true_norm, part), witness_for(true_norm));
    let model = witnessed(&flex(), LinearConfig::new(from, to).with_bias(bias).init(&flex()));
    let examples = [Example::new(input, gradient)];
    let sum = clipped_sum(&Ask::flex(clip), &model, &examples, |model: &Witnessed<Linear>, batch| {
        let output = model.1.forward(batch.shaped::<3>(&[positions, from]));
        witness_loss(model, &batch, h) + given(output, batch.target)
    });
    checked_factor(&sum, h, true_norm, clip);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Positions 2..=32 against 16 x 16 weights: ghost up to 11, instantiated from 12.
    #[test]
    fn linear_layers_with_cancelling_sequences(
        seed: u64, positions in 2_usize..33, small in -9.0..0.0_f64, size in -4..5_i32, part in -4.0..0.5_f64, bias: bool,
    ) {
        let mut values = Values::new(seed);
        let (mut input, gradient) = cancelling_pairs(&mut values, positions, 16, 16, 10_f64.powf(small));
        input.iter_mut().for_each(|x| *x *= 10_f32.powi(size));
        check_linear(input, gradient, [positions, 16, 16], bias, 10_f64.powf(part));
    }

    #[test]
    fn convolutions_with_cancelling_gradients(
        seed: u64, small in -9.0..0.0_f64, size in -4..5_i32, part in -4.0..0.5_f64, stride in 1_usize..3, bias: bool,
    ) {
        let mut values = Values::new(seed);
        let size = 10_f32.powi(size);
        let base = values.normals(1)[0];
        // A nearly constant image, and output gradients that nearly sum to zero in each channel.
        let input: Vec<f32> = (0..2 * 8 * 8).map(|_| size * (base + (10_f64.powf(small) * values.normal()) as f32)).collect();
        let side = if stride == 1 { 6 } else { 3 };
        let (_, mut gradient) = cancelling_pairs(&mut values, side * side / 2 * 2, 1, 3, 10_f64.powf(small));
        gradient.resize(3 * side * side, 0.0);
        let gradient = channels_first(&gradient, 3);
        check_convolution(input, gradient, stride, bias, 10_f64.powf(part));
    }

    #[test]
    fn embeddings_with_cancelling_gradients(seed: u64, tokens in 2_usize..17, small in -9.0..0.0_f64, part in -4.0..0.5_f64) {
        let mut values = Values::new(seed);
        let (_, gradient) = cancelling_pairs(&mut values, tokens, 1, 8, 10_f64.powf(small));
        // Two words for all positions: pairs meet in one row of the table. 10 rows: ghost up to 8 tokens.
        let words: Vec<i32> = (0..tokens).map(|t| ((t / 2) % 2) as i32).collect();
        let mut table = vec![0.0_f64; 10 * 8];
        for (t, word) in words.iter().enumerate() {
            (0..8).for_each(|k| table[*word as usize * 8 + k] += f64::from(gradient[t * 8 + k]));
        }
        let true_norm = norm([&table]);
        let (clip, h) = (clip_for(true_norm, 10_f64.powf(part)), witness_for(true_norm));
        let model = witnessed(&flex(), EmbeddingConfig::new(10, 8).init(&flex()));
        let examples = [Example { input: vec![0.0], tokens: words, target: gradient }];
        let sum = clipped_sum(&Ask::flex(clip), &model, &examples, |model: &Witnessed<Embedding>, batch| {
            witness_loss(model, &batch, h) + given(model.1.forward(batch.tokens), batch.target)
        });
        checked_factor(&sum, h, true_norm, clip);
    }

    /// Two uses of one layer with opposite gradients.
    #[test]
    fn layers_called_twice_with_opposite_gradients(
        seed: u64, positions in 1_usize..5, small in -9.0..0.0_f64, part in -4.0..0.5_f64,
    ) {
        let mut values = Values::new(seed);
        let (input, gradient) = (values.normals(positions * 6), values.normals(positions * 5));
        let scale = (1.0 + 10_f64.powf(small)) as f32;
        // The second use sees the input times `scale`, as f32 computes it, and the opposite gradient.
        let mut both = input.clone();
        both.extend(input.iter().map(|x| x * scale));
        let mut gradients = gradient.clone();
        gradients.extend(gradient.iter().map(|x| -x));
        let true_norm = linear_norm(&both, &gradients, [2 * positions, 6, 5], true);
        let (clip, h) = (clip_for(true_norm, 10_f64.powf(part)), witness_for(true_norm));
        let model = witnessed(&flex(), LinearConfig::new(6, 5).init(&flex()));
        let sum = clipped_sum(&Ask::flex(clip), &model, &[Example::new(input, gradient)], |model: &Witnessed<Linear>, batch| {
            let input = batch.shaped::<3>(&[positions, 6]);
            let difference = model.1.forward(input.clone()) - model.1.forward(input * scale);
            witness_loss(model, &batch, h) + given(difference, batch.target)
        });
        checked_factor(&sum, h, true_norm, clip);
    }

    /// Without cancellation the factor is not only safe but right: at most 1e-4 below the exact one.
    #[test]
    fn factors_are_not_needlessly_small(seed: u64, positions in 1_usize..13, part in -3.0..-0.1_f64) {
        let mut values = Values::new(seed);
        let (input, gradient) = (values.normals(positions * 9), values.normals(positions * 8));
        let true_norm = linear_norm(&input, &gradient, [positions, 9, 8], true);
        let (clip, h) = (clip_for(true_norm, 10_f64.powf(part)), witness_for(true_norm));
        let model = witnessed(&flex(), LinearConfig::new(9, 8).init(&flex()));
        let sum = clipped_sum(&Ask::flex(clip), &model, &[Example::new(input, gradient)], |model: &Witnessed<Linear>, batch| {
            let output = model.1.forward(batch.shaped::<3>(&[positions, 9]));
            witness_loss(model, &batch, h) + given(output, batch.target)
        });
        let factor = checked_factor(&sum, h, true_norm, clip);
        let exact = clip / true_norm.hypot(f64::from(h));
        prop_assert!(factor >= exact * (1.0 - 1e-4), "{factor:e} instead of {exact:e}");
    }
}

/// `[positions, channels]` to `[channels, positions]`.
fn channels_first(gradient: &[f32], channels: usize) -> Vec<f32> {
    let positions = gradient.len() / channels;
    (0..channels).flat_map(|c| (0..positions).map(move |t| gradient[t * channels + c])).collect()
}

/// A 3 x 3 convolution from 2 to 3 channels of an 8 x 8 image, its gradient by definition in f64.
fn check_convolution(input: Vec<f32>, gradient: Vec<f32>, stride: usize, bias: bool, part: f64) {
    let side = (8 - 3) / stride + 1;
    assert_eq!(gradient.len(), 3 * side * side);
    let at = |c: usize, y: usize, x: usize| f64::from(gradient[(c * side + y) * side + x]);
    let mut squares = 0.0;
    for out in 0..3 {
        let total: f64 = (0..side * side).map(|i| at(out, i / side, i % side)).sum();
        squares += if bias { total * total } else { 0.0 };
        for (from, ky, kx) in (0..18).map(|i| (i / 9, i / 3 % 3, i % 3)) {
            let entry: f64 = (0..side * side)
                .map(|i| {
                    let (y, x) = (i / side, i % side);
                    let pixel = input[(from * 8 + y * stride + ky) * 8 + x * stride + kx];
                    f64::from(pixel) * at(out, y, x)
                })
                .sum();
            squares += entry * entry;
        }
    }
    let true_norm = squares.sqrt();
    let (clip, h) = (clip_for(true_norm, part), witness_for(true_norm));
    let config = Conv2dConfig::new([2, 3], [3, 3]).with_stride([stride; 2]).with_bias(bias);
    let model = witnessed(&flex(), config.with_padding(PaddingConfig2d::Valid).init(&flex()));
    let sum =
        clipped_sum(&Ask::flex(clip), &model, &[Example::new(input, gradient)], |model: &Witnessed<Conv2d>, batch| {
            witness_loss(model, &batch, h) + given(model.1.forward(batch.shaped(&[2, 8, 8])), batch.target)
        });
    checked_factor(&sum, h, true_norm, clip);
}
