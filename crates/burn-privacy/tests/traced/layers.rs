//! Every layer of `burn::nn` with parameters, stock, on random shapes: the clipped sums of the operation graph are those of
//! the batch-of-one loop.

use burn::nn::attention::{CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig, ConvTranspose3dConfig,
    DeformConv2dConfig,
};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput, TransformerEncoderConfig,
    TransformerEncoderInput,
};
use burn::nn::{
    BatchNormConfig, BiGruConfig, BiLstmConfig, EmbeddingConfig, GroupNormConfig, GruConfig, InstanceNormConfig,
    LayerNormConfig, LinearConfig, LstmConfig, PReluConfig, PaddingConfig1d, PaddingConfig2d, PaddingConfig3d,
    RmsNormConfig, RnnConfig, SwiGluConfig,
};
use burn::prelude::*;

use crate::support::{
    Ask, Batch, Example, Values, clipped_sum, difference_relative_to, distance, flex, norm, with_values,
};

/// The largest relative difference of a layer's clipped sums from the loop's, over clipping norms and physical batches.
pub fn worst_difference<M: Module>(model: &M, examples: &[Example], loss: impl Fn(&M, Batch) -> Tensor<1>) -> f64 {
    let mut norms: Vec<f64> = examples
        .iter()
        .map(|example| {
            let ask = Ask::flex(1e12).loop_over_examples();
            norm(clipped_sum(&ask, model, std::slice::from_ref(example), &loss).values())
        })
        .collect();
    norms.sort_by(f64::total_cmp);
    let middle = norms[norms.len() / 2];
    let mut worst = 0.0_f64;
    for clip in [1e-3 * middle, middle, 1e3 * middle] {
        let expected = clipped_sum(&Ask::flex(clip).loop_over_examples(), model, examples, &loss);
        assert!(norm(expected.values()) > 0.0, "the reference is zero: nothing was tested");
        for physical_batch in [3, examples.len()] {
            let found = clipped_sum(&Ask::flex(clip).traced().physical_batch(physical_batch), model, examples, &loss);
            worst = worst.max(difference_relative_to(&found, &expected, 0.1 * clip.min(middle)));
        }
    }
    worst
}

/// A layer on inputs of a shape of its own, and its outputs' squares as losses.
fn assert_layer<const D: usize, const O: usize, M: Module>(
    name: &str,
    input: [usize; D],
    layer: M,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<O>,
) {
    assert_model(name, input, with_values(layer, 7), forward);
}

/// The same with the values that the model has.
fn assert_model<const D: usize, const O: usize, M: Module>(
    name: &str,
    input: [usize; D],
    model: M,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<O>,
) {
    let entries = input[1..].iter().product();
    let examples = Values::new(3).examples(5, entries, 1);
    let worst = worst_difference(&model, &examples, |model, batch| {
        let n = batch.size();
        let output = forward(model, batch.shaped(&input[1..]));
        let entries = output.shape().num_elements() / n;
        let output = output.reshape([n, entries]);
        (output.clone().square() * 0.5 + output.tanh()).sum_dim(1).reshape([n])
    });
    println!("{name:32} {worst:.1e}");
    assert!(worst < 1e-5, "{name}: relative difference {worst:e}");
}

/// Small shapes, another one each time.
struct Shapes(Values);

impl Shapes {
    fn below(&mut self, least: usize, most: usize) -> usize {
        least + self.0.below(most - least + 1)
    }
}

fn for_shapes(seed: u64, mut check: impl FnMut(&mut Shapes)) {
    let mut shapes = Shapes(Values::new(seed));
    (0..2).for_each(|_| check(&mut shapes));
}

#[test]
fn linear() {
    for_shapes(1, |s| {
        let (d, o, t) = (s.below(1, 7), s.below(1, 6), s.below(1, 5));
        let device = flex();
        assert_layer("Linear", [0, d], LinearConfig::new(d, o).init(&device), |m, x: Tensor<2>| m.forward(x));
        let layer = LinearConfig::new(d, o).with_bias(false).init(&device);
        assert_layer("Linear, positions, no bias", [0, t, d], layer, |m, x: Tensor<3>| m.forward(x));
    });
}

