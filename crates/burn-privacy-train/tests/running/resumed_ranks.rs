//! Several ranks that go on from one checkpoint: rank 0's, at all of them or at none, with new keys and what the ledger has left.
#![cfg(feature = "flex")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use burn::data::dataset::{Dataset, InMemDataset};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn_privacy::exchange::{Exchange, Threads};
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy_train::{Checkpoints, TrainError, Trainer};
use tempfile::TempDir;

use crate::line::{Point, PointBatcher, Points, RECORDS, data, device, losses, model, weights};

/// Steps of the plan.
const STEPS: u64 = 30;

/// How a rank is started, where it is not like the others.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    Anew,
    Resumed,
    OtherPlan,
    OtherOptimizer,
    OtherModel,
    WithoutLedger,
    /// It leaves before it has found out.
    Gone,
}

/// What a rank ends with: the weights (their average), the steps that are charged, and those that learning rates were asked for.
#[derive(Debug, Clone, PartialEq)]
struct Ended {
    weights: Vec<f32>,
    charged: u64,
    rates: Vec<u64>,
}

struct Run<'a> {
    folder: &'a Path,
    ranks: usize,
    sampling: Sampling,
    clipping: Clipping,
    /// Updates until rank 0 says that it is enough.
    updates: u64,
    /// A rank whose records have gradients of zero.
    silent: Option<usize>,
}

impl Run<'_> {
    fn plan(&self, steps: u64) -> PrivacyPlan {
        PrivacyPlanConfig::new()
            .with_sampling(self.sampling)
            .with_clipping(self.clipping.clone())
            .with_steps(steps)
            .with_noise(NoiseLevel::multiplier(0.0))
            .with_delta(1e-4)
            .build()
            .unwrap()
    }

    fn ledger(&self) -> std::path::PathBuf {
        self.folder.join("ledger.jsonl")
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::in_folder(self.folder.join("checkpoints"))
    }

    /// What each rank ends with, all of which are started like this.
    fn all(&self, start: Start) -> Vec<Ended> {
        self.each(|_| start).into_iter().map(|rank| rank.unwrap()).collect()
    }

    fn each(&self, start: impl Fn(usize) -> Start) -> Vec<Result<Ended, TrainError>> {
        thread::scope(|scope| {
            let running: Vec<_> = Threads::of(self.ranks)
                .into_iter()
                .map(|exchange| {
                    let start = start(exchange.rank());
                    scope.spawn(move || self.rank(exchange, start))
                })
                .collect();
            running.into_iter().map(|rank| rank.join().unwrap()).collect()
        })
    }

    fn rank(&self, exchange: Threads, start: Start) -> Result<Ended, TrainError> {
        let rank = exchange.rank();
        let of_rank = RECORDS / self.ranks;
        let shard: Vec<Point> = (rank * of_rank..(rank + 1) * of_rank).map(|at| data().get(at).unwrap()).collect();
        let plan = self.plan(if start == Start::OtherPlan { STEPS + 1 } else { STEPS });
        let session = plan.start(InMemDataset::new(shard), PointBatcher, &device(), Entropy::os())?;
        let mut session = session.with_physical_batch(RECORDS);
        if rank == 0 && start != Start::WithoutLedger {
            session = session.with_ledger(Ledger::open(self.ledger(), "points").unwrap(), "line")?;
        }
        let session = session.with_exchange(exchange)?;
        if start == Start::Gone {
            return Err(TrainError::Closure("its machine is gone".into()));
        }
        let rates = Arc::new(Mutex::new(Vec::new()));
        let asked_rates = rates.clone();
        let mut trainer = Trainer::new(session, 0.0)
            .with_learning_rate_schedule(move |step| {
                asked_rates.lock().unwrap().push(step);
                0.2 / (1.0 + step as f64)
            })
            .with_weight_average(0.8)?
            // The same program at all ranks, and one folder on one machine.
            .with_checkpoints(self.checkpoints(), 4);
        if start != Start::Anew {
            trainer = trainer.resuming();
        }
        let mut initial = model(&device());
        if start == Start::OtherModel {
            initial = LinearConfig::new(3, 1).init(&device());
        }
        let factor = if self.silent == Some(rank) { 0.0 } else { 1.0 };
        let losses = |model: &Linear, points: Points| losses(model, points).map(|losses| losses * factor);
        let mut asked = 0;
        let (model, statement) = trainer.train(initial, optimizer(start), losses, |_, _| {
            asked += 1;
            Ok(asked <= self.updates)
        })?;
        let rates = rates.lock().unwrap().clone();
        Ok(Ended { weights: weights(&model), charged: statement.charged_steps, rates })
    }
}

