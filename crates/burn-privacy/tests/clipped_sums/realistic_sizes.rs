use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn_privacy::nn::*;
use crate::support::*;

fn measure<M: Module>(name: &str, model: &M, examples: &[Example], loss: impl Fn(&M, Batch) -> Tensor<1>) {
    let clip = 1e-3;
    let expected = clipped_sum(&Ask::flex(clip).loop_over_examples(), model, examples, &loss);
    let found = clipped_sum(&Ask::flex(clip), model, examples, &loss);
    println!("{name}: {:e}", relative_difference(&found, &expected));
}

#[test]
fn sizes() {
    let mut v = Values::new(1);
    for side in [8, 16, 32] {
        let m = with_values(Conv2dConfig::new([3, 16], [3, 3]).with_padding(PaddingConfig2d::Same).init(&flex()), 1);
        let e = v.examples(4, 3 * side * side, 16 * side * side);
        measure(&format!("conv random {side}"), &m, &e, |m: &Conv2d, b| distance(m.forward(b.shaped(&[3, side, side])), b.target));
        let mut e = e; e.iter_mut().for_each(|e| e.input.iter_mut().for_each(|x| *x = x.abs()));
        measure(&format!("conv positive {side}"), &m, &e, |m: &Conv2d, b| distance(m.forward(b.shaped(&[3, side, side])), b.target));
        for c in [8, 32] {
            let m = with_values(GroupNormConfig::new(4, c).init(&flex()), 1);
            let e = v.examples(4, c * side * side, c * side * side);
            measure(&format!("groupnorm {c} {side}"), &m, &e, |m: &GroupNorm, b| distance(m.forward(b.shaped::<4>(&[c, side, side])), b.target));
        }
        let m = with_values(Conv2dConfig::new([16, 16], [3, 3]).with_groups(16).with_padding(PaddingConfig2d::Same).init(&flex()), 1);
        let e = v.examples(4, 16 * side * side, 16 * side * side);
        measure(&format!("depthwise random {side}"), &m, &e, |m: &Conv2d, b| distance(m.forward(b.shaped(&[16, side, side])), b.target));
    }
    for (t, d, p) in [(16, 32, 32), (32, 64, 64), (64, 128, 128), (128, 256, 256), (128, 64, 64), (256, 64, 64)] {
        let m = with_values(LinearConfig::new(d, p).init(&flex()), 1);
        let e = v.examples(4, t * d, t * p);
        measure(&format!("linear {t} {d} {p}"), &m, &e, |m: &Linear, b| distance(m.forward(b.shaped::<3>(&[t, d])), b.target));
    }
    for (t, n, d) in [(16, 100, 32), (128, 1000, 64), (256, 5000, 64)] {
        let m = with_values(EmbeddingConfig::new(n, d).init(&flex()), 1);
        let e = v.token_examples(4, t, n, t * d);
        measure(&format!("embedding {t} {n} {d}"), &m, &e, |m: &Embedding, b| distance(m.forward(b.tokens), b.target));
    }
    for (t, d) in [(16, 64), (128, 256)] {
        let m = with_values(LayerNormConfig::new(d).init(&flex()), 1);
        let e = v.examples(4, t * d, t * d);
        measure(&format!("layernorm {t} {d}"), &m, &e, |m: &LayerNorm, b| distance(m.forward(b.shaped::<3>(&[t, d])), b.target));
    }
}
