//! Per-example gradients of an operation graph as uses of layers, so that norms, factors and sums are those of the rules.

use burn::module::ParamId;
use burn::tensor::{Int, Tensor};
use burn_privacy_kernels::ops::convolution::Convolution;
use burn_privacy_traced::{Gradient, KernelGradient};

use crate::nn::{Conv2dRule, EmbeddingRule, LinearRule};
use crate::per_example::{BatchLayout, LayerUse, ParamRule, known_use};

/// The use of one parameter in a batch of so many examples.
pub(crate) fn layer_use(id: ParamId, gradient: Gradient, examples: usize) -> Box<dyn LayerUse> {
    let layout = BatchLayout::new(examples, 1);
    match gradient {
        Gradient::Formed(values) => {
            let [_, entries] = values.dims();
            known_use(layout, values, ParamRule { id, examples, entries })
        }
        Gradient::Products { input, output_gradient } => {
            let [_, _, columns] = output_gradient.dims();
            known_use(layout, output_gradient, LinearRule::of_weight(input, id, columns))
        }
        Gradient::Table { tokens, output_gradient, rows } => {
            let [_, _, d_model] = output_gradient.dims();
            // A recording device's whole numbers may be longer than this one's.
            let own = Tensor::<1, Int>::zeros([1], &tokens.device()).dtype();
            let tokens = if tokens.dtype() == own { tokens } else { tokens.cast(own) };
            known_use(layout, output_gradient, EmbeddingRule { tokens, id, n_embedding: rows, d_model })
        }
        Gradient::Kernel(KernelGradient {
            input,
            output_gradient,
            kernel,
            stride,
            dilation,
            padding,
            groups,
            views,
        }) => {
            let [_, channels, height, width] = input.dims();
            let convolution = Convolution {
                input: [channels, height, width],
                channels_out: kernel[0],
                kernel: [kernel[2], kernel[3]],
                stride,
                dilation,
                padding,
                groups,
            };
            let rule = Conv2dRule::of_kernel(input, convolution, id);
            known_use(BatchLayout::new(examples, views), output_gradient, rule)
        }
    }
}
