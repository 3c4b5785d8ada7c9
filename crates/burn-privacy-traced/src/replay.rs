//! A proved recording, executed on a device: every operation once, and sums over the batch kept apart.

use std::collections::HashMap;

use burn::module::ParamId;
use burn_backend::ops::{DeformConvOptions, FloatTensorOps, ModuleOps};
use burn_ir::{
    BaseOperationIr as B, DeformConv2dBackwardOpIr, FloatOperationIr as F, ModuleOperationIr as M,
    NumericOperationIr as N, OperationIr, TensorId, TensorIr,
};

use crate::contract::{Batch, contract};
use crate::convolution::{Convolution, Options};
use crate::error::{TraceError, UnprotectedText};
use crate::execute::{Operands, execute};
use crate::gradient::{Gradient, gradient_of};
use crate::graph::{Graph, Source, name_of, number_of, whole};
use crate::kinds::Kind;
use crate::lift::{Form, flattens, form_of, lifted};
use crate::parameters::ParameterValues;
use crate::per_example::{PerExample, Products, Table, for_each, scalar};
use crate::plan::Action;
use crate::proof::Proof;
use crate::tensors::{D, DispatchDevice, T, dims, flat, from_data, reshape, slice, slice_assign, within};

#[derive(Clone)]
enum Value {
    /// What is shared, and data.
    Plain(T),
    PerExample(PerExample),
}

struct Replay<'a> {
    proof: &'a Proof,
    examples: usize,
    device: DispatchDevice,
    values: Vec<Option<Value>>,
    /// What the operation takes for good.
    given: &'a [usize],
    /// Writes into zeros, by the position of the operation that adds them.
    deferred: HashMap<usize, OperationIr>,
}

impl Proof {
    /// The per-example gradients of the parameters that the loss reaches.
    ///
    /// `parameters` are the values of the model's parameters and buffers, on `device` and without autodiff. Each tensor is
    /// freed at its last use.
    ///
    /// # Errors
    ///
    /// [`TraceError::OtherOperations`] for a recording that isn't of the proved program.
    pub fn replay(
        &self,
        graph: Graph,
        parameters: &ParameterValues,
        device: &DispatchDevice,
    ) -> Result<Vec<(ParamId, Gradient)>, TraceError> {
        if !self.admits(&graph)? {
            return Err(TraceError::Unrecordable(UnprotectedText::new(
                "a recording was replayed that the proof is not about",
            )));
        }
        self.replay_admitted(graph, parameters, device)
    }

