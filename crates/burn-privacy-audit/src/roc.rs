//! The receiver operating characteristic of an attack: true positives over false ones.

use crate::scores::{Scores, above};

/// A ROC curve: (false positive rate, true positive rate), both rising from (0, 0) to (1, 1). Between two points lie the
/// attacks that toss a coin between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    points: Vec<(f64, f64)>,
}

impl Roc {
    /// The curve of an attack's scores. Equal scores are one point.
    pub fn new(scores: &Scores) -> Self {
        let (members, others) = (scores.members(), scores.non_members());
        let mut thresholds: Vec<f64> = members.iter().chain(others).copied().collect();
        thresholds.sort_unstable_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let rate = |part: &[f64], threshold: f64| above(part, threshold) as f64 / part.len() as f64;
        let mut points: Vec<(f64, f64)> =
            thresholds.iter().map(|&threshold| (rate(others, threshold), rate(members, threshold))).collect();
        points.push((1.0, 1.0));
        points.dedup();
        Self { points }
    }

    /// The curve's corners, from (0, 0) to (1, 1).
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The area under the curve: the probability that a member scores above a non-member, ties counted as one half.
    pub fn area(&self) -> f64 {
        self.points.windows(2).map(|pair| 0.5 * (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1)).sum()
    }

    /// The true positive rate at a false positive rate, between two corners by tossing a coin.
    pub fn true_positive_rate(&self, false_positive_rate: f64) -> f64 {
        let x = false_positive_rate.clamp(0.0, 1.0);
        // The last corner that is not to the right: the curve rises at one x.
        let index = self.points.partition_point(|point| point.0 <= x);
        let left = self.points[index.max(1) - 1];
        match self.points.get(index) {
            Some(right) => left.1 + (x - left.0) / (right.0 - left.0) * (right.1 - left.1),
            None => left.1,
        }
    }

    /// The largest share of right answers about an example that is a member with probability one half.
    pub fn balanced_accuracy(&self) -> f64 {
        self.points.iter().map(|(fpr, tpr)| 0.5 * (tpr + 1.0 - fpr)).fold(0.5, f64::max)
    }
}

/// The area under the ROC curve of two normal distributions of standard deviation 1 whose means lie `mean` apart.
pub fn gaussian_area(mean: f64) -> f64 {
    crate::normal::cdf(mean / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_area_and_rates() {
        let roc = Roc::new(&Scores::new(vec![3.0, 2.0, 2.0, 1.0], vec![2.0, 1.0, 0.0, 0.0]).unwrap());
        assert_eq!(roc.points(), [(0.0, 0.0), (0.0, 0.25), (0.25, 0.75), (0.5, 1.0), (1.0, 1.0)]);
        // Pairs: 3 beats all (4), each 2 ties with one and beats three (7), 1 ties one and beats two (2.5).
        assert!((roc.area() - 13.5 / 16.0).abs() < 1e-15);
        assert!((roc.true_positive_rate(0.125) - 0.5).abs() < 1e-15);
        assert!((roc.true_positive_rate(0.0) - 0.25).abs() < 1e-15);
        assert!((roc.true_positive_rate(1.0) - 1.0).abs() < 1e-15);
        assert!((roc.balanced_accuracy() - 0.75).abs() < 1e-15);
    }

    #[test]
    fn the_area_between_two_normal_distributions() {
        let sample =
            |mean: f64| (0..2_000).map(move |i| mean + crate::normal::quantile((f64::from(i) + 0.5) / 2_000.0));
        for mean in [0.0, 1.0, 2.0] {
            let roc = Roc::new(&Scores::new(sample(mean).collect(), sample(0.0).collect()).unwrap());
            assert!((roc.area() - gaussian_area(mean)).abs() < 1e-3, "{mean}: {}", roc.area());
        }
    }

    #[test]
    fn infinite_scores_are_scores() {
        let roc = Roc::new(&Scores::new(vec![f64::INFINITY, 0.0], vec![f64::NEG_INFINITY, 0.0]).unwrap());
        assert!((roc.area() - 0.875).abs() < 1e-15);
        assert!(Scores::new(vec![f64::NAN], vec![0.0]).is_err() && Scores::new(vec![], vec![0.0]).is_err());
    }
}
