//! How a per-example gradient is bounded, and the sensitivity that each way has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Result, refuse};

/// How a per-example gradient is bounded before gradients are added up.
///
/// With `g` an example's gradient over all trainable parameters, the contributions and the largest L2 norm that one can have
/// ([`norm`](Self::norm)), which is the sensitivity of the sum under add/remove and half of it under replace-one:
///
/// | style | contribution | norm |
/// |---|---|---|
/// | [`flat`](Self::flat) | `g min(1, C / \|g\|)` | `C` |
/// | [`normalized`](Self::normalized) | `g / (\|g\| + gamma)` | 1 |
/// | [`psac`](Self::psac) | `g C / (\|g\| + r / (\|g\| + r))` | `C` |
/// | [`per_layer`](Self::per_layer) | flat in each of the model's `L` layers, at `C / sqrt(L)` | `C` |
/// | [`per_group`](Self::per_group) | flat in each group of parameters, at `C_k` | `sqrt(sum C_k^2)` |
/// | [`quantile`](Self::quantile) | flat at `C_t`, which follows a quantile of the norms | `C_t` |
///
/// Where nobody tuned a clipping norm, take [`normalized`](Self::normalized): it has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Clipping {
    /// The whole gradient, over all parameters, is scaled to an L2 norm of at most `norm` (Abadi et al. 2016).
    Flat {
        /// The clipping norm C.
        norm: f64,
    },
    /// Automatic clipping, AUTO-S (Bu et al. 2023, arXiv 2206.07136): every gradient is divided by its norm plus `stability`.
    Normalized {
        /// gamma, above 0: gradients much smaller than it keep their relative sizes.
        stability: f64,
    },
    /// Per-sample adaptive clipping (Xia et al. 2023, arXiv 2212.00328).
    Psac {
        /// The norm C that no contribution reaches.
        norm: f64,
        /// r, above 0: small gradients get weights near `C`, instead of those near `C / gamma` of automatic clipping.
        stability: f64,
    },
    /// Each layer by itself, all at one norm; a layer is a module that holds trainable parameters directly.
    PerLayer {
        /// Over all layers, which get equal shares of its square.
        norm: f64,
    },
    /// Each group of parameters by itself.
    PerGroup {
        /// At least one. A parameter belongs to the group with the longest path that its own path begins with.
        groups: Vec<ClippingGroup>,
    },
    /// Flat, at a norm that follows a quantile of the gradients' norms (Andrew et al. 2021, arXiv 1905.03871): each step counts,
    /// with noise of its own, how many examples were below it. It stays the same within a step.
    Quantile {
        /// The norm of the first step.
        initial_norm: f64,
        /// The share of gradients that should not be clipped, strictly between 0 and 1.
        quantile: f64,
        /// The norm is multiplied by `exp(-learning_rate (noisy share - quantile))`.
        learning_rate: f64,
        /// Standard deviation of the noise on the count, whose contributions are +1/2 and -1/2.
        count_noise: f64,
    },
}

/// A group of parameters that is clipped by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClippingGroup {
    /// Path of a module or of a parameter, dotted as in records; the empty one is that of the whole model.
    pub path: String,
    /// The group's clipping norm.
    pub norm: f64,
}

/// The learning rate of the norm, as in the paper.
const QUANTILE_LEARNING_RATE: f64 = 0.2;

impl Clipping {
    /// Flat clipping at norm `norm`.
    pub fn flat(norm: f64) -> Self {
        Clipping::Flat { norm }
    }

    /// Automatic clipping, AUTO-S, with the paper's gamma, 0.01. An optimizer's learning rate is then what it would be times the
    /// clipping norm.
    pub fn normalized() -> Self {
        Clipping::Normalized { stability: 0.01 }
    }

    /// PSAC at norm `norm`, with the paper's r, 0.1.
    pub fn psac(norm: f64) -> Self {
        Clipping::Psac { norm, stability: 0.1 }
    }

    /// Each layer by itself, such that a contribution's norm is at most `norm` over all layers.
    pub fn per_layer(norm: f64) -> Self {
        Clipping::PerLayer { norm }
    }

    /// Each group of parameters by itself: pairs of a path and a norm.
    pub fn per_group<P: Into<String>>(groups: impl IntoIterator<Item = (P, f64)>) -> Self {
        let group = |(path, norm): (P, f64)| ClippingGroup { path: path.into(), norm };
        Clipping::PerGroup { groups: groups.into_iter().map(group).collect() }
    }

