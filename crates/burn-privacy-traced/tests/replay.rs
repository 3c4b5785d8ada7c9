//! A recording, its proof and its replay, without a session: each example's gradient is Burn's own of that example alone.
#![cfg(feature = "flex")]

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use burn_privacy_traced::{Gradient, Graph, Proof, RecordError, Records, TraceError, record, record_rows, values_of};

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
    let load = |device: &Device| -> Result<Tensor<2>, ()> { Ok(rows(from, count, device)) };
    let found = record(model, count, &Device::flex(), load, |model: &Model, x| Ok(loss(model, x)));
    found.map_err(|error| match error {
        RecordError::Trace(error) => error,
        RecordError::Forward(()) => unreachable!("the loss doesn't fail"),
    })
}

/// Of recordings that have no records in common.
fn proved(first: &Graph, second: &Graph) -> Result<Proof, TraceError> {
    Proof::of(first, second, Records::default())
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
    let proof = proved(&recorded(&model, 0, 3, squares).unwrap(), &recorded(&model, 7, 4, squares).unwrap()).unwrap();
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
    let proof = proved(&recorded(&model, 0, 3, squares).unwrap(), &recorded(&model, 7, 4, squares).unwrap()).unwrap();
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
    let found = proved(&recorded(&model, 0, 3, centred).unwrap(), &recorded(&model, 7, 4, centred).unwrap());
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
    let proof = proved(&recorded(&model, 0, 3, twice).unwrap(), &recorded(&model, 7, 4, twice).unwrap()).unwrap();
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
        let load = |device: &Device| -> Result<_, ()> { Ok((rows(from, count, device), device.clone())) };
        let found = record(&model, count, &Device::flex(), load, |model: &Model, (x, device)| {
            Ok(losses(model, x, (from..from + count).map(class).collect(), &device))
        });
        found.unwrap_or_else(|_| panic!("it can be recorded"))
    };
    let proof = proved(&recorded(0, 3), &recorded(7, 4)).unwrap();
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

#[test]
fn a_row_that_follows_its_place_or_the_batch_is_refused() {
    let model = model();
    // A factor for each row, of its place and its record.
    let recorded = |ids: &[usize], numbers: &dyn Fn(usize, usize) -> f32| {
        let count = ids.len();
        let factors: Vec<f32> = ids.iter().enumerate().map(|(place, record)| numbers(place, *record)).collect();
        let load = |device: &Device| -> Result<_, ()> {
            let x = Tensor::cat(ids.iter().map(|record| rows(*record, 1, &Device::flex())).collect(), 0);
            let factor = Tensor::<1>::from_data(TensorData::new(factors, [count]), device);
            Ok((Tensor::from_data(x.into_data(), device), factor))
        };
        let losses = |model: &Model, (x, factor): (Tensor<2>, Tensor<1>)| Ok(squares(model, x) * factor);
        record(&model, count, &Device::flex(), load, losses).unwrap_or_else(|_| panic!("it can be recorded"))
    };
    let record_four = |numbers: &dyn Fn(usize, usize) -> f32| recorded(&[3, 4, 5, 6], numbers);
    // Each of the four has another place, from the first and from the last on.
    let with_five = |numbers: &dyn Fn(usize, usize) -> f32| recorded(&[4, 5, 6, 3, 9], numbers);
    let places = [(1, 0), (2, 1), (3, 2), (0, 3)];
    let records = Records { places: &places, again: None };
    let of = |numbers: &dyn Fn(usize, usize) -> f32| {
        Proof::of(&record_four(numbers), &with_five(numbers), records).map(drop)
    };
    // Of the record alone; of its place from the first and from the last on; of how many there are.
    assert_eq!(of(&|_, record| record as f32), Ok(()));
    assert_eq!(of(&|place, _| place as f32), Err(TraceError::NumbersExamples));
    let from_last = |count: usize| move |place: usize, _: usize| (count - place) as f32;
    let found = Proof::of(&record_four(&from_last(4)), &with_five(&from_last(5)), records);
    assert_eq!(found.map(drop), Err(TraceError::NumbersExamples));
    let of_count = |count: usize| move |_: usize, _: usize| count as f32;
    let found = Proof::of(&record_four(&of_count(4)), &with_five(&of_count(5)), records);
    assert_eq!(found.map(drop), Err(TraceError::NumbersExamples));
    // What is drawn on the host at each call is another row each time, and says nothing.
    let drawn = |call: usize| move |place: usize, record: usize| (call * 7 + place * 3 + record) as f32;
    let again = record_four(&drawn(3));
    let records = Records { again: Some(&again), ..records };
    let found = Proof::of(&record_four(&drawn(1)), &with_five(&drawn(2)), records);
    assert_eq!(found.map(drop), Ok(()));
}

#[test]
fn rows_of_records_that_were_loaded_alone_take_the_place_of_coupled_ones() {
    let model = model();
    // As if a batcher added a number of the batch to every row.
    let recorded_with = |from: usize, count: usize, shift: f32| {
        let load = |device: &Device| -> Result<Tensor<2>, ()> {
            let values: Vec<f32> =
                rows(from, count, &Device::flex()).into_data().iter::<f32>().map(|x| x + shift).collect();
            Ok(Tensor::from_data(TensorData::new(values, [count, 3]), device))
        };
        record(&model, count, &Device::flex(), load, |model: &Model, x| Ok(squares(model, x)))
            .unwrap_or_else(|_| panic!("it can be recorded"))
    };
    let proof = proved(&recorded_with(0, 3, 0.0), &recorded_with(7, 4, 0.0)).unwrap();
    let alone = record_rows(5, &Device::flex(), |place, device| -> Result<(), ()> {
        let _ = rows(20 + place, 1, device);
        Ok(())
    })
    .unwrap_or_else(|_| panic!("it can be recorded"));
    let device = Device::flex();
    let gradients = |graph: Graph| -> Vec<Vec<f32>> {
        let found = proof.replay(graph, &values_of(&model), device.as_dispatch()).unwrap();
        found.into_iter().map(|(_, gradient)| formed(gradient).into_data().try_to_vec().unwrap()).collect()
    };
    let expected = gradients(recorded_with(20, 5, 0.0));
    assert_ne!(gradients(recorded_with(20, 5, 9.0)), expected);
    assert_eq!(gradients(recorded_with(20, 5, 9.0).with_rows(&proof, &alone).unwrap()), expected);
    // Of another number of records, or with other constants, they are not the batch's.
    let found = recorded_with(20, 4, 0.0).with_rows(&proof, &alone).map(drop);
    assert_eq!(found, Err(TraceError::FollowsRecords));
}
