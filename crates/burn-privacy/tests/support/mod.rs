//! What the behavior tests share: examples, one clipped sum through the public API, comparisons.
//!
//! A full batch with noise multiplier 0 makes a step's gradient the sum of the clipped per-example gradients divided
//! by a public constant, so that everything can be tested through [`Step::gradients`](burn_privacy::session::Step).
//!
//! Long because: one set of models and records for all test programs.
#![allow(dead_code)] // each test binary uses a part

pub mod witness;

use std::collections::BTreeMap;

use burn::data::{dataloader::batcher::Batcher, dataset::InMemDataset};
use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn_privacy::Error;
use burn_privacy::prelude::*;

/// One record: a flat input, token numbers, and a flat target.
#[derive(Clone, Debug)]
pub struct Example {
    pub input: Vec<f32>,
    pub tokens: Vec<i32>,
    pub target: Vec<f32>,
}

impl Example {
    pub fn new(input: Vec<f32>, target: Vec<f32>) -> Self {
        Self { input, tokens: vec![0], target }
    }
}

/// Records side by side: `[n, inputs]`, `[n, tokens]`, `[n, targets]`.
#[derive(Clone, Debug)]
pub struct Batch {
    pub input: Tensor<2>,
    pub tokens: Tensor<2, Int>,
    pub target: Tensor<2>,
}

impl Batch {
    pub fn size(&self) -> usize {
        self.input.dims()[0]
    }

    /// The inputs as `[n, dims..]`.
    pub fn shaped<const D: usize>(&self, dims: &[usize]) -> Tensor<D> {
        let mut all = [self.size(); D];
        all[1..].copy_from_slice(dims);
        self.input.clone().reshape(all)
    }

    /// The first target as a class: `[n]`.
    pub fn classes(&self) -> Tensor<1, Int> {
        let n = self.size();
        self.target.clone().slice([0..n, 0..1]).reshape([n]).int()
    }
}

#[derive(Clone)]
pub struct Rows;

impl Batcher<Example, Batch> for Rows {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        let n = items.len();
        let flat = |of: fn(&Example) -> &Vec<f32>| -> Tensor<2> {
            let values: Vec<f32> = items.iter().flat_map(|item| of(item).iter().copied()).collect();
            let length = values.len() / n;
            Tensor::from_data(TensorData::new(values, [n, length]), device)
        };
        let tokens: Vec<i32> = items.iter().flat_map(|item| item.tokens.iter().copied()).collect();
        let length = tokens.len() / n;
        Batch {
            input: flat(|item| &item.input),
            tokens: Tensor::from_data(TensorData::new(tokens, [n, length]), device),
            target: flat(|item| &item.target),
        }
    }
}

pub fn flex() -> Device {
    Device::flex().autodiff()
}

/// A small deterministic generator, so that a failure can be repeated whatever runs beside it.
pub struct Values(u64);

impl Values {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub fn normals(&mut self, length: usize) -> Vec<f32> {
        (0..length).map(|_| self.normal() as f32).collect()
    }

    pub fn examples(&mut self, count: usize, inputs: usize, targets: usize) -> Vec<Example> {
        (0..count).map(|_| Example::new(self.normals(inputs), self.normals(targets))).collect()
    }

    pub fn token_examples(&mut self, count: usize, tokens: usize, vocabulary: usize, targets: usize) -> Vec<Example> {
        (0..count)
            .map(|_| Example {
                input: vec![0.0],
                tokens: (0..tokens).map(|_| self.below(vocabulary) as i32).collect(),
                target: self.normals(targets),
            })
            .collect()
    }
}

/// The model with every float parameter drawn anew; what requires a gradient still does.
pub fn with_values<M: Module>(model: M, seed: u64) -> M {
    struct Redraw(Values);
    impl ModuleMapper for Redraw {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let trainable = param.val().is_require_grad();
            param.map(|old| {
                let dims = old.dims();
                let entries: usize = dims.iter().product();
                let scale = (1.0 / (entries as f64).sqrt()).max(0.1) as f32;
                let values: Vec<f32> = self.0.normals(entries).iter().map(|value| value * scale).collect();
                Tensor::from_data(TensorData::new(values, dims), &old.device()).set_require_grad(trainable)
            })
        }
    }
    model.map(&mut Redraw(Values::new(seed)))
}

