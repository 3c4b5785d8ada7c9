//! Predictors with a budget: what they release, what they charge, and when they refuse.

use burn_privacy_budget::ledger::{Ledger, LedgerError};
use burn_privacy_ensemble::EnsembleError as Error;
use burn_privacy_ensemble::{ConfidentVote, NoisyMean, NoisyVote, QueryPlan};
use burn_privacy_mechanisms::Entropy;

fn ledger(folder: &tempfile::TempDir) -> Ledger {
    Ledger::open(folder.path().join("ledger.jsonl"), "test set").unwrap().with_block_target(std::time::Duration::ZERO)
}

fn mean(folder: &tempfile::TempDir, queries: u64) -> Result<NoisyMean, Error> {
    let plan = QueryPlan::for_target(queries, 2.0, 1e-5, 100).unwrap();
    NoisyMean::open(plan, 0.0..=1.0, 10, ledger(folder), "answers", Entropy::os())
}

#[test]
fn the_last_answer_is_the_last_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let predictions = [0.5; 10];
    let mut predictor = mean(&folder, 3).unwrap();
    predictor.answer(&predictions).unwrap();
    assert_eq!(predictor.remaining().unwrap(), 2);
    // A crash: nothing is closed.
    drop(predictor);
    let mut predictor = mean(&folder, 3).unwrap();
    assert_eq!(predictor.remaining().unwrap(), 2);
    predictor.answer(&predictions).unwrap();
    predictor.answer(&predictions).unwrap();
    let refused = predictor.answer(&predictions).unwrap_err();
    assert!(matches!(refused, Error::Ledger(LedgerError::BudgetSpent { .. })), "{refused}");
    let statement = predictor.finish().unwrap();
    assert_eq!((statement.planned_queries, statement.charged_queries), (3, 3));
    assert!(statement.epsilon_so_far.epsilon <= 2.0 && statement.epsilon_so_far.epsilon > 1.99);
    assert!(statement.to_string().contains("(2, 1e-5)-differential privacy"), "{statement}");
    let refused = mean(&folder, 3).err().unwrap();
    assert!(matches!(refused, Error::Ledger(LedgerError::BudgetSpent { .. })), "{refused}");
    // Nor with more answers under the same name.
    let refused = mean(&folder, 4).err().unwrap();
    assert!(matches!(refused, Error::Ledger(LedgerError::PlanDiffers { .. })), "{refused}");
}

#[test]
fn a_second_predictor_on_the_ledger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = mean(&folder, 3).unwrap();
    let second = Ledger::open(folder.path().join("ledger.jsonl"), "test set");
    assert!(matches!(second, Err(LedgerError::Locked { .. })));
}

#[test]
fn a_question_with_the_wrong_number_of_predictions_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut predictor = mean(&folder, 3).unwrap();
    for predictions in [&[0.5; 9][..], &[0.5; 11], &[]] {
        assert!(matches!(predictor.answer(predictions), Err(Error::Plan { .. })));
    }
    assert_eq!(predictor.remaining().unwrap(), 3);
}

/// Mean and standard deviation of 20,000 answers; six standard errors: a false failure in 5e8.
#[test]
fn the_noise_of_a_mean_is_the_stated_one() {
    let folder = tempfile::tempdir().unwrap();
    let (queries, multiplier) = (20_000, 3.0);
    let plan = QueryPlan::for_noise_multiplier(queries, multiplier, 1e-5, 100).unwrap();
    let ledger = Ledger::open(folder.path().join("ledger.jsonl"), "test set").unwrap();
    let mut predictor = NoisyMean::open(plan, -1.0..=3.0, 8, ledger, "noise", Entropy::seeded(7)).unwrap();
    // Clipped to -1, -1 (for NaN), 3, and five times 0.6.
    let predictions = [-9.0, f64::NAN, f64::INFINITY, 0.6, 0.6, 0.6, 0.6, 0.6];
    let answers: Vec<f64> = (0..queries).map(|_| predictor.answer(&predictions).unwrap()).collect();
    let (expected, deviation) = (0.5, multiplier * 4.0 / 8.0);
    let count = queries as f64;
    let average = answers.iter().sum::<f64>() / count;
    let spread = (answers.iter().map(|answer| (answer - average).powi(2)).sum::<f64>() / count).sqrt();
    assert!((average - expected).abs() < 6.0 * deviation / count.sqrt(), "{average}");
    assert!((spread / deviation - 1.0).abs() < 6.0 / (2.0 * count).sqrt(), "{spread}");
    assert!(predictor.statement().unwrap().to_string().starts_with("*** NOT PRIVATE"));
}

