//! Operations with backward passes of their own on the flex backend, whose weights take no part in autodiff.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor};

use super::activations;
use super::attention::{self, Inputs};
use super::attention_shape::Attention;
use super::convolution;
use super::matrix_product::Matrix;
use super::normalization::{self, Normalized};
use super::normalization_shape::Normalization;
use super::pooling;
use super::pooling_shape::Pooling;
use super::row_product::row_product;
use super::slices::{Values, owned, primitive, tensor};
use crate::ops::convolution::shape::Convolution;
use crate::ops::pointwise::Pointwise;

/// A tensor equal to `output`, and a leaf whose gradient is the gradient of that tensor (of its shape, not the
/// leaf's).
///
/// What adding a leaf of zeros does, without the zeros and the addition.
pub(crate) fn tap<const D: usize>(output: &Tensor<D>) -> Option<(Tensor<D>, Tensor<D>)> {
    let tensor = output.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
    let leaf = Tensor::<D>::zeros([1; D], &output.device()).require_grad();
    let anchor = leaf.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
    let (values, output) = tensor.into_parts();
    let tapped = Tap.prepare::<NoCheckpointing>([output, anchor.node()]).compute_bound().stateless(values);
    Some((Tensor::from_primitive::<Autodiff<Flex>>(tapped), leaf))
}

#[derive(Debug)]
struct Tap;

impl Backward<Flex, 2> for Tap {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        for parent in ops.parents.into_iter().flatten() {
            grads.register::<Flex>(parent.id, gradient.clone());
        }
    }
}

