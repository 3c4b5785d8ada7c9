//! Layers as operations. Their parameters must be shared; their sums over the batch are the per-example gradients.

use burn_ir::{ModuleOperationIr as M, TensorIr};

use super::tensors::{ALONG, LAYOUT, Tensors, Why};
use crate::kinds::{Kind, Layout};

pub(super) fn of_data(op: &M, tensors: &Tensors<'_>) -> Result<Vec<Kind>, Why> {
    let on = Rules { tensors };
    match op {
        M::BatchNorm(d) => on.first_axis(&[&d.x], &[Some(&d.gamma), Some(&d.beta), Some(&d.mean), Some(&d.variance)]),
        M::LayerNorm(d) => {
            let last = tensors.lengths(&d.input).rank() - 1;
            on.shared(&[Some(&d.gamma), d.beta.as_ref()])?;
            tensors.beside(&d.input, last).map(|layout| vec![Kind::Data(layout)])
        }
        M::Embedding(d) => {
            on.shared(&[Some(&d.weights)])?;
            tensors.data(&d.indices).map(|layout| vec![Kind::Data(layout.varied())]).ok_or(Why::Unknown)
        }
        M::EmbeddingBackward(d) => on.sum(&[&d.out_grad, &d.indices]),
        M::Linear(d) => {
            on.shared(&[Some(&d.weight), d.bias.as_ref()])?;
            on.features_last(&d.x).map(|layout| vec![Kind::Data(layout)])
        }
        M::LinearXBackward(d) => {
            on.shared(&[Some(&d.weight)])?;
            on.features_last(&d.output_grad).map(|layout| vec![Kind::Data(layout)])
        }
        M::LinearWeightBackward(d) => {
            on.features_last(&d.x)?;
            on.features_last(&d.output_grad)?;
            on.sum(&[&d.x, &d.output_grad])
        }
        M::LinearBiasBackward(d) => {
            on.features_last(&d.output_grad)?;
            on.sum(&[&d.output_grad])
        }
        M::Conv1d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::Conv2d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::Conv3d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::ConvTranspose1d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::ConvTranspose2d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::ConvTranspose3d(d) => on.first_axis(&[&d.x], &[Some(&d.weight), d.bias.as_ref()]),
        M::Conv1dXBackward(d) => on.first_axis(&[&d.x, &d.output_grad], &[Some(&d.weight)]),
        M::Conv2dXBackward(d) => on.first_axis(&[&d.x, &d.output_grad], &[Some(&d.weight)]),
        M::Conv3dXBackward(d) => on.first_axis(&[&d.x, &d.output_grad], &[Some(&d.weight)]),
        M::Conv1dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::Conv2dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::Conv3dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::ConvTranspose1dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::ConvTranspose2dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::ConvTranspose3dWeightBackward(d) => on.sum_of_first_axis(&[&d.x, &d.output_grad]),
        M::Conv1dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::Conv2dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::Conv3dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::ConvTranspose1dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::ConvTranspose2dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::ConvTranspose3dBiasBackward(d) => on.sum_of_first_axis(&[&d.output_grad]),
        M::DeformableConv2d(d) => {
            let inputs: Vec<&TensorIr> = [&d.x, &d.offset].into_iter().chain(d.mask.as_ref()).collect();
            on.first_axis(&inputs, &[Some(&d.weight), d.bias.as_ref()])
        }
        M::DeformableConv2dBackward(d) => {
            let inputs: Vec<&TensorIr> = [&d.x, &d.offset, &d.out_grad].into_iter().chain(d.mask.as_ref()).collect();
            let data = on.first_axis(&inputs, &[Some(&d.weight), d.bias.as_ref()])?[0];
            // In the order of the operation's outputs.
            let all =
                [Some((&d.input_grad, data)), Some((&d.offset_grad, data)), Some((&d.weight_grad, Kind::PerExample))];
            let rest = [d.mask_grad.as_ref().map(|t| (t, data)), d.bias_grad.as_ref().map(|t| (t, Kind::PerExample))];
            Ok(all.into_iter().chain(rest).flatten().map(|(_, kind)| kind).collect())
        }
        M::AvgPool1d(d) => on.first_axis(&[&d.x], &[]),
        M::AvgPool2d(d) => on.first_axis(&[&d.x], &[]),
        M::AvgPool1dBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::AvgPool2dBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::AdaptiveAvgPool1d(d) => on.first_axis(&[&d.x], &[]),
        M::AdaptiveAvgPool2d(d) => on.first_axis(&[&d.x], &[]),
        M::AdaptiveAvgPool3d(d) => on.first_axis(&[&d.x], &[]),
        M::AdaptiveAvgPool1dBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::AdaptiveAvgPool2dBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::AdaptiveAvgPool3dBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::MaxPool1d(d) => on.first_axis(&[&d.x], &[]),
        M::MaxPool2d(d) => on.first_axis(&[&d.x], &[]),
        M::MaxPool1dWithIndices(d) => on.first_axis(&[&d.x], &[]).map(|kinds| vec![kinds[0]; 2]),
        M::MaxPool2dWithIndices(d) => on.first_axis(&[&d.x], &[]).map(|kinds| vec![kinds[0]; 2]),
        M::MaxPool1dWithIndicesBackward(d) => on.first_axis(&[&d.x, &d.grad, &d.indices], &[]),
        M::MaxPool2dWithIndicesBackward(d) => on.first_axis(&[&d.x, &d.grad, &d.indices], &[]),
        M::Interpolate(d) => on.first_axis(&[&d.x], &[]),
        M::InterpolateBackward(d) => on.first_axis(&[&d.x, &d.grad], &[]),
        M::Unfold4d(d) => on.first_axis(&[&d.x], &[]),
        M::Attention(d) => {
            let mut inputs: Vec<&TensorIr> = vec![&d.query, &d.key, &d.value];
            let masks = d.mask.iter().chain(&d.attn_bias);
            let mut shared = Vec::new();
            for mask in masks {
                match tensors.data(mask) {
                    Some(_) => inputs.push(mask),
                    None => shared.push(Some(mask)),
                }
            }
            on.first_axis(&inputs, &shared)
        }
        M::CtcLoss(_) | M::CtcLossBackward(_) => Err(Why::Unknown),
    }
}

