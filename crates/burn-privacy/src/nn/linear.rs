//! Linear layer of `[batch, .., d_input]`: example gradients `sum_t a_t g_t^T`, or their norms without forming them.

use std::ops::Range;

use burn::config::Config;
use burn::module::{Initializer, ParamId};
use burn::nn::LinearLayout;
use burn::tensor::{Device, Tensor};

use super::wrapped_layer::wrapped_layer;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, is_recording, record, recording_layout,
    trainable,
};
use burn_privacy_kernels::ops::examples::rows_of;
use burn_privacy_kernels::ops::linear::{ghost_norms, linear, outer_product_norms, weight_gradients, weighted_sums};
use burn_privacy_kernels::ops::squared_norms::{add_error, sum_of_squares_bound};
use burn_privacy_kernels::ops::weights::Weights;
use burn_privacy_kernels::squared_product_error;

/// Configuration of a [`Linear`] layer: the fields and defaults of [`burn::nn::LinearConfig`].
#[derive(Config, Debug)]
pub struct LinearConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The size of the output features.
    pub d_output: usize,
    /// If a bias should be applied during the linear transformation.
    #[config(default = true)]
    pub bias: bool,
    /// How the parameters are initialized.
    #[config(default = "Initializer::KaimingUniform{gain:1.0/3.0f64.sqrt(), fan_out_only:false}")]
    pub initializer: Initializer,
    /// The layout in which the parameters are stored.
    #[config(default = "LinearLayout::Row")]
    pub layout: LinearLayout,
}

impl LinearConfig {
    /// Initializes the layer on `device`.
    pub fn init(&self, device: &Device) -> Linear {
        burn::nn::LinearConfig::new(self.d_input, self.d_output)
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone())
            .with_layout(self.layout)
            .init(device)
            .into()
    }
}

/// [`burn::nn::Linear`] with per-example gradients: `O = I W + b`.
///
/// Axis 0 of the input is the example axis; the axes between it and the features are summed within an
/// example (sequence positions, pixels). `[batch * tokens, d]` is refused inside a recording scope: keep the
/// batch axis.
#[derive(Clone, Debug)]
pub struct Linear(burn::nn::Linear);

wrapped_layer!(Linear, burn::nn::Linear);

