//! Long because: one table of couplings, each with the words with which it is refused.
//!
//! Programs in which examples meet, on stock layers: each is refused, by the graph or by what looks at code on the host. None
//! passes in silence.

use std::cell::RefCell;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{log_softmax, softmax};
use burn_privacy::per_example::public;
use burn_privacy::prelude::*;
use burn_privacy::session::LossResult;

use crate::support::{Ask, Batch, Example, Rows, Values, assert_says, distance, flex, try_clipped_sum, with_values};

#[derive(Module, Debug)]
struct Model {
    first: Linear,
    head: Linear,
}

fn model() -> Model {
    let device = flex();
    with_values(Model { first: LinearConfig::new(4, 5).init(&device), head: LinearConfig::new(5, 3).init(&device) }, 1)
}

fn examples() -> Vec<Example> {
    let mut examples = Values::new(1).examples(12, 4, 3);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target[0] = (i % 3) as f32);
    examples
}

type Loss = fn(&Model, Batch) -> Tensor<1>;

fn hidden(model: &Model, batch: &Batch) -> Tensor<2> {
    model.first.forward(batch.input.clone()).tanh()
}

fn losses_of(model: &Model, hidden: Tensor<2>, batch: Batch) -> Tensor<1> {
    distance(model.head.forward(hidden), batch.target)
}

fn plain(model: &Model, batch: Batch) -> Tensor<1> {
    losses_of(model, hidden(model, &batch), batch)
}

/// `[batch, 3]`, without reading a value.
fn one_hot(batch: &Batch) -> Tensor<2> {
    let n = batch.size();
    let numbers = Tensor::<1, Int>::arange(0..3, &batch.input.device()).reshape([1, 3]).expand([n, 3]);
    batch.classes().reshape([n, 1]).expand([n, 3]).equal(numbers).float()
}

const GRAPH: &str = "on the operation graph";
const OTHERS: &str = "depends on other examples of the batch";

