//! Inputs and output gradients of every size that f32 has: an example is either bounded by the clipping norm or
//! excluded, and nothing is ever NaN. (A data set of nothing but records without a finite loss is refused.)

use burn::module::Param;
use burn::prelude::*;
use burn_privacy::Error;
use burn_privacy::nn::{Conv2d, Conv2dConfig, Linear, LinearConfig};

use crate::support::witness::{Witnessed, checked_factor, linear_norm, witness_loss, witnessed};
use crate::support::{Ask, Batch, ByPath, Example, Values, clipped_sum, flex, given, try_clipped_sum};

const EXPONENTS: std::ops::RangeInclusive<i32> = -44..=38;

/// Checks one example; its clip factor must not be zero where everything is far from the ends of f32.
fn check(sum: Option<&ByPath>, h: f32, true_norm: f64, clip: f64, ordinary: bool) {
    let Some(sum) = sum else {
        assert!(!ordinary, "an ordinary example was refused");
        return;
    };
    assert!(sum.values().flatten().all(|value| value.is_finite()), "{sum:?}");
    if true_norm.is_finite() {
        let factor = checked_factor(sum, h, true_norm, clip);
        assert!(factor > 0.0 || !ordinary, "an ordinary example was excluded");
    } else {
        assert!(sum.values().flatten().all(|value| *value == 0.0), "{sum:?}");
    }
}

/// The clipped sum of the only record; `None` if it was refused because nothing finite was there to validate on.
fn sum_of_one<M: Module>(
    clip: f64,
    model: &M,
    example: Example,
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) -> Option<ByPath> {
    match try_clipped_sum(&Ask::flex(clip), model, &[example], loss) {
        Ok(sum) => Some(sum),
        Err(Error::NothingToValidate { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn scaled(values: &mut Values, length: usize, exponent: i32) -> Vec<f32> {
    values.normals(length).iter().map(|x| (f64::from(*x) * 10_f64.powi(exponent)) as f32).collect()
}

/// The squares of the inputs, of the output gradients and of their products are far from the ends of f32.
fn ordinary([a, g]: [i32; 2]) -> bool {
    a.abs() <= 12 && g.abs() <= 12 && a + g <= 16
}

#[test]
fn linear_layers() {
    let model = witnessed(&flex(), LinearConfig::new(8, 8).init(&flex()));
    let mut values = Values::new(1);
    // One position, the ghost norm (2 * 16 <= 64), instantiation.
    for positions in [1, 4, 7] {
        for a in EXPONENTS.step_by(3) {
            for g in EXPONENTS.step_by(3) {
                let input = scaled(&mut values, positions * 8, a);
                let gradient = scaled(&mut values, positions * 8, g);
                let true_norm = linear_norm(&input, &gradient, [positions, 8, 8], true);
                for (h, clip) in [(1.0, 1.0), (1e-6, 1e-6)] {
                    let example = Example::new(input.clone(), gradient.clone());
                    let sum = sum_of_one(clip, &model, example, |model: &Witnessed<Linear>, batch| {
                        let output = model.1.forward(batch.shaped::<3>(&[positions, 8]));
                        witness_loss(model, &batch, h) + given(output, batch.target)
                    });
                    check(sum.as_ref(), h, true_norm, clip, ordinary([a, g]));
                }
            }
        }
    }
}

#[test]
fn convolutions() {
    // A kernel as large as the image: the gradient is the outer product, as of a linear layer.
    let model = witnessed(&flex(), Conv2dConfig::new([1, 4], [3, 3]).init(&flex()));
    let mut values = Values::new(2);
    for a in EXPONENTS.step_by(3) {
        for g in EXPONENTS.step_by(3) {
            let (input, gradient) = (scaled(&mut values, 9, a), scaled(&mut values, 4, g));
            let true_norm = linear_norm(&input, &gradient, [1, 9, 4], true);
            let sum = sum_of_one(1.0, &model, Example::new(input, gradient), |model: &Witnessed<Conv2d>, batch| {
                witness_loss(model, &batch, 1.0) + given(model.1.forward(batch.shaped(&[1, 3, 3])), batch.target)
            });
            check(sum.as_ref(), 1.0, true_norm, 1.0, ordinary([a, g]));
        }
    }
}

#[test]
fn bare_parameters() {
    let model = witnessed(&flex(), Param::from_tensor(Tensor::<1>::ones([5], &flex())));
    let mut values = Values::new(3);
    for g in EXPONENTS {
        let gradient = scaled(&mut values, 5, g);
        let true_norm = gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        for (h, clip) in [(1.0, 1.0), (1e-6, 1e-6)] {
            let example = Example::new(vec![0.0], gradient.clone());
            let sum = sum_of_one(clip, &model, example, |model: &Witnessed<Param<Tensor<1>>>, batch| {
                let copies: Tensor<2> = burn_privacy::per_example::per_example(&model.1, batch.size());
                witness_loss(model, &batch, h) + given(copies, batch.target)
            });
            check(sum.as_ref(), h, true_norm, clip, ordinary([g, 0]));
        }
    }
}

#[test]
fn huge_activations_with_tiny_gradients_stay_in() {
    let model = witnessed(&flex(), LinearConfig::new(2, 2).with_bias(false).init(&flex()));
    let examples = [Example::new(vec![1e18, -1e18], vec![1e-16, 1e-16])];
    let sum = clipped_sum(&Ask::flex(1.0), &model, &examples, |model: &Witnessed<Linear>, batch| {
        witness_loss(model, &batch, 1e-3) + given(model.1.forward(batch.input), batch.target)
    });
    // || a || || g || = 200, far above C: the contribution is clipped, and not to nothing.
    let factor = checked_factor(&sum, 1e-3, 200.0, 1.0);
    assert!(factor > 1e-3, "{factor:e}");
}
