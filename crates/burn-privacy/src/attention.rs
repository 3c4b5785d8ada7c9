//! Scaled dot-product attention.

use burn::tensor::{Bool, Tensor};

/// `softmax(Q K^T / sqrt(d)) V` for each head, with `d` the width of a head; heads are neighboring columns.
///
/// It has no parameters: an attention layer is this between [`Linear`](crate::nn::Linear) layers for queries, keys,
/// values and the output. On the flex backend and without a mask, each head of each example is computed while it is in
/// cache; all else are Burn's tensor operations.
///
/// Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.
///
/// # Shapes
///
/// - `query`: `[batch, queries, width]`
/// - `key` and `value`: `[batch, keys, width]`
/// - `mask`: `[batch, queries, keys]`, true where a query must not look. A query that may look nowhere gets NaN, as in
///   Burn.
/// - output: `[batch, queries, width]`
///
/// # Panics
///
/// If the shapes don't fit each other, or `heads` does not divide the width.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::prelude::*;
/// use burn_privacy::attention::attention;
///
/// let x = Tensor::<3>::ones([2, 5, 8], &Device::flex());
/// assert_eq!(attention(x.clone(), x.clone(), x, 4, None).dims(), [2, 5, 8]);
/// # }
/// ```
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Option<Tensor<3, Bool>>,
) -> Tensor<3> {
    burn_privacy_kernels::ops::attention::attention(query, key, value, heads, mask)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    #[test]
    fn the_kernel_computes_what_the_operations_compute() {
        let device = Device::flex().autodiff();
        for (queries, keys, heads) in [(7, 7, 2), (5, 9, 3), (1, 4, 1)] {
            let random = |positions| Tensor::<3>::random([3, positions, 12], Distribution::Normal(0.0, 1.0), &device);
            let (query, key, value, weights) = (random(queries), random(keys), random(keys), random(queries));
            let nowhere = Tensor::<3, Bool>::from_data([[[false]]], &device).expand([3, queries, keys]);
            let [kernel, operations] = [None, Some(nowhere)].map(|mask| {
                let leaves = [&query, &key, &value].map(|x| x.clone().require_grad());
                let [q, k, v] = leaves.clone();
                let output = attention(q, k, v, heads, mask);
                let gradients = (output.clone() * weights.clone()).sum().backward();
                let gradients = leaves.map(|leaf| leaf.grad(&gradients).expect("a gradient").into_data());
                (output.into_data(), gradients)
            });
            let close = Tolerance::rel_abs(1e-4, 1e-5);
            kernel.0.assert_approx_eq::<f32>(&operations.0, close);
            for (kernel, operations) in kernel.1.iter().zip(&operations.1) {
                kernel.assert_approx_eq::<f32>(operations, close);
            }
            let plain = attention(query.inner(), key.inner(), value.inner(), heads, None).into_data();
            plain.assert_approx_eq::<f32>(&kernel.0, close);
        }
    }

    #[test]
    fn gradients_of_one_input_alone_are_found() {
        // Queries and keys without gradients, as in a model whose features are frozen.
        let device = Device::flex().autodiff();
        let random = || Tensor::<3>::random([2, 4, 6], Distribution::Default, &device);
        let value = random().require_grad();
        let gradients = attention(random(), random(), value.clone(), 2, None).sum().backward();
        // The weights of each query sum to one: so does what each column of the values gets, over the queries.
        let gradient = value.grad(&gradients).expect("a gradient").sum_dim(1).into_data();
        gradient.assert_approx_eq::<f32>(
            &Tensor::<3>::full([2, 1, 6], 4.0, &device).into_data(),
            Tolerance::relative(1e-5),
        );
    }

    #[test]
    fn masked_keys_have_no_influence() {
        let device = Device::flex();
        let random = || Tensor::<3>::random([1, 4, 6], Distribution::Default, &device);
        let (query, key, value) = (random(), random(), random());
        // All but the first two keys are hidden.
        let mask = Tensor::<3, Bool>::from_data([[[false, false, true, true]]], &device).expand([1, 4, 4]);
        let masked = attention(query.clone(), key.clone(), value.clone(), 3, Some(mask));
        let short = attention(query, key.slice([0..1, 0..2, 0..6]), value.slice([0..1, 0..2, 0..6]), 3, None);
        masked.into_data().assert_approx_eq::<f32>(&short.into_data(), Tolerance::rel_abs(1e-5, 1e-6));
    }

    #[test]
    #[should_panic(expected = "5 heads do not divide a width of 6")]
    fn heads_must_divide_the_width() {
        let x = Tensor::<3>::zeros([1, 2, 6], &Device::flex());
        attention(x.clone(), x.clone(), x, 5, None);
    }
}