/// Name, program, and words of its refusal.
const COUPLINGS: &[(&str, Loss, &[&str])] = &[
    (
        "minus the batch's mean",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() - h.mean_dim(0), b)
        },
        &[OTHERS, GRAPH, "mean over the examples", "first.bias"],
    ),
    (
        "times one of two weights, by the example's place in the batch",
        |m, b| {
            let n = b.size();
            let weights =
                Tensor::<2>::from_floats([[1.0], [2.0]], &b.input.device()).expand([2, 3 * n]).reshape([3, 2 * n]);
            let wide = Tensor::cat(vec![b.input.clone(), b.input.clone().narrow(1, 0, 2)], 1);
            let weighted = (wide.reshape([2 * n, 3]).swap_dims(0, 1) * weights).swap_dims(0, 1).reshape([n, 6]);
            let h = m.first.forward(weighted.narrow(1, 0, 4)).tanh();
            losses_of(m, h, b)
        },
        &[GRAPH],
    ),
    (
        "minus the batch's mean, detached",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() - h.mean_dim(0).detach(), b)
        },
        &[OTHERS, GRAPH, "MeanDim"],
    ),
    (
        "minus the mean, as a sum over the batch",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() - h.sum_dim(0) * 0.1, b)
        },
        &[OTHERS, GRAPH, "meets a single example"],
    ),
    (
        "times the sum of the batch, detached",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() * h.sum_dim(0).detach(), b)
        },
        &[OTHERS, GRAPH, "meets a single example"],
    ),
    (
        "over the batch's root mean square",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() / (h.square().mean().sqrt() + 1.0).reshape([1, 1]), b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "over the batch's largest value",
        |m, b| {
            let h = hidden(m, &b);
            losses_of(m, h.clone() / h.abs().max().reshape([1, 1]), b)
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "normalized by batch statistics by hand",
        |m, b| {
            let h = hidden(m, &b);
            let (variance, mean) = h.clone().var_mean(0);
            losses_of(m, (h - mean) / (variance + 1e-5).sqrt(), b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "inputs standardized by the batch",
        |m, b| {
            let x = b.input.clone() - b.input.clone().mean_dim(0);
            losses_of(m, m.first.forward(x).tanh(), b)
        },
        &[OTHERS, GRAPH, "mean over the examples"],
    ),
    ("the mean loss", |m, b| plain(m, b).mean(), &["one loss per example"]),
    (
        "the mean loss for every example",
        |m, b| {
            let n = b.size();
            plain(m, b).mean().expand([n])
        },
        &[OTHERS, GRAPH],
    ),
    (
        "the sum of losses for every example",
        |m, b| {
            let n = b.size();
            plain(m, b).sum().expand([n])
        },
        &[OTHERS, GRAPH, "meets a single example"],
    ),
    (
        "divided by the batch size",
        |m, b| {
            let n = b.size();
            plain(m, b) / n as f64
        },
        &["changes with the number of examples"],
    ),
    (
        "scaled by a power of the batch size",
        |m, b| {
            let n = b.size();
            plain(m, b) * (n as f64).sqrt()
        },
        &["changes with the number of examples"],
    ),
    (
        "softmax over the batch",
        |m, b| {
            let h = softmax(hidden(m, &b), 0);
            losses_of(m, h, b)
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "attention over the batch",
        |m, b| {
            let h = hidden(m, &b);
            let weights = softmax(h.clone().matmul(h.clone().transpose()), 1);
            losses_of(m, weights.matmul(h), b)
        },
        &[OTHERS, GRAPH, "pairs examples"],
    ),
    (
        "contrastive loss",
        |m, b| {
            let n = b.size();
            let h = hidden(m, &b);
            let similarities = log_softmax(h.clone().matmul(h.transpose()), 1);
            similarities.mul(Tensor::eye(n, &b.input.device())).sum_dim(1).reshape([n]).neg()
        },
        &[OTHERS, GRAPH, "pairs examples"],
    ),
    (
        "covariance of the batch's features",
        |m, b| {
            let h = hidden(m, &b);
            let covariance = h.clone().transpose().matmul(h.clone());
            losses_of(m, h.matmul(covariance), b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "hardest examples only, by top-k",
        |m, b| {
            let losses = plain(m, b);
            let least = losses.clone().detach().topk(4, 0).min();
            let mask = losses.clone().detach().lower(least);
            losses.mask_fill(mask, 0.0)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "hardest examples only, by sorting",
        |m, b| {
            let losses = plain(m, b);
            let median = losses.clone().detach().sort(0).slice([3..4]);
            let mask = losses.clone().lower(median);
            losses.mask_fill(mask, 0.0)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "losses relative to the largest",
        |m, b| {
            let losses = plain(m, b);
            let largest = losses.clone().detach().max();
            losses.clone() * (losses.detach() - largest).exp()
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "straight through batch statistics",
        |m, b| {
            let h = hidden(m, &b);
            let rounded = (h.clone() - h.clone().mean_dim(0)).sign();
            losses_of(m, h.clone() + (rounded - h).detach(), b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "balance of a mixture of experts",
        |m, b| {
            let gates = softmax(hidden(m, &b), 1);
            let load = gates.clone().mean_dim(0);
            let n = b.size();
            plain(m, b) + (gates * load).sum_dim(1).reshape([n])
        },
        &[OTHERS, GRAPH],
    ),
    (
        "mixed with the batch in reverse",
        |m, b| {
            let x = b.input.clone() * 0.7 + b.input.clone().flip([0]) * 0.3;
            losses_of(m, m.first.forward(x).tanh(), b)
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "mixed with the next example",
        |m, b| {
            let n = b.size();
            let shifted = Tensor::cat(vec![b.input.clone().slice([1..n]), b.input.clone().slice([0..1])], 0);
            losses_of(m, m.first.forward(b.input.clone() + shifted).tanh(), b)
        },
        &[OTHERS, GRAPH, "takes some examples out"],
    ),
    (
        "the first example as an anchor",
        |m, b| {
            let h = hidden(m, &b);
            let anchor = h.clone().slice([0..1]);
            losses_of(m, h - anchor, b)
        },
        &[OTHERS, GRAPH, "takes some examples out"],
    ),
    (
        "the first example detached",
        |m, b| {
            let h = hidden(m, &b);
            let anchor = h.clone().detach().slice([0..1]);
            losses_of(m, h - anchor, b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "one example written over",
        |m, b| {
            let h = hidden(m, &b);
            let h = h.clone().slice_assign([0..1, 0..5], h.slice([1..2, 0..5]));
            losses_of(m, h, b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "a shuffled batch",
        |m, b| {
            let n = b.size();
            let order = Tensor::<1>::random([n], Distribution::Default, &b.input.device()).argsort(0);
            let h = hidden(m, &b).select(0, order);
            losses_of(m, h, b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "a running sum over the batch",
        |m, b| {
            let h = hidden(m, &b).cumsum(0);
            losses_of(m, h, b)
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "the nearest other example",
        |m, b| {
            let h = hidden(m, &b);
            let nearest = h.clone().matmul(h.clone().transpose()).argmax(1).reshape([b.size()]);
            losses_of(m, h.clone() + h.select(0, nearest).detach(), b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "classes counted in the batch",
        |m, b| {
            let n = b.size();
            let counts = one_hot(&b).sum_dim(0);
            let weights = counts.recip().expand([n, 3]).gather(1, b.classes().reshape([n, 1]));
            plain(m, b) * weights.reshape([n])
        },
        &[OTHERS, GRAPH],
    ),
    (
        "prototypes of the classes",
        |m, b| {
            let n = b.size();
            let h = hidden(m, &b);
            let prototypes = one_hot(&b).transpose().matmul(h.clone());
            let _ = n;
            let scores = log_softmax(h.matmul(prototypes.transpose()), 1);
            scores.gather(1, b.classes().reshape([n, 1])).reshape([n]).neg()
        },
        &[OTHERS, GRAPH],
    ),
    (
        "batch and features exchanged by a reshape",
        |m, b| {
            let n = b.size();
            let x = b.input.clone().reshape([4, n]).swap_dims(0, 1);
            losses_of(m, m.first.forward(x).tanh(), b)
        },
        &[OTHERS, GRAPH, "tears examples apart"],
    ),
    (
        "the mean by a product with ones",
        |m, b| {
            let n = b.size();
            let h = hidden(m, &b);
            let mean = Tensor::<2>::ones([1, n], &b.input.device()).matmul(h.clone());
            losses_of(m, h - mean, b)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "the examples' numbers",
        |m, b| {
            let n = b.size();
            let numbers = Tensor::<1, Int>::arange(0..n as i64, &b.input.device()).float();
            plain(m, b) * numbers.exp()
        },
        &["numbers the examples"],
    ),
    (
        "noise that two examples share",
        |m, b| {
            let noise = Tensor::<1>::random([b.size()], Distribution::Normal(0.0, 1.0), &b.input.device());
            plain(m, b) * (noise.clone() + noise.flip([0]))
        },
        &[OTHERS, GRAPH, "along the axis of the examples"],
    ),
    (
        "noise that is read in two orders",
        |m, b| {
            let n = b.size();
            let noise = Tensor::<2>::random([n, 2], Distribution::Normal(0.0, 1.0), &b.input.device());
            let other = noise.clone().reshape([2, n]).sum_dim(0).reshape([n]);
            plain(m, b) * (noise.sum_dim(1).reshape([n]) + other)
        },
        &[OTHERS, GRAPH],
    ),
    (
        "a mean of the inputs read on the host",
        |m, b| {
            let mean = b.input.clone().into_data().iter::<f32>().sum::<f32>();
            plain(m, b) * f64::from(mean)
        },
        &["changes with the number of examples"],
    ),
    (
        "a condition on a value",
        |m, b| {
            let losses = plain(m, b);
            if losses.clone().sum().into_scalar::<f32>() > 0.0 { losses * 2.0 } else { losses }
        },
        &["reads a value"],
    ),
];

#[test]
fn every_coupling_is_refused_with_what_couples() {
    assert!(COUPLINGS.len() >= 30);
    let mut failures = Vec::new();
    for (name, loss, words) in COUPLINGS {
        match try_clipped_sum(&Ask::flex(1.0).traced(), &model(), &examples(), loss) {
            Ok(_) => failures.push(format!("{name}: not refused")),
            Err(error) => {
                let message = error.to_string();
                println!("| {name} | {message} |");
                let missing = words.iter().filter(|word| !message.contains(**word));
                failures.extend(missing.map(|word| format!("{name}: `{word}` is not in: {message}")));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(try_clipped_sum(&Ask::flex(1.0).traced(), &model(), &examples(), plain).is_ok());
}

/// The graph alone refuses what the numerical validation is not asked about.
#[test]
fn a_coupling_of_a_few_examples_is_seen_whatever_the_records() {
    // Only an example that is not in the data set would show it.
    let rare: Loss = |m, b| {
        let far = b.input.clone().abs().max_dim(1).greater_elem(1e6).float();
        let h = hidden(m, &b);
        let mean = h.clone().sum_dim(0);
        losses_of(m, h + far * mean, b)
    };
    let message = try_clipped_sum(&Ask::flex(1.0).traced(), &model(), &examples(), rare).unwrap_err().to_string();
    assert_says(&message, &[OTHERS, GRAPH, "meets a single example"]);
}

/// Physical batches of 10 by fixed ranges, where 12, 8 and 1 are validated: each number of examples may have a proof of its own, and all
/// of them must be one program.
#[test]
fn a_branch_on_the_number_of_examples_is_refused_whatever_is_validated() {
    let branch: Loss = |m, b| if (9..=11).contains(&b.size()) { plain(m, b) * 2.0 } else { plain(m, b) };
    let mut examples = Values::new(2).examples(20, 4, 3);
    examples.iter_mut().for_each(|example| example.target[0] = 1.0);
    let ask = Ask::flex(1e3).traced().physical_batch(12);
    let message = try_clipped_sum(&ask, &model(), &examples, branch).unwrap_err().to_string();
    assert_says(&message, &[OTHERS, "not the one that Burn gives of the example alone"]);
    assert!(try_clipped_sum(&ask, &model(), &examples, plain).is_ok());
}

/// A program that couples from some number of examples on, which no record of the data set shows.
#[test]
fn wrapped_layers_are_proved_at_the_size_of_a_physical_batch() {
    let wrapped: burn_privacy::nn::Linear = with_values(burn_privacy::nn::LinearConfig::new(4, 3).init(&flex()), 1);
    let rare_and_large = |model: &burn_privacy::nn::Linear, batch: Batch| {
        let output = model.forward(batch.input.clone()).tanh();
        if batch.size() < 8 {
            return distance(output, batch.target);
        }
        let far = batch.input.abs().max_dim(1).greater_elem(1e6).float();
        let sum = output.clone().sum_dim(0);
        distance(output + far * sum, batch.target)
    };
    let message = try_clipped_sum(&Ask::flex(1.0), &wrapped, &examples(), rare_and_large).unwrap_err().to_string();
    assert_says(&message, &[OTHERS, GRAPH]);
}

fn session<B: Batcher<Example, Batch>>(batcher: B, steps: u64) -> Session<Example, Batch, InMemDataset<Example>, B> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(12))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(steps)
        .build()
        .unwrap();
    plan.start(InMemDataset::new(examples()), batcher, &flex(), Entropy::seeded(7))
        .unwrap()
        .with_per_example(PerExample::Traced)
}

fn steps<B: Batcher<Example, Batch>>(
    batcher: B,
    steps: u64,
    mut loss: impl FnMut(&Model, Batch) -> LossResult,
) -> Result<(), Error> {
    let mut session = session(batcher, steps);
    let model = model();
    while let Some(step) = session.next_step()? {
        let _ = step.gradients(&model, &mut loss)?;
    }
    Ok(())
}

#[test]
fn a_memory_that_the_closure_keeps_cannot_enter() {
    // The hidden values of the batch before: recorded tensors have no values, and belong to no later recording.
    let memory = RefCell::new(None::<Tensor<2>>);
    let found = steps(Rows, 3, |model, batch| {
        let h = hidden(model, &batch);
        let kept = memory.borrow_mut().replace(h.clone().detach());
        let h = match kept {
            Some(kept) if kept.dims() == h.dims() => h + kept,
            _ => h,
        };
        Ok(losses_of(model, h, batch))
    });
    let message = found.unwrap_err().to_string();
    assert!(message.contains("kept from another call") || message.contains(OTHERS), "{message}");
}

#[test]
fn a_call_that_counts_is_refused() {
    let mut calls = 0;
    let message = steps(Rows, 3, |model, batch| {
        calls += 1;
        Ok(plain(model, batch) * f64::from(calls))
    })
    .unwrap_err()
    .to_string();
    assert!(message.contains("changes with the number") || message.contains(OTHERS), "{message}");
}

#[test]
fn a_tensor_from_elsewhere_is_refused_unless_it_is_declared_public() {
    let weights = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &Device::flex());
    let refused = steps(Rows, 1, |model, batch| {
        let n = batch.size();
        let weight = weights.clone().reshape([1, 3]).expand([n, 3]);
        Ok(distance(model.head.forward(hidden(model, &batch)) * weight, batch.target))
    });
    assert_says(&refused.unwrap_err().to_string(), &["part of neither the batch nor the model", "public"]);
    let declared = steps(Rows, 2, |model, batch| {
        let n = batch.size();
        let weight = public(weights.clone()).reshape([1, 3]).expand([n, 3]);
        Ok(distance(model.head.forward(hidden(model, &batch)) * weight, batch.target))
    });
    assert!(declared.is_ok(), "{:?}", declared.err().map(|error| error.to_string()));
}

/// Batchers that couple records, on the device or on the host.
#[derive(Clone, Copy)]
enum Coupling {
    CentredOnDevice,
    CentredOnHost,
    RandomAndCentred,
    PaddedToTheLongest,
}

impl Batcher<Example, Batch> for Coupling {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        match self {
            Self::CentredOnDevice => {
                let batch = Rows.batch(items, device);
                Batch { input: batch.input.clone() - batch.input.mean_dim(0), ..batch }
            }
            Self::CentredOnHost => {
                let n = items.len() as f32;
                let mut mean = [0.0; 4];
                items.iter().for_each(|item| mean.iter_mut().zip(&item.input).for_each(|(m, x)| *m += x / n));
                let centre = |mut item: Example| {
                    item.input.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
                    item
                };
                Rows.batch(items.into_iter().map(centre).collect(), device)
            }
            Self::RandomAndCentred => {
                let batch = Rows.batch(items, device);
                let noise = Tensor::random(batch.input.dims(), Distribution::Normal(0.0, 0.1), device);
                Batch { input: batch.input.clone() - batch.input.mean_dim(0) + noise, ..batch }
            }
            Self::PaddedToTheLongest => {
                let longest = items.iter().map(|item| 4 + (item.input[0].abs() * 3.0) as usize).max().unwrap_or(4);
                let batch = Rows.batch(items, device);
                let n = batch.size();
                let input = Tensor::cat(vec![batch.input, Tensor::zeros([n, longest - 4], device)], 1);
                Batch { input, ..batch }
            }
        }
    }
}

#[test]
fn batchers_that_couple_records() {
    for batcher in [Coupling::CentredOnDevice, Coupling::CentredOnHost, Coupling::RandomAndCentred] {
        let message = steps(batcher, 1, |model, batch| Ok(plain(model, batch))).unwrap_err().to_string();
        assert_says(&message, &[OTHERS]);
    }
    // How far a batch is padded depends on its longest record, and a mean over the padding shows it.
    let message = steps(Coupling::PaddedToTheLongest, 3, |model, batch| {
        let mean = batch.input.clone().mean_dim(1);
        let input = batch.input.clone().slice([0..batch.size(), 0..4]) + mean;
        Ok(losses_of(model, model.first.forward(input).tanh(), batch))
    });
    let message = message.unwrap_err().to_string();
    assert!(message.contains(OTHERS) || message.contains("no multiple of the number of examples"), "{message}");
}

#[derive(Module, Debug)]
struct Normalized {
    first: Linear,
    norm: BatchNorm,
}

#[test]
fn batch_normalization_in_training() {
    let device = flex();
    let model =
        Normalized { first: LinearConfig::new(4, 3).init(&device), norm: BatchNormConfig::new(3).init(&device) };
    let found = try_clipped_sum(&Ask::flex(1.0).traced(), &model, &examples(), |model, batch| {
        distance(model.norm.forward(model.first.forward(batch.input)), batch.target)
    });
    assert_says(&found.unwrap_err().to_string(), &["BatchNorm in training mode"]);
}

/// Wrapped layers are traced at the first step, too: what no record of the data set shows is refused.
#[test]
fn wrapped_layers_are_proved_as_well() {
    use burn_privacy::nn::{Linear, LinearConfig};
    let wrapped: Linear = with_values(LinearConfig::new(4, 3).init(&flex()), 1);
    let rare = |model: &Linear, batch: Batch| {
        let far = batch.input.clone().abs().max_dim(1).greater_elem(1e6).float();
        let output = model.forward(batch.input).tanh();
        let sum = output.clone().sum_dim(0);
        distance(output + far * sum, batch.target)
    };
    let message = try_clipped_sum(&Ask::flex(1.0), &wrapped, &examples(), rare).unwrap_err().to_string();
    assert_says(&message, &[OTHERS, GRAPH]);
}