fn optimizer(start: Start) -> ModuleOptimizer {
    let momentum = if start == Start::OtherOptimizer { 0.5 } else { 0.9 };
    SgdConfig::new().with_momentum(Some(MomentumConfig::new().with_momentum(momentum))).init()
}

fn run(folder: &TempDir, ranks: usize, updates: u64) -> Run<'_> {
    let (sampling, clipping) = (Sampling::full_batch(RECORDS), Clipping::quantile(1.0, 0.5, 1e-30));
    Run { folder: folder.path(), ranks, sampling, clipping, updates, silent: None }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn ranks_that_were_resumed_are_the_ones_that_were_not_interrupted() {
    // Without noise and with all records in each batch nothing is random.
    for ranks in [2, 4] {
        let whole = folder();
        let expected = run(&whole, ranks, u64::MAX).all(Start::Anew);
        assert_eq!(expected[0].charged, STEPS);
        for interruptions in [&[7][..], &[4, 1, 13]] {
            let place = folder();
            let mut start = Start::Anew;
            let mut before = 0;
            for updates in interruptions {
                for rank in run(&place, ranks, *updates).all(start) {
                    before += rank.charged.saturating_sub(before);
                    assert_eq!(rank.charged, before, "every rank counts as rank 0 has charged");
                }
                start = Start::Resumed;
            }
            let found = run(&place, ranks, u64::MAX).all(start);
            for (rank, found) in found.iter().enumerate() {
                assert_eq!(found.weights, expected[rank].weights, "{ranks} ranks, rank {rank}, {interruptions:?}");
                assert_eq!(found.charged, STEPS);
                // Learning rates go on, everywhere.
                assert_eq!(found.rates, (before..STEPS).collect::<Vec<_>>(), "rank {rank}");
            }
            let history = Ledger::read(run(&place, ranks, 0).ledger()).unwrap();
            assert_eq!(history.charges().iter().map(|charge| charge.steps).collect::<Vec<_>>(), [STEPS]);
        }
    }
}

#[test]
fn rank_0_alone_writes_checkpoints_and_the_number_of_ranks_may_change() {
    let place = folder();
    run(&place, 4, 10).all(Start::Anew);
    let newest = run(&place, 4, 0).checkpoints().newest().unwrap();
    assert_eq!((newest.steps(), newest.run(), newest.dataset()), (10, "line", "points"));
    // The data set is the same, cut otherwise.
    let found = run(&place, 2, u64::MAX).all(Start::Resumed);
    assert_eq!(found[0].charged, STEPS);
    assert_eq!(found[0].weights, found[1].weights);
}

