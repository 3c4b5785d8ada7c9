use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor};

use super::convolution;
use super::convolution_shape::Convolution;
use super::on_flex::{Values, primitive, tensor};
use super::pooling::{self, Pooling};

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
