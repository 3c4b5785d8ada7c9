//! Losses of linear models, with the constants that privacy rests on.

use crate::Result;
use crate::error::finite_above_zero;

/// A convex loss of a score s = w.x and a label y.
///
/// As ||x|| <= 1, a bound of the loss's slope in s is a Lipschitz constant in w, and one of its curvature in s a
/// smoothness constant.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// ln(1 + e^(-y s)) for labels -1 and 1.
    Logistic,
    /// The hinge loss with its corner rounded over a width of 2 `h` (Chaudhuri, Monteleoni and Sarwate 2011, section
    /// on support vector machines): with z = y s it is 0 for z > 1 + h, (1 + h - z)^2 / (4 h) for |1 - z| <= h, and 1 - z below.
    HuberSvm {
        /// Half the width of the rounded corner; 0.5 is usual. Much below 0.01 the optimizer may fail to converge, which
        /// is an error.
        h: f64,
    },
    /// (s - y)^2 / 2 for labels clipped to [-`label_bound`, `label_bound`] and weights of norm at most `radius`, without
    /// which it would have no Lipschitz constant.
    Ridge {
        /// Public bound of the labels' size.
        label_bound: f64,
        /// Public bound of the weights' norm.
        radius: f64,
    },
}

impl Loss {
    /// Checks the loss's numbers.
    pub(crate) fn checked(self) -> Result<Self> {
        match self {
            Self::Logistic => {}
            Self::HuberSvm { h } => {
                finite_above_zero("h", h)?;
            }
            Self::Ridge { label_bound, radius } => {
                finite_above_zero("label_bound", label_bound)?;
                finite_above_zero("radius", radius)?;
            }
        }
        Ok(self)
    }

    /// The name in statements.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Logistic => "logistic loss",
            Self::HuberSvm { .. } => "Huberized hinge loss",
            Self::Ridge { .. } => "squared loss in a ball",
        }
    }

    /// Bound L of the gradient's norm: 1 for classification, radius + label bound for the squared loss.
    pub fn lipschitz(&self) -> f64 {
        match *self {
            Self::Logistic | Self::HuberSvm { .. } => 1.0,
            Self::Ridge { label_bound, radius } => radius + label_bound,
        }
    }

    /// Bound beta of the Hessian's norm: 1/4, 1/(2h) and 1.
    pub fn smoothness(&self) -> f64 {
        match *self {
            Self::Logistic => 0.25,
            Self::HuberSvm { h } => 0.5 / h,
            Self::Ridge { .. } => 1.0,
        }
    }

    /// The radius of the ball that weights are kept in.
    pub(crate) fn radius(&self) -> Option<f64> {
        match *self {
            Self::Ridge { radius, .. } => Some(radius),
            _ => None,
        }
    }

    /// The loss at a score.
    pub(crate) fn value(&self, score: f64, label: f64) -> f64 {
        match *self {
            Self::Logistic => {
                let z = label * score;
                (-z.abs()).exp().ln_1p() + (-z).max(0.0)
            }
            Self::HuberSvm { h } => {
                let short = 1.0 - label * score;
                if short < -h {
                    0.0
                } else if short <= h {
                    (h + short).powi(2) / (4.0 * h)
                } else {
                    short
                }
            }
            Self::Ridge { .. } => 0.5 * (score - label).powi(2),
        }
    }

    /// Its derivative in the score, within the Lipschitz constant.
    pub(crate) fn slope(&self, score: f64, label: f64) -> f64 {
        match *self {
            Self::Logistic => -label * sigmoid(-label * score),
            Self::HuberSvm { h } => -label * ((1.0 - label * score + h) / (2.0 * h)).clamp(0.0, 1.0),
            Self::Ridge { .. } => score - label,
        }
    }

    /// Its second derivative in the score, within the smoothness constant.
    pub(crate) fn curvature(&self, score: f64, label: f64) -> f64 {
        match *self {
            Self::Logistic => sigmoid(score) * sigmoid(-score),
            Self::HuberSvm { h } => {
                if (1.0 - label * score).abs() <= h {
                    0.5 / h
                } else {
                    0.0
                }
            }
            Self::Ridge { .. } => 1.0,
        }
    }
}

/// 1 / (1 + e^-x), without overflow.
fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [Loss; 4] = [
        Loss::Logistic,
        Loss::HuberSvm { h: 0.5 },
        Loss::HuberSvm { h: 0.01 },
        Loss::Ridge { label_bound: 1.0, radius: 2.0 },
    ];

    /// Scores within the ball's reach, away from the corners of the Huberized loss.
    fn scores() -> impl Iterator<Item = f64> {
        (-199..=199).map(|i| f64::from(i) / 100.0 + 0.00037)
    }

    #[test]
    fn derivatives_agree_with_differences_and_stay_in_their_bounds() {
        let step = 1e-5;
        for loss in LOSSES {
            for (score, label) in scores().flat_map(|score| [(score, 1.0), (score, -1.0)]) {
                let slope = (loss.value(score + step, label) - loss.value(score - step, label)) / (2.0 * step);
                assert!((slope - loss.slope(score, label)).abs() < 1e-6, "{loss:?} {score}");
                let curvature = (loss.slope(score + step, label) - loss.slope(score - step, label)) / (2.0 * step);
                assert!((curvature - loss.curvature(score, label)).abs() < 1e-5, "{loss:?} {score}");
                assert!(loss.slope(score, label).abs() <= loss.lipschitz());
                assert!(loss.curvature(score, label) <= loss.smoothness());
            }
        }
    }

    #[test]
    fn far_scores_are_finite() {
        for score in [1e308, -1e308, 800.0, -800.0] {
            assert!(Loss::Logistic.value(score, 1.0).is_finite());
            assert!(Loss::Logistic.slope(score, 1.0).abs() <= 1.0);
        }
    }
}