    /// [`replay`](Self::replay) of a recording that [`admits`](Self::admits) accepted: operations, settings and shapes are the
    /// proof's own.
    pub(crate) fn replay_admitted(
        &self,
        graph: Graph,
        parameters: &ParameterValues,
        device: &DispatchDevice,
    ) -> Result<Vec<(ParamId, Gradient)>, TraceError> {
        let Graph { operations, sources, shapes, gradients, examples, .. } = graph;
        let values = sources.into_iter().map(|source| {
            Ok(match source {
                Source::Operation => None,
                Source::Constant(data) | Source::Public(data) => Some(Value::Plain(from_data(data, device))),
                Source::Parameter(visit) => {
                    let value = parameters.get(visit).cloned();
                    Some(Value::Plain(value.ok_or(TraceError::OutsideTensor)?))
                }
            })
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let mut replay =
            Replay { proof: self, examples, device: device.clone(), values, given: &[], deferred: HashMap::new() };
        for (position, (mut op, step)) in operations.into_iter().zip(&self.plan.steps).enumerate() {
            match step.action {
                Action::Skip => continue,
                Action::Defer { by } => {
                    whole(&mut op, &shapes);
                    replay.deferred.insert(by, op);
                    continue;
                }
                _ => {}
            }
            if let (Some(instead), OperationIr::BaseFloat(B::Slice(d))) = (step.instead, &mut op) {
                d.tensor.id = TensorId::new(instead as u64);
            }
            whole(&mut op, &shapes);
            replay.given = &step.given;
            let unknown = || {
                let shapes: Vec<String> =
                    op.inputs().map(|input| format!("{:?}", self.certified.lengths[number_of(input)])).collect();
                TraceError::UnknownOperation { operation: name_of(&op), shapes: shapes.join(", ") }
            };
            let found = replay.step(&op, step.action, position).ok_or_else(unknown)?;
            op.outputs().map(number_of).zip(found).for_each(|(number, value)| replay.values[number] = Some(value));
            step.freed.iter().for_each(|number| replay.values[*number] = None);
        }
        let mut found = Vec::new();
        for (id, number) in gradients {
            match replay.values[number].take() {
                Some(Value::PerExample(value)) => found.push((id, gradient_of(value, examples, device))),
                // Not a function of any example: nothing of it is clipped or released. (Zeros, of a path that ends.)
                Some(Value::Plain(_)) | None => {}
            }
        }
        Ok(found)
    }
}

impl Operands for Replay<'_> {
    fn take(&mut self, tensor: &TensorIr) -> T {
        match self.value(tensor) {
            Some(Value::Plain(value)) => value,
            Some(Value::PerExample(value)) => value.formed(&self.device),
            None => unreachable!("the proof saw every operation's inputs made before it"),
        }
    }
}

impl Replay<'_> {
    fn is(&self, tensor: &TensorIr, kind: Kind) -> bool {
        self.proof.kind(tensor) == kind
    }

    /// A tensor's only handle at its last use, so that the backend may write over it.
    fn value(&mut self, tensor: &TensorIr) -> Option<Value> {
        let number = number_of(tensor);
        if self.given.contains(&number) { self.values[number].take() } else { self.values[number].clone() }
    }

    fn step(&mut self, op: &OperationIr, action: Action, position: usize) -> Option<Vec<Value>> {
        let device = self.device.clone();
        match (action, op) {
            (Action::Skip | Action::Defer { .. }, _) => Some(Vec::new()),
            (Action::AddPart { to }, OperationIr::NumericFloat(_, N::Add(d))) => {
                let OperationIr::BaseFloat(B::SliceAssign(write)) = self.deferred.remove(&position)? else {
                    return None;
                };
                let tensor = self.take(if number_of(&d.lhs) == to { &d.lhs } else { &d.rhs });
                let part = slice(tensor.clone(), &write.ranges);
                let sum = D::float_add(part, self.take(&write.value));
                Some(vec![Value::Plain(slice_assign(tensor, &write.ranges, sum))])
            }
            (Action::AddPart { .. }, _) => None,
            (Action::Lift, _) => Some(vec![Value::PerExample(self.on_per_example(op)?)]),
            (Action::Deformable, OperationIr::Module(M::DeformableConv2dBackward(d))) => self.deformable(d),
            (Action::Deformable, _) => None,
            (Action::Contract, _) => {
                let proof = self.proof;
                let batch = Batch {
                    examples: self.examples,
                    layout: &|tensor| proof.layout(tensor),
                    is_zero: &|tensor| proof.plan.zeros[number_of(tensor)],
                    device: &device,
                };
                Some(vec![Value::PerExample(contract(op, &batch, self)?)])
            }
            (Action::Execute, _) => Some(execute(op, self, &device)?.into_iter().map(Value::Plain).collect()),
        }
    }

    fn per_example(&mut self, tensor: &TensorIr) -> Option<PerExample> {
        match self.value(tensor) {
            Some(Value::PerExample(value)) => Some(value),
            _ => None,
        }
    }

    fn shared(&self, tensor: &TensorIr) -> Option<T> {
        match &self.values[number_of(tensor)] {
            Some(Value::Plain(value)) => Some(value.clone()),
            _ => None,
        }
    }

