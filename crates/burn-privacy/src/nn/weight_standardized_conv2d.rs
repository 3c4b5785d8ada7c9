//! Convolution by a standardized kernel: the rule of convolutions, pulled back through the standardization.

use std::ops::Range;

use burn::module::{Initializer, Module, Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::conv2d::Conv2dRule;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, is_recording, record, trainable,
};
use burn_privacy_kernels::ops::exact_grid::sums_in_f64;
use burn_privacy_kernels::ops::squared_norms::add_error;
use burn_privacy_kernels::ops::standardization::Standardization;
use burn_privacy_kernels::ops::weights::untracked;

/// A convolution with a standardized kernel, and per-example gradients.
///
/// Each output channel's weights `w`, of `n` entries, enter the convolution as
/// `gain (w - mean(w)) / sqrt(max(n var(w), 10^-4))`, with a trainable gain. The statistics are those of the weights, not
/// of the data, so that no examples are coupled: with [`GroupNorm`](super::GroupNorm), what private residual networks have
/// in place of BatchNorm.
///
/// Burn has no layer of this kind; outside a private step this one trains by Burn's autodiff. It is made of a convolution,
/// Burn's or this crate's, whose gains start at 1:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_privacy::nn::{Conv2dConfig, WeightStandardizedConv2d};
///
/// let device = Device::flex();
/// let layer: WeightStandardizedConv2d = Conv2dConfig::new([3, 16], [3, 3]).init(&device).into();
/// assert_eq!(layer.forward(Tensor::zeros([1, 3, 8, 8], &device)).dims(), [1, 16, 6, 6]);
/// ```
///
/// # Source
///
/// Qiao et al. 2019 (arXiv 1903.10520); with gain and scale as Brock et al. 2021 (arXiv 2101.08692) and De et al. 2022
/// (arXiv 2204.13650).
#[derive(Module, Debug)]
pub struct WeightStandardizedConv2d {
    /// The convolution, with the weights before they are standardized.
    pub convolution: Conv2d,
    /// `[channels_out]`
    pub gain: Param<Tensor<1>>,
}

impl From<Conv2d> for WeightStandardizedConv2d {
    fn from(convolution: Conv2d) -> Self {
        let weight = convolution.weight.val();
        let gain = Initializer::Ones.init([weight.dims()[0]], &weight.device());
        Self { convolution, gain }
    }
}

impl From<super::Conv2d> for WeightStandardizedConv2d {
    fn from(convolution: super::Conv2d) -> Self {
        Conv2d::from(convolution).into()
    }
}

impl WeightStandardizedConv2d {
    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels_in, height_in, width_in]`
    /// - output: `[batch, channels_out, height_out, width_out]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let weight = trainable(&self.convolution.weight);
        let gain = trainable(&self.gain);
        let with_kernel = |kernel: Tensor<4>, bias: Option<Param<Tensor<1>>>| {
            let weight = Param::initialized(self.convolution.weight.id, kernel);
            Conv2d { weight, bias, ..self.convolution.clone() }
        };
        if !is_recording() || (weight.is_none() && gain.is_none()) {
            let (kernel, _) = StandardizedKernel::of(self.convolution.weight.val(), self.gain.val());
            return super::Conv2d::from(with_kernel(kernel, self.convolution.bias.clone())).forward(input);
        }
        let bias = self.convolution.bias.as_ref();
        let (kernel, standardization) =
            StandardizedKernel::of(self.convolution.weight.val().inner(), self.gain.val().inner());
        let layer = with_kernel(Tensor::from_inner(kernel), bias.map(untracked));
        let (output, of_kernel) = Conv2dRule::apply(&layer, input, Some(layer.weight.id), bias.and_then(trainable));
        record(output, WeightStandardizedConv2dRule { of_kernel, standardization, weight, gain })
    }
}

/// Below this, the square of a channel's deviation is not divided by: De et al.'s constant.
const SMALLEST_SQUARED_DEVIATION: f64 = 1e-4;

/// The standardization of a layer's kernel.
struct StandardizedKernel(Standardization);

impl StandardizedKernel {
    /// The kernel of some weights and gains, `gain * unit` in the shape of the weights, and its standardization.
    fn of(weight: Tensor<4>, gain: Tensor<1>) -> (Tensor<4>, Self) {
        let dims = weight.dims();
        let [channels, entries] = [dims[0], dims[1] * dims[2] * dims[3]];
        let weight = weight.reshape([channels, entries]);
        let centered = weight.clone() - weight.mean_dim(1);
        let squares = centered.clone().square().sum_dim(1);
        let unclamped = squares.clone().greater_elem(SMALLEST_SQUARED_DEVIATION).float().reshape([channels]);
        let inverse = squares.clamp_min(SMALLEST_SQUARED_DEVIATION).sqrt().recip();
        let unit = centered * inverse.clone();
        let kernel = (unit.clone() * gain.clone().reshape([channels, 1])).reshape(dims);
        (kernel, Self(Standardization { unit, unclamped, scale: gain * inverse.reshape([channels]) }))
    }

