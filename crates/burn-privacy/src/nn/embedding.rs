//! Embedding of `[batch, tokens]`: each example adds its output gradients into rows of its own copy of the table.

use std::ops::Range;

use burn::config::Config;
use burn::module::{Initializer, ParamId};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};

use super::wrapped_layer::wrapped_layer;
use crate::index_range::clamped;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, is_recording, record, trainable,
};
use burn_privacy_kernels::ops::embedding::weighted_table_gradient;
use burn_privacy_kernels::ops::squared_norms::{add_error, sum_of_squares_bound};
use burn_privacy_kernels::ops::weights::untracked;

/// Configuration of an [`Embedding`] layer: the fields and defaults of [`burn::nn::EmbeddingConfig`].
#[derive(Config, Debug)]
pub struct EmbeddingConfig {
    /// The number of embedding vectors.
    pub n_embedding: usize,
    /// The size of each vector.
    pub d_model: usize,
    /// How the table is initialized.
    #[config(default = "Initializer::Normal{mean:0.0, std:1.0}")]
    pub initializer: Initializer,
}

impl EmbeddingConfig {
    /// Initializes the layer on `device`.
    pub fn init(&self, device: &Device) -> Embedding {
        burn::nn::EmbeddingConfig::new(self.n_embedding, self.d_model)
            .with_initializer(self.initializer.clone())
            .init(device)
            .into()
    }
}

/// [`burn::nn::Embedding`] with per-example gradients.
#[derive(Clone, Debug)]
pub struct Embedding(burn::nn::Embedding);

wrapped_layer!(Embedding, burn::nn::Embedding);

impl Embedding {
    /// Looks the tokens up. A token outside `0..n_embedding` (padding such as -100, a word that the table doesn't have)
    /// gives a vector of zeros and trains no row of the table, where Burn's layer panics on a CPU.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, tokens]`
    /// - output: `[batch, tokens, d_model]`
    pub fn forward(&self, input: Tensor<2, Int>) -> Tensor<3> {
        let [n_embedding, d_model] = self.0.weight.val().dims();
        let (tokens, unknown) = clamped(input, n_embedding);
        let [batch, length] = tokens.dims();
        let output = match trainable(&self.0.weight).filter(|_| is_recording()) {
            None => self.0.forward(tokens),
            Some(id) => {
                let layer = burn::nn::Embedding { weight: untracked(&self.0.weight) };
                let output = layer.forward(tokens.clone());
                record(output, EmbeddingRule { tokens: tokens.inner(), id, n_embedding, d_model })
            }
        };
        // Behind the record: the output gradient of such a token is zero, too.
        output.mask_fill(unknown.reshape([batch, length, 1]).expand([batch, length, d_model]), 0.0)
    }
}

pub(crate) struct EmbeddingRule {
    /// `[examples, tokens]`
    pub(crate) tokens: Tensor<2, Int>,
    pub(crate) id: ParamId,
    pub(crate) n_embedding: usize,
    pub(crate) d_model: usize,
}

impl PerExampleRule<3> for EmbeddingRule {
    fn parameters(&self) -> Vec<ParamId> {
        vec![self.id]
    }

    fn rows(&self) -> usize {
        self.tokens.dims()[0]
    }

    fn entries(&self) -> usize {
        self.n_embedding * self.d_model
    }

    fn gradients(&self, output_gradient: Tensor<3>, range: Range<usize>) -> Vec<ParameterGradients> {
        let [rows, tokens, d_model] = output_gradient.dims();
        let device = output_gradient.device();
        // Row i of the batch writes into its own copy of the table: token x of example i is entry i * n + x.
        let first = Tensor::<1, Int>::arange(0..rows as i64, &device) * self.n_embedding as i64;
        let indices = self.tokens.clone().slice([range]) + first.reshape([rows, 1]);
        let table = Tensor::<2>::zeros([rows * self.n_embedding, d_model], &device);
        let values = table.select_assign(
            0,
            indices.reshape([rows * tokens]),
            output_gradient.reshape([rows * tokens, d_model]),
            IndexingUpdateOp::Add,
        );
        vec![ParameterGradients { id: self.id, values: values.reshape([rows, self.entries()]) }]
    }

    fn squared_error(&self, output_gradient: &Tensor<3>, rounding: Rounding) -> Tensor<1> {
        let tokens = self.tokens.dims()[1];
        sum_of_squares_bound(output_gradient.clone(), rounding) * (rounding.sum(tokens).powi(2) * tokens as f64)
    }

    fn select_finite(&mut self, _factors: &ClipFactors) {}

    /// `sum_{t,t'} 1[x_t = x_t'] (g_t . g_t')` (Li et al. 2022, arXiv 2110.05679, section 4.2).
    fn squared_norm_shortcut(&self, output_gradient: &Tensor<3>, rounding: Rounding) -> Option<Tensor<1>> {
        let [examples, tokens, _] = output_gradient.dims();
        if tokens * tokens > self.entries() {
            return None;
        }
        let gram = output_gradient.clone().matmul(output_gradient.clone().swap_dims(1, 2));
        let left = self.tokens.clone().reshape([examples, tokens, 1]).expand([examples, tokens, tokens]);
        let right = self.tokens.clone().reshape([examples, 1, tokens]).expand([examples, tokens, tokens]);
        let different = left.equal(right).bool_not();
        let sum = |products: Tensor<3>| products.sum_dim(2).sum_dim(1).reshape([examples]);
        let ghost = sum(gram.mask_fill(different.clone(), 0.0));
        // Rounding of the Gram matrix and of the double sum, against sum |g_t||g_t'| over equal tokens.
        let rows = output_gradient.clone().reshape([examples * tokens, self.d_model]);
        let lengths = sum_of_squares_bound(rows, rounding).sqrt().reshape([examples, tokens, 1]);
        let relative = rounding.matrix_product(self.d_model) + rounding.sum(2 * tokens);
        let products = (lengths.clone() * lengths.swap_dims(1, 2)).mask_fill(different, 0.0);
        let error = sum(products) * (relative * (1.01 + rounding.sum(2 * tokens)));
        let bound = (ghost.clamp_min(0.0) + error) * (1.0 + rounding.sum(2));
        // The sum forms the gradients, whose rounding the scalar products don't know.
        Some(add_error(bound, self.squared_error(output_gradient, rounding), rounding))
    }

    fn weighted_sum_shortcut(&self, output_gradient: &Tensor<3>, factors: &ClipFactors) -> Option<Vec<ParameterSum>> {
        let weights = factors.weights();
        let values = weighted_table_gradient(&self.tokens, output_gradient, &weights, self.n_embedding)?;
        Some(vec![ParameterSum { id: self.id, values }])
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn unknown_tokens_are_zeros_in_every_mode() {
        let device = Device::flex().autodiff();
        let layer: Embedding = EmbeddingConfig::new(4, 3).init(&device);
        let known = Tensor::<2, Int>::from_ints([[1, 3, 0]], &device);
        let unknown = Tensor::<2, Int>::from_ints([[1, -100, 4], [255, -1, 0]], &device);
        let read = |output: Tensor<3>| output.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(read(layer.forward(known.clone())), read(layer.0.forward(known)));
        let output = read(layer.forward(unknown));
        let zero: Vec<bool> = output.chunks(3).map(|vector| vector == [0.0; 3]).collect();
        assert_eq!(zero, [false, true, true, true, true, false]);
    }
}
