//! Linear layer of `[batch, .., d_input]`: example gradients `sum_t a_t g_t^T`, or their norms without forming them.

use std::ops::Range;

use burn::config::Config;
use burn::module::{Initializer, ParamId};
use burn::nn::LinearLayout;
use burn::tensor::{Device, Tensor};

use super::wrapped_layer::wrapped_layer;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, add_error, is_recording, record,
    recording_layout, rows_of, squared_product_error, sum_of_squares_bound, underflow, untracked,
};
use burn_privacy_kernels::flex_kernels;

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
            // The kernels take weights without autodiff only: in evaluation.
            let bias = self.0.bias.as_ref().map(|bias| bias.val());
            return flex_kernels::linear(input.clone(), &self.0.weight.val(), bias.as_ref())
                .unwrap_or_else(|| self.0.forward(input));
        }
        let [d_input, d_output] = self.0.weight.val().dims();
        let rows = if D == 1 { 0 } else { input.dims()[0] };
        // Where the rows are views, an example's views are positions of one sequence.
        let views = recording_layout().filter(|layout| rows == layout.rows()).map_or(1, |layout| layout.views());
        let rows = rows / views;
        let positions = input.shape().num_elements() / (rows * d_input).max(1);
        let recorded = input.clone().inner();
        let bias_values = self.0.bias.as_ref().map(|bias| bias.val().inner());
        let output = flex_kernels::linear(input.clone(), &self.0.weight.val().inner(), bias_values.as_ref())
            .unwrap_or_else(|| {
                let layer = burn::nn::Linear {
                    weight: weight.map_or_else(|| self.0.weight.clone(), |_| untracked(&self.0.weight)),
                    bias: self.0.bias.as_ref().map(|param| bias.map_or_else(|| param.clone(), |_| untracked(param))),
                };
                layer.forward(input)
            });
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

/// The id of a parameter if it requires a gradient.
pub(super) fn trainable<const D: usize>(param: &burn::module::Param<Tensor<D>>) -> Option<ParamId> {
    param.val().is_require_grad().then_some(param.id)
}

/// The scalar products of an example's rows with each other, and a bound of their errors.
struct GramMatrix {
    /// `[examples, positions, positions]`
    values: Tensor<3>,
    /// `[examples, positions, positions]`: rounding, `gamma |x_t| |x_t'|`, and what underflow may lose.
    error: Tensor<3>,
}

fn gram_matrix(rows: Tensor<3>, rounding: Rounding) -> GramMatrix {
    let [examples, positions, length] = rows.dims();
    let squares = sum_of_squares_bound(rows.clone().reshape([examples * positions, length]), rounding);
    let lengths = squares.sqrt().reshape([examples, positions, 1]);
    let relative = rounding.matrix_product(length) * 1.01;
    // An absolute term: a product that is flushed to zero may meet a huge one of the other matrix.
    let error = lengths.clone() * lengths.swap_dims(1, 2) * relative + underflow(length);
    GramMatrix { values: rows.clone().matmul(rows.swap_dims(1, 2)), error }
}

/// Upper bounds `[examples]` of the squared norms of `sum_t a_t g_t^T` from the rows' scalar products.
fn ghost_norms(inputs: &Tensor<3>, gradients: &Tensor<3>, rounding: Rounding) -> Tensor<1> {
    let [examples, positions, _] = inputs.dims();
    let inputs = gram_matrix(inputs.clone(), rounding);
    let outputs = gram_matrix(gradients.clone(), rounding);
    let sum = |products: Tensor<3>| products.sum_dim(2).sum_dim(1).reshape([examples]);
    let ghost = sum(inputs.values.clone() * outputs.values.clone()).clamp_min(0.0);
    // |x y - x' y'| <= |x| e_y + e_x |y| + e_x e_y for each pair of positions, then the rounding of the double sum.
    let (inputs_size, outputs_size) = (inputs.values.abs(), outputs.values.abs());
    let error = inputs_size.clone() * outputs.error.clone()
        + inputs.error * (outputs_size.clone() + outputs.error)
        + inputs_size * outputs_size * rounding.sum(2 * positions);
    ghost + sum(error) * (1.01 + rounding.sum(2 * positions))
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
            let values = flex_kernels::sequence_gradients(&input, &gradient).unwrap_or_else(|| {
                let values = input.swap_dims(1, 2).matmul(gradient.clone());
                values.reshape([rows, self.d_input() * self.d_output])
            });
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
        let squared_gradient = || sum_of_squares_bound(self.flat(output_gradient.clone()), rounding);
        if self.positions() == 1 {
            // Goodfellow 2015: || a g^T || = ||a|| ||g||, with the bias an input that is always one.
            let ones = self.bias.map_or(0.0, |_| 1.0);
            if self.weight.is_some()
                && let Some(bound) = flex_kernels::outer_product_norms(&self.input, output_gradient, ones)
            {
                return Some(bound);
            }
            let squared_gradient = squared_gradient();
            let squared_input = match self.weight {
                Some(_) => sum_of_squares_bound(self.input.clone(), rounding),
                None => squared_gradient.zeros_like(),
            };
            return Some((squared_input + ones) * squared_gradient * (1.0 + rounding.sum(4)));
        }
        self.weight?;
        if !self.ghost_is_cheaper() {
            return None;
        }
        // Li et al. 2022, section 4: || sum_t a_t g_t^T ||^2 = sum_{t,t'} (a_t . a_t') (g_t . g_t').
        let examples = self.input.dims()[0];
        let gradient = self.flat(output_gradient.clone());
        let mut bound = flex_kernels::sequence_ghost_norms(&self.input, &gradient, rounding)
            .unwrap_or_else(|| ghost_norms(&self.input, &gradient, rounding));
        if self.bias.is_some() {
            let values = gradient.sum_dim(1).reshape([examples, self.d_output]);
            let error = self.squared_bias_error(squared_gradient(), rounding);
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
        let (positions, d_input) = (self.positions(), self.d_input());
        let gradient = self.flat(output_gradient.clone());
        let leaves: Vec<Range<usize>> = factors.leaves().collect();
        if let Some([weight, bias]) =
            flex_kernels::weighted_outer_products(&self.input, &gradient, &factors.weights(), &leaves)
        {
            let weight = self.weight.map(|id| ParameterSum { id, values: weight });
            let bias = self.bias.map(|id| ParameterSum { id, values: bias });
            return Some(weight.into_iter().chain(bias).collect());
        }
        if positions > 1 {
            // Positions may cancel, so that each example's are added up first.
            return None;
        }
        let examples = self.input.dims()[0];
        let gradient = factors.scale(gradient).reshape([examples, self.d_output]);
        let input = self.input.clone().reshape([examples, d_input]);
        let mut sums = Vec::new();
        for leaf in leaves {
            let gradient = rows_of(&gradient, leaf.clone());
            if let Some(id) = self.weight {
                let product = rows_of(&input, leaf).transpose().matmul(gradient.clone());
                sums.push(ParameterSum { id, values: product.reshape([d_input * self.d_output]) });
            }
            if let Some(id) = self.bias {
                sums.push(ParameterSum { id, values: gradient.sum_dim(0).reshape([self.d_output]) });
            }
        }
        Some(sums)
    }
}