    fn on_per_example(&mut self, op: &OperationIr) -> Option<PerExample> {
        let device = self.device.clone();
        // Products stay products where they can.
        let lazy = match op {
            OperationIr::NumericFloat(_, N::Add(d))
                if self.is(&d.lhs, Kind::PerExample)
                    && self.is(&d.rhs, Kind::PerExample)
                    && d.lhs.shape == d.rhs.shape =>
            {
                let left = self.per_example(&d.lhs)?;
                return Some(left.plus(self.per_example(&d.rhs)?, &device));
            }
            OperationIr::BaseFloat(B::SwapDims(d)) => {
                Some((&d.input, self.per_example(&d.input)?.swapped(d.dim1, d.dim2)))
            }
            OperationIr::BaseFloat(B::Reshape(d)) => {
                Some((&d.input, self.per_example(&d.input)?.reshaped(&d.out.shape.to_vec())))
            }
            OperationIr::NumericFloat(_, N::MulScalar(d)) => {
                Some((&d.lhs, self.per_example(&d.lhs)?.scaled(|g| D::float_mul_scalar(g, scalar(d.rhs)))))
            }
            OperationIr::NumericFloat(_, N::DivScalar(d)) => {
                Some((&d.lhs, self.per_example(&d.lhs)?.scaled(|g| D::float_div_scalar(g, scalar(d.rhs)))))
            }
            OperationIr::NumericFloat(_, N::Neg(d)) => {
                Some((&d.input, self.per_example(&d.input)?.scaled(D::float_neg)))
            }
            OperationIr::Float(_, F::Matmul(d)) if self.is(&d.rhs, Kind::Shared) => {
                let matrix = self.shared(&d.rhs)?;
                Some((&d.lhs, self.per_example(&d.lhs)?.times(&matrix)))
            }
            OperationIr::Float(_, F::Matmul(d)) if self.is(&d.lhs, Kind::Shared) => {
                let matrix = self.shared(&d.lhs)?;
                Some((&d.rhs, self.per_example(&d.rhs)?.under(&matrix)))
            }
            OperationIr::Module(module) => return self.module_on_per_example(module),
            _ => None,
        };
        match lazy {
            Some((_, Ok(products))) => return Some(products),
            // It is taken again below.
            Some((tensor, Err(value))) => self.values[number_of(tensor)] = Some(Value::PerExample(value)),
            None => {}
        }
        // One output is kept: an operation with several has no lifted form.
        if op.outputs().count() != 1 {
            return None;
        }
        let rank = |tensor: &TensorIr| tensor.shape.to_vec().len();
        let mut given: HashMap<usize, T> = HashMap::new();
        for input in op.inputs() {
            let value = if self.is(input, Kind::PerExample) {
                self.take(input)
            } else {
                let value = self.take(input);
                let form = form_of(op, input);
                if form == Form::Unchanged {
                    value
                } else {
                    let shape = [&[1][..], &dims(&value)].concat();
                    let value = reshape(value, shape);
                    if form == Form::Copied { for_each(value, self.examples) } else { value }
                }
            };
            let value = match op {
                op if flattens(op) => flat(value),
                OperationIr::BaseFloat(B::Expand(d))
                | OperationIr::BaseInt(B::Expand(d))
                | OperationIr::BaseBool(B::Expand(d)) => {
                    // New axes come in front of the old ones, behind the examples'.
                    let shape = dims(&value);
                    let new = vec![1; rank(&d.out) - rank(&d.input)];
                    reshape(value, [&shape[..1], &new, &shape[1..]].concat())
                }
                _ => value,
            };
            given.insert(number_of(input), value);
        }
        let mut found = execute(&lifted(op, self.examples), &mut Given(given), &device)?;
        Some(PerExample::Formed(found.swap_remove(0)))
    }

