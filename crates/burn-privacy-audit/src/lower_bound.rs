//! Lower bounds on epsilon from scores of members and of non-members.
//!
//! # Thresholds
//!
//! A confidence limit at a threshold that was chosen by looking at the scores is not one. Here every threshold is the
//! r-th highest score of *one* part, with r out of a fixed list (1, 2, 4, ..), so that
//!
//! - the part's own rate above it has the distribution of an order statistic: if X is the r-th highest of n scores, P[a new
//!   score > X] is at most Beta(r, n - r + 1)-distributed, whose upper quantile is the Clopper-Pearson limit for r - 1
//!   successes;
//! - the threshold is independent of the other part, whose count above it is binomial given the threshold.
//!
//! The significance is shared equally among all limits (Bonferroni), and every bound below holds with confidence
//! 1 - significance whatever the scores' distributions are. Ties are on the safe side: where the part that must not be hit
//! gives the threshold, only scores above it are hits, and where the other part gives it, those at it are, too.
//!
//! # Preconditions
//!
//! Members' scores are independent of each other and equally distributed, and so are those of the non-members: one score a
//! training run, as in a many-run audit. Scores of many canaries of *one* run are not independent; their bound is
//! [`one_run_of_scores`], and what is computed here from them is an estimate.

use burn_privacy_accounting::gaussian_epsilon;
use burn_privacy_output::InvalidValue;

use crate::binomial::{Binomial, lower_limit, upper_limit};
use crate::error::{Result, check_delta, check_significance};
use crate::normal;
use crate::one_run::{Guesses, one_run, one_run_gaussian};
use crate::scores::{Scores, above, at_or_above};

/// Limits at one threshold: with the confidence that was asked for, for all thresholds of a list at once.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// At most so much of the part that the attack should not hit is hit.
    false_positives: f64,
    /// At least so much of the other part is hit.
    true_positives: f64,
}

/// A lower bound on epsilon by Clopper-Pearson limits: max ln((TPR - delta) / FPR) over the thresholds, and the same for
/// "not a member". 0 if nothing is shown.
///
/// It holds if members' scores are independent of each other and equally distributed, and so are those of the non-members: one
/// score a training run. Scores of many canaries of one run are not: see [`one_run_of_scores`].
///
/// # Errors
///
/// An [`burn_privacy_output::InvalidValue`] unless 0 < significance < 0.5 and 0 <= delta < 1.
pub fn clopper_pearson(scores: &Scores, delta: f64, significance: f64) -> Result<f64> {
    check_significance(significance)?;
    check_delta(delta)?;
    let shown = limits(scores, significance)
        .into_iter()
        .filter(|limits| limits.true_positives > delta)
        .map(|limits| ((limits.true_positives - delta) / limits.false_positives).ln())
        .fold(0.0, f64::max);
    Ok(shown * (1.0 - 1e-12))
}

/// A lower bound on the mean of the Gaussian trade-off curve that lies nearest, as an epsilon at delta: if the mechanism is a
/// Gaussian one, its epsilon is at least this. For any other mechanism it is an *estimate*. 0 if nothing is shown.
///
/// # Errors
///
/// An [`burn_privacy_output::InvalidValue`] unless 0 < significance < 0.5 and 0 < delta < 1.
pub fn gaussian_fit(scores: &Scores, delta: f64, significance: f64) -> Result<f64> {
    let mean = gaussian_mean(scores, significance)?;
    if mean <= 0.0 { Ok(0.0) } else { Ok(gaussian_epsilon(1.0 / mean, delta)?) }
}

/// The mean behind [`gaussian_fit`]: the distance, in standard deviations, of the two Gaussians.
///
/// # Errors
///
/// As [`gaussian_fit`].
pub fn gaussian_mean(scores: &Scores, significance: f64) -> Result<f64> {
    check_significance(significance)?;
    Ok(limits(scores, significance)
        .into_iter()
        .map(|limits| normal::quantile(1.0 - limits.false_positives) - normal::quantile(1.0 - limits.true_positives))
        .filter(|mean| mean.is_finite())
        .fold(0.0, f64::max))
}

/// A lower bound on epsilon from one training run: scores of canaries each of which was a member by its own fair coin. The
/// attack guesses the r highest scores to be members, or the r/2 highest to be and the r/2 lowest not to be; r is out of a
/// fixed list, and the significance is shared among them. Ties are broken against the attack.
///
/// # Errors
///
/// An [`burn_privacy_output::InvalidValue`] unless 0 < significance < 0.5 and 0 <= delta < 1, and for numbers of members and
/// of non-members that fair coins make with probability below 1e-9: the bound would hold for nothing then.
pub fn one_run_of_scores(scores: &Scores, delta: f64, significance: f64) -> Result<f64> {
    best_of_guesses(scores, significance, |guesses, share| one_run(guesses, delta, share))
}

