//! A recording, its proof and its replay, without a session: each example's gradient is Burn's own of that example alone.
#![cfg(feature = "flex")]

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use burn_privacy_traced::{Gradient, Graph, Proof, RecordError, TraceError, record, values_of};

#[derive(Module, Debug)]
struct Model {
    first: Linear,
    second: Linear,
}

fn model() -> Model {
    let device = Device::flex().autodiff();
    Model { first: LinearConfig::new(3, 4).init(&device), second: LinearConfig::new(4, 2).init(&device) }
}

/// Row `i` of the data: any number, the same in every test.
fn rows(from: usize, count: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (from * 3..(from + count) * 3).map(|i| ((i * 37 % 23) as f32 - 11.0) / 7.0).collect();
    Tensor::from_data(TensorData::new(values, [count, 3]), device)
}

type Loss = fn(&Model, Tensor<2>) -> Tensor<1>;

fn squares(model: &Model, x: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    model.second.forward(relu(model.first.forward(x))).square().sum_dim(1).reshape([n])
}

fn recorded(model: &Model, from: usize, count: usize, loss: Loss) -> Result<Graph, TraceError> {
    let found = record(model, count, &Device::flex(), |model: &Model, device| -> Result<Tensor<1>, ()> {
        Ok(loss(model, rows(from, count, device)))
    });
    found.map_err(|error| match error {
        RecordError::Trace(error) => error,
        RecordError::Forward(()) => unreachable!("the loss doesn't fail"),
    })
}

struct ByParameter<'a>(&'a Gradients, HashMap<ParamId, Vec<f32>>);

impl ModuleVisitor for ByParameter<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.0) {
            self.1.insert(param.id, gradient.into_data().try_to_vec().unwrap());
        }
    }
}

/// `[examples, entries]`
fn formed(gradient: Gradient) -> Tensor<2> {
    match gradient {
        Gradient::Formed(values) => values,
        Gradient::Products { input, output_gradient } => {
            let [examples, _, n] = input.dims();
            let [_, _, m] = output_gradient.dims();
            input.swap_dims(1, 2).matmul(output_gradient).reshape([examples, n * m])
        }
        other => panic!("not made of linear layers: {other:?}"),
    }
}

#[test]
fn gradients_are_those_of_each_example_alone() {
    let model = model();
    let proof =
        Proof::of(&recorded(&model, 0, 3, squares).unwrap(), &recorded(&model, 7, 4, squares).unwrap()).unwrap();
    // Another number of examples falls under the same proof.
    let graph = recorded(&model, 20, 6, squares).unwrap();
    assert!(proof.admits(&graph).unwrap());
    let device = Device::flex();
    let found = proof.replay(graph, &values_of(&model), device.as_dispatch()).unwrap();
    assert_eq!(found.len(), 4);
    for (id, gradient) in found {
        let gradient = formed(gradient);
        let [examples, entries] = gradient.dims();
        assert_eq!(examples, 6);
        let values: Vec<f32> = gradient.into_data().try_to_vec().unwrap();
        for (example, found) in values.chunks(entries).enumerate() {
            let gradients = squares(&model, rows(20 + example, 1, &device)).sum().backward();
            let mut expected = ByParameter(&gradients, HashMap::new());
            model.visit(&mut expected);
            let expected = &expected.1[&id];
            let size = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
            let difference = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            assert!(difference <= 1e-5 * size, "{difference} of {size}");
        }
    }
}

#[test]
fn a_proof_admits_no_other_program() {
    let model = model();
    let proof =
        Proof::of(&recorded(&model, 0, 3, squares).unwrap(), &recorded(&model, 7, 4, squares).unwrap()).unwrap();
    let others: [Loss; 3] = [
        |model, x| squares(model, x) * 2.0,
        |model, x| {
            let n = x.dims()[0];
            squares(model, x.clone()) + x.sum_dim(1).reshape([n]) * model.first.weight.val().sum()
        },
        |model, x| {
            let mean = x.clone().mean_dim(0);
            squares(model, x - mean)
        },
    ];
    for other in others {
        let graph = recorded(&model, 0, 5, other).unwrap();
        assert!(!proof.admits(&graph).unwrap());
        assert!(proof.replay(graph, &values_of(&model), Device::flex().as_dispatch()).is_err());
    }
}

