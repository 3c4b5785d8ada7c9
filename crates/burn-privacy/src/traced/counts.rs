//! What a private step on a device without kernels of ours costs, counted and not timed: operations, bytes, and values that are read on
//! the host.
//!
//! A replay, its norms, factors and sums run on a device that only records. It has no values, so that reading a computed one
//! panics.

use std::collections::HashMap;

use burn::backend::{Autodiff, AutodiffBackend};
use burn::module::{Module, ParamId};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use burn_capture::{CaptureBackend, CapturedGraph};
use burn_ir::{BaseOperationIr as B, OperationIr};
use burn_privacy_kernels::Rounding;
use burn_privacy_traced::{Proof, Records, record, values_of};

use super::layer_use;
use crate::per_example::{BatchLayout, GradientSum, StepClipping, clipped_sum_of_uses};
use crate::plan::Clipping;

const EXAMPLES: usize = 32;

#[derive(Debug, Default)]
struct Counts {
    operations: usize,
    entries: usize,
}

impl Counts {
    /// Views of memory launch and move nothing.
    fn of(captured: &CapturedGraph) -> Self {
        let mut counts = Self::default();
        for op in &captured.graph.operations {
            let is_view = match op {
                OperationIr::Init(_) | OperationIr::Drop(_) => true,
                OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => matches!(
                    op,
                    B::Reshape(_)
                        | B::SwapDims(_)
                        | B::Permute(_)
                        | B::Expand(_)
                        | B::Slice(_)
                        | B::Unfold(_)
                        | B::Empty(_)
                ),
                _ => false,
            };
            if !is_view {
                counts.operations += 1;
                let tensors = op.inputs().chain(op.outputs());
                counts.entries += tensors.map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
            }
        }
        counts
    }
}

fn batch(input: &[usize], examples: usize, device: &Device) -> Tensor<2> {
    let entries: usize = input.iter().product();
    let values: Vec<f32> = (0..examples * entries).map(|i| ((i * 37 % 23) as f32 - 11.0) / 11.0).collect();
    Tensor::from_data(TensorData::new(values, [examples, entries]), device)
}

/// Operations and entries of a private step over those of a plain one: forward, backward, and for the private one norms, factors
/// and the clipped sum.
fn ratios<M: Module>(name: &str, model: &M, input: &[usize], losses: impl Fn(&M, Tensor<2>) -> Tensor<1>) -> [f64; 2] {
    type Recording = Autodiff<CaptureBackend>;
    let device = Device::capture();
    let plain = device.capture_scope(|scope| {
        let recording = device.clone().autodiff();
        let model = model.clone().to_device(&recording);
        let loss = losses(&model, batch(input, EXAMPLES, &recording)).sum();
        let loss = loss.try_into_primitive::<Recording>().unwrap_or_else(|_| panic!("{name} is recorded"));
        drop(<Recording as AutodiffBackend>::backward(loss));
        scope.complete([], [])
    });
    let recorded = |examples: usize| {
        let load = |device: &Device| Ok::<_, ()>(batch(input, examples, device));
        record(model, examples, &Device::flex(), load, |model: &M, x| Ok(losses(model, x)))
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
    };
    let graph = recorded(EXAMPLES);
    let proof = Proof::of(&graph, &recorded(EXAMPLES + 1), Records::default()).unwrap();
    let shapes: Vec<(ParamId, Vec<usize>)> = values_of(model)
        .into_iter()
        .map(|(id, value)| (id, burn::backend::TensorMetadata::shape(&value).to_vec()))
        .collect();
    let parameters: Vec<(ParamId, &str)> = shapes.iter().map(|(id, _)| (*id, "")).collect();
    let private = device.capture_scope(|scope| {
        let values: HashMap<_, _> = shapes
            .iter()
            .map(|(id, shape)| {
                let flat = Tensor::<1>::empty([shape.iter().product()], &device);
                let value = match shape[..] {
                    [_] => flat.into_dispatch(),
                    [a, b] => flat.reshape([a, b]).into_dispatch(),
                    [a, b, c, d] => flat.reshape([a, b, c, d]).into_dispatch(),
                    _ => panic!("a parameter of another rank"),
                };
                (*id, value)
            })
            .collect();
        let gradients = proof.replay(graph, &values, device.as_dispatch()).unwrap();
        let uses = gradients.into_iter().map(|(id, gradient)| layer_use(id, gradient, EXAMPLES)).collect();
        let clipping = StepClipping::of(&Clipping::flat(1.0), 1.0, &parameters).unwrap();
        let mut sum = GradientSum::new(clipping);
        let layout = BatchLayout::new(EXAMPLES, 1);
        clipped_sum_of_uses(uses, layout, &[EXAMPLES], Rounding::SINGLE, &mut sum).unwrap();
        scope.complete([], [])
    });
    let [plain, private] = [plain, private].map(|captured| Counts::of(&captured.unwrap()));
    let over = |a: usize, b: usize| a as f64 / b as f64;
    let found = [over(private.operations, plain.operations), over(private.entries, plain.entries)];
    println!("{name:12} {plain:?} {private:?}: operations {:.2}, entries {:.2}", found[0], found[1]);
    found
}

#[derive(Module, Debug)]
struct Images {
    image: Conv2d,
    norm: GroupNorm,
    head: Linear,
}

#[test]
fn a_private_step_reads_nothing_on_the_host_and_moves_little_more() {
    let device = Device::flex().autodiff();
    let sum = |output: Tensor<2>| {
        let [n, _] = output.dims();
        output.square().sum_dim(1).reshape([n])
    };
    let mlp = [LinearConfig::new(64, 48).init(&device), LinearConfig::new(48, 10).init(&device)];
    let mlp = ratios("mlp", &mlp.to_vec(), &[64], |layers: &Vec<Linear>, x| {
        sum(layers[1].forward(relu(layers[0].forward(x))))
    });
    let images = Images {
        image: Conv2dConfig::new([3, 8], [3, 3]).init(&device),
        norm: GroupNormConfig::new(2, 8).init(&device),
        head: LinearConfig::new(8 * 36, 10).init(&device),
    };
    let images = ratios("cnn", &images, &[3, 8, 8], |model: &Images, x| {
        let n = x.dims()[0];
        let x = relu(model.norm.forward(model.image.forward(x.reshape([n, 3, 8, 8]))));
        sum(model.head.forward(x.reshape([n, 8 * 36])))
    });
    let encoder: TransformerEncoder = TransformerEncoderConfig::new(32, 64, 4, 1).with_dropout(0.0).init(&device);
    let encoder = ratios("transformer", &encoder, &[12, 32], |model: &TransformerEncoder, x| {
        let n = x.dims()[0];
        sum(model.forward(TransformerEncoderInput::new(x.reshape([n, 12, 32]))).reshape([n, 12 * 32]))
    });
    let lstm: Lstm = LstmConfig::new(8, 16, true).init(&device);
    let lstm = ratios("lstm", &lstm, &[16, 8], |model: &Lstm, x| {
        let n = x.dims()[0];
        sum(model.forward(x.reshape([n, 16, 8]), None).0.reshape([n, 16 * 16]))
    });
    for (name, [operations, entries]) in [("mlp", mlp), ("cnn", images), ("transformer", encoder), ("lstm", lstm)] {
        assert!(operations < 9.0 && entries < 9.0, "{name}: {operations} {entries}");
    }
}
