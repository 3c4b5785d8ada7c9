//! Convolutions with folded BatchNorm on channels-last values.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::{FeatureError, Result};

/// Channels that are summed at once.
const LANES: usize = 16;

/// Statistics and affine parameters of a BatchNorm, one number a channel.
#[derive(Clone, Debug)]
pub struct FrozenNorm {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Shift.
    pub beta: Vec<f32>,
    /// Running mean.
    pub mean: Vec<f32>,
    /// Running variance.
    pub variance: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl FrozenNorm {
    /// Factor and bias of each channel.
    fn folded(&self, channels: usize) -> Result<(Vec<f64>, Vec<f32>)> {
        for values in [&self.gamma, &self.beta, &self.mean, &self.variance] {
            length("numbers of a BatchNorm", values.len(), channels)?;
        }
        let factor: Vec<f64> = (self.gamma.iter().zip(&self.variance))
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + self.epsilon).sqrt())
            .collect();
        let shifts = self.beta.iter().zip(&self.mean).zip(&factor);
        let bias = shifts.map(|((&beta, &mean), factor)| (f64::from(beta) - f64::from(mean) * factor) as f32);
        let bias = bias.collect();
        Ok((factor, bias))
    }
}

pub(super) fn length(what: &'static str, given: usize, expected: usize) -> Result<()> {
    if given == expected { Ok(()) } else { Err(FeatureError::Length { what, given, expected }) }
}

/// A convolution over all channels, padded so that the output's side is the input's divided by the stride, rounded up, as TensorFlow's
/// `SAME` has it (with one more on the far side if the padding is odd).
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    pub(super) inputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// `[kernel, kernel, inputs, outputs]`.
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// Whether values are cut to 0 to 6 behind it.
    pub(super) relu6: bool,
}

impl Dense {
    /// Of weights `[outputs, inputs, kernel, kernel]` with the norm behind it, and ReLU6 behind that if `relu6`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if weights and norm have other sizes; [`FeatureError::Invalid`] without kernel, stride or inputs.
    pub fn new(
        weights: &[f32],
        [outputs, inputs, kernel]: [usize; 3],
        stride: usize,
        norm: &FrozenNorm,
        relu6: bool,
    ) -> Result<Self> {
        positive(outputs, inputs, kernel, stride)?;
        length("weights of a convolution", weights.len(), outputs * inputs * kernel * kernel)?;
        let (factor, bias) = norm.folded(outputs)?;
        let mut own = vec![0.0; weights.len()];
        for (at, &weight) in weights.iter().enumerate() {
            let (place, rest) = (at % (kernel * kernel), at / (kernel * kernel));
            let (input, output) = (rest % inputs, rest / inputs);
            own[(place * inputs + input) * outputs + output] = (f64::from(weight) * factor[output]) as f32;
        }
        Ok(Self { inputs, kernel, stride, weights: own, bias, relu6 })
    }

    pub(super) const fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Appends the outputs for `images` images of `[side, side, inputs]`, plus `residual` if there is one.
    pub(super) fn forward(
        &self,
        input: &[f32],
        [images, side]: [usize; 2],
        residual: Option<&[f32]>,
        patches: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let side_out = side.div_ceil(self.stride);
        let (rows, width) = (images * side_out * side_out, self.kernel * self.kernel * self.inputs);
        let rows_of = if self.kernel == 1 && self.stride == 1 {
            input
        } else {
            self.gather(input, [images, side], patches);
            patches
        };
        let start = out.len();
        out.resize(start + rows * self.outputs(), 0.0);
        let out = &mut out[start..];
        matmul(
            MatMut::from_row_major_slice_mut(out, rows, self.outputs()),
            Accum::Replace,
            MatRef::from_row_major_slice(rows_of, rows, width),
            MatRef::from_row_major_slice(&self.weights, width, self.outputs()),
            1.0,
            Par::Seq,
        );
        pulp::Arch::new().dispatch(|| finish(out, &self.bias, residual, self.relu6));
    }

    /// The pixels under the kernel of each output, `[images, side out, side out, kernel, kernel, inputs]`.
    fn gather(&self, input: &[f32], [images, side]: [usize; 2], patches: &mut Vec<f32>) {
        let (side_out, inputs, kernel) = (side.div_ceil(self.stride), self.inputs, self.kernel);
        let width = kernel * kernel * inputs;
        patches.clear();
        patches.resize(images * side_out * side_out * width, 0.0);
        for (at, patch) in patches.chunks_exact_mut(width).enumerate() {
            let (column, row, image) = (at % side_out, at / side_out % side_out, at / side_out / side_out);
            let (rows, top) = under(row, side, kernel, self.stride);
            let (columns, left) = under(column, side, kernel, self.stride);
            for y in rows {
                let from = ((image * side + top + y - kernel) * side + left + columns.start - kernel) * inputs;
                let values = &input[from..from + columns.len() * inputs];
                let to = (y * kernel + columns.start) * inputs;
                patch[to..to + values.len()].copy_from_slice(values);
            }
        }
    }
}