/// The convolution of `input`, with or without autodiff, by weights that take no part in it.
pub(crate) fn convolve(
    of: Convolution,
    input: Tensor<4>,
    kernel: &Tensor<4>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    // Burn's own convolution says what does not fit.
    if input.dtype() != DType::F32 || !of.fits(kernel.shape().num_elements()) {
        return None;
    }
    let (kernel, bias) = (Values::of(kernel)?, bias.map(Values::of));
    let bias = match bias {
        Some(bias) => Some(bias?),
        None => None,
    };
    let forward =
        |input: &Values| convolution::forward(&of, input.slice(), kernel.slice(), bias.as_ref().map(Values::slice));
    let dims = of.output_dims(input.dims()[0]);
    if let Some(input) = Values::of(&input) {
        return Some(tensor(forward(&input), dims));
    }
    let (input, node) = input.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let output = primitive(forward(&Values::contiguous(input)), dims);
    let output = match FrozenConvolution.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((of, kernel.0), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct FrozenConvolution;

impl Backward<Flex, 1> for FrozenConvolution {
    type State = (Convolution, FloatTensor<Flex>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Values::contiguous(grads.consume::<Flex>(&ops.node));
        let [Some(input)] = ops.parents else { return };
        let (of, kernel) = ops.state;
        let examples = gradient.slice().len() / of.output_entries();
        let found = convolution::input_gradient(&of, gradient.slice(), Values::contiguous(kernel).slice());
        grads.register::<Flex>(input.id, primitive(found, of.input_dims(examples)));
    }
}

/// A function of every value, with or without autodiff; gives a tensor of another format or backend back.
pub(crate) fn activate<const D: usize>(of: Pointwise, input: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
    row_by_row(Rowwise::Pointwise(of), input)
}

/// The softmax over the last axis, as [`activate`].
pub(crate) fn softmax<const D: usize>(input: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
    match input.dims()[D - 1] {
        0 => Err(input),
        length => row_by_row(Rowwise::Softmax { length }, input),
    }
}

/// What is computed for each row from that row alone.
#[derive(Debug, Clone, Copy)]
enum Rowwise {
    Pointwise(Pointwise),
    Softmax { length: usize },
}

impl Rowwise {
    /// Writes the results over the values, unless they are kept.
    fn apply(self, mut values: FloatTensor<Flex>) -> FloatTensor<Flex> {
        match self {
            Self::Pointwise(of) if of.keeps_input() => {
                return primitive(of.applied(values.storage()), values.layout().shape().clone());
            }
            Self::Pointwise(of) => of.apply(values.storage_mut()),
            Self::Softmax { length } => activations::softmax(values.storage_mut(), length),
        }
        values
    }

    fn pull_back(self, gradient: &mut [f32], kept: &[f32]) {
        match self {
            Self::Pointwise(of) => of.pull_back(gradient, kept),
            Self::Softmax { length } => activations::softmax_pull_back(gradient, kept, length),
        }
    }

    fn keeps_input(self) -> bool {
        matches!(self, Self::Pointwise(of) if of.keeps_input())
    }
}

fn row_by_row<const D: usize>(of: Rowwise, input: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
    if input.dtype() != DType::F32 {
        return Err(input);
    }
    // The tensor is dropped before its values are taken, so that they can be written over where they are.
    if let Ok(values) = input.clone().try_into_primitive::<Flex>() {
        drop(input);
        return Ok(Tensor::from_primitive::<Flex>(of.apply(owned(values))));
    }
    let Ok(tracked) = input.clone().try_into_primitive::<Autodiff<Flex>>() else { return Err(input) };
    drop(input);
    let (values, node) = tracked.into_parts();
    let values = owned(values);
    let kept_input = of.keeps_input().then(|| values.clone());
    let output = of.apply(values);
    let output = match RowByRow.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((of, kept_input.unwrap_or_else(|| output.clone())), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Ok(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct RowByRow;

impl Backward<Flex, 1> for RowByRow {
    type State = (Rowwise, FloatTensor<Flex>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = owned(grads.consume::<Flex>(&ops.node));
        let [Some(input)] = ops.parents else { return };
        let (of, kept) = ops.state;
        of.pull_back(gradient.storage_mut(), kept.storage());
        grads.register::<Flex>(input.id, gradient);
    }
}

/// `input weight + bias` along the last axis, of an input with or without autodiff by weights that take no part in
/// it.
pub(crate) fn linear<const D: usize>(
    input: Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    let ([d_input, d_output], mut dims) = (weight.dims(), input.dims());
    if input.dtype() != DType::F32 || dims[D - 1] != d_input || d_input * d_output == 0 {
        return None;
    }
    let weight = Values::of(weight)?;
    let bias = match bias.map(Values::of) {
        Some(bias) => Some(bias?),
        None => None,
    };
    dims[D - 1] = d_output;
    let forward = |input: &Values| {
        let matrix = Matrix::new(weight.slice(), d_input, d_output);
        row_product(input.slice(), matrix, bias.as_ref().map(Values::slice))
    };
    if let Some(input) = Values::of(&input) {
        return Some(tensor(forward(&input), dims));
    }
    let (input, node) = input.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let output = primitive(forward(&Values::contiguous(input)), dims);
    let output = match FrozenLinear.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((weight.0, [d_input, d_output]), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct FrozenLinear;

impl Backward<Flex, 1> for FrozenLinear {
    type State = (FloatTensor<Flex>, [usize; 2]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Values::contiguous(grads.consume::<Flex>(&ops.node));
        let [Some(input)] = ops.parents else { return };
        let (weight, [d_input, d_output]) = ops.state;
        let weight = Values::contiguous(weight);
        let weight = Matrix::new(weight.slice(), d_input, d_output).transposed();
        let found = row_product(gradient.slice(), weight, None);
        let mut dims = gradient.0.layout().shape().clone();
        let last = dims.num_dims() - 1;
        dims[last] = d_input;
        grads.register::<Flex>(input.id, primitive(found, dims));
    }
}

/// A normalization of `input`, with or without autodiff, by scale and shift that take no part in it; and the values
/// before scale and shift, without autodiff.
pub(crate) fn normalize<const D: usize>(
    of: Normalization,
    input: Tensor<D>,
    scale: &Tensor<1>,
    shift: Option<&Tensor<1>>,
) -> Option<(Tensor<D>, Tensor<D>)> {
    let dims = input.dims();
    if input.dtype() != DType::F32 || input.shape().num_elements() == 0 {
        return None;
    }
    let scale = Values::of(scale)?;
    let shift = match shift.map(Values::of) {
        Some(shift) => Some(shift?),
        None => None,
    };
    let forward =
        |input: &Values| normalization::forward(&of, input.slice(), scale.slice(), shift.as_ref().map(Values::slice));
    if let Some(input) = Values::of(&input) {
        let Normalized { output, values, .. } = forward(&input);
        return Some((tensor(output, dims), tensor(values, dims)));
    }
    let (input, node) = input.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let Normalized { output, values, inverse_deviations } = forward(&Values::contiguous(input));
    let (output, values) = (primitive(output, dims), primitive(values, dims));
    let output = match FrozenNormalization.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((of, values.clone(), Arc::new(inverse_deviations), scale.0), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Some((Tensor::from_primitive::<Autodiff<Flex>>(output), Tensor::from_primitive::<Flex>(values)))
}

#[derive(Debug)]
struct FrozenNormalization;

impl Backward<Flex, 1> for FrozenNormalization {
    type State = (Normalization, FloatTensor<Flex>, Arc<Vec<f32>>, FloatTensor<Flex>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = owned(grads.consume::<Flex>(&ops.node));
        let [Some(input)] = ops.parents else { return };
        let (of, values, inverse_deviations, scale) = ops.state;
        let (values, scale) = (Values::contiguous(values), Values::contiguous(scale));
        normalization::pull_back(&of, gradient.storage_mut(), values.slice(), &inverse_deviations, scale.slice());
        grads.register::<Flex>(input.id, gradient);
    }
}

/// Attention without a mask, of inputs with or without autodiff.
pub(crate) fn attend(of: Attention, inputs: [&Tensor<3>; 3]) -> Option<Tensor<3>> {
    let examples = inputs[0].dims()[0];
    let dims = [examples, of.queries, of.width()];
    if inputs.iter().any(|input| input.dtype() != DType::F32 || input.shape().num_elements() == 0) {
        return None;
    }
    let forward = |[query, key, value]: [&Values; 3]| {
        attention::forward(&of, Inputs { query: query.slice(), key: key.slice(), value: value.slice() })
    };
    let [query, key, value] = inputs;
    if let (Some(query), Some(key), Some(value)) = (Values::of(query), Values::of(key), Values::of(value)) {
        let [output, _] = forward([&query, &key, &value]);
        return Some(tensor(output, dims));
    }
    let tracked = |input: &Tensor<3>| input.clone().try_into_primitive::<Autodiff<Flex>>().ok();
    let [query, key, value] = [tracked(query)?, tracked(key)?, tracked(value)?].map(|input| input.into_parts());
    let nodes = [query.1, key.1, value.1];
    let [query, key, value] = [query.0, key.0, value.0].map(Values::contiguous);
    let [output, weights] = forward([&query, &key, &value]);
    let output = primitive(output, dims);
    let output = match Attend.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((of, [query.0, key.0, value.0], Arc::new(weights)), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct Attend;

impl Backward<Flex, 3> for Attend {
    type State = (Attention, [FloatTensor<Flex>; 3], Arc<Vec<f32>>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Values::contiguous(grads.consume::<Flex>(&ops.node));
        let (of, inputs, weights) = ops.state;
        let shapes = inputs.each_ref().map(|input| input.layout().shape().clone());
        let [query, key, value] = inputs.map(Values::contiguous);
        let inputs = Inputs { query: query.slice(), key: key.slice(), value: value.slice() };
        let found = attention::pull_back(&of, inputs, &weights, gradient.slice());
        for ((parent, found), shape) in ops.parents.into_iter().zip(found).zip(shapes) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, primitive(found, shape));
            }
        }
    }
}

/// The largest values under the kernel, of `[batch, channels, height, width]` with or without autodiff. Kernels have at most
/// 255 elements.
pub(crate) fn max_pool(of: Pooling, input: Tensor<4>) -> Option<Tensor<4>> {
    if input.dtype() != DType::F32 {
        return None;
    }
    let [batch, channels, _, _] = input.dims();
    let dims = [batch, channels, of.output(0), of.output(1)];
    if let Some(input) = Values::of(&input) {
        return Some(tensor(pooling::forward(&of, input.slice()).0, dims));
    }
    let (input, node) = input.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (output, chosen) = pooling::forward(&of, Values::contiguous(input).slice());
    let output = primitive(output, dims);
    let output = match MaxPool.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((of, Arc::new(chosen), [batch, channels]), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug)]
struct MaxPool;

impl Backward<Flex, 1> for MaxPool {
    type State = (Pooling, Arc<Vec<u8>>, [usize; 2]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Values::contiguous(grads.consume::<Flex>(&ops.node));
        let [Some(input)] = ops.parents else { return };
        let (of, chosen, [batch, channels]) = ops.state;
        let found = pooling::input_gradient(&of, gradient.slice(), &chosen);
        grads.register::<Flex>(input.id, primitive(found, [batch, channels, of.input[0], of.input[1]]));
    }
}