    /// Upper bound of the squared norm of the error of [`pull_back`](Standardization::pull_back), from those of the error and of the
    /// size of the gradients it is given.
    ///
    /// A channel's gradient `G` is split into its parts along two orthogonal unit vectors, the constant one and `unit`, and
    /// the rest. The weights get `scale` times the rest, the gain the part along `unit`: both together at most
    /// `max(|scale|, 1) ||G||`. Where the deviation is clamped, the part along `unit` counts for both: at most
    /// `sqrt(scale^2 + 1) ||G||`. So an error grows, but for the rounding of `unit`, which shifts norms by less than `gamma_4n`.
    /// The sums over `n` entries add `2 gamma_n ||G||` to each part (nothing that f32 could hold where they are in f64), the
    /// other operations a few roundings of `||G||`, for which `gamma_16` is enough.
    fn squared_error(&self, squared_error: Tensor<1>, squared_size: Tensor<1>, rounding: Rounding) -> Tensor<1> {
        let Self(Standardization { unit, unclamped, scale }) = self;
        let entries = unit.dims()[1];
        let terms = if sums_in_f64(unit) { 0 } else { entries };
        let size = add_error(squared_size, squared_error.clone(), rounding);
        let own_error = size * 2.0 * rounding.sum(2 * terms + 16).powi(2) * (1.0 + rounding.sum(2));
        let clamped = unclamped.clone().neg() + 1.0;
        let of_both = scale.clone().square().clamp_min(1.0) + clamped;
        let grown = of_both.max() * (1.0 + rounding.sum(4 * entries + 4)).powi(2);
        add_error(own_error, squared_error, rounding) * grown
    }
}

/// The rule of the convolution by the standardized kernel, with its gradients pulled back.
struct WeightStandardizedConv2dRule {
    of_kernel: Conv2dRule,
    standardization: StandardizedKernel,
    weight: Option<ParamId>,
    gain: Option<ParamId>,
}

impl WeightStandardizedConv2dRule {
    /// The trainable ones of the gradients of weights and gains.
    fn of_parameters<const D: usize, T>(
        &self,
        gradients: [Tensor<D>; 2],
        named: impl Fn(ParamId, Tensor<D>) -> T,
    ) -> Vec<T> {
        let found = [self.weight, self.gain].into_iter().zip(gradients);
        found.filter_map(|(id, values)| id.map(|id| named(id, values))).collect()
    }
}

impl PerExampleRule<4> for WeightStandardizedConv2dRule {
    fn parameters(&self) -> Vec<ParamId> {
        self.weight.into_iter().chain(self.gain).chain(self.of_kernel.bias).collect()
    }

    fn rows(&self) -> usize {
        self.of_kernel.rows()
    }

    /// The kernel's are counted also where only the gains are trained: they are formed.
    fn entries(&self) -> usize {
        self.of_kernel.entries() + self.gain.map_or(0, |_| self.standardization.0.scale.dims()[0])
    }

    fn gradients(&self, output_gradient: Tensor<4>, range: Range<usize>) -> Vec<ParameterGradients> {
        let mut of_convolution = self.of_kernel.gradients(output_gradient, range).into_iter();
        let Some(of_kernel) = of_convolution.next() else { return Vec::new() };
        let pulled_back = self.standardization.0.pull_back(of_kernel.values);
        let found = self.of_parameters(pulled_back, |id, values| ParameterGradients { id, values });
        found.into_iter().chain(of_convolution).collect()
    }

    fn squared_error(&self, output_gradient: &Tensor<4>, rounding: Rounding) -> Tensor<1> {
        let error = self.of_kernel.squared_error(output_gradient, rounding);
        let size = self.of_kernel.squared_size_bound(output_gradient, rounding);
        self.standardization.squared_error(error, size, rounding)
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.of_kernel.select_finite(factors);
    }

    /// The sum over each leaf is pulled back at once, in f64. The gradients before that are not clipped and may be some 6e5
    /// times as long as what is: f64 covers the rounding of their sums for the few examples of a leaf.
    fn weighted_sum_shortcut(&self, output_gradient: &Tensor<4>, factors: &ClipFactors) -> Option<Vec<ParameterSum>> {
        let mut totals: Vec<ParameterSum> = Vec::new();
        for leaf in factors.leaves() {
            let mut of_convolution = self.of_kernel.weighted_sum_of_leaf(output_gradient, factors, leaf)?.into_iter();
            let of_kernel = of_convolution.next()?.values;
            let pulled_back = self.standardization.0.pull_back_sum(&of_kernel)?;
            for sum in self
                .of_parameters(pulled_back, |id, values| ParameterSum { id, values })
                .into_iter()
                .chain(of_convolution)
            {
                match totals.iter_mut().find(|total| total.id == sum.id) {
                    Some(total) => total.values = total.values.clone() + sum.values,
                    None => totals.push(sum),
                }
            }
        }
        Some(totals)
    }
}