impl Linear {
    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, .., d_input]`
    /// - output: `[batch, .., d_output]`
    ///
    /// # Panics
    ///
    /// As Burn's: if the last axis of `input` is not `d_input`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let weight = trainable(&self.0.weight);
        let bias = self.0.bias.as_ref().and_then(trainable);
        if !is_recording() || (weight.is_none() && bias.is_none()) {
            return linear(&self.0, input, Weights::AsTheyAre);
        }
        let [d_input, d_output] = self.0.weight.val().dims();
        let rows = if D == 1 { 0 } else { input.dims()[0] };
        // Where the rows are views, an example's views are positions of one sequence.
        let views = recording_layout().filter(|layout| rows == layout.rows()).map_or(1, |layout| layout.views());
        let rows = rows / views;
        let positions = input.shape().num_elements() / (rows * d_input).max(1);
        let recorded = input.clone().inner();
        let output = linear(&self.0, input, Weights::Constant);
        if rows == 0 {
            // A vector has no example axis: recorded so that the scope refuses it by name.
            return record(
                output,
                LinearRule { input: Tensor::empty([0, 1, 1], &recorded.device()), views, weight, bias, d_output },
            );
        }
        let input = recorded.reshape([rows, positions, d_input]);
        record(output, LinearRule { input, views, weight, bias, d_output })
    }
}

pub(crate) struct LinearRule {
    /// `[examples, positions, d_input]`, the positions of all views one after the other.
    input: Tensor<3>,
    views: usize,
    weight: Option<ParamId>,
    bias: Option<ParamId>,
    d_output: usize,
}

impl LinearRule {
    /// Of a weight alone, from `[examples, positions, d_input]`.
    pub(crate) fn of_weight(input: Tensor<3>, weight: ParamId, d_output: usize) -> Self {
        Self { input, views: 1, weight: Some(weight), bias: None, d_output }
    }

    fn positions(&self) -> usize {
        self.input.dims()[1]
    }

    fn d_input(&self) -> usize {
        self.input.dims()[2]
    }

    /// `[rows, .., d_output]` as `[examples, positions, d_output]`.
    fn flat<const D: usize>(&self, output_gradient: Tensor<D>) -> Tensor<3> {
        let examples = output_gradient.dims()[0] / self.views;
        output_gradient.reshape([examples, self.positions(), self.d_output])
    }

    /// Bu et al. 2022 (arXiv 2205.10683), section 3.3: the ghost norm costs `2 T^2 (p + d)`, instantiating `2 T p d`.
    fn ghost_is_cheaper(&self) -> bool {
        2 * self.positions() * self.positions() <= self.d_input() * self.d_output
    }

    /// Error of `sum_t g_t`, squared: at most `(gamma_T sqrt(T) ||g||)^2`.
    fn squared_bias_error(&self, squared_output_gradient: Tensor<1>, rounding: Rounding) -> Tensor<1> {
        let terms = self.positions();
        squared_output_gradient * (rounding.sum(terms).powi(2) * terms as f64)
    }
}

impl<const O: usize> PerExampleRule<O> for LinearRule {
    fn parameters(&self) -> Vec<ParamId> {
        self.weight.into_iter().chain(self.bias).collect()
    }

    fn rows(&self) -> usize {
        self.input.dims()[0]
    }

    fn adds_up_views(&self) -> bool {
        true
    }

    fn entries(&self) -> usize {
        let weight = self.weight.map_or(0, |_| self.d_input() * self.d_output);
        weight + self.bias.map_or(0, |_| self.d_output)
    }

    fn gradients(&self, output_gradient: Tensor<O>, range: Range<usize>) -> Vec<ParameterGradients> {
        let gradient = self.flat(output_gradient);
        let rows = range.len();
        let mut found = Vec::new();
        if let Some(id) = self.weight {
            let input = rows_of(&self.input, range);
            let values = weight_gradients(&input, &gradient);
            found.push(ParameterGradients { id, values });
        }
        if let Some(id) = self.bias {
            let values = gradient.sum_dim(1).reshape([rows, self.d_output]);
            found.push(ParameterGradients { id, values });
        }
        found
    }

    fn squared_error(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Tensor<1> {
        let squared_gradient = sum_of_squares_bound(self.flat(output_gradient.clone()), rounding);
        let mut error = self.squared_bias_error(squared_gradient.clone(), rounding);
        if self.weight.is_some() {
            let squared_input = sum_of_squares_bound(self.input.clone(), rounding);
            let entries = self.d_input() * self.d_output;
            error = error + squared_product_error(squared_input, squared_gradient, self.positions(), entries, rounding);
        }
        error
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.input = factors.select(self.input.clone());
    }

    fn squared_norm_shortcut(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Option<Tensor<1>> {
        if self.positions() == 1 {
            // Goodfellow 2015: || a g^T || = ||a|| ||g||, with the bias an input that is always one.
            let ones = self.bias.map_or(0.0, |_| 1.0);
            let input = self.weight.map(|_| &self.input);
            return Some(outer_product_norms(input, output_gradient, ones, rounding));
        }
        self.weight?;
        if !self.ghost_is_cheaper() {
            return None;
        }
        let examples = self.input.dims()[0];
        let gradient = self.flat(output_gradient.clone());
        let mut bound = ghost_norms(&self.input, &gradient, rounding);
        if self.bias.is_some() {
            let squared_gradient = sum_of_squares_bound(gradient.clone(), rounding);
            let values = gradient.sum_dim(1).reshape([examples, self.d_output]);
            let error = self.squared_bias_error(squared_gradient, rounding);
            bound = bound + add_error(sum_of_squares_bound(values, rounding), error, rounding);
        }
        // The sum forms the gradients, whose rounding the scalar products don't know.
        let error = self.squared_error(output_gradient, rounding);
        Some(add_error(bound * (1.0 + rounding.sum(2)), error, rounding))
    }

    fn prefers_norm_shortcut(&self) -> bool {
        self.positions() == 1
    }

    fn weighted_sum_shortcut(&self, output_gradient: &Tensor<O>, factors: &ClipFactors) -> Option<Vec<ParameterSum>> {
        let gradient = self.flat(output_gradient.clone());
        let leaves: Vec<Range<usize>> = factors.leaves().collect();
        let wanted = [self.weight.is_some(), self.bias.is_some()];
        let sums = weighted_sums(&self.input, gradient, factors.rows(), &leaves, wanted)?;
        let named =
            |(id, values): (Option<ParamId>, Option<Tensor<1>>)| Some(ParameterSum { id: id?, values: values? });
        Some(
            sums.into_iter()
                .flat_map(|sums| [self.weight, self.bias].into_iter().zip(sums))
                .filter_map(named)
                .collect(),
        )
    }
}