/// Neighboring data sets: one teacher of four answers 1 instead of 0. The best distinguisher's advantage stays below what
/// (epsilon, delta) allows; six standard errors of 40,000 answers each: a false failure in 5e8.
#[test]
fn neighbors_cannot_be_told_apart_better_than_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let queries = 40_000;
    let (epsilon, delta) = (1.0_f64, 1e-3);
    // One answer's share of noise, asked 40,000 times.
    let multiplier = QueryPlan::for_target(1, epsilon, delta, 100).unwrap().noise_multiplier();
    let exceeds = |name: &str, seed: u64, predictions: [f64; 4], threshold: f64| {
        let plan = QueryPlan::for_noise_multiplier(queries, multiplier, delta, 100).unwrap();
        let ledger = Ledger::open(folder.path().join(format!("{name}.jsonl")), name).unwrap();
        let mut predictor = NoisyMean::open(plan, 0.0..=1.0, 4, ledger, name, Entropy::seeded(seed)).unwrap();
        (0..queries).filter(|_| predictor.answer(&predictions).unwrap() > threshold).count() as f64 / queries as f64
    };
    for (index, threshold) in [0.2, 0.6, 1.0].into_iter().enumerate() {
        let with = exceeds(&format!("with {index}"), 2 * index as u64, [1.0, 0.0, 0.0, 0.0], threshold);
        let without = exceeds(&format!("without {index}"), 2 * index as u64 + 1, [0.0; 4], threshold);
        let slack =
            6.0 * (with * (1.0 - with) / queries as f64).sqrt() + 6.0 * epsilon.exp() * 0.5 / (queries as f64).sqrt();
        assert!(with <= epsilon.exp() * without + delta + slack, "{threshold}: {with} {without}");
        // And the noise is no larger than it must be.
        assert!(with > 1.5 * without || threshold < 0.5, "{threshold}: {with} {without}");
    }
}

#[test]
fn votes_find_the_majority_and_confident_ones_abstain() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |queries| QueryPlan::for_noise_multiplier(queries, 4.0, 1e-5, 100).unwrap();
    let clear: Vec<usize> = (0..100).map(|teacher| if teacher < 85 { 2 } else { teacher % 3 }).collect();
    let mut vote = NoisyVote::open(plan(50), 3, 100, ledger(&folder), "votes", Entropy::os()).unwrap();
    // A lead of 80 votes over noise of standard deviation 5.7 each: wrong with probability 1e-23.
    assert!((0..50).all(|_| vote.answer(&clear).unwrap() == 2));
    assert!(vote.answer(&clear).is_err() && vote.remaining().unwrap() == 0);
    drop(vote);

    let (tests, answers) = (plan(20), plan(5));
    let mut confident =
        ConfidentVote::open(tests, answers, 60.0, 3, 100, ledger(&folder), "confident", Entropy::os()).unwrap();
    let unclear: Vec<usize> = (0..100).map(|teacher| teacher % 3).collect();
    // 34 votes against a threshold of 60 with noise of standard deviation 4.
    assert!((0..5).all(|_| confident.answer(&unclear).unwrap().is_none()));
    assert!((0..5).all(|_| confident.answer(&clear).unwrap() == Some(2)));
    // The answers are spent: a question is refused whatever the votes are. Votes decided after how many tests, so that all are charged.
    for votes in [&clear, &unclear] {
        assert!(matches!(confident.answer(votes), Err(Error::BudgetSpent { steps: 5 })));
    }
    let statement = confident.finish().unwrap();
    assert_eq!((statement.planned_queries, statement.charged_queries), (20, 20));
    assert!(statement.mechanism.contains("at most 5 answers, 5 given"), "{statement}");
    assert!(statement.to_string().contains("attacks on its lowest bits"), "{statement}");
    assert_eq!(statement.epsilon_so_far.epsilon, statement.planned_epsilon.epsilon);
    assert_eq!(charged(&folder, "confident"), (20, 5));
}

