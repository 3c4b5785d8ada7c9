//! Features, labels and loss together; the objective, its gradient and its Hessian.

use std::fmt;

use crate::linear_algebra::{Symmetric, add_scaled, dot, norm};
use crate::{ConvexError, Features, Loss, Result};

/// Rows whose gradients are summed before they join the total, so that rounding errors stay small.
const BLOCK: usize = 256;

/// What is trained on: features, one label for each, and the loss.
#[derive(Clone, PartialEq)]
pub struct TrainingSet {
    features: Features,
    labels: Vec<f64>,
    loss: Loss,
}

/// What is public: no label.
impl fmt::Debug for TrainingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { features, loss, .. } = self;
        f.debug_struct("TrainingSet").field("features", features).field("loss", loss).finish_non_exhaustive()
    }
}

impl TrainingSet {
    /// Puts them together. Labels of the squared loss are clipped to the loss's bound.
    ///
    /// # Errors
    ///
    /// If there is not one label for each row, a label is NaN or infinite, or not -1 or 1 for classification, or if one of
    /// the loss's numbers is not a finite number above 0.
    pub fn new(features: Features, mut labels: Vec<f64>, loss: Loss) -> Result<Self> {
        let loss = loss.checked()?;
        if labels.len() != features.rows() {
            let (given, expected) = (labels.len(), features.rows());
            return Err(ConvexError::WrongLength { what: "the list of labels", given, expected });
        }
        for (row, label) in labels.iter_mut().enumerate() {
            match loss {
                Loss::Ridge { label_bound, .. } => {
                    if !label.is_finite() {
                        return Err(ConvexError::Label { row, allowed: "it must be a finite number" });
                    }
                    *label = label.clamp(-label_bound, label_bound);
                }
                _ => {
                    if label.abs() != 1.0 {
                        return Err(ConvexError::Label { row, allowed: "it must be -1 or 1" });
                    }
                }
            }
        }
        Ok(Self { features, labels, loss })
    }

    /// The number of records, n. It is public.
    pub const fn rows(&self) -> usize {
        self.features.rows()
    }

    /// The number of weights, d.
    pub fn dimension(&self) -> usize {
        self.features.dimension()
    }

    /// The features.
    pub const fn features(&self) -> &Features {
        &self.features
    }

    /// The loss.
    pub const fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The feature vector and the label of a record.
    pub(crate) fn record(&self, row: usize) -> (&[f64], f64) {
        (self.features.vector(row), self.labels[row])
    }

    /// Feature vectors and labels.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.features.vectors().zip(self.labels.iter().copied())
    }
}

/// J(w) = mean loss + (lambda / 2) ||w||^2 + linear . w.
pub(crate) struct Objective<'a> {
    pub(crate) set: &'a TrainingSet,
    /// The set's loss, or a smoother one on the way to it.
    pub(crate) loss: Loss,
    pub(crate) lambda: f64,
    pub(crate) linear: Option<&'a [f64]>,
}

impl<'a> Objective<'a> {
    pub(crate) fn new(set: &'a TrainingSet, lambda: f64, linear: Option<&'a [f64]>) -> Self {
        Self { set, loss: *set.loss(), lambda, linear }
    }

    /// J(w) and its gradient.
    pub(crate) fn value_and_gradient(&self, w: &[f64]) -> (f64, Vec<f64>) {
        let d = w.len();
        let loss = self.loss;
        let (mut value, mut gradient) = (0.0, vec![0.0; d]);
        let (mut in_block, mut block_value, mut block) = (0, 0.0, vec![0.0; d]);
        let mut flush = |block_value: &mut f64, block: &mut [f64]| {
            value += *block_value;
            add_scaled(&mut gradient, 1.0, block);
            *block_value = 0.0;
            block.fill(0.0);
        };
        for (x, label) in self.set.records() {
            let score = dot(x, w);
            block_value += loss.value(score, label);
            add_scaled(&mut block, loss.slope(score, label), x);
            in_block += 1;
            if in_block == BLOCK {
                flush(&mut block_value, &mut block);
                in_block = 0;
            }
        }
        flush(&mut block_value, &mut block);

        let n = self.set.rows() as f64;
        value = value / n + 0.5 * self.lambda * dot(w, w);
        for (g, w) in gradient.iter_mut().zip(w) {
            *g = *g / n + self.lambda * w;
        }
        if let Some(linear) = self.linear {
            value += dot(linear, w);
            add_scaled(&mut gradient, 1.0, linear);
        }
        (value, gradient)
    }

    /// The Hessian of the mean loss: without lambda.
    pub(crate) fn curvature(&self, w: &[f64]) -> Symmetric {
        let loss = self.loss;
        let mut hessian = Symmetric::zeros(w.len());
        let share = 1.0 / self.set.rows() as f64;
        for (x, label) in self.set.records() {
            let curvature = loss.curvature(dot(x, w), label);
            if curvature > 0.0 {
                hessian.add_outer(share * curvature, x);
            }
        }
        hessian
    }

    /// Bound of the rounding error of the gradient's norm at `w`.
    ///
    /// A sum of k numbers is off by at most k u times the sum of their sizes (Higham, "Accuracy and stability of numerical
    /// algorithms", section 4.2). Here k is the block plus the number of blocks; a slope is off by a few u of the
    /// score's rounding, d u ||w|| times the smoothness, as ||x|| <= 1.
    pub(crate) fn gradient_rounding(&self, w: &[f64]) -> f64 {
        let loss = self.loss;
        let additions = (BLOCK + self.set.rows() / BLOCK + 32) as f64;
        let d = w.len() as f64;
        let length = norm(w);
        let linear = self.linear.map_or(0.0, norm);
        let slopes = loss.lipschitz() * additions + loss.smoothness() * length * (d + 8.0);
        f64::EPSILON * (d.sqrt() * slopes + 8.0 * (self.lambda * length + linear))
    }
}
