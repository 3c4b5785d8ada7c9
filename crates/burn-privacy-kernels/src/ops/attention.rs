//! Scaled dot-product attention.

use burn::tensor::{Bool, Tensor};

use super::activation::softmax;
#[cfg(feature = "flex")]
use crate::backends::flex::{self, Attention};

/// `softmax(Q K^T / sqrt(d)) V` for each head, with `d` the width of a head; heads are neighboring columns. A query that may
/// look nowhere gets NaN.
///
/// # Shapes
///
/// - `query`: `[batch, queries, width]`
/// - `key` and `value`: `[batch, keys, width]`
/// - `mask`: `[batch, queries, keys]`, true where a query must not look
/// - output: `[batch, queries, width]`
///
/// # Panics
///
/// If the shapes don't fit each other, or `heads` does not divide the width.
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Option<Tensor<3, Bool>>,
) -> Tensor<3> {
    let ([batch, queries, width], [_, keys, _]) = (query.dims(), key.dims());
    assert!(heads > 0 && width % heads == 0, "{heads} heads do not divide a width of {width}");
    assert_eq!(key.dims(), [batch, keys, width], "the shape of the keys for queries of {:?}", query.dims());
    assert_eq!(value.dims(), key.dims(), "the shape of the values for keys of that shape");
    let head_width = width / heads;
    #[cfg(feature = "flex")]
    if mask.is_none() {
        let of = Attention { heads, head_width, queries, keys };
        if let Some(output) = flex::attend(of, [&query, &key, &value]) {
            return output;
        }
    }
    let split = |x: Tensor<3>| {
        let positions = x.dims()[1];
        x.reshape([batch, positions, heads, head_width]).swap_dims(1, 2)
    };
    let mut scores = split(query).matmul(split(key).swap_dims(2, 3)) / (head_width as f64).sqrt();
    if let Some(mask) = mask {
        scores = scores.mask_fill(mask.reshape([batch, 1, queries, keys]), f32::NEG_INFINITY);
    }
    softmax(scores, 3).matmul(split(value)).swap_dims(1, 2).reshape([batch, queries, width])
}