    /// Flat, at a norm that follows a quantile of the gradients' norms from `initial_norm` on, with the paper's learning rate,
    /// 0.2. The paper's `count_noise` is a twentieth of the expected batch size.
    pub fn quantile(initial_norm: f64, quantile: f64, count_noise: f64) -> Self {
        Clipping::Quantile { initial_norm, quantile, learning_rate: QUANTILE_LEARNING_RATE, count_noise }
    }

    /// The largest L2 norm that one example's contribution has; with a quantile, in the first step.
    pub fn norm(&self) -> f64 {
        match self {
            Clipping::Flat { norm } | Clipping::Psac { norm, .. } | Clipping::PerLayer { norm } => *norm,
            Clipping::Normalized { .. } => 1.0,
            Clipping::PerGroup { groups } => groups.iter().map(|group| group.norm * group.norm).sum::<f64>().sqrt(),
            Clipping::Quantile { initial_norm, .. } => *initial_norm,
        }
    }

    /// The same with all norms times a factor; for styles without a norm of their own, what it was.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        match self.clone() {
            Clipping::Flat { norm } => Clipping::Flat { norm: norm * factor },
            Clipping::Psac { norm, stability } => Clipping::Psac { norm: norm * factor, stability },
            Clipping::PerLayer { norm } => Clipping::PerLayer { norm: norm * factor },
            Clipping::PerGroup { groups } => {
                let scaled = |group: ClippingGroup| ClippingGroup { norm: group.norm * factor, ..group };
                Clipping::PerGroup { groups: groups.into_iter().map(scaled).collect() }
            }
            other @ (Clipping::Normalized { .. } | Clipping::Quantile { .. }) => other,
        }
    }

    /// Noise multiplier of the count of examples below the norm, for clipping that has such a count: its contributions differ by
    /// 1/2 from none.
    pub fn count_multiplier(&self) -> Option<f64> {
        match self {
            Clipping::Quantile { count_noise, .. } => Some(2.0 * count_noise),
            _ => None,
        }
    }

    /// The norm of the next step, after a noisy share of examples below `norm`: a function of what is released.
    pub fn next_norm(&self, norm: f64, noisy_share: f64) -> f64 {
        match self {
            Clipping::Quantile { quantile, learning_rate, .. } => {
                // A share beyond any possible one is noise; the range is the one that plans allow.
                let next = norm * (-learning_rate * (noisy_share - quantile)).exp();
                next.clamp(LEAST_NORM, MOST_NORM)
            }
            _ => norm,
        }
    }

    /// Whether the norm may be that of a step.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`](super::BudgetError::Plan) for a number that is not one from 1e-12 to 1e12.
    pub fn check_norm(norm: f64) -> Result<()> {
        if (LEAST_NORM..=MOST_NORM).contains(&norm) {
            return Ok(());
        }
        Err(refuse("clipping norm", norm, "a number from 1e-12 to 1e12"))
    }

    pub(super) fn check(&self) -> Result<()> {
        let above_zero = |field, value: f64| -> Result<()> {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(refuse(field, value, "a finite number above 0"))
        };
        Self::check_norm(self.norm())?;
        match self {
            Clipping::Flat { .. } | Clipping::PerLayer { .. } => Ok(()),
            Clipping::Normalized { stability } | Clipping::Psac { stability, .. } => {
                // Smaller ones are lost beside a norm in 32-bit floats, larger ones make every weight the same.
                if (1e-9..=1e6).contains(stability) {
                    return Ok(());
                }
                Err(refuse("stability of the clipping", stability, "a number from 1e-9 to 1e6"))
            }
            Clipping::PerGroup { groups } => {
                for (index, group) in groups.iter().enumerate() {
                    Self::check_norm(group.norm)?;
                    if groups[..index].iter().any(|earlier| earlier.path == group.path) {
                        return Err(refuse("clipping group", format!("`{}` twice", group.path), "each path once"));
                    }
                }
                Ok(())
            }
            Clipping::Quantile { quantile, learning_rate, count_noise, .. } => {
                if !(*quantile > 0.0 && *quantile < 1.0) {
                    return Err(refuse("quantile of the norms", quantile, "a number strictly between 0 and 1"));
                }
                above_zero("learning rate of the clipping norm", *learning_rate)?;
                above_zero("noise of the count below the clipping norm", *count_noise)
            }
        }
    }

    /// The multiplier of the gradients' noise if gradients and count together are one Gaussian mechanism of multiplier
    /// `combined`: `(z^-2 - z_c^-2)^(-1/2)` (Andrew et al. 2021, theorem 1). None if the count alone says too much.
    pub(super) fn gradient_multiplier(&self, combined: f64) -> Option<f64> {
        let Some(count) = self.count_multiplier().filter(|_| combined > 0.0) else { return Some(combined) };
        let precision = combined.powi(-2) - count.powi(-2);
        (precision > 0.0).then(|| precision.sqrt().recip())
    }
}

