//! Ranks that leave a step, or have another model: nobody waits for them, and nothing is released.

use std::thread;

use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn_privacy::exchange::{Exchange, Threads};
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::ranks::{RECORDS, RankSession, config, losses, model};
use crate::support::{Rows, Values, flex, with_values};

/// What each of so many ranks ends with, whose session is used by `act`.
fn on_ranks<T: Send>(ranks: usize, act: impl Fn(RankSession, usize) -> T + Sync) -> Vec<T> {
    let plan = config(Clipping::flat(0.5)).build().unwrap();
    thread::scope(|scope| {
        let running: Vec<_> = Threads::of(ranks)
            .into_iter()
            .map(|exchange| {
                let (plan, act) = (&plan, &act);
                scope.spawn(move || {
                    let rank = exchange.rank();
                    let shard = InMemDataset::new(Values::new(3).examples(RECORDS / ranks, 3, 2));
                    let session = plan.start(shard, Rows, &flex(), Entropy::os()).unwrap();
                    act(session.with_exchange(exchange).unwrap(), rank)
                })
            })
            .collect();
        running.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn one_step(session: &mut RankSession, model: &Linear) -> Result<(), Error> {
    let Some(step) = session.next_step()? else { return Ok(()) };
    step.gradients(model, |model, batch| Ok(losses(model, batch))).map(drop)
}

#[test]
fn nobody_waits_for_a_rank_that_leaves_a_step_unfinished() {
    let frozen = model().no_grad();
    type Leave<'a> = &'a (dyn Fn(&mut RankSession) + Sync);
    // Dropped, or refused before the ranks meet: both sessions stay alive.
    let leaves: [Leave<'_>; 2] = [&|session| drop(session.next_step().unwrap().unwrap()), &|session| {
        assert!(one_step(session, &frozen).is_err())
    }];
    for leave in leaves {
        for leaver in [0, 1] {
            let seen = on_ranks(2, |mut session, rank| {
                if rank == leaver {
                    leave(&mut session);
                }
                // Each tries again, while its session lives.
                [0, 1].map(|_| one_step(&mut session, &model()).unwrap_err().to_string())
            });
            let told = |sentences: &[String; 2], words: [&str; 2]| {
                sentences.iter().zip(words).for_each(|(sentence, words)| assert!(sentence.contains(words), "{seen:?}"));
            };
            told(&seen[leaver], ["did not finish a step together", "did not finish a step together"]);
            told(&seen[1 - leaver], ["is gone", "did not finish a step together"]);
        }
    }
}

#[test]
fn ranks_with_other_models_release_nothing() {
    let seen = on_ranks(2, |mut session, rank| {
        let own: Linear = with_values(LinearConfig::new(3, 2).init(&flex()), 9 + rank as u64);
        one_step(&mut session, &own).unwrap_err().to_string()
    });
    assert!(seen[0].contains("the models"), "{seen:?}");
}

#[test]
fn rank_0_ends_the_run_of_all() {
    let steps = on_ranks(3, |mut session, rank| {
        assert_eq!(session.rank(), rank);
        let mut done = 0;
        while rank > 0 || done < 2 {
            let Some(step) = session.next_step().unwrap() else { break };
            let _ = step.gradients(&model(), |model, batch| Ok(losses(model, batch))).unwrap();
            done += 1;
        }
        assert_eq!(session.finish().unwrap().charged_steps, 2);
        done
    });
    assert_eq!(steps, [2; 3]);
}
