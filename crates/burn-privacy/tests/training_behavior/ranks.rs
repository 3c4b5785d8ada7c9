//! Several ranks: the same model bit for bit as one process over all data, one noise, one charge, and nothing from a step that a rank
//! did not finish.

use std::thread;

use burn::data::dataset::InMemDataset;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::exchange::{Exchange, ExchangeError, Threads};
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, ByPath, Example, Rows, Values, distance, flex, parameters, with_values};

pub(crate) const RECORDS: usize = 64;

pub(crate) fn config(clipping: Clipping) -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(clipping)
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .with_steps(6)
}

pub(crate) fn model() -> Linear {
    with_values(LinearConfig::new(3, 2).init(&flex()), 9)
}

pub(crate) fn losses(model: &Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input), batch.target)
}

pub(crate) type RankSession = Session<Example, Batch, InMemDataset<Example>, Rows>;

fn train(mut session: RankSession, mut model: Linear) -> Result<(ByPath, f64, u64), Error> {
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step()? {
        let update = step.gradients(&model, |model, batch| Ok(losses(model, batch)))?;
        model = optimizer.step(0.1, model, update.into());
    }
    Ok((parameters(&model), session.clipping_norm(), session.finish()?.charged_steps))
}

/// The weights at every rank.
fn on_ranks(ranks: usize, plan: &PrivacyPlan, mode: PerExample) -> Vec<(ByPath, f64, u64)> {
    let records = Values::new(1).examples(RECORDS, 3, 2);
    let model = model();
    thread::scope(|scope| {
        let running: Vec<_> = Threads::of(ranks)
            .into_iter()
            .map(|exchange| {
                let length = RECORDS / ranks;
                let shard = records[exchange.rank() * length..][..length].to_vec();
                let model = model.clone();
                scope.spawn(move || {
                    let session = plan
                        .start(InMemDataset::new(shard), Rows, &flex(), Entropy::seeded(4))?
                        .with_physical_batch(16)
                        .with_per_example(mode)
                        .with_exchange(exchange)?;
                    train(session, model)
                })
            })
            .collect();
        running.into_iter().map(|rank| rank.join().unwrap().unwrap()).collect()
    })
}

#[test]
fn any_number_of_ranks_gives_the_same_model_bit_for_bit() {
    for clipping in [Clipping::normalized(), Clipping::per_layer(0.5), Clipping::quantile(0.5, 0.5, 3.2)] {
        let plan = config(clipping.clone()).build().unwrap();
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            let one = on_ranks(1, &plan, mode).remove(0);
            assert_ne!(one.0, parameters(&model()), "it did learn");
            for ranks in [2, 4] {
                for (rank, found) in on_ranks(ranks, &plan, mode).into_iter().enumerate() {
                    assert_eq!(found, one, "{clipping}, {mode:?}, rank {rank} of {ranks}");
                }
            }
            // One process without ranks adds in f64 before it adds noise: the same but for the grid.
            let records = Values::new(1).examples(RECORDS, 3, 2);
            let session = plan.start(InMemDataset::new(records), Rows, &flex(), Entropy::seeded(4)).unwrap();
            let alone = train(session.with_physical_batch(16).with_per_example(mode), model()).unwrap();
            for (path, values) in &alone.0 {
                for (alone, together) in values.iter().zip(&one.0[path]) {
                    assert!((alone - together).abs() < 1e-5, "{path}: {alone} {together}");
                }
            }
        }
    }
}

#[test]
fn the_noise_is_added_once() {
    // Gradients are zero, so that an update is the noise.
    let (ranks, entries) = (4, 60_000);
    let plan = config(Clipping::flat(0.5)).with_steps(1).build().unwrap();
    let zero: Linear = with_values(LinearConfig::new(3, entries / 4).init(&flex()), 1);
    let noise: Vec<Vec<f64>> = thread::scope(|scope| {
        let running: Vec<_> = Threads::of(ranks)
            .into_iter()
            .map(|exchange| {
                let (plan, zero) = (&plan, zero.clone());
                scope.spawn(move || {
                    let shard = InMemDataset::new(vec![Example::new(vec![0.5; 3], vec![0.0]); RECORDS / ranks]);
                    let session = plan.start(shard, Rows, &flex(), Entropy::os()).unwrap();
                    let mut session = session.with_exchange(exchange).unwrap();
                    let step = session.next_step().unwrap().unwrap();
                    let nothing = |model: &Linear, batch: Batch| {
                        let size = batch.size();
                        Ok((model.forward(batch.input) * 0.0).sum_dim(1).reshape([size]))
                    };
                    let update = step.gradients(&zero, nothing).unwrap();
                    crate::support::by_path(&zero, &update.into(), RECORDS as f64).into_values().flatten().collect()
                })
            })
            .collect();
        running.into_iter().map(|rank| rank.join().unwrap()).collect()
    });
    let variance = noise[0].iter().map(|value| value * value).sum::<f64>() / noise[0].len() as f64;
    // Six standard errors: false failures below 1e-8.
    assert!((variance / 0.25 - 1.0).abs() < 6.0 * (2.0 / noise[0].len() as f64).sqrt(), "{variance}");
    assert!(noise.iter().all(|rank| *rank == noise[0]), "every rank takes the same step");
}

