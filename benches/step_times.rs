//! Times single training steps and prints one JSON object a line.
//!
//! `cargo run --release --bin step_times -- --model handout_cnn --mode stock,layers,private --batch 250`
//!
//! `stock` is plain Burn, `layers` the same model through the private layers without privacy, `private` a whole
//! DP-SGD step (load, forward, backward, norms, clipped sum, noise, optimizer). A mode is best run in a process of
//! its own where its peak memory matters.

use std::time::Instant;

use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy_benches::{MODELS, Mode, stepper};
use clap::Parser;
use serde_json::json;

/// Times training steps.
#[derive(Parser)]
struct Args {
    /// Models, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "handout_cnn")]
    model: Vec<String>,
    /// stock, layers, private: separated by commas.
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
    let device = select_device(args.device)?.device.autodiff();
    for model in &args.model {
        let mut modes = Vec::new();
        for mode in &args.mode {
            let stepper = stepper(model, *mode, args.batch, &device)
                .ok_or_else(|| format!("there is no model {model:?}: {}", MODELS.join(", ")))?;
            modes.push((mode, stepper, Vec::new()));
        }
        for round in 0..args.steps + 2 {
            for (_, stepper, times) in &mut modes {
                let start = Instant::now();
                stepper();
                if round >= 2 {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        for (mode, _, times) in modes {
            let smallest = times.iter().copied().fold(f64::INFINITY, f64::min);
            let median = median(times);
            println!(
                "{}",
                json!({
                    "model": model, "mode": format!("{mode:?}").to_lowercase(), "batch": args.batch, "median_ms": median, "min_ms": smallest,
                    "examples_per_s": args.batch as f64 / median * 1e3, "peak_mib": peak_memory_mib(),
                })
            );
        }
    }
    Ok(())
}