/// `sum(output_i * target_i)`: the gradient that reaches example i's output is `target_i`, exactly.
pub fn given<const D: usize>(output: Tensor<D>, target: Tensor<2>) -> Tensor<1> {
    let [n, length] = target.dims();
    (output.reshape([n, length]) * target).sum_dim(1).reshape([n])
}

/// Half the squared distance of the flattened output from the target: a gradient that depends on every layer.
pub fn distance<const D: usize>(output: Tensor<D>, target: Tensor<2>) -> Tensor<1> {
    let [n, length] = target.dims();
    (output.reshape([n, length]) - target).square().sum_dim(1).reshape([n]) * 0.5
}

/// Values of every trainable parameter by path, in f64.
pub type ByPath = BTreeMap<String, Vec<f64>>;

pub fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let data = tensor.into_data().convert::<f32>();
    data.try_to_vec::<f32>().expect("f32 data").into_iter().map(f64::from).collect()
}

/// What `gradients` holds for each trainable parameter of `model`, times `factor`.
pub fn by_path<M: Module>(model: &M, gradients: &GradientsParams, factor: f64) -> ByPath {
    read(model, |visited| visited.gradient(gradients).map(|values| values.into_iter().map(|x| x * factor).collect()))
}

/// The trainable parameters themselves.
pub fn parameters<M: Module>(model: &M) -> ByPath {
    read(model, |visited| visited.trainable())
}

/// Every float parameter, frozen or not.
pub fn all_parameters<M: Module>(model: &M) -> ByPath {
    read(model, |visited| Some(visited.values()))
}

trait Visited {
    fn gradient(&self, gradients: &GradientsParams) -> Option<Vec<f64>>;
    fn trainable(&self) -> Option<Vec<f64>>;
    fn values(&self) -> Vec<f64>;
}

impl<const D: usize> Visited for Param<Tensor<D>> {
    fn gradient(&self, gradients: &GradientsParams) -> Option<Vec<f64>> {
        gradients.get::<D>(self.id).map(values_of)
    }

    fn trainable(&self) -> Option<Vec<f64>> {
        self.val().is_require_grad().then(|| self.values())
    }

    fn values(&self) -> Vec<f64> {
        values_of(self.val())
    }
}

fn read<M: Module>(model: &M, value: impl Fn(&dyn Visited) -> Option<Vec<f64>>) -> ByPath {
    struct Reader<F> {
        path: Vec<String>,
        found: ByPath,
        value: F,
    }
    impl<F: Fn(&dyn Visited) -> Option<Vec<f64>>> ModuleVisitor for Reader<F> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(values) = (self.value)(param) {
                self.found.insert(self.path.join("."), values);
            }
        }
    }
    let mut reader = Reader { path: Vec::new(), found: ByPath::new(), value };
    model.visit(&mut reader);
    reader.found
}

/// How a clipped sum is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub device: Device,
    pub clip: f64,
    pub mode: PerExample,
    pub physical_batch: usize,
    pub views: usize,
    /// In the place of flat clipping at `clip`.
    pub style: Option<Clipping>,
}

impl Ask {
    pub fn on(device: &Device, clip: f64) -> Self {
        Self { device: device.clone(), clip, mode: PerExample::OneBackward, physical_batch: 256, views: 1, style: None }
    }

    pub fn flex(clip: f64) -> Self {
        Self::on(&flex(), clip)
    }

    pub fn physical_batch(mut self, examples: usize) -> Self {
        self.physical_batch = examples;
        self
    }

    pub fn clipped(mut self, style: &Clipping) -> Self {
        self.style = Some(style.clone());
        self
    }

    pub fn views(mut self, views: usize) -> Self {
        self.views = views;
        self
    }

    pub fn traced(mut self) -> Self {
        self.mode = PerExample::Traced;
        self
    }

    pub fn automatic(mut self) -> Self {
        self.mode = PerExample::Automatic;
        self
    }

    pub fn loop_over_examples(mut self) -> Self {
        self.mode = PerExample::Loop;
        self
    }
}

