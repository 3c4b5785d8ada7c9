//! The clip factor of one example, read off a second parameter.
//!
//! A batch of one example, whose recorded layer input `a` and output gradient `g` are chosen (the loss is
//! `sum(output * g)`, so `g` is exact), gives `c G` for an unknown clip factor `c`. The true gradient `G` follows from
//! `a` and `g` in f64, independently of the library. The factor is read off a second parameter, the witness, whose
//! gradient is a known constant `h`. Then `c || (G, h) ||` in f64 must be at most the clipping norm.

use burn::module::Param;
use burn::prelude::*;
use burn_privacy::per_example::per_example;

use super::{Batch, ByPath, Values, norm};

/// A layer under test next to the witness, a parameter of one entry.
pub type Witnessed<L> = (Param<Tensor<1>>, L);

pub fn witnessed<L>(device: &Device, layer: L) -> Witnessed<L> {
    (Param::from_tensor(Tensor::ones([1], device)), layer)
}

/// `h * witness`: its gradient is `h`, exactly.
pub fn witness_loss<L>(model: &Witnessed<L>, batch: &Batch, h: f32) -> Tensor<1> {
    let n = batch.size();
    let copies: Tensor<2> = per_example(&model.0, n);
    copies.reshape([n]) * h
}

/// The clip factor that the witness shows, after checking the example's contribution against the clipping norm.
pub fn checked_factor(sum: &ByPath, h: f32, true_norm: f64, clip: f64) -> f64 {
    let factor = sum["0"][0] / f64::from(h);
    assert!((0.0..=1.0).contains(&factor), "clip factor {factor}");
    let contribution = factor * true_norm.hypot(f64::from(h));
    assert!(contribution <= clip, "a contribution of {contribution:e} with clipping norm {clip:e} (factor {factor:e})");
    let released = norm(sum.values());
    assert!(released <= clip, "the released sum has norm {released:e}, clipping norm {clip:e}");
    factor
}

/// `sqrt(sum G^2)` of `G = sum_t a_t g_t^T` and, with a bias, `sum_t g_t`, in f64.
pub fn linear_norm(input: &[f32], gradient: &[f32], [positions, from, to]: [usize; 3], bias: bool) -> f64 {
    let mut squares = 0.0;
    for row in 0..from + usize::from(bias) {
        for column in 0..to {
            let entry: f64 = (0..positions)
                .map(|t| {
                    let a = if row < from { f64::from(input[t * from + row]) } else { 1.0 };
                    a * f64::from(gradient[t * to + column])
                })
                .sum();
            squares += entry * entry;
        }
    }
    squares.sqrt()
}

/// Sequence positions in pairs that almost cancel: the same input twice, output gradients `g` and `-g (1 + small)`.
pub fn cancelling_pairs(
    values: &mut Values,
    positions: usize,
    from: usize,
    to: usize,
    small: f64,
) -> (Vec<f32>, Vec<f32>) {
    let (mut input, mut gradient) = (Vec::new(), Vec::new());
    for _ in 0..positions.div_ceil(2) {
        let (a, g) = (values.normals(from), values.normals(to));
        input.extend(a.iter().chain(&a));
        gradient.extend(g.iter());
        gradient.extend(g.iter().map(|x| (-f64::from(*x) * (1.0 + small * values.normal())) as f32));
    }
    input.truncate(positions * from);
    gradient.truncate(positions * to);
    (input, gradient)
}
