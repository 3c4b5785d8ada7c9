//! Activation functions that are fast on the CPU.
//!
//! They compute what the functions of the same names in [`burn::tensor::activation`] compute (to a few units of the
//! last place), and a model may use either: they have no parameters. On the flex backend these use all cores and the
//! machine's widest vectors, and write over their input where nothing else holds it; on other backends they are Burn's.
//!
//! ```
//! # #[cfg(feature = "flex")] {
//! use burn::prelude::*;
//! use burn_privacy::activation::tanh;
//!
//! let x = Tensor::<1>::from_floats([0.0, 0.5], &Device::flex());
//! let y = tanh(x).into_data().try_to_vec::<f32>().unwrap();
//! assert!(y[0] == 0.0 && (y[1] - 0.5_f32.tanh()).abs() < 1e-6);
//! # }
//! ```

use burn::tensor::Tensor;

use burn_privacy_kernels::ops::activation::activate;
use burn_privacy_kernels::ops::pointwise::Pointwise;

/// `max(x, 0)`, with gradient 0 at 0. A NaN is passed on.
pub fn relu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    activate(Pointwise::Relu, input)
}

/// `tanh x`.
pub fn tanh<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    activate(Pointwise::Tanh, input)
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    activate(Pointwise::Sigmoid, input)
}

/// `x Φ(x)`, with the normal distribution function itself (not the approximation by `tanh`).
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    activate(Pointwise::Gelu, input)
}

/// `x / (1 + e^-x)`, also called swish.
pub fn silu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    activate(Pointwise::Silu, input)
}

/// The softmax along `dim`: fast for the last axis, Burn's for others.
///
/// # Panics
///
/// If `dim` is not below `D`.
pub fn softmax<const D: usize>(input: Tensor<D>, dim: usize) -> Tensor<D> {
    burn_privacy_kernels::ops::activation::softmax(input, dim)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance, activation};

    use super::*;

    type Function = fn(Tensor<3>) -> Tensor<3>;

    const PAIRS: [(&str, Function, Function); 6] = [
        ("relu", relu, activation::relu),
        ("tanh", tanh, activation::tanh),
        ("sigmoid", sigmoid, activation::sigmoid),
        ("gelu", gelu, activation::gelu),
        ("silu", silu, activation::silu),
        ("softmax", |x| softmax(x, 2), |x| activation::softmax(x, 2)),
    ];

    #[test]
    fn values_and_gradients_are_burns() {
        let device = Device::flex().autodiff();
        // More than one task, with odd ends; and fewer than a vector.
        for dims in [[5, 61, 71], [1, 2, 3], [2, 1, 17]] {
            let input = Tensor::<3>::random(dims, Distribution::Uniform(-6.0, 6.0), &device);
            let weights = Tensor::<3>::random(dims, Distribution::Default, &device);
            for (_, ours, burns) in PAIRS {
                let [plain_ours, plain_burns] = [ours, burns].map(|of| of(input.clone().inner()).into_data());
                plain_ours.assert_approx_eq::<f32>(&plain_burns, Tolerance::rel_abs(2e-6, 2e-6));
                let [ours, burns] = [ours, burns].map(|of| {
                    let leaf = input.clone().require_grad();
                    // Through other operations, so that the values are first shared and then not.
                    let output = of(leaf.clone()) + of(leaf.clone() * 1.0);
                    let gradients = (output.clone() * weights.clone()).sum().backward();
                    [output.into_data(), leaf.grad(&gradients).expect("a gradient").into_data()]
                });
                for (ours, burns) in ours.iter().zip(&burns) {
                    ours.assert_approx_eq::<f32>(burns, Tolerance::rel_abs(2e-6, 2e-6));
                }
            }
        }
    }

    #[test]
    fn shared_values_are_left_alone() {
        let device = Device::flex();
        for (name, ours, _) in PAIRS {
            let input = Tensor::<3>::random([2, 3, 40], Distribution::Default, &device);
            let before = input.clone().into_data();
            let turned = input.clone().swap_dims(0, 2);
            let (whole, part) = (ours(input.clone()), ours(input.clone().slice([1..2, 0..3, 0..40])));
            let (turned, copied) = (ours(turned.clone()), ours(Tensor::from_data(turned.into_data(), &device)));
            assert_eq!(input.into_data(), before, "{name}");
            assert_eq!(whole.slice([1..2, 0..3, 0..40]).into_data(), part.into_data(), "{name}");
            assert_eq!(turned.into_data(), copied.into_data(), "{name}");
        }
    }

    #[test]
    fn a_nan_is_passed_on_and_masked_scores_get_nothing() {
        let device = Device::flex();
        let of = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 1, 3]);
        for (name, ours, _) in PAIRS {
            let output = ours(of([1.0, f32::NAN, -1.0])).into_data().try_to_vec::<f32>().expect("floats");
            assert!(output[1].is_nan(), "{name}: {output:?}");
        }
        let masked = softmax(of([0.0, f32::NEG_INFINITY, 0.0]), 2).into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(masked, [0.5, 0.0, 0.5]);
        // Along another axis it is Burn's.
        assert_eq!(softmax(of([3.0, 2.0, 1.0]), 0).into_data().try_to_vec::<f32>().expect("floats"), [1.0; 3]);
    }
}
