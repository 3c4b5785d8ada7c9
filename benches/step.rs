//! One private training step beside one plain step, on the CPU: what privacy costs in time.
//!
//! `cargo bench --bench step` prints both times for each model; the ratio of their medians is the cost. The
//! plain step is stock Burn (its own layers, its own autodiff); the private one is the whole of it: loading the
//! batch, forward, backward, norms, clipped sum, noise, optimizer.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn_privacy::nn as private;
use burn_privacy::prelude::*;
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 250;

/// A model that maps `[batch, values]` to class scores `[batch, 10]`.
trait Classifier: Module {
    const VALUES: usize;
    fn forward(&self, input: Tensor<2>) -> Tensor<2>;
}

/// The same model from one list of fields, over stock layers and over private ones.
macro_rules! models {
    ($cnn:ident, $mlp:ident, $conv:ty, $conv_config:path, $linear:ty, $linear_config:path) => {
        #[derive(Module, Debug)]
        struct $cnn {
            conv1: $conv,
            conv2: $conv,
            pool: MaxPool2d,
            dense1: $linear,
            dense2: $linear,
        }

        impl $cnn {
            fn new(device: &Device) -> Self {
                use $conv_config as ConvConfig;
                use $linear_config as DenseConfig;
                Self {
                    conv1: ConvConfig::new([3, 32], [3, 3]).init(device),
                    conv2: ConvConfig::new([32, 64], [3, 3]).init(device),
                    pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
                    dense1: DenseConfig::new(64 * 6 * 6, 64).init(device),
                    dense2: DenseConfig::new(64, 10).init(device),
                }
            }
        }

        impl Classifier for $cnn {
            const VALUES: usize = 3 * 32 * 32;

            fn forward(&self, input: Tensor<2>) -> Tensor<2> {
                let batch = input.dims()[0];
                let x = self.pool.forward(relu(self.conv1.forward(input.reshape([batch, 3, 32, 32]))));
                let x = self.pool.forward(relu(self.conv2.forward(x)));
                self.dense2.forward(relu(self.dense1.forward(x.reshape([batch, 64 * 6 * 6]))))
            }
        }

        #[derive(Module, Debug)]
        struct $mlp {
            dense1: $linear,
            dense2: $linear,
            dense3: $linear,
        }

        impl $mlp {
            fn new(device: &Device) -> Self {
                use $linear_config as DenseConfig;
                Self {
                    dense1: DenseConfig::new(784, 1024).init(device),
                    dense2: DenseConfig::new(1024, 1024).init(device),
                    dense3: DenseConfig::new(1024, 10).init(device),
                }
            }
        }

        impl Classifier for $mlp {
            const VALUES: usize = 784;

            fn forward(&self, input: Tensor<2>) -> Tensor<2> {
                self.dense3.forward(relu(self.dense2.forward(relu(self.dense1.forward(input)))))
            }
        }
    };
}

models!(StockCnn, StockMlp, nn::conv::Conv2d, nn::conv::Conv2dConfig, nn::Linear, nn::LinearConfig);
models!(PrivateCnn, PrivateMlp, private::Conv2d, private::Conv2dConfig, private::Linear, private::LinearConfig);

#[derive(Clone)]
struct Rows;

type Row = (Vec<f32>, i32);

impl Batcher<Row, (Tensor<2>, Tensor<1, Int>)> for Rows {
    fn batch(&self, rows: Vec<Row>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let (values, labels): (Vec<Vec<f32>>, Vec<i32>) = rows.into_iter().unzip();
        let batch = labels.len();
        let values = Tensor::<1>::from_floats(values.concat().as_slice(), device).reshape([batch as i32, -1]);
        (values, Tensor::from_ints(labels.as_slice(), device))
    }
}

fn rows(values: usize) -> Vec<Row> {
    let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
    (0..BATCH).map(|row| ((0..values).map(|i| value(row * values + i)).collect(), (row % 10) as i32)).collect()
}

fn plain_step<M: Classifier>(criterion: &mut Criterion, name: &str, new: fn(&Device) -> M) {
    let device = Device::flex().autodiff();
    let mut model = new(&device);
    let mut optim = SgdConfig::new().init();
    let rows = rows(M::VALUES);
    criterion.bench_function(&format!("{name}/plain"), |bench| {
        bench.iter(|| {
            let (input, targets) = Rows.batch(rows.clone(), &device);
            let loss = CrossEntropyLossConfig::new().init(&device).forward(model.forward(input), targets);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.01, model.clone(), gradients);
        });
    });
}

fn private_step<M: Classifier>(criterion: &mut Criterion, name: &str, new: fn(&Device) -> M) {
    let device = Device::flex().autodiff();
    let mut model = new(&device);
    let mut optim = SgdConfig::new().init();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(BATCH))
        .with_noise(NoiseLevel::multiplier(1.1))
        .with_delta(1e-5)
        .with_steps(1 << 30)
        .build()
        .expect("the plan is valid");
    let dataset = InMemDataset::new(rows(M::VALUES));
    let mut session = plan.start(dataset, Rows, &device, Entropy::os()).expect("the session starts");
    criterion.bench_function(&format!("{name}/private"), |bench| {
        bench.iter(|| {
            let step = session.next_step().expect("a step").expect("steps are left");
            let update = step
                .gradients(&model, |model, (input, targets)| Ok(cross_entropy(model.forward(input), targets)))
                .expect("the model is covered");
            model = optim.step(0.01, model.clone(), update.into());
        });
    });
}

fn steps(criterion: &mut Criterion) {
    plain_step(criterion, "handout_cnn", StockCnn::new);
    private_step(criterion, "handout_cnn", PrivateCnn::new);
    plain_step(criterion, "wide_mlp", StockMlp::new);
    private_step(criterion, "wide_mlp", PrivateMlp::new);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = steps
}
criterion_main!(benches);
