use burn::prelude::*;
use burn_privacy::nn::*;
use burn_privacy::per_example::*;
use crate::support::witness::*;
use crate::support::*;

#[test]
fn sizes() {
    let mut v = Values::new(1);
    for (t, n, d) in [(16, 100, 32), (128, 1000, 64), (256, 5000, 64)] {
        let examples = v.token_examples(1, t, n, t * d);
        let mut table = vec![0.0_f64; n * d];
        for (i, w) in examples[0].tokens.iter().enumerate() {
            (0..d).for_each(|k| table[*w as usize * d + k] += f64::from(examples[0].target[i * d + k]));
        }
        let true_norm = norm([&table]);
        let model = witnessed(&flex(), EmbeddingConfig::new(n, d).init(&flex()));
        let sum = clipped_sum(&Ask::flex(1e-3), &model, &examples, |model: &Witnessed<Embedding>, batch| {
            witness_loss(model, &batch, 1e-3) + given(model.1.forward(batch.tokens), batch.target)
        });
        let f = sum["0"][0] / 1e-3_f32 as f64;
        println!("factor {f:e} exact {:e} ratio-1 {:e}", 1e-3 / true_norm, f / (1e-3 / true_norm) - 1.0);
        let g = Tensor::<1>::from_floats(examples[0].target.as_slice(), &Device::flex()).reshape([t, d]);
        println!("rows {:?}", (sum_of_squares_bound(g.clone(), Rounding::SINGLE) / g.square().sum_dim(1).reshape([t])).max().into_data());
        println!("{:e} {:e}", Rounding::SINGLE.sum(2 * t), Rounding::SINGLE.matrix_product(d));
    }
}
