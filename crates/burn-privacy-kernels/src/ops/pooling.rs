//! Max pooling.

use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use crate::backends::flex::{self, Pooling};

/// The largest values under the layer's kernel: `[batch, channels, height, width]`.
///
/// # Panics
///
/// As Burn's layer: if the kernel is larger than the input.
pub fn max_pool(layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(output) = plain(layer, input.dims()).and_then(|of| flex::max_pool(of, input.clone())) {
        return output;
    }
    layer.forward(input)
}

/// The pooling, if it is one without padding and dilation of at most 255 elements, as the kernel takes it.
#[cfg(feature = "flex")]
fn plain(layer: &MaxPool2d, [_, _, height, width]: [usize; 4]) -> Option<Pooling> {
    let [kernel_height, kernel_width] = layer.kernel_size;
    let is_plain =
        matches!(layer.padding, burn::nn::PaddingConfig2d::Valid) && layer.dilation == [1, 1] && !layer.ceil_mode;
    let fits = (1..=height).contains(&kernel_height) && (1..=width).contains(&kernel_width);
    let is_served = is_plain && fits && kernel_height * kernel_width <= 255 && !layer.stride.contains(&0);
    is_served.then_some(Pooling { input: [height, width], kernel: layer.kernel_size, stride: layer.stride })
}