const LEAST_NORM: f64 = 1e-12;
const MOST_NORM: f64 = 1e12;

impl fmt::Display for Clipping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clipping::Flat { norm } => write!(f, "flat clipping at norm {norm}"),
            Clipping::Normalized { stability } => write!(f, "automatic clipping (AUTO-S, gamma {stability})"),
            Clipping::Psac { norm, stability } => {
                write!(f, "per-sample adaptive clipping at norm {norm} (r {stability})")
            }
            Clipping::PerLayer { norm } => write!(f, "clipping layer by layer, at norm {norm} over all layers"),
            Clipping::PerGroup { groups } => {
                let named = |group: &ClippingGroup| match group.path.as_str() {
                    "" => format!("{} elsewhere", group.norm),
                    path => format!("{} in {path}", group.norm),
                };
                let all: Vec<String> = groups.iter().map(named).collect();
                write!(f, "clipping group by group, at norms {}", all.join(", "))
            }
            Clipping::Quantile { initial_norm, quantile, learning_rate, count_noise } => write!(
                f,
                "clipping at a norm that follows the {quantile}-quantile (from {initial_norm}, learning rate {learning_rate}, \
                 noise of the count {count_noise})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_the_sensitivities_of_the_styles() {
        assert_eq!(Clipping::flat(0.3).norm(), 0.3);
        assert_eq!(Clipping::normalized().norm(), 1.0);
        assert_eq!(Clipping::psac(0.7).norm(), 0.7);
        assert_eq!(Clipping::per_layer(2.0).norm(), 2.0);
        assert_eq!(Clipping::per_group([("a", 3.0), ("", 4.0)]).norm(), 5.0);
        assert_eq!(Clipping::quantile(0.1, 0.5, 10.0).norm(), 0.1);
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let wrong = [
            (Clipping::flat(0.0), "clipping norm"),
            (Clipping::psac(f64::INFINITY), "clipping norm"),
            (Clipping::Normalized { stability: 0.0 }, "stability"),
            (Clipping::Normalized { stability: f64::NAN }, "stability"),
            (Clipping::Psac { norm: 1.0, stability: -1.0 }, "stability"),
            (Clipping::per_group::<&str>([]), "clipping norm"),
            (Clipping::per_group([("a", 1.0), ("a", 2.0)]), "twice"),
            (Clipping::per_group([("a", 1.0), ("b", -2.0)]), "clipping norm"),
            (Clipping::quantile(0.1, 1.0, 10.0), "quantile"),
            (Clipping::quantile(0.1, 0.5, 0.0), "count"),
        ];
        for (clipping, word) in wrong {
            let message = clipping.check().unwrap_err().to_string();
            assert!(message.contains(word), "{clipping:?}: {message}");
        }
    }

    #[test]
    fn gradients_and_count_together_have_the_combined_multiplier() {
        let clipping = Clipping::quantile(0.1, 0.5, 10.0);
        let gradients = clipping.gradient_multiplier(1.1).unwrap();
        assert!(gradients > 1.1);
        assert!(((gradients.powi(-2) + 20.0_f64.powi(-2)).powf(-0.5) - 1.1).abs() < 1e-12);
        // A count with less noise than both may have together.
        assert_eq!(clipping.gradient_multiplier(20.0), None);
        assert_eq!(Clipping::flat(1.0).gradient_multiplier(1.1), Some(1.1));
    }

    #[test]
    fn the_norm_goes_towards_the_quantile() {
        let clipping = Clipping::quantile(1.0, 0.5, 10.0);
        assert!(clipping.next_norm(1.0, 0.9) < 1.0 && clipping.next_norm(1.0, 0.1) > 1.0);
        assert_eq!(clipping.next_norm(1.0, 0.5), 1.0);
        assert_eq!(clipping.next_norm(1e-12, 1e9), 1e-12);
        assert_eq!(Clipping::flat(1.0).next_norm(1.0, 0.9), 1.0);
    }
}