#[test]
fn a_rank_that_is_lost_or_fails_leaves_nothing_released_and_the_step_charged() {
    let folder = tempfile::tempdir().unwrap();
    let plan = config(Clipping::flat(0.5)).build().unwrap();
    for (lost, run) in [(true, "lost"), (false, "failed")] {
        let ledger = folder.path().join(run);
        let outcomes: Vec<Result<(), Error>> = thread::scope(|scope| {
            let running: Vec<_> = Threads::of(3)
                .into_iter()
                .map(|exchange| {
                    let (plan, ledger) = (&plan, &ledger);
                    scope.spawn(move || {
                        let rank = exchange.rank();
                        let shard = InMemDataset::new(Values::new(rank as u64).examples(20, 3, 2));
                        let mut session = plan.start(shard, Rows, &flex(), Entropy::os())?;
                        if rank == 0 {
                            session = session.with_ledger(Ledger::open(ledger, "shards")?, run)?;
                        }
                        let mut session = session.with_exchange(exchange)?;
                        let model = model();
                        for number in 0..3 {
                            let Some(step) = session.next_step()? else { break };
                            if rank == 2 && number == 2 && lost {
                                // As if its machine were gone.
                                return Ok(());
                            }
                            let fails = rank == 2 && number == 2;
                            let update = step.gradients(&model, |model, batch| {
                                if fails { Err("no such image".into()) } else { Ok(losses(model, batch)) }
                            })?;
                            drop(update);
                            assert!(number < 2, "rank {rank} got an update of a step that rank 2 did not finish");
                        }
                        Ok(())
                    })
                })
                .collect();
            running.into_iter().map(|rank| rank.join().unwrap()).collect()
        });
        for (rank, outcome) in outcomes.into_iter().enumerate() {
            let sentence = outcome.err().map(|error| error.to_string());
            match (rank, lost) {
                (2, true) => assert_eq!(sentence, None),
                (2, false) => assert!(sentence.as_ref().unwrap().contains("no such image"), "{sentence:?}"),
                (_, _) => {
                    let sentence = sentence.unwrap();
                    assert!(sentence.contains("releases nothing"), "rank {rank}: {sentence}");
                }
            }
        }
        let history = Ledger::read(&ledger).unwrap();
        assert!(history.charges()[0].steps >= 3, "the third step is charged: {}", history.charges()[0].steps);
    }
}

#[test]
fn what_ranks_cannot_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let records = || InMemDataset::new(Values::new(1).examples(RECORDS, 3, 2));
    let error_of = |session: RankSession, exchange: Threads| session.with_exchange(exchange).unwrap_err().to_string();
    let mut two = Threads::of(2);
    let plan = config(Clipping::flat(0.5)).build().unwrap();
    let session = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap();
    let with_ledger = session.with_ledger(Ledger::open(folder.path().join("l"), "d").unwrap(), "r").unwrap();
    assert!(error_of(with_ledger, two.remove(1)).contains("ledger at rank 0"));
    // In the other order, too: nothing is begun in the ledger.
    let mut others = Threads::of(2);
    for rank in [1, 0] {
        let file = folder.path().join(format!("joined {rank}"));
        let session = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap();
        let joined = session.with_exchange(others.remove(rank)).unwrap();
        let outcome = joined.with_ledger(Ledger::open(&file, "d").unwrap(), "r");
        match outcome.err().map(|error| error.to_string()) {
            Some(refusal) => assert!(rank == 1 && refusal.contains("ledger at rank 0"), "{refusal}"),
            None => assert_eq!(rank, 0, "rank 1 has a ledger of its own"),
        }
        let runs = Ledger::read(&file).map_or(0, |history| history.charges().len());
        assert_eq!(runs, usize::from(rank == 0), "runs in the ledger of rank {rank}");
    }
    let replacing = config(Clipping::flat(0.5)).with_adjacency(Adjacency::ReplaceOne).build().unwrap();
    let session = replacing.start(records(), Rows, &flex(), Entropy::os()).unwrap();
    assert!(error_of(session, two.remove(0)).contains("add-or-remove-one"));

    let mut session = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap();
    session = session.with_exchange(Threads::of(1).remove(0)).unwrap();
    assert!(session.take_sampler().unwrap_err().to_string().contains("ranks"));
    // Another rank 0 would say that the steps begin anew, and the same coins be tossed again.
    assert!(error_of(session, Threads::of(2).remove(1)).contains("before the first step"));
    let mut session = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap();
    drop(session.next_step().unwrap().unwrap());
    assert!(error_of(session, Threads::of(2).remove(1)).contains("before the first step"));

    let mut ranks = Threads::of(2);
    drop(ranks.pop());
    assert!(matches!(ranks[0].sum(&mut [1]), Err(ExchangeError::Lost { rank: 1 })));
}

