//! Losses of linear heads, by their derivatives.

/// What a head is trained on. The gradient of one record is the outer product of a residual, which this makes of its scores, and
/// its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadLoss {
    /// Softmax and cross-entropy: the residual is the probabilities less 1 for the label.
    CrossEntropy,
    /// Half the squared distance to 1 for the label and 0 for all others.
    LeastSquares,
}

impl HeadLoss {
    /// Turns one record's scores into its residual, `[classes]`.
    pub(crate) fn residual(self, scores: &mut [f64], label: usize) {
        if self == Self::CrossEntropy {
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - most).exp();
                sum += *score;
            }
            for score in scores.iter_mut() {
                *score /= sum;
            }
        }
        scores[label] -= 1.0;
    }
}