/// One step over all of `examples` without noise: the sum of the clipped gradients, by parameter path.
pub fn try_clipped_sum<M: Module>(
    ask: &Ask,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) -> Result<ByPath, Error> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(examples.len()))
        .with_clipping(ask.style.clone().unwrap_or(Clipping::flat(ask.clip)))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-9)
        .with_steps(1)
        .build()?;
    let mut session = plan
        .start(InMemDataset::new(examples.to_vec()), Rows, &ask.device, Entropy::os())?
        .with_per_example(ask.mode)
        .with_views(ask.views)
        .with_physical_batch(ask.physical_batch);
    let step = session.next_step()?.expect("a first step");
    let update = step.gradients(model, |model, batch| Ok(loss(model, batch)))?;
    Ok(by_path(model, &update.into(), examples.len() as f64))
}

pub fn clipped_sum<M: Module>(
    ask: &Ask,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) -> ByPath {
    try_clipped_sum(ask, model, examples, loss).unwrap_or_else(|error| panic!("{error}"))
}

pub fn norm<'a>(values: impl IntoIterator<Item = &'a Vec<f64>>) -> f64 {
    values.into_iter().flatten().map(|value| value * value).sum::<f64>().sqrt()
}

/// Largest `|| found - expected || / || expected ||` over the layers (parameters that share a parent path).
pub fn relative_difference(found: &ByPath, expected: &ByPath) -> f64 {
    difference_relative_to(found, expected, 0.0)
}

/// The same, with norms below `smallest` counted as `smallest`: contributions that cancel say nothing.
pub fn difference_relative_to(found: &ByPath, expected: &ByPath, smallest: f64) -> f64 {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let layer = |path: &String| path.rsplit_once('.').map_or(String::new(), |(parent, _)| parent.to_string());
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (path, expected) in expected {
        let found = &found[path];
        assert_eq!(found.len(), expected.len(), "{path}");
        let (difference, size) = sums.entry(layer(path)).or_default();
        for (found, expected) in found.iter().zip(expected) {
            *difference += (found - expected) * (found - expected);
            *size += expected * expected;
        }
    }
    // f64::max would swallow a NaN.
    let ratios = sums.values().map(|(difference, size)| difference.sqrt() / size.sqrt().max(smallest));
    ratios.fold(0.0, |worst: f64, next| if worst.is_nan() || next <= worst { worst } else { next })
}

/// One backward pass gives what the batch-of-one loop gives, to 1e-4 of each layer's norm, for every clipping norm
/// (tiny, in the middle of the examples' norms, larger than all) and physical batch size (one, three, all).
pub fn assert_equals_loop<M: Module>(
    device: &Device,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    assert_ask_equals_loop(|clip| Ask::on(device, clip), model, examples, loss);
}

/// The same with several views of each example.
pub fn assert_views_equal_loop<M: Module>(
    views: usize,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    assert_ask_equals_loop(|clip| Ask::flex(clip).views(views), model, examples, loss);
}

fn assert_ask_equals_loop<M: Module>(
    ask: impl Fn(f64) -> Ask,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    let mut norms: Vec<f64> = examples
        .iter()
        .map(|example| {
            let ask = ask(1e12).loop_over_examples();
            norm(clipped_sum(&ask, model, std::slice::from_ref(example), &loss).values())
        })
        .collect();
    norms.sort_by(f64::total_cmp);
    let middle = norms[norms.len() / 2];
    for clip in [1e-3 * middle, middle, 1e3 * middle] {
        let expected = clipped_sum(&ask(clip).loop_over_examples(), model, examples, &loss);
        assert!(norm(expected.values()) > 0.0, "the reference is zero: nothing was tested");
        for physical_batch in [1, 3, examples.len()] {
            let ask = ask(clip).physical_batch(physical_batch);
            let found = clipped_sum(&ask, model, examples, &loss);
            // A tenth of one typical contribution: with one or two entries the examples' contributions may cancel.
            let difference = difference_relative_to(&found, &expected, 0.1 * clip.min(middle));
            assert!(
                difference <= 1e-4,
                "clip {clip}, physical batch {physical_batch}: relative difference {difference:e}"
            );
        }
    }
}

/// The message with which a step over `examples` is refused.
pub fn refusal<M: Module>(ask: &Ask, model: &M, examples: &[Example], loss: impl Fn(&M, Batch) -> Tensor<1>) -> String {
    match try_clipped_sum(ask, model, examples, loss) {
        Ok(_) => panic!("the step was not refused"),
        Err(error) => error.to_string(),
    }
}

pub fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}