#[test]
fn ranks_with_other_plans_or_settings_release_nothing() {
    let config = || config(Clipping::flat(0.5));
    let same = config().build().unwrap();
    let other_norm = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::flat(2.0))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .with_steps(6)
        .build()
        .unwrap();
    // The shard's size in place of the data set's: its records would be drawn too often.
    let other_rate = config().with_sampling(Sampling::poisson(16, RECORDS / 2)).build().unwrap();
    let (floating, secret, seeded) = (Noise::FloatingPoint, Entropy::os, || Entropy::seeded(4));
    // What rank 0 has, and what rank 1 has.
    type Settings<'a> = (&'a PrivacyPlan, PerExample, Noise, fn() -> Entropy);
    let usual: Settings<'_> = (&same, PerExample::Loop, floating, secret);
    let cases: [[Settings<'_>; 2]; 6] = [
        [usual, (&other_norm, PerExample::Loop, floating, secret)],
        [usual, (&other_rate, PerExample::Loop, floating, secret)],
        [usual, (&same, PerExample::OneBackward, floating, secret)],
        // Rank 0 adds it, and every rank's statement tells of it.
        [usual, (&same, PerExample::Loop, Noise::ExactRounded, secret)],
        // Coins that everybody knows amplify nothing, and noise that everybody knows hides nothing.
        [usual, (&same, PerExample::Loop, floating, seeded)],
        [(&same, PerExample::Loop, floating, seeded), usual],
    ];
    for settings in cases {
        let refusals: Vec<String> = thread::scope(|scope| {
            let running: Vec<_> = Threads::of(2)
                .into_iter()
                .map(|exchange| {
                    let (plan, mode, noise, entropy) = settings[exchange.rank()];
                    scope.spawn(move || {
                        let shard = InMemDataset::new(Values::new(3).examples(RECORDS / 2, 3, 2));
                        let session = plan.start(shard, Rows, &flex(), entropy()).unwrap().with_per_example(mode);
                        let mut session = session.with_noise(noise).with_exchange(exchange).unwrap();
                        let step = session.next_step().unwrap().unwrap();
                        let update = step.gradients(&model(), |model, batch| Ok(losses(model, batch)));
                        update.err().map_or("an update".to_owned(), |error| error.to_string())
                    })
                })
                .collect();
            running.into_iter().map(|rank| rank.join().unwrap()).collect()
        });
        assert!(refusals[0].contains("not the same at all of them"), "{refusals:?}");
        assert!(refusals[1].contains("releases nothing"), "{refusals:?}");
    }
}

#[test]
fn statements_say_what_the_rank_that_knows_least_knows() {
    let plan = config(Clipping::flat(0.5)).with_steps(1).build().unwrap();
    for (reads_at, words) in [
        (None, "proved on the operation graph at the first step"),
        (Some(1), "checked in part, on records drawn at random"),
    ] {
        let statements: Vec<String> = thread::scope(|scope| {
            let running: Vec<_> = Threads::of(3)
                .into_iter()
                .map(|exchange| {
                    let plan = &plan;
                    scope.spawn(move || {
                        let reads = reads_at == Some(exchange.rank());
                        let shard = InMemDataset::new(Values::new(3).examples(20, 3, 2));
                        let session = plan.start(shard, Rows, &flex(), Entropy::os()).unwrap();
                        let mut session = session.with_exchange(exchange).unwrap();
                        let step = session.next_step().unwrap().unwrap();
                        let _ = step
                            .gradients(&model(), |model, batch| {
                                let losses = losses(model, batch);
                                // A value that is read hides the graph.
                                let seen = !reads || losses.clone().sum().into_scalar::<f32>().is_finite();
                                Ok(if seen { losses } else { losses * 2.0 })
                            })
                            .unwrap();
                        session.finish().unwrap().assumptions.join("\n")
                    })
                })
                .collect();
            running.into_iter().map(|rank| rank.join().unwrap()).collect()
        });
        for statement in statements {
            assert!(statement.contains(words), "{statement}");
            assert!(statement.contains("in the shard of one rank only"), "{statement}");
        }
    }
}