#[test]
fn convolutions() {
    for_shapes(2, |s| {
        let (c, o, l) = (2 * s.below(1, 2), 2 * s.below(1, 3), s.below(5, 9));
        let device = flex();
        let one = Conv1dConfig::new(c, o, 3).with_padding(PaddingConfig1d::Same).with_groups(2).init(&device);
        assert_layer("Conv1d, groups", [0, c, l], one, |m, x: Tensor<3>| m.forward(x));
        let two = Conv2dConfig::new([c, o], [3, 2]).with_stride([2, 1]).with_groups(2).init(&device);
        assert_layer("Conv2d, groups, stride", [0, c, l, 6], two, |m, x: Tensor<4>| m.forward(x));
        let same =
            Conv2dConfig::new([c, o], [3, 3]).with_padding(PaddingConfig2d::Same).with_dilation([2, 1]).init(&device);
        assert_layer("Conv2d, padding, dilation", [0, c, l, 5], same, |m, x: Tensor<4>| m.forward(x));
        let three = Conv3dConfig::new([c, o], [2, 3, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_groups(2)
            .init(&device);
        assert_layer("Conv3d, groups", [0, c, 3, 4, 3], three, |m, x: Tensor<5>| m.forward(x));
    });
}

#[test]
fn transposed_and_deformable_convolutions() {
    for_shapes(3, |s| {
        let (c, o, l) = (2 * s.below(1, 2), 2 * s.below(1, 2), s.below(4, 6));
        let device = flex();
        let one = ConvTranspose1dConfig::new([c, o], 3).with_stride(2).with_groups(2).init(&device);
        assert_layer("ConvTranspose1d, groups", [0, c, l], one, |m, x: Tensor<3>| m.forward(x));
        let two = ConvTranspose2dConfig::new([c, o], [2, 3]).with_stride([2, 1]).init(&device);
        assert_layer("ConvTranspose2d, stride", [0, c, l, 3], two, |m, x: Tensor<4>| m.forward(x));
        let three = ConvTranspose3dConfig::new([c, o], [2, 2, 2]).init(&device);
        assert_layer("ConvTranspose3d", [0, c, 2, l, 2], three, |m, x: Tensor<5>| m.forward(x));
        let deform = DeformConv2dConfig::new([c, o], [2, 2]).with_offset_groups(1).init(&device);
        assert_layer("DeformConv2d", [0, c, l, 4], deform, move |m, x: Tensor<4>| {
            let [n, _, h, w] = x.dims();
            let offset = x.clone().slice([0..n, 0..1, 0..h - 1, 0..w - 1]).repeat_dim(1, 8) * 0.3;
            m.forward(x, offset, None)
        });
    });
}

#[test]
fn normalizations() {
    for_shapes(4, |s| {
        let (c, l) = (2 * s.below(1, 3), s.below(3, 6));
        let device = flex();
        assert_layer("LayerNorm", [0, l, c], LayerNormConfig::new(c).init(&device), |m, x: Tensor<3>| m.forward(x));
        assert_layer("GroupNorm", [0, c, l], GroupNormConfig::new(2, c).init(&device), |m, x: Tensor<3>| m.forward(x));
        assert_layer("InstanceNorm", [0, c, l], InstanceNormConfig::new(c).init(&device), |m, x: Tensor<3>| {
            m.forward(x)
        });
        assert_layer("RmsNorm", [0, l, c], RmsNormConfig::new(c).init(&device), |m, x: Tensor<3>| m.forward(x));
        assert_layer("PRelu, one", [0, l, c], PReluConfig::new().init(&device), |m, x: Tensor<3>| m.forward(x));
        let many = PReluConfig::new().with_num_parameters(c).init(&device);
        assert_layer("PRelu, channels", [0, c, l], many, |m, x: Tensor<3>| m.forward(x));
    });
}

#[derive(Module, Debug)]
struct Frozen {
    norm: burn::nn::BatchNorm,
    scale: burn::module::Param<Tensor<1>>,
}

#[test]
fn frozen_batch_normalization() {
    let device = flex();
    let frozen = Frozen {
        norm: BatchNormConfig::new(4).init(&device).freeze(),
        scale: burn::module::Param::from_tensor(Tensor::ones([1], &device)),
    };
    // Running variances stay positive.
    assert_model("BatchNorm, frozen", [0, 4, 5], frozen, |m, x: Tensor<3>| {
        m.norm.forward(x * m.scale.val().reshape([1, 1, 1]))
    });
}

#[test]
fn feed_forward_layers() {
    for_shapes(5, |s| {
        let (d, h, t) = (s.below(2, 6), s.below(2, 6), s.below(1, 4));
        let device = flex();
        assert_layer("SwiGlu", [0, t, d], SwiGluConfig::new(d, h).init(&device), |m, x: Tensor<3>| m.forward(x));
        let ff = PositionWiseFeedForwardConfig::new(d, h).with_dropout(0.0).init(&device);
        assert_layer("PositionWiseFeedForward", [0, t, d], ff, |m, x: Tensor<3>| m.forward(x));
    });
}

#[test]
fn attention() {
    for_shapes(6, |s| {
        let (heads, t) = (s.below(1, 2), s.below(2, 5));
        let d = 4 * heads;
        let device = flex();
        let mha = MultiHeadAttentionConfig::new(d, heads).with_dropout(0.0).init(&device);
        assert_layer("MultiHeadAttention", [0, t, d], mha, |m, x: Tensor<3>| m.forward(MhaInput::self_attn(x)).context);
        let cross = CrossAttentionConfig::new(d, d, heads, heads, 4).with_dropout(0.0).init(&device);
        assert_layer("CrossAttention", [0, t, d], cross, |m, x: Tensor<3>| m.forward(x.clone(), x.tanh(), None));
    });
}

#[test]
fn transformers() {
    for_shapes(7, |s| {
        let (t, d) = (s.below(2, 5), 8);
        let device = flex();
        let encoder = TransformerEncoderConfig::new(d, 12, 2, 2).with_dropout(0.0).init(&device);
        assert_layer("TransformerEncoder", [0, t, d], encoder, |m, x: Tensor<3>| {
            let [n, t, _] = x.dims();
            let mask = generate_autoregressive_mask(n, t, &x.device());
            m.forward(TransformerEncoderInput::new(x).mask_attn(mask))
        });
        let decoder = TransformerDecoderConfig::new(d, 12, 2, 1).with_dropout(0.0).init(&device);
        assert_layer("TransformerDecoder", [0, t, d], decoder, |m, x: Tensor<3>| {
            m.forward(TransformerDecoderInput::new(x.clone(), x.tanh()))
        });
    });
}

#[test]
fn recurrent_layers() {
    for_shapes(8, |s| {
        let (d, h, t) = (s.below(1, 4), s.below(1, 4), s.below(1, 5));
        let device = flex();
        let input = [0, t, d];
        assert_layer("Rnn", input, RnnConfig::new(d, h, true).init(&device), |m, x: Tensor<3>| m.forward(x, None).0);
        assert_layer("Lstm", input, LstmConfig::new(d, h, true).init(&device), |m, x: Tensor<3>| m.forward(x, None).0);
        assert_layer("BiLstm", input, BiLstmConfig::new(d, h, true).init(&device), |m, x: Tensor<3>| {
            m.forward(x, None).0
        });
        assert_layer("Gru", input, GruConfig::new(d, h, true).init(&device), |m, x: Tensor<3>| m.forward(x, None));
        assert_layer("BiGru", input, BiGruConfig::new(d, h, true).init(&device), |m, x: Tensor<3>| {
            m.forward(x, None).0
        });
    });
}

#[test]
fn embeddings() {
    for_shapes(9, |s| {
        let (vocabulary, d, t) = (s.below(2, 9), s.below(1, 5), s.below(1, 6));
        let model = with_values(EmbeddingConfig::new(vocabulary, d).init(&flex()), 7);
        let examples = Values::new(4).token_examples(5, t, vocabulary, t * d);
        let worst =
            worst_difference(&model, &examples, |model, batch| distance(model.forward(batch.tokens), batch.target));
        println!("{:32} {worst:.1e}", "Embedding");
        assert!(worst < 1e-5, "relative difference {worst:e}");
    });
}
