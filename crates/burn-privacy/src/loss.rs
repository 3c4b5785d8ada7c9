//! Losses that keep the example axis: `[batch]` after averaging every other axis *within* an example.
//!
//! Burn's losses average over the batch, which hides the per-example gradients (and divides them by a number
//! that depends on the data). A private step wants one loss per example and does the division itself, by the
//! public expected batch size.
//!
//! # Labels that are no class
//!
//! A target outside `0..classes` (-100 and 255 are usual for "ignore") has loss zero and gradient zero: an example with
//! such a label contributes nothing, and a sequence is averaged over its other positions. This is decided on the device,
//! from that example alone. Burn's own losses panic on such labels on a CPU, after the step was charged.
//!
//! # A second network in the loss
//!
//! A step trains the model that it is given. A trainable layer of another network (a teacher, a GAN's generator) in the
//! closure is refused: take its gradients off first. `no_grad()` keeps it on the training device, `valid()` moves a copy to the
//! device without autodiff, which needs [`Tensor::inner`] on the way in and `Tensor::from_inner` on the way out.
//!
//! ```
//! # use burn::data::{dataloader::batcher::Batcher, dataset::InMemDataset};
//! # use burn::prelude::*;
//! # use burn::tensor::Distribution;
//! # use burn_privacy::nn::{Linear, LinearConfig};
//! # use burn_privacy::prelude::*;
//! # #[derive(Clone)]
//! # struct Rows;
//! # impl Batcher<[f32; 2], Tensor<2>> for Rows {
//! #     fn batch(&self, rows: Vec<[f32; 2]>, device: &Device) -> Tensor<2> {
//! #         let count = rows.len();
//! #         Tensor::from_data(burn::tensor::TensorData::new(rows.concat(), [count, 2]), device)
//! #     }
//! # }
//! # let device = Device::flex().autodiff();
//! # let dataset = InMemDataset::new((0..100).map(|i| [i as f32 / 100.0, 1.0]).collect());
//! # let plan = PrivacyPlanConfig::new()
//! #     .with_sampling(Sampling::poisson(20, 100))
//! #     .with_steps(2)
//! #     .with_noise(NoiseLevel::multiplier(1.0))
//! #     .with_delta(1e-3)
//! #     .build()?;
//! # let mut session = plan.start(dataset, Rows, &device, Entropy::os())?;
//! let student: Linear = LinearConfig::new(2, 3).init(&device);
//! // Trained on public data; on the training device, without gradients.
//! let teacher: Linear = LinearConfig::new(2, 3).init(&device).no_grad();
//! let step = session.next_step()?.expect("a first step");
//! let update = step.gradients(&student, |student, batch: Tensor<2>| {
//!     Ok(mean_squared_error(student.forward(batch.clone()), teacher.forward(batch)))
//! })?;
//!
//! // The discriminator of a GAN sees private records; the generator is trained elsewhere, through the discriminator.
//! let discriminator: Linear = LinearConfig::new(2, 1).init(&device);
//! let generator: Linear = LinearConfig::new(4, 2).init(&device);
//! let frozen = generator.valid();
//! let step = session.next_step()?.expect("a second step");
//! let update = step.gradients(&discriminator, |discriminator, real: Tensor<2>| {
//!     let [examples, _] = real.dims();
//!     let seeds = Tensor::random([examples, 4], Distribution::Normal(0.0, 1.0), &device);
//!     let fake = Tensor::from_inner(frozen.forward(seeds.inner()));
//!     let (real, fake) = (discriminator.forward(real), discriminator.forward(fake));
//!     let ones = real.ones_like();
//!     Ok(binary_cross_entropy_with_logits(real, ones.clone()) + binary_cross_entropy_with_logits(fake, ones.zeros_like()))
//! })?;
//! # Ok::<(), burn_privacy::Error>(())
//! ```
//!
//! Two traps of Burn's: `model.clone().no_grad()` before the model was used for the first time freezes the original as well,
//! as both still share what they will be initialized with (`model.valid()` does not); and a forward pass on an autodiff
//! device keeps its graph in memory until a backward pass or until its outputs are dropped, so evaluate with `model.valid()`.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Int, Tensor};

use crate::index_range::clamped;

/// Cross-entropy of class scores: `-log softmax(logits)[target]` per example, zero where the target is
/// [no class](self#labels-that-are-no-class).
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`
/// - returns: `[batch]`, in nats
///
/// # Panics
///
/// As Burn's `gather`, if the lengths differ.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let (targets, ignored) = clamped(targets, classes);
    let losses = log_softmax(logits, 1).gather(1, targets.reshape([batch, 1])).reshape([batch]);
    losses.neg().mask_fill(ignored, 0.0)
}

/// Cross-entropy of class scores for sequences: the mean over an example's positions whose target is a class, zero if there
/// is none ([padding](self#labels-that-are-no-class)).
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
    let (_, ignored) = clamped(targets.clone(), classes);
    let counted = ignored.bool_not().int().sum_dim(1).clamp_min(1).float().reshape([batch]);
    let losses = cross_entropy(logits.reshape([batch * tokens, classes]), targets.reshape([batch * tokens]));
    let total = losses.reshape([batch, tokens]).sum_dim(1).reshape([batch]);
    total / counted
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
    fn labels_that_are_no_class_have_no_loss_and_no_gradient() {
        let device = Device::flex().autodiff();
        let logits = random([5, 3]).into_data();
        let logits = Tensor::<2>::from_data(logits, &device).require_grad();
        let targets = Tensor::<1, Int>::from_ints([2, -100, 255, 3, 0], &device);
        let losses = cross_entropy(logits.clone(), targets);
        let zeros: Vec<bool> = losses.clone().equal_elem(0.0).into_data().try_to_vec().unwrap();
        assert_eq!(zeros, [false, true, true, true, false]);
        let gradient = logits.grad(&losses.sum().backward()).unwrap();
        let zeros: Vec<bool> = gradient.equal_elem(0.0).all_dim(1).into_data().try_to_vec().unwrap();
        assert_eq!(zeros, [false, true, true, true, false]);
    }

    #[test]
    fn padded_sequences_have_the_loss_of_what_is_not_padded() {
        let device = Device::flex();
        let logits: Tensor<3> = random([3, 4, 5]);
        let targets = Tensor::<2, Int>::from_ints([[4, 0, 1, 2], [4, 0, -100, -100], [-1; 4]], &device);
        let losses: Vec<f32> = sequence_cross_entropy(logits.clone(), targets).into_data().try_to_vec().unwrap();
        let short = |row: usize, length: usize, targets: &[i64]| {
            let logits = logits.clone().slice([row..row + 1, 0..length]);
            let targets = Tensor::<1, Int>::from_ints(targets, &device).reshape([1, length]);
            sequence_cross_entropy(logits, targets).into_scalar::<f32>()
        };
        assert!((losses[0] - short(0, 4, &[4, 0, 1, 2])).abs() < 1e-6);
        assert!((losses[1] - short(1, 2, &[4, 0])).abs() < 1e-6);
        assert_eq!(losses[2], 0.0);
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