#[test]
fn no_rank_uses_keys_of_another_session_when_it_is_resumed() {
    // Without noise the model depends on the coins alone, and of those only on the ranks' that are not silent.
    fn of(folder: &TempDir, silent: usize) -> Run<'_> {
        Run {
            sampling: Sampling::poisson(RECORDS / 2, RECORDS),
            clipping: Clipping::flat(0.5),
            silent: Some(silent),
            ..run(folder, 2, 5)
        }
    }
    for silent in [0, 1] {
        let interrupted = folder();
        of(&interrupted, silent).all(Start::Anew);
        let resumed = [(); 2].map(|()| {
            let copy = folder();
            std::fs::create_dir(copy.path().join("checkpoints")).unwrap();
            let file = of(&interrupted, silent).checkpoints().newest().unwrap().path().to_owned();
            std::fs::copy(&file, copy.path().join("checkpoints").join(file.file_name().unwrap())).unwrap();
            std::fs::copy(of(&interrupted, silent).ledger(), of(&copy, silent).ledger()).unwrap();
            of(&copy, silent).all(Start::Resumed)
        });
        assert_eq!(resumed[0][0].charged, 10);
        assert_eq!(resumed[0][0].weights, resumed[0][1].weights);
        // The same 1,000 coins: never by chance.
        assert_ne!(resumed[0][0].weights, resumed[1][0].weights, "rank {} tossed the same coins twice", 1 - silent);
    }
}

#[test]
fn steps_after_the_checkpoint_stay_charged_at_every_rank() {
    let place = folder();
    run(&place, 2, 10).all(Start::Anew);
    // Those of steps 8 and 4 are left.
    std::fs::write(run(&place, 2, 0).checkpoints().newest().unwrap().path(), "torn").unwrap();
    for rank in run(&place, 2, u64::MAX).all(Start::Resumed) {
        assert_eq!((rank.charged, rank.rates), (STEPS, (10..STEPS).collect()));
    }
    assert_eq!(run(&place, 2, 0).checkpoints().newest().unwrap().steps(), STEPS - 2, "two updates were lost");
}

#[test]
fn a_rank_that_can_not_go_on_is_named_and_nothing_is_charged() {
    use Start::{Anew, Gone, OtherModel, OtherOptimizer, OtherPlan, Resumed, WithoutLedger};
    let place = folder();
    run(&place, 3, 6).all(Anew);
    let charged = || Ledger::read(run(&place, 3, 0).ledger()).unwrap().charges()[0].steps;
    assert_eq!(charged(), 6);
    // Who is otherwise, what that rank says, and what the others say.
    let named = "rank 1 cannot go on from this checkpoint";
    let cases: [(usize, Start, &str, &str); 7] = [
        (1, OtherPlan, "another plan (steps): 30, here it is 31", named),
        (1, OtherOptimizer, "the checkpoint of rank 0 was made with another optimizer", named),
        (1, OtherModel, "does not fit the model", named),
        (0, OtherOptimizer, "checkpoint-000000000006.bpc was made with another optimizer", "rank 0 cannot go on"),
        (1, Anew, "rank 0 goes on from a checkpoint, and this rank does not", "is gone"),
        (0, WithoutLedger, "a run without a ledger cannot be resumed", "another rank failed"),
        (1, Gone, "its machine is gone", "is gone"),
    ];
    for (other, start, itself, others) in cases {
        let outcomes = run(&place, 3, u64::MAX).each(|rank| if rank == other { start } else { Resumed });
        for (rank, outcome) in outcomes.into_iter().enumerate() {
            let sentence = outcome.unwrap_err().to_string();
            let words = if rank == other { itself } else { others };
            assert!(sentence.contains(words), "rank {rank} where {other} is other: {sentence}");
        }
        assert_eq!(charged(), 6, "{itself}");
    }
    // The reverse: rank 0 does not resume. It finds out within a step, which releases nothing.
    let outcomes = run(&place, 2, u64::MAX).each(|rank| if rank == 0 { Anew } else { Resumed });
    let sentences: Vec<String> = outcomes.into_iter().map(|outcome| outcome.unwrap_err().to_string()).collect();
    assert!(sentences[0].contains("rank 1 is gone"), "{sentences:?}");
    assert!(sentences[1].contains("this rank goes on from a checkpoint, and rank 0 does not"), "{sentences:?}");
    // After all that it goes on where it was told to.
    let found = run(&place, 3, u64::MAX).all(Resumed);
    assert_eq!(found[2].charged, STEPS);
}