/// A convolution of each channel by itself, padded as [`Dense`] is, with ReLU6 behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Depthwise {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// `[kernel, kernel, channels]`.
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Depthwise {
    /// Of weights `[channels, 1, kernel, kernel]` with the norm behind it.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if weights and norm have other sizes; [`FeatureError::Invalid`] without kernel, stride or channels.
    pub fn new(weights: &[f32], [channels, kernel]: [usize; 2], stride: usize, norm: &FrozenNorm) -> Result<Self> {
        positive(channels, channels, kernel, stride)?;
        length("weights of a depthwise convolution", weights.len(), channels * kernel * kernel)?;
        let (factor, bias) = norm.folded(channels)?;
        let mut own = vec![0.0; weights.len()];
        for (at, &weight) in weights.iter().enumerate() {
            let (place, channel) = (at % (kernel * kernel), at / (kernel * kernel));
            own[place * channels + channel] = (f64::from(weight) * factor[channel]) as f32;
        }
        Ok(Self { kernel, stride, weights: own, bias })
    }

    pub(super) const fn channels(&self) -> usize {
        self.bias.len()
    }

    /// The outputs for `images` images of `[side, side, channels]`, in place of what `out` held.
    pub(super) fn forward(&self, input: &[f32], [images, side]: [usize; 2], out: &mut Vec<f32>) {
        let side_out = side.div_ceil(self.stride);
        out.resize(images * side_out * side_out * self.channels(), 0.0);
        pulp::Arch::new().dispatch(|| self.slide(input, side, out));
    }

    #[inline(always)]
    fn slide(&self, input: &[f32], side: usize, out: &mut [f32]) {
        let (side_out, channels, kernel) = (side.div_ceil(self.stride), self.channels(), self.kernel);
        for (at, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (column, row, image) = (at % side_out, at / side_out % side_out, at / side_out / side_out);
            let (rows, top) = under(row, side, kernel, self.stride);
            let (columns, left) = under(column, side, kernel, self.stride);
            let first = (image * side + top + rows.start - kernel) * side + left + columns.start - kernel;
            let whole = channels / LANES * LANES;
            for start in (0..whole).step_by(LANES) {
                let mut sums = [0.0_f32; LANES];
                sums.copy_from_slice(&self.bias[start..start + LANES]);
                for (down, y) in rows.clone().enumerate() {
                    for (right, x) in columns.clone().enumerate() {
                        let weights = &self.weights[(y * kernel + x) * channels + start..][..LANES];
                        let values = &input[(first + down * side + right) * channels + start..][..LANES];
                        for lane in 0..LANES {
                            sums[lane] += weights[lane] * values[lane];
                        }
                    }
                }
                for (out, sum) in pixel[start..start + LANES].iter_mut().zip(sums) {
                    *out = sum.clamp(0.0, 6.0);
                }
            }
            for channel in whole..channels {
                let mut sum = self.bias[channel];
                for (down, y) in rows.clone().enumerate() {
                    for (right, x) in columns.clone().enumerate() {
                        let value = input[(first + down * side + right) * channels + channel];
                        sum += self.weights[(y * kernel + x) * channels + channel] * value;
                    }
                }
                pixel[channel] = sum.clamp(0.0, 6.0);
            }
        }
    }
}

fn positive(outputs: usize, inputs: usize, kernel: usize, stride: usize) -> Result<()> {
    for (what, given) in [
        ("the number of output channels", outputs),
        ("the number of input channels", inputs),
        ("the side of the kernel", kernel),
        ("the stride", stride),
    ] {
        if given == 0 {
            return Err(FeatureError::invalid(what, 0, "at least 1"));
        }
    }
    Ok(())
}

/// Which places of the kernel lie on the image for an output, and `kernel` plus where its first place lies.
#[inline(always)]
fn under(output: usize, side: usize, kernel: usize, stride: usize) -> (Range<usize>, usize) {
    let padding = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side) / 2;
    // Shifted by the kernel's side, so that it is never below 0.
    let first = output * stride + kernel - padding;
    (kernel.saturating_sub(first)..kernel.min(side + kernel - first), first)
}

/// Adds bias and residual, and cuts to 0 to 6.
#[inline(always)]
fn finish(out: &mut [f32], bias: &[f32], residual: Option<&[f32]>, relu6: bool) {
    for row in out.chunks_exact_mut(bias.len()) {
        for (out, bias) in row.iter_mut().zip(bias) {
            *out += bias;
        }
        if relu6 {
            row.iter_mut().for_each(|out| *out = out.clamp(0.0, 6.0));
        }
    }
    if let Some(residual) = residual {
        out.iter_mut().zip(residual).for_each(|(out, residual)| *out += residual);
    }
}
