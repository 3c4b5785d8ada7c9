//! How long privacy accounting takes: one question, one calibration, one look at a running session's epsilon.
//!
//! `cargo bench --bench accounting`. For ours beside other libraries see `accounting_peers.py`.

use burn_privacy::accounting::{
    Accountant, Adjacency, ContourEstimator, DpEvent, PlannedSchedule, PldAccountant, RdpAccountant, Result,
    calibrate_noise_multiplier,
};
use criterion::{Criterion, criterion_group, criterion_main};

const ADJACENCY: Adjacency = Adjacency::AddOrRemoveOne;
const DELTA: f64 = 1e-5;

fn step(noise: f64) -> Result<DpEvent> {
    DpEvent::poisson_sampled(0.005, DpEvent::gaussian(noise)?)
}

fn epsilon(mut accountant: impl Accountant, steps: u64) -> Result<f64> {
    accountant.compose(&step(1.1)?, steps)?;
    accountant.epsilon(DELTA)
}

fn training(noise: f64) -> Result<DpEvent> {
    DpEvent::self_composed(step(noise)?, 2_000)
}

fn accounting(criterion: &mut Criterion) {
    for steps in [2_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("epsilon of {steps} steps"));
        group.bench_function("rdp", |bencher| bencher.iter(|| epsilon(RdpAccountant::new(ADJACENCY), steps)));
        group.bench_function("pld", |bencher| bencher.iter(|| epsilon(PldAccountant::new(ADJACENCY), steps)));
        group.bench_function("contour", |bencher| bencher.iter(|| epsilon(ContourEstimator::new(ADJACENCY), steps)));
        group.finish();
    }

    let mut group = criterion.benchmark_group("noise multiplier for epsilon 3");
    group.bench_function("rdp", |bencher| {
        bencher.iter(|| calibrate_noise_multiplier(training, 3.0, DELTA, || RdpAccountant::new(ADJACENCY)));
    });
    group.bench_function("pld", |bencher| {
        bencher.iter(|| calibrate_noise_multiplier(training, 3.0, DELTA, || PldAccountant::new(ADJACENCY)));
    });
    group.finish();

    criterion.bench_function("epsilon of a running session", |bencher| {
        let schedule = step(1.1).and_then(|step| PlannedSchedule::new(ADJACENCY, &step, 2_000, DELTA));
        let Ok(schedule) = schedule else { return };
        let mut charged = 0;
        bencher.iter(|| {
            charged = charged % 2_000 + 1;
            schedule.epsilon_after(charged)
        });
    });
}

criterion_group!(benches, accounting);
criterion_main!(benches);
