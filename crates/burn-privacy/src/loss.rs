//! Losses that keep the example axis: `[batch]` after averaging every other axis *within* an example.
//!
//! Burn's losses average over the batch, which hides the per-example gradients (and divides them by a number
//! that depends on the data). A private step wants one loss per example and does the division itself, by the
//! public expected batch size.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Int, Tensor};

/// Cross-entropy of class scores: `-log softmax(logits)[target]` per example.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`, each in `0..classes`
/// - returns: `[batch]`, in nats
///
/// # Panics
///
/// As Burn's `gather`, if the lengths differ or a target is out of range.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    log_softmax(logits, 1).gather(1, targets.reshape([batch, 1])).reshape([batch]).neg()
}

/// Cross-entropy of class scores for sequences: the mean over an example's positions.
///
/// # Shapes
///
/// - logits: `[batch, tokens, classes]`
/// - targets: `[batch, tokens]`
/// - returns: `[batch]`
///
/// # Panics
///
/// As [`cross_entropy`].
pub fn sequence_cross_entropy(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<1> {
    let [batch, tokens, classes] = logits.dims();
    let losses = cross_entropy(logits.reshape([batch * tokens, classes]), targets.reshape([batch * tokens]));
    mean_within_example(losses.reshape([batch, tokens]))
}

/// Binary cross-entropy of logits: `-[t log s(x) + (1 - t) log s(-x)]` with `s` the logistic function.
///
/// # Shapes
///
/// - logits, targets: `[batch, ..]`, targets in `[0, 1]`
/// - returns: `[batch]`, in nats
pub fn binary_cross_entropy_with_logits<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    let negative = targets.clone().neg() + 1.0;
    let losses = (targets * log_sigmoid(logits.clone()) + negative * log_sigmoid(logits.neg())).neg();
    mean_within_example(losses)
}

/// Squared error: `(prediction - target)^2`.
///
/// # Shapes
///
/// - predictions, targets: `[batch, ..]`
/// - returns: `[batch]`
pub fn mean_squared_error<const D: usize>(predictions: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    mean_within_example((predictions - targets).square())
}

/// Huber loss: `r^2 / 2` where `|r| <= threshold`, else `threshold (|r| - threshold / 2)`.
///
/// # Shapes
///
/// - predictions, targets: `[batch, ..]`
/// - returns: `[batch]`
///
/// # Panics
///
/// If `threshold` is not a positive, finite number (a programming error, not a property of the data).
pub fn huber<const D: usize>(predictions: Tensor<D>, targets: Tensor<D>, threshold: f64) -> Tensor<1> {
    assert!(
        threshold.is_finite() && threshold > 0.0,
        "the Huber threshold must be positive and finite, not {threshold}"
    );
    let residual = (predictions - targets).abs();
    // min(r, threshold) (r - min(r, threshold) / 2) is both branches at once.
    let inner = residual.clone().clamp_max(threshold);
    mean_within_example(inner.clone() * (residual - inner * 0.5))
}

/// Mean over every axis but the first: `[batch, ..] -> [batch]`.
pub fn mean_within_example<const D: usize>(losses: Tensor<D>) -> Tensor<1> {
    let batch = losses.dims()[0];
    let length = losses.shape().num_elements() / batch.max(1);
    losses.reshape([batch, length]).mean_dim(1).reshape([batch])
}

#[cfg(test)]
mod tests {
    use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, HuberLossConfig, MseLoss, Reduction};
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    fn random<const D: usize>(dims: [usize; D]) -> Tensor<D> {
        Tensor::random(dims, Distribution::Normal(0.0, 2.0), &Device::flex())
    }

    fn assert_mean_is(losses: Tensor<1>, burns: Tensor<1>) {
        losses.mean().into_data().assert_approx_eq::<f32>(&burns.into_data(), Tolerance::relative(1e-5));
    }

    #[test]
    fn means_over_the_batch_are_burns_losses() {
        let device = Device::flex();
        let (logits, targets) = (random([7, 5]), Tensor::<1, Int>::from_ints([0, 4, 2, 2, 1, 3, 0], &device));
        let burns = CrossEntropyLossConfig::new().init(&device).forward(logits.clone(), targets.clone());
        assert_mean_is(cross_entropy(logits, targets), burns);

        let (a, b) = (random([6, 3]), random([6, 3]));
        assert_mean_is(
            mean_squared_error(a.clone(), b.clone()),
            MseLoss::new().forward(a.clone(), b.clone(), Reduction::Mean),
        );
        let burns = HuberLossConfig::new(0.7).init().forward(a.clone(), b.clone(), Reduction::Mean);
        assert_mean_is(huber(a.clone(), b, 0.7), burns);

        let labels =
            Tensor::<2, Int>::from_ints([[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 0]], &device);
        let burns =
            BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device).forward(a.clone(), labels.clone());
        assert_mean_is(binary_cross_entropy_with_logits(a, labels.float()), burns);
    }

    #[test]
    fn every_loss_keeps_the_example_axis() {
        let targets = Tensor::<2, Int>::from_ints([[0, 1, 1], [1, 0, 0]], &Device::flex());
        assert_eq!(sequence_cross_entropy(random([2, 3, 4]), targets).dims(), [2]);
        assert_eq!(mean_squared_error(random([4, 2, 3]), random([4, 2, 3])).dims(), [4]);
        assert_eq!(huber(random([4, 1]), random([4, 1]), 1.0).dims(), [4]);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let logits = Tensor::<2>::from_floats([[1e4, -1e4], [-1e4, 1e4]], &Device::flex());
        let targets = Tensor::<2>::from_floats([[1.0, 0.0], [1.0, 0.0]], &Device::flex());
        let losses = binary_cross_entropy_with_logits(logits, targets).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(losses[0], 0.0);
        assert!((losses[1] - 1e4).abs() < 1.0);
    }
}