struct Rules<'a> {
    tensors: &'a Tensors<'a>,
}

impl Rules<'_> {
    fn shared(&self, parameters: &[Option<&TensorIr>]) -> Result<(), Why> {
        let shared = |tensor: &&TensorIr| self.tensors.kind(tensor) == Kind::Shared;
        if parameters.iter().flatten().all(shared) {
            Ok(())
        } else {
            Err(Why::Couples("its parameters are made of examples"))
        }
    }

    /// The common layout of data whose examples all lie along one axis.
    fn common(&self, inputs: &[&TensorIr]) -> Result<Layout, Why> {
        let mut layout: Option<Layout> = None;
        for input in inputs {
            let next = self.tensors.data(input).ok_or(Why::Unknown)?;
            layout = Some(match layout {
                Some(known) => known.with(next).ok_or(LAYOUT)?,
                None => next,
            });
        }
        layout.map(Layout::varied).ok_or(Why::Unknown)
    }

    /// Data in, data out, example by example along axis 0.
    fn first_axis(&self, inputs: &[&TensorIr], parameters: &[Option<&TensorIr>]) -> Result<Vec<Kind>, Why> {
        self.shared(parameters)?;
        match self.common(inputs)? {
            layout if layout.axis == 0 => Ok(vec![Kind::Data(layout)]),
            _ => Err(ALONG),
        }
    }

    fn features_last(&self, input: &TensorIr) -> Result<Layout, Why> {
        self.tensors.beside(input, self.tensors.lengths(input).rank() - 1)
    }

    fn sum(&self, inputs: &[&TensorIr]) -> Result<Vec<Kind>, Why> {
        self.common(inputs).map(|_| vec![Kind::PerExample])
    }

    fn sum_of_first_axis(&self, inputs: &[&TensorIr]) -> Result<Vec<Kind>, Why> {
        match self.common(inputs)? {
            layout if layout.axis == 0 => Ok(vec![Kind::PerExample]),
            _ => Err(ALONG),
        }
    }
}