/// The charges of a run's tests and answers, as the ledger has them.
fn charged(folder: &tempfile::TempDir, name: &str) -> (u64, u64) {
    let charges = Ledger::read(folder.path().join("ledger.jsonl")).unwrap().charges();
    let of = |name: &str| charges.iter().find(|charge| charge.name == name).unwrap().steps;
    (of(&format!("{name}, tests")), of(name))
}

#[test]
fn what_tests_of_votes_cost_does_not_depend_on_how_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |queries| QueryPlan::for_noise_multiplier(queries, 4.0, 1e-5, 100).unwrap();
    let agreed = vec![2; 100];
    let split: Vec<usize> = (0..100).map(|teacher| teacher % 3).collect();
    for answers in [20, 15] {
        let [agreed, split] = [("agreed", &agreed), ("split", &split)].map(|(kind, votes)| {
            let name = format!("{kind} {answers}");
            let open = || {
                ConfidentVote::open(plan(20), plan(answers), 67.0, 3, 100, ledger(&folder), &name, Entropy::os())
                    .unwrap()
            };
            let mut vote = open();
            // Eight standard deviations from the threshold on either side.
            let ask = |vote: &mut ConfidentVote, times| {
                assert!((0..times).all(|_| vote.answer(votes).unwrap().is_some() == (kind == "agreed")));
            };
            ask(&mut vote, 4);
            // A crash: nothing is closed. Then ten questions in all.
            drop(vote);
            let at_crash = charged(&folder, &name);
            let mut vote = open();
            ask(&mut vote, 6);
            let epsilon = vote.finish().unwrap().epsilon_so_far.epsilon;
            (at_crash, charged(&folder, &name), epsilon)
        });
        assert_eq!(agreed, split);
        assert_eq!((agreed.0, agreed.1), ((4, 4), (10, 10)));
    }
}

#[test]
fn answers_that_were_not_given_are_left_to_later_questions() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |queries| QueryPlan::for_noise_multiplier(queries, 4.0, 1e-5, 100).unwrap();
    let split: Vec<usize> = (0..100).map(|teacher| teacher % 3).collect();
    let mut vote =
        ConfidentVote::open(plan(20), plan(3), 67.0, 3, 100, ledger(&folder), "later", Entropy::os()).unwrap();
    assert!((0..10).all(|_| vote.answer(&split).unwrap().is_none()));
    assert_eq!(vote.remaining().unwrap(), 3);
    assert!((0..3).all(|_| vote.answer(&[1; 100]).unwrap() == Some(1)));
    assert!(matches!(vote.answer(&split), Err(Error::BudgetSpent { steps: 3 })));
}

#[test]
fn impossible_predictors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || QueryPlan::for_target(3, 1.0, 1e-5, 100).unwrap();
    let open = |range, teachers| NoisyMean::open(plan(), range, teachers, ledger(&folder), "x", Entropy::os()).err();
    assert!(matches!(open(1.0..=1.0, 5), Some(Error::Plan { .. })));
    assert!(matches!(open(0.0..=f64::INFINITY, 5), Some(Error::Plan { .. })));
    assert!(matches!(open(0.0..=1.0, 0), Some(Error::Plan { .. })));
    assert!(NoisyVote::open(plan(), 1, 5, ledger(&folder), "y", Entropy::os()).is_err());
    let other = QueryPlan::for_target(3, 1.0, 1e-6, 100).unwrap();
    assert!(ConfidentVote::open(other, plan(), 3.0, 2, 5, ledger(&folder), "z", Entropy::os()).is_err());
}
