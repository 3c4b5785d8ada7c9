//! One training run of several ranks, each of which owns a shard of the data: processes that MPI connects, or threads of one.
//!
//! ```text
//! cargo build --release --workspace --features burn-privacy/mpi --example distributed_dp
//! mpirun -n 4 target/release/examples/distributed_dp --ledger runs/distributed.jsonl
//! target/release/examples/distributed_dp --threads 4
//! ```
//!
//! What must be installed, and what happens when a rank is lost: `docs/src/distributed.md`.

mod plain;
mod task;

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn_privacy::device::{DeviceChoice, select_device};
#[cfg(feature = "mpi")]
use burn_privacy::exchange::Mpi;
use burn_privacy::exchange::{Exchange, Threads};
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy::report::write_atomically;
use burn_privacy::session::PhysicalBatch;
use clap::Parser;

use task::{Batch, Network, Records, accuracy, fingerprint, network, records};

/// One private training run of several ranks.
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
    /// Threads of this process, in the place of MPI
    #[arg(long, value_name = "RANKS")]
    threads: Option<usize>,
    /// Records in memory at once; 0 lets the session find out
    #[arg(long, default_value_t = 128)]
    physical: usize,
    /// cpu, or another name of a device: each rank computes there
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Without privacy, to see what it costs
    #[arg(long, conflicts_with_all = ["ledger", "seed", "model", "resume", "die"])]
    plain: bool,
    /// The data set's ledger, which rank 0 charges
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Rank 0 writes the model here after each step
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// All ranks go on from the model that rank 0 has written
    #[arg(long, requires_all = ["model", "ledger"])]
    resume: bool,
    /// A drill: this rank's process dies within the step of this number
    #[arg(long, value_names = ["RANK", "STEP"], num_args = 2)]
    die: Option<Vec<u64>>,
}

impl Arguments {
    /// Each rank's own records, and no others.
    fn shard(&self, rank: usize, ranks: usize) -> Range<usize> {
        self.records * rank / ranks..self.records * (rank + 1) / ranks
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long steps took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, step: Duration) {
        self.0.push(step);
    }

    /// Of a step after the first, which also validates the model and fills caches, in milliseconds.
    fn median(&self) -> f64 {
        let mut rest: Vec<Duration> = self.0.iter().skip(1).copied().collect();
        rest.sort();
        rest.get(rest.len() / 2).map_or(f64::NAN, |step| 1e3 * step.as_secs_f64())
    }
}

fn run(exchange: impl Exchange + 'static, arguments: &Arguments) -> Result<()> {
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    let device = select_device(arguments.device)?.device.autodiff();
    let (model, times, said) = if arguments.plain {
        let (model, times) = plain::train(&mut { exchange }, arguments, &device)?;
        (model, times, "without privacy".to_owned())
    } else {
        private(exchange, arguments, &device)?
    };
    if rank == 0 {
        let accuracy = accuracy(&model, arguments.records, &device);
        println!("ranks {ranks}; a step {:.1} ms (median); accuracy {accuracy:.1} %", times.median());
        println!("{said}");
    }
    println!("rank {rank}: weights {}", fingerprint(&model));
    Ok(())
}

fn private(
    exchange: impl Exchange + 'static,
    arguments: &Arguments,
    device: &Device,
) -> Result<(Network, Times, String)> {
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(arguments.batch, arguments.records))
        .with_clipping(Clipping::normalized())
        .with_noise(NoiseLevel::target(arguments.epsilon, 0.1 / arguments.records as f64))
        .with_steps(arguments.steps)
        .build()?;
    let shard = InMemDataset::new(records(arguments.shard(rank, ranks)));
    let entropy = arguments.seed.map_or_else(Entropy::os, Entropy::seeded);
    let physical = if arguments.physical == 0 { PhysicalBatch::Auto } else { arguments.physical.into() };
    let mut session = plan.start(shard, Records, device, entropy)?.with_physical_batch(physical);
    if let Some(path) = arguments.ledger.as_ref().filter(|_| rank == 0) {
        session = session.with_ledger(Ledger::open(path, "made-up records")?, "distributed")?;
    }
    let mut session = session.with_exchange(exchange)?;
    let mut model = network(arguments.hidden, device);
    if let Some(path) = arguments.model.as_ref().filter(|_| arguments.resume) {
        let initial = model;
        model = session.resume(
            |_| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into()),
            |_, file| -> Result<Network> {
                let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(file.to_vec()))?;
                Ok(initial.try_load_record(record)?)
            },
        )?;
    }
    let mut optimizer = SgdConfig::new().init();
    let mut times = Times::default();
    loop {
        let begun = Instant::now();
        let Some(step) = session.next_step()? else { break };
        if arguments.die.as_deref() == Some(&[rank as u64, step.index()]) {
            eprintln!("rank {rank} dies in step {}", step.index());
            std::process::abort();
        }
        let update = step
            .gradients(&model, |model, batch: Batch| Ok(cross_entropy(model.forward(batch.inputs), batch.classes)))?;
        model = optimizer.step(1.0, model, update.into());
        times.add(begun.elapsed());
        if let Some(path) = arguments.model.as_ref().filter(|_| rank == 0) {
            write_atomically(path, model.clone().into_record().into_bytes()?.to_vec())?;
        }
    }
    let at_once = session.examples_at_once();
    let statement = session.finish()?;
    let said =
        format!("{at_once} records at once; steps charged {}; {}", statement.charged_steps, statement.headline());
    Ok((model, times, said))
}

fn start(arguments: &Arguments) -> Result<()> {
    let Some(threads) = arguments.threads else {
        #[cfg(feature = "mpi")]
        return run(Mpi::start()?, arguments);
        #[cfg(not(feature = "mpi"))]
        return Err(
            "this program was built without MPI: say --threads RANKS, or build it with --features burn-privacy/mpi"
                .into(),
        );
    };
    std::thread::scope(|scope| {
        let ranks = Threads::of(threads).into_iter().map(|exchange| scope.spawn(move || run(exchange, arguments)));
        let ranks: Vec<_> = ranks.collect();
        ranks.into_iter().try_for_each(|rank| rank.join().unwrap_or_else(|_| Err("a rank panicked".into())))
    })
}

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