    /// A layer's backward pass on a shared input (positions, say) from a per-example output gradient.
    fn module_on_per_example(&mut self, op: &M) -> Option<PerExample> {
        let examples = self.examples;
        let rows = |gradient: T| {
            let shape = dims(&gradient);
            let last = shape[shape.len() - 1];
            let positions = shape[1..shape.len() - 1].iter().product();
            reshape(gradient, vec![shape[0], positions, last])
        };
        match op {
            M::LinearXBackward(d) => {
                let (gradient, weight) = (self.take(&d.output_grad), self.take(&d.weight));
                Some(PerExample::Formed(D::linear_x_backward(weight, gradient)))
            }
            M::LinearBiasBackward(d) => {
                let gradient = rows(self.take(&d.output_grad));
                let shape = dims(&gradient);
                Some(PerExample::Formed(reshape(D::float_sum_dim(gradient, 1), vec![shape[0], shape[2]])))
            }
            M::LinearWeightBackward(d) => {
                let x = self.take(&d.x);
                let shape = dims(&x);
                let width = shape[shape.len() - 1];
                let positions = shape[..shape.len() - 1].iter().product();
                let x = for_each(reshape(x, vec![1, positions, width]), examples);
                let gradient = rows(self.take(&d.output_grad));
                let dims = d.out.shape.to_vec();
                Some(PerExample::Products(Products { inputs: vec![x], output_gradients: vec![gradient], dims }))
            }
            M::EmbeddingBackward(d) => {
                let tokens = within(self.take(&d.indices), d.weights.shape.to_vec()[0]);
                let positions = dims(&tokens).iter().product();
                let tokens = for_each(reshape(tokens, vec![1, positions]), examples);
                let gradient = rows(self.take(&d.out_grad));
                let length = d.weights.shape.to_vec()[0];
                Some(PerExample::Table(Table { tokens, rows: gradient, length }))
            }
            _ => None,
        }
    }

    fn deformable(&mut self, d: &DeformConv2dBackwardOpIr) -> Option<Vec<Value>> {
        let layout = self.proof.layout(&d.x)?;
        // All of them must lie example by example, in the same number of rows.
        for tensor in [Some(&d.offset), d.mask.as_ref(), Some(&d.out_grad)].into_iter().flatten() {
            let other = self.proof.layout(tensor)?;
            if (other.outer, other.inner) != (1, layout.inner) {
                return None;
            }
        }
        if layout.outer != 1 {
            return None;
        }
        let (x, offset, weight) = (self.take(&d.x), self.take(&d.offset), self.take(&d.weight));
        let (mask, bias) = (self.take_some(d.mask.as_ref()), self.take_some(d.bias.as_ref()));
        let gradient = self.take(&d.out_grad);
        let o = &d.options;
        let options = DeformConvOptions::new(o.stride, o.padding, o.dilation, o.weight_groups, o.offset_groups);
        let found =
            D::deform_conv2d_backward(x.clone(), offset.clone(), weight, mask.clone(), bias, gradient.clone(), options);
        let kernel = Convolution {
            options: Options::Deformable { options: o.clone(), offset, mask },
            input: x,
            output_gradient: gradient.clone(),
            kernel: d.weight.shape.to_vec(),
            rows: layout.inner,
        };
        let mut values = vec![
            Value::Plain(found.x_grad),
            Value::Plain(found.offset_grad),
            Value::PerExample(PerExample::Convolution(kernel)),
        ];
        if d.mask_grad.is_some() {
            values.push(Value::Plain(found.mask_grad?));
        }
        if d.bias_grad.is_some() {
            let shape = dims(&gradient);
            let positions: usize = shape[2..].iter().product();
            let sums = D::float_sum_dim(reshape(gradient, vec![self.examples, layout.inner, shape[1], positions]), 3);
            let sums = D::float_sum_dim(sums, 1);
            values.push(Value::PerExample(PerExample::Formed(reshape(sums, vec![self.examples, shape[1]]))));
        }
        Some(values)
    }
}

/// Inputs that were put into the form of a lifted operation.
struct Given(HashMap<usize, T>);

impl Operands for Given {
    fn take(&mut self, tensor: &TensorIr) -> T {
        self.0.get(&number_of(tensor)).cloned().unwrap_or_else(|| unreachable!("every input was given"))
    }
}
