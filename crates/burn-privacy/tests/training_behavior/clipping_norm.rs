//! A clipping norm that follows a quantile: where it goes, its noise, and that a step has one norm.

use burn::data::dataset::InMemDataset;
use burn::module::Param;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::per_example::per_example;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, by_path, flex, given, with_values};

fn plan(clipping: Clipping, noise: f64, records: usize, steps: u64) -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(records))
        .with_clipping(clipping)
        .with_noise(NoiseLevel::multiplier(noise))
        .with_delta(1e-6)
        .with_steps(steps)
        .build()
        .unwrap()
}

/// Records whose gradients, of a bias of one entry, have these norms.
fn records(norms: &[f32]) -> InMemDataset<Example> {
    InMemDataset::new(norms.iter().map(|norm| Example::new(vec![1.0], vec![*norm])).collect())
}

fn bias(model: &Param<Tensor<1>>, batch: Batch) -> Tensor<1> {
    let copies: Tensor<2> = per_example(model, batch.size());
    given(copies, batch.target)
}

fn norms(session: &mut Session<Example, Batch, InMemDataset<Example>, Rows>) -> Vec<f64> {
    let model: Param<Tensor<1>> = Param::from_tensor(Tensor::zeros([1], &flex()));
    let mut found = vec![session.clipping_norm()];
    while let Some(step) = session.next_step().unwrap() {
        let _ = step.gradients(&model, |model, batch| Ok(bias(model, batch))).unwrap();
        found.push(session.clipping_norm());
    }
    found
}

#[test]
fn it_goes_to_the_quantile_and_a_later_session_goes_on() {
    let sizes: Vec<f32> = (1..=20).map(|size| size as f32 / 10.0).collect();
    for (quantile, between) in [(0.25, 0.4..0.7), (0.5, 0.9..1.3), (0.9, 1.7..2.1)] {
        for initial in [0.01, 10.0] {
            let plan = plan(Clipping::quantile(initial, quantile, 1e-9), 0.0, 20, 150);
            let start = || plan.start(records(&sizes), Rows, &flex(), Entropy::seeded(1)).unwrap();
            let path = norms(&mut start());
            let last = *path.last().unwrap();
            assert!(between.contains(&last), "{quantile} from {initial}: {last}");
            // The first step's norm is the plan's, and the recursion is the paper's.
            assert_eq!(path[0], initial);
            let below = sizes.iter().filter(|size| f64::from(**size) <= path[3]).count() as f64 / 20.0;
            let next = path[3] * (-0.2 * (below - quantile)).exp();
            assert!((path[4] / next - 1.0).abs() < 1e-6, "{} {next}", path[4]);
            let mut resumed = start().with_clipping_norm(path[100]).unwrap();
            let continued = norms(&mut resumed);
            assert!((continued[50] / last - 1.0).abs() < 1e-6);
        }
    }
    let flat = plan(Clipping::flat(1.0), 1.0, 20, 1).start(records(&sizes), Rows, &flex(), Entropy::os()).unwrap();
    let error = flat.with_clipping_norm(2.0).unwrap_err().to_string();
    assert!(error.contains("flat clipping"), "{error}");
}

#[test]
fn the_count_has_noise_of_its_own() {
    // All gradients are below, so each step's change is -eta (1 - gamma + N(0, (s / B)^2)).
    let (steps, count_noise, expected) = (600, 8.0, 20.0);
    let plan = plan(Clipping::quantile(1e6, 0.5, count_noise), 1.0, 20, steps);
    let path = norms(&mut plan.start(records(&[0.0; 20]), Rows, &flex(), Entropy::os()).unwrap());
    let noise: Vec<f64> = path
        .windows(2)
        .take_while(|pair| pair[1] > 1e-11)
        .map(|pair| (-(pair[1] / pair[0]).ln() / 0.2 - 0.5) * expected / count_noise)
        .collect();
    let count = noise.len() as f64;
    assert!(count > 300.0, "{count}");
    let mean = noise.iter().sum::<f64>() / count;
    let variance = noise.iter().map(|value| value * value).sum::<f64>() / count;
    // Six standard errors: false failures below 1e-8.
    assert!(mean.abs() < 6.0 / count.sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 6.0 * (2.0 / count).sqrt(), "{variance}");
}

#[test]
fn the_noise_on_gradients_is_that_of_its_share_and_of_the_steps_norm() {
    let entries = 200_000;
    let model: Param<Tensor<1>> = Param::from_tensor(Tensor::zeros([entries], &flex()));
    let plan = plan(Clipping::quantile(0.5, 0.1, 1.2), 2.0, 3, 4);
    let multiplier = (2.0_f64.powi(-2) - 2.4_f64.powi(-2)).sqrt().recip();
    assert!(multiplier > 3.0);
    let mut session = plan.start(records(&[0.0; 3]), Rows, &flex(), Entropy::os()).unwrap();
    for _ in 0..4 {
        let norm = session.clipping_norm();
        let step = session.next_step().unwrap().unwrap();
        let zero = |model: &Param<Tensor<1>>, batch: Batch| {
            let copies: Tensor<2> = per_example(model, batch.size());
            Ok((copies * 0.0).sum_dim(1).reshape([batch.size()]))
        };
        let update = step.gradients(&model, zero).unwrap();
        let noise = by_path(&model, &update.into(), 3.0).remove("").unwrap();
        let variance = noise.iter().map(|value| value * value).sum::<f64>() / entries as f64;
        let ratio = variance.sqrt() / (multiplier * norm);
        assert!((ratio - 1.0).abs() < 6.0 / (2.0 * entries as f64).sqrt(), "{ratio}");
    }
}

#[test]
fn a_step_has_one_norm_however_it_is_cut() {
    let examples = Values::new(7).examples(40, 3, 2);
    let model: Linear = with_values(LinearConfig::new(3, 2).init(&flex()), 8);
    let run = |physical_batch: usize, mode: PerExample| {
        let plan = plan(Clipping::quantile(0.3, 0.5, 1e-9), 0.0, 40, 5);
        let dataset = InMemDataset::new(examples.clone());
        let mut session = plan
            .start(dataset, Rows, &flex(), Entropy::seeded(3))
            .unwrap()
            .with_physical_batch(physical_batch)
            .with_per_example(mode);
        while let Some(step) = session.next_step().unwrap() {
            let _ = step
                .gradients(&model, |model, batch: Batch| Ok(given(model.forward(batch.input), batch.target)))
                .unwrap();
        }
        session.clipping_norm()
    };
    let whole = run(40, PerExample::OneBackward);
    for found in [run(7, PerExample::OneBackward), run(40, PerExample::Loop)] {
        assert!((found / whole - 1.0).abs() < 1e-6, "{found} {whole}");
    }
}
