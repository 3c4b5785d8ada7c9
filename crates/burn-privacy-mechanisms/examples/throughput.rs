//! Measures how long noise and coins take, on one thread and on all.
//!
//! `cargo run --release -p burn-privacy-mechanisms --example throughput`

use std::hint::black_box;
use std::time::Instant;

use burn_privacy_mechanisms::{
    Entropy, MechanismError, PrivacyKey, fill_gaussian_f32, fill_gaussian_f64, poisson_sample,
};

/// Values a call: 4 Mi, 16 MiB of `f32`, far beyond the caches' share of a small machine.
const COUNT: usize = 1 << 22;

/// Calls measured; the fastest is reported, because other processes only ever slow one down.
const CALLS: u64 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let all = std::thread::available_parallelism()?.get();
    for threads in [1, all] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| measure(threads))?;
    }
    Ok(())
}

fn measure(threads: usize) -> Result<(), MechanismError> {
    let key = PrivacyKey::draw(Entropy::os())?;
    let mut single = vec![0.0_f32; COUNT];
    let mut double = vec![0.0_f64; COUNT];
    let gaussian_f32 = fastest(|step| fill_gaussian_f32(&key, step, 0, black_box(&mut single), 1.0))?;
    let gaussian_f64 = fastest(|step| fill_gaussian_f64(&key, step, 0, black_box(&mut double), 1.0))?;
    let coins = fastest(|step| black_box(poisson_sample(&key, step, COUNT as u64, 0.005)).map(drop))?;
    println!(
        "{threads} thread(s): f32 noise {gaussian_f32:.2}, f64 noise {gaussian_f64:.2}, coins {coins:.2} ns a value"
    );
    Ok(())
}

/// Nanoseconds a value of the fastest of the calls.
fn fastest(mut call: impl FnMut(u64) -> Result<(), MechanismError>) -> Result<f64, MechanismError> {
    let mut best = f64::INFINITY;
    for step in 0..CALLS {
        let start = Instant::now();
        call(step)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best * 1e9 / COUNT as f64)
}
