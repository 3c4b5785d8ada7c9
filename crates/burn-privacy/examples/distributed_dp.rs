//! One private training run of several processes, each of which owns a shard of the data: connected by MPI.
//!
//! ```text
//! cargo build --release --workspace --features burn-privacy/mpi --example distributed_dp
//! mpirun -n 4 target/release/examples/distributed_dp --ledger runs/distributed.jsonl
//! ```
//!
//! What must be installed, and what happens when a rank is lost: `docs/src/distributed.md`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::exchange::{Exchange, Mpi};
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use clap::Parser;
use sha2::{Digest, Sha256};

/// One private training run of several processes.
#[derive(Parser)]
struct Arguments {
    /// Records of all shards together; they are made up
    #[arg(long, default_value_t = 4_096)]
    records: usize,
    /// Expected number of records in a batch of all ranks together; the number of records takes all in each step
    #[arg(long, default_value_t = 4_096)]
    batch: usize,
    /// Updates
    #[arg(long, default_value_t = 20)]
    steps: u64,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 256)]
    hidden: usize,
    /// Epsilon of the run
    #[arg(long, default_value_t = 4.0)]
    epsilon: f64,
    /// Repeats a run: nothing is private then
    #[arg(long)]
    seed: Option<u64>,
    /// The data set's ledger, which rank 0 charges
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// A drill: this rank's process dies within the step of this number
    #[arg(long, value_names = ["RANK", "STEP"], num_args = 2)]
    die: Option<Vec<u64>>,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const INPUTS: usize = 256;
const CLASSES: usize = 10;

/// An input and its class.
type Record = (Vec<f32>, i64);

#[derive(Clone)]
struct Records;

#[derive(Clone, Debug)]
struct Batch {
    inputs: Tensor<2>,
    classes: Tensor<1, Int>,
}

impl Batcher<Record, Batch> for Records {
    fn batch(&self, records: Vec<Record>, device: &Device) -> Batch {
        let count = records.len();
        let classes: Vec<i64> = records.iter().map(|(_, class)| *class).collect();
        let inputs: Vec<f32> = records.into_iter().flat_map(|(input, _)| input).collect();
        Batch {
            inputs: Tensor::from_data(TensorData::new(inputs, [count, INPUTS]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    output: Linear,
}

impl Network {
    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(inputs).tanh())
    }
}

/// A number from -1 to 1 for each place, the same everywhere.
fn made_up(place: u64) -> f32 {
    // SplitMix64.
    let mut z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}

/// Records around a center for each class, by their place in the whole data set.
fn records(places: std::ops::Range<usize>) -> Vec<Record> {
    let record = |place: usize| {
        let class = place % CLASSES;
        let entry =
            |i: usize| 0.3 * made_up((1 << 40) + (class * INPUTS + i) as u64) + made_up((place * INPUTS + i) as u64);
        ((0..INPUTS).map(entry).collect(), class as i64)
    };
    places.map(record).collect()
}

/// The same on every rank.
fn network(hidden: usize, device: &Device) -> Network {
    let layer = |inputs: usize, outputs: usize, first: u64| {
        let mut layer = LinearConfig::new(inputs, outputs).init(device);
        let scale = (1.0 / inputs as f32).sqrt();
        let weights: Vec<f32> = (0..inputs * outputs).map(|i| scale * made_up(first + i as u64)).collect();
        layer.weight = Param::from_data(TensorData::new(weights, [inputs, outputs]), device);
        layer.bias = Some(Param::from_data(TensorData::zeros::<f32, _>([outputs]), device));
        layer
    };
    Network { hidden: layer(INPUTS, hidden, 1 << 50), output: layer(hidden, CLASSES, 1 << 51) }
}

/// SHA-256 of all weights, bit by bit.
fn fingerprint(model: &Network) -> String {
    struct Weights(Sha256);
    impl ModuleVisitor for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            for value in param.val().into_data().iter::<f32>() {
                self.0.update(value.to_bits().to_le_bytes());
            }
        }
    }
    let mut weights = Weights(Sha256::new());
    model.visit(&mut weights);
    weights.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The share of fresh records of the same kind that are told right, in %.
fn accuracy(model: &Network, arguments: &Arguments, device: &Device) -> f64 {
    let count = 1_000;
    let fresh =
        Records.batch(records(arguments.records..arguments.records + count), &device.clone().without_autodiff());
    let found = model.valid().forward(fresh.inputs).argmax(1).reshape([count]);
    100.0 * found.equal(fresh.classes).int().sum().into_scalar::<i64>() as f64 / count as f64
}

fn run(arguments: &Arguments) -> Result<()> {
    let exchange = Mpi::start()?;
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    let device = Device::flex().autodiff();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(arguments.batch, arguments.records))
        .with_clipping(Clipping::normalized())
        .with_noise(NoiseLevel::target(arguments.epsilon, 0.1 / arguments.records as f64))
        .with_steps(arguments.steps)
        .build()?;
    // Each rank's own records, and no others.
    let shard = arguments.records * rank / ranks..arguments.records * (rank + 1) / ranks;
    let entropy = arguments.seed.map_or_else(Entropy::os, Entropy::seeded);
    let mut session =
        plan.start(InMemDataset::new(records(shard)), Records, &device, entropy)?.with_physical_batch(128);
    if let Some(path) = arguments.ledger.as_ref().filter(|_| rank == 0) {
        session = session.with_ledger(Ledger::open(path, "made-up records")?, "distributed")?;
    }
    let mut session = session.with_exchange(exchange)?;
    let mut model = network(arguments.hidden, &device);
    let mut optimizer = SgdConfig::new().init();
    let started = Instant::now();
    while let Some(step) = session.next_step()? {
        if arguments.die.as_deref() == Some(&[rank as u64, step.index()]) {
            eprintln!("rank {rank} dies in step {}", step.index());
            std::process::abort();
        }
        let update = step
            .gradients(&model, |model, batch: Batch| Ok(cross_entropy(model.forward(batch.inputs), batch.classes)))?;
        model = optimizer.step(1.0, model, update.into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let statement = session.finish()?;
    if rank == 0 {
        let accuracy = accuracy(&model, arguments, &device);
        println!("ranks {ranks}; steps {}; {seconds:.2} s; accuracy {accuracy:.1} %", statement.charged_steps);
        println!("{}", statement.headline());
    }
    println!("rank {rank}: weights {}", fingerprint(&model));
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
