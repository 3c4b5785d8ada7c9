//! A lower bound is wrong no more often than its significance says: mechanisms of known epsilon, audited many times.
#![allow(missing_docs)]

use burn_privacy_audit::{Guesses, Scores, clopper_pearson, one_run, one_run_of_scores};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SIGNIFICANCE: f64 = 0.05;
const AUDITS: usize = 1_000;
/// More than so many of 1,000 audits go wrong with probability below 1e-6 if each does with probability 0.05.
const TOLERATED: usize = 90;

/// A record's bit by randomized response: epsilon 1 exactly, and scores that tie.
fn randomized_response(rng: &mut StdRng, bit: bool) -> f64 {
    let keep = 1.0_f64.exp() / (1.0 + 1.0_f64.exp());
    f64::from(u8::from(if rng.random_bool(keep) { bit } else { !bit }))
}

#[test]
fn clopper_pearson_is_wrong_as_seldom_as_it_says() {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut wrong, mut shown) = (0, 0);
    for _ in 0..AUDITS {
        let mut sample = |bit| (0..400).map(|_| randomized_response(&mut rng, bit)).collect();
        let scores = Scores::new(sample(true), sample(false)).unwrap();
        let bound = clopper_pearson(&scores, 0.0, SIGNIFICANCE).unwrap();
        wrong += usize::from(bound > 1.0);
        shown += usize::from(bound > 0.3);
    }
    assert!(wrong <= TOLERATED, "{wrong} of {AUDITS} bounds lie above the truth");
    assert!(shown > AUDITS / 2, "only {shown} of {AUDITS} audits show anything");
}

#[test]
fn one_run_is_wrong_as_seldom_as_it_says() {
    let mut rng = StdRng::seed_from_u64(2);
    let (mut wrong, mut of_scores, mut shown) = (0, 0, 0);
    for _ in 0..AUDITS {
        // Each canary is in by a fair coin; its own response tells of it. All are guessed.
        let (mut members, mut others, mut correct) = (Vec::new(), Vec::new(), 0);
        for _ in 0..600 {
            let member = rng.random_bool(0.5);
            let score = randomized_response(&mut rng, member);
            correct += usize::from((score == 1.0) == member);
            if member { members.push(score) } else { others.push(score) }
        }
        let bound = one_run(Guesses::new(600, 600, correct).unwrap(), 0.0, SIGNIFICANCE).unwrap();
        wrong += usize::from(bound > 1.0);
        shown += usize::from(bound > 0.6);
        let scores = Scores::new(members, others).unwrap();
        of_scores += usize::from(one_run_of_scores(&scores, 0.0, SIGNIFICANCE).unwrap() > 1.0);
    }
    assert!(wrong <= TOLERATED && of_scores <= TOLERATED, "{wrong} and {of_scores} of {AUDITS}");
    assert!(shown > AUDITS / 2, "only {shown} of {AUDITS} audits show anything");
}