/// As [`one_run_of_scores`], for mechanisms with a Gaussian trade-off curve: [`one_run_gaussian`].
///
/// # Errors
///
/// As [`one_run_of_scores`]; delta must be above 0.
pub fn one_run_gaussian_of_scores(scores: &Scores, delta: f64, significance: f64) -> Result<f64> {
    best_of_guesses(scores, significance, |guesses, share| one_run_gaussian(guesses, delta, share))
}

/// Splits into members and non-members that fair coins make more seldom than this are not theirs.
const UNFAIR: f64 = 1e-9;

/// Refuses canaries that no fair coins can have chosen: one who guesses what the coins favor is then right without any leak.
fn check_coins(scores: &Scores, canaries: usize) -> Result<()> {
    // Checks the number of canaries, too.
    Guesses::new(canaries, canaries, 0)?;
    let members = scores.members().len();
    let more = members.max(scores.non_members().len());
    if 2.0 * Binomial::new(canaries, 0.5, 0.5).at_least(more) < UNFAIR {
        let allowed = format!(
            "about half of the {canaries} canaries, as fair coins make it: other splits have no bound from one run, and are \
             for observed scores"
        );
        return Err(InvalidValue::new("the number of members", members, allowed).into());
    }
    Ok(())
}

fn best_of_guesses(scores: &Scores, significance: f64, bound: impl Fn(Guesses, f64) -> Result<f64>) -> Result<f64> {
    check_significance(significance)?;
    let canaries = scores.members().len() + scores.non_members().len();
    check_coins(scores, canaries)?;
    let counts: Vec<usize> = std::iter::successors(Some(canaries), |&count| Some(count / 2))
        .take_while(|&count| count >= 8.min(canaries) && count > 0)
        .collect();
    let share = significance / (2 * counts.len()) as f64;
    let mut best = 0.0_f64;
    for count in counts {
        let highest = right_of_highest(scores.members(), scores.non_members(), count);
        best = best.max(bound(Guesses::new(canaries, count, highest)?, share)?);
        let half = count / 2;
        let negated = |part: &[f64]| part.iter().rev().map(|score| -score).collect::<Vec<f64>>();
        let right = right_of_highest(scores.members(), scores.non_members(), half)
            + right_of_highest(&negated(scores.non_members()), &negated(scores.members()), half);
        best = best.max(bound(Guesses::new(canaries, 2 * half, right)?, share)?);
    }
    Ok(best)
}

/// How many of the `count` highest scores are `right` ones, if ties are broken in favor of the `wrong` ones. Both parts are
/// descending.
fn right_of_highest(right: &[f64], wrong: &[f64], count: usize) -> usize {
    let (mut of_right, mut of_wrong) = (0, 0);
    for _ in 0..count {
        match (right.get(of_right), wrong.get(of_wrong)) {
            (Some(a), Some(b)) if a > b => of_right += 1,
            (Some(_), None) => of_right += 1,
            (_, Some(_)) => of_wrong += 1,
            (None, None) => break,
        }
    }
    of_right
}

/// The fixed list of ranks: 1, 2, 4, .. up to half of the part, and the half.
fn ranks(length: usize) -> Vec<usize> {
    let mut ranks: Vec<usize> = std::iter::successors(Some(1_usize), |rank| rank.checked_mul(2))
        .take_while(|&rank| 2 * rank <= length)
        .collect();
    ranks.push(length.div_ceil(2));
    ranks.dedup();
    ranks
}

