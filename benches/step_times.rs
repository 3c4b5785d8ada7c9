//! Times single training steps and prints one JSON object a line.
//!
//! `cargo run --release --bin step_times -- --model handout_cnn --mode stock,layers,private --batch 250`
//!
//! `stock` is plain Burn, `layers` the same model through the private layers without privacy, `private` a whole
//! DP-SGD step, with the time of its phases (the rest is the optimizer and the draw of the batch), `traced` the same over Burn's
//! layers on the model's own operation graph, `exact` as `private` with exact noise, `loop` one example at a time. A mode is best run in
//! a process of its own where its peak memory matters.

mod phases;

use std::collections::BTreeMap;
use std::time::Instant;

use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy_benches::{MODELS, Mode, STOCK_MODELS, Stepper, stepper};
use clap::Parser;
use phases::Phases;
use serde_json::json;

/// Times training steps.
#[derive(Parser)]
struct Args {
    /// Models, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "handout_cnn")]
    model: Vec<String>,
    /// stock, layers, private, exact, traced, loop: separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "stock,private")]
    mode: Vec<Mode>,
    /// Examples a step.
    #[arg(long, default_value_t = 250)]
    batch: usize,
    /// Timed rounds; in each round every mode takes one step, so that a noisy machine disturbs all alike.
    #[arg(long, default_value_t = 10)]
    steps: usize,
    /// The device, as the examples take it.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Peak resident memory of the process in MiB, where the system tells.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    burn_privacy::keep_freed_memory();
    let phases = Phases::default();
    tracing::subscriber::set_global_default(phases.clone())?;
    let device = select_device(args.device)?.device.autodiff();
    for model in &args.model {
        let mut contenders = Vec::new();
        for mode in &args.mode {
            let stepper = stepper(model, *mode, args.batch, &device).ok_or_else(|| {
                format!("there is no model {model:?}: {}", [MODELS, STOCK_MODELS].concat().join(", "))
            })?;
            contenders.push(Contender {
                mode: *mode,
                stepper,
                times: Vec::new(),
                time_of_phases: 0.0,
                phases: BTreeMap::new(),
            });
        }
        for round in 0..args.steps + UNTIMED {
            for contender in &mut contenders {
                let start = Instant::now();
                (contender.stepper)();
                if round >= UNTIMED {
                    contender.times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        phases.switch(true);
        for _ in 0..args.steps {
            for contender in
                contenders.iter_mut().filter(|contender| matches!(contender.mode, Mode::Private | Mode::Exact))
            {
                let start = Instant::now();
                (contender.stepper)();
                contender.time_of_phases += start.elapsed().as_secs_f64() * 1e3;
                for (name, time) in phases.take_milliseconds() {
                    *contender.phases.entry(name).or_default() += time;
                }
            }
        }
        phases.switch(false);
        for contender in contenders {
            println!("{}", contender.report(model, args.batch));
        }
    }
    Ok(())
}

/// Steps that warm the caches and validate the model.
const UNTIMED: usize = 2;

/// A mode, and its times in milliseconds.
struct Contender {
    mode: Mode,
    stepper: Stepper,
    times: Vec<f64>,
    /// Time of as many steps more whose phases are timed, and of each phase of them.
    time_of_phases: f64,
    phases: BTreeMap<&'static str, f64>,
}

impl Contender {
    fn report(self, model: &str, batch: usize) -> serde_json::Value {
        let Self { mode, times, time_of_phases, phases, .. } = self;
        let steps = times.len() as f64;
        let smallest = times.iter().copied().fold(f64::INFINITY, f64::min);
        let rest = time_of_phases - phases.values().sum::<f64>();
        let phases: BTreeMap<_, _> =
            phases.into_iter().chain([("rest", rest)]).map(|(name, time)| (name, time / steps)).collect();
        let median = median(times);
        json!({
            "model": model,
            "mode": format!("{mode:?}").to_lowercase(),
            "batch": batch,
            "median_ms": median,
            "min_ms": smallest,
            "mean_of_phases_ms": phases,
            "examples_per_s": batch as f64 / median * 1e3,
            "peak_mib": peak_memory_mib(),
        })
    }
}
