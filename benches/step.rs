//! One private training step beside one plain step, on the CPU: what privacy costs in time.
//!
//! `cargo bench --bench step` prints both times for each network; the ratio of their medians is the cost.

use burn::prelude::*;
use burn_privacy_benches::{MODELS, Mode, stepper};
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 64;

fn steps(criterion: &mut Criterion) {
    let device = Device::flex().autodiff();
    for model in MODELS {
        for (name, mode) in [("stock", Mode::Stock), ("private", Mode::Private)] {
            let mut step = stepper(model, mode, BATCH, &device).expect("a listed model");
            criterion.bench_function(&format!("{model}/{name}"), |bench| bench.iter(&mut step));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = steps
}
criterion_main!(benches);