/// Limits at all thresholds, for "is a member" and for "is none".
fn limits(scores: &Scores, significance: f64) -> Vec<Limits> {
    let (members, others) = (scores.members(), scores.non_members());
    let negated = |part: &[f64]| part.iter().rev().map(|score| -score).collect::<Vec<f64>>();
    let (low_members, low_others) = (negated(members), negated(others));
    // (the part to hit, the part not to hit), for both claims.
    let claims = [(members, others), (&low_others[..], &low_members[..])];
    let count: usize = claims.iter().map(|(hit, spared)| ranks(hit.len()).len() + ranks(spared.len()).len()).sum();
    // Two limits at each threshold.
    let share = significance / (2 * count) as f64;
    let mut all = Vec::with_capacity(count);
    for (hit, spared) in claims {
        for rank in ranks(spared.len()) {
            // The attack says "hit" above the threshold: a tie with it is no hit, in either part.
            let threshold = spared[rank - 1];
            all.push(Limits {
                false_positives: upper_limit(rank - 1, spared.len(), share),
                true_positives: lower_limit(above(hit, threshold), hit.len(), share),
            });
        }
        for rank in ranks(hit.len()) {
            // The attack says "hit" at or above the threshold, which is the rank-th highest of the hits: the rate there is
            // at least the order statistic's, ties only raise it.
            let threshold = hit[rank - 1];
            all.push(Limits {
                false_positives: upper_limit(at_or_above(spared, threshold), spared.len(), share),
                true_positives: lower_limit(rank, hit.len(), share),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quantiles of a normal distribution, as a sample without chance.
    fn gaussian(count: usize, mean: f64) -> Vec<f64> {
        (0..count).map(|i| mean + normal::quantile((i as f64 + 0.5) / count as f64)).collect()
    }

    #[test]
    fn bounds_stay_below_the_truth_and_come_near_it() {
        for (mean, count, least) in [(1.0, 500, 0.7), (1.0, 5_000, 1.5), (4.0, 500, 3.5), (4.0, 5_000, 5.5)] {
            let scores = Scores::new(gaussian(count, mean), gaussian(count, 0.0)).unwrap();
            let truth = gaussian_epsilon(1.0 / mean, 1e-5).unwrap();
            let bound = clopper_pearson(&scores, 1e-5, 0.05).unwrap();
            assert!(least < bound && bound < truth, "{mean} {count}: {bound} of {truth}");
            let fit = gaussian_fit(&scores, 1e-5, 0.05).unwrap();
            assert!(bound < fit && fit < truth, "{mean} {count}: {fit} of {truth}");
        }
    }

    #[test]
    fn one_run_bounds_stay_below_the_truth() {
        for (mean, count) in [(1.0, 500), (2.0, 5_000)] {
            let scores = Scores::new(gaussian(count, mean), gaussian(count, 0.0)).unwrap();
            let truth = gaussian_epsilon(1.0 / mean, 1e-7).unwrap();
            let plain = one_run_of_scores(&scores, 1e-7, 0.05).unwrap();
            let gaussian = one_run_gaussian_of_scores(&scores, 1e-7, 0.05).unwrap();
            assert!(0.5 < plain && plain < gaussian && gaussian < truth, "{mean}: {plain} {gaussian} {truth}");
        }
    }

    #[test]
    fn equal_samples_and_ties_show_nothing() {
        let equal = Scores::new(gaussian(1_000, 0.0), gaussian(1_000, 0.0)).unwrap();
        let tied = Scores::new(vec![1.0; 50], vec![1.0; 50]).unwrap();
        for scores in [equal, tied] {
            assert_eq!(clopper_pearson(&scores, 0.0, 0.05).unwrap(), 0.0);
            assert_eq!(gaussian_fit(&scores, 1e-5, 0.05).unwrap(), 0.0);
            assert_eq!(one_run_of_scores(&scores, 0.0, 0.05).unwrap(), 0.0);
        }
    }

    #[test]
    fn splits_that_no_fair_coins_made_have_no_bound_from_one_run() {
        // A model that ignores its data: to say "all are members" is right nine times out of ten.
        for (members, others) in [(900, 100), (100, 900), (1_200, 800)] {
            let scores = Scores::new(vec![0.0; members], vec![0.0; others]).unwrap();
            let refused = one_run_of_scores(&scores, 0.0, 0.05).unwrap_err().to_string();
            assert!(refused.contains("fair coins"), "{refused}");
            assert!(one_run_gaussian_of_scores(&scores, 1e-5, 0.05).is_err());
        }
        // 5 standard deviations happen; few canaries tell little.
        for (members, others) in [(580, 420), (1, 9)] {
            let scores = Scores::new(vec![0.0; members], vec![0.0; others]).unwrap();
            assert!(one_run_of_scores(&scores, 0.0, 0.05).is_ok());
        }
    }

    #[test]
    fn higher_means_member_and_nothing_else() {
        let turned = Scores::new(gaussian(500, -3.0), gaussian(500, 0.0)).unwrap();
        assert_eq!(clopper_pearson(&turned, 0.0, 0.05).unwrap(), 0.0);
        // "Not a member" can be the sure answer: a few members lie high, all others are mixed.
        let mut others = gaussian(900, -3.0);
        others.extend(gaussian(100, 0.0));
        let scores = Scores::new(gaussian(1_000, 0.0), others).unwrap();
        assert!(clopper_pearson(&scores, 0.0, 0.05).unwrap() > 1.0);
    }

    #[test]
    fn ties_are_broken_against_the_attack() {
        assert_eq!(right_of_highest(&[3.0, 2.0, 2.0], &[2.0, 2.0, 1.0], 3), 1);
        assert_eq!(right_of_highest(&[3.0, 2.0, 2.0], &[2.0, 2.0, 1.0], 5), 3);
        assert_eq!(ranks(1), [1]);
        assert_eq!(ranks(9), [1, 2, 4, 5]);
    }
}