#[test]
fn a_coupling_is_refused_with_its_operation_and_shapes() {
    let model = model();
    let centred: Loss = |model, x| {
        let sum = x.clone().sum_dim(0);
        squares(model, x - sum)
    };
    let found = Proof::of(&recorded(&model, 0, 3, centred).unwrap(), &recorded(&model, 7, 4, centred).unwrap());
    match found.err() {
        Some(TraceError::Coupled { operation, shapes, .. }) => {
            assert_eq!((operation.as_str(), shapes.as_str()), ("Sub", "[B, 3], [1, 3]"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn panics_of_a_program_are_errors_and_the_next_recording_works() {
    let model = model();
    let reads: Loss = |model, x| {
        let losses = squares(model, x);
        if losses.clone().sum().into_scalar::<f32>() > 0.0 { losses } else { losses * 2.0 }
    };
    assert_eq!(recorded(&model, 0, 3, reads).err(), Some(TraceError::ReadsValue));
    let panics: Loss = |_, _| panic!("out of cheese");
    assert!(
        matches!(recorded(&model, 0, 3, panics), Err(TraceError::Unrecordable(text)) if text.unprotected_text() == "out of cheese")
    );
    let pair: Loss = |model, x| squares(model, x).slice([0..2]);
    assert_eq!(
        recorded(&model, 0, 3, pair).err(),
        Some(TraceError::LossCount { found: "a number of values that is not the number of examples".into() })
    );
    assert!(recorded(&model, 0, 3, squares).is_ok());
}

#[test]
fn a_setting_that_changes_from_recording_to_recording_is_refused() {
    let model = model();
    // As if the batcher had divided by the largest value that it saw.
    let [twice, thrice]: [Loss; 2] = [|model, x| squares(model, x / 2.0), |model, x| squares(model, x / 3.0)];
    let proof = Proof::of(&recorded(&model, 0, 3, twice).unwrap(), &recorded(&model, 7, 4, twice).unwrap()).unwrap();
    assert!(proof.admits(&recorded(&model, 20, 6, twice).unwrap()).unwrap());
    let refusal = proof.admits(&recorded(&model, 20, 6, thrice).unwrap()).unwrap_err();
    assert!(matches!(refusal, TraceError::BatchSize { .. }), "{refusal}");
}

#[test]
fn an_index_out_of_range_stays_in_its_own_example() {
    let model = model();
    // Every third class lies beyond the two that there are.
    let class = |record: usize| (record % 3) as i64;
    let losses = |model: &Model, x: Tensor<2>, classes: Vec<i64>, device: &Device| {
        let n = classes.len();
        let classes = Tensor::<2, Int>::from_data(TensorData::new(classes, [n, 1]), device);
        model.second.forward(relu(model.first.forward(x))).square().gather(1, classes).reshape([n])
    };
    let recorded = |from: usize, count: usize| {
        let found = record(&model, count, &Device::flex(), |model: &Model, device| -> Result<Tensor<1>, ()> {
            Ok(losses(model, rows(from, count, device), (from..from + count).map(class).collect(), device))
        });
        found.unwrap_or_else(|_| panic!("it can be recorded"))
    };
    let proof = Proof::of(&recorded(0, 3), &recorded(7, 4)).unwrap();
    let device = Device::flex();
    for (id, gradient) in proof.replay(recorded(20, 6), &values_of(&model), device.as_dispatch()).unwrap() {
        let gradient = formed(gradient);
        let [_, entries] = gradient.dims();
        let values: Vec<f32> = gradient.into_data().try_to_vec().unwrap();
        for (example, found) in values.chunks(entries).enumerate() {
            // The nearest class that there is, and no entry of the next example.
            let nearest = class(20 + example).min(1);
            let gradients = losses(&model, rows(20 + example, 1, &device), vec![nearest], &device).sum().backward();
            let mut expected = ByParameter(&gradients, HashMap::new());
            model.visit(&mut expected);
            let expected = &expected.1[&id];
            let size = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
            let difference = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            assert!(difference <= 1e-5 * size, "example {example}: {difference} of {size}");
        }
    }
}
