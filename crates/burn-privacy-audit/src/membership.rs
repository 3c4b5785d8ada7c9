//! Membership inference: scores that say which examples a model was trained on.
//!
//! - [`loss_score`]: the plain attack (Yeom et al. 2018): a low loss is a member's.
//! - [`lira`]: the likelihood ratio attack (Carlini et al., "Membership inference attacks from first principles", 2022):
//!   normal distributions are fitted to the logit-scaled confidences of reference models that had the example, and of those
//!   that had not.
//! - [`rmia`]: the robust attack (Zarifzadeh, Liu and Shokri, "Low-cost high-power membership inference attacks", 2024), which
//!   asks how often the example is more likely than other examples of the population; one or two reference models do.
//!
//! Scores go into [`crate::Scores`]. What they show about a model that is not differentially private is its leak; for one that
//! is, compare it with the claim.

use crate::error::{AuditError, Result};
use crate::normal;

/// The score of the plain attack: minus the loss.
pub fn loss_score(loss: f64) -> f64 {
    -loss
}

/// The logit of a confidence, ln(p / (1 - p)), by which a model's confidences become nearly normal. `confidence` is that of
/// the true class, between 0 and 1; the ends are kept off by 1e-15, as no model's 1 is certain.
///
/// # Errors
///
/// An [`burn_privacy_output::InvalidValue`] outside [0, 1].
pub fn logit(confidence: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&confidence) {
        return Err(burn_privacy_output::InvalidValue::new("confidence", confidence, "between 0 and 1").into());
    }
    let p = confidence.clamp(1e-15, 1.0 - 1e-15);
    Ok((p / (1.0 - p)).ln())
}

/// What reference models, trained on other draws of the data, say about one example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct References {
    /// Logit-scaled confidences of models that were trained on the example.
    pub with: Vec<f64>,
    /// Of models that were not.
    pub without: Vec<f64>,
}

/// LiRA's scores of several examples: `target[i]` is the logit-scaled confidence of the audited model on example i. Where at
/// least two reference models had the example, and two had not, the score is the log ratio of two normal densities (online);
/// else it is -ln P[a model without it is as confident] (offline). One attack is used for all examples: the online one, if all
/// of them allow it.
///
/// The standard deviations are an example's own from 32 reference models on, and common to all examples below, as the authors
/// recommend.
///
/// # Errors
///
/// [`AuditError::Lengths`] if the lists differ in length, [`AuditError::TooFew`] if an example has fewer than two models
/// without it, [`AuditError::Score`] for what is not a number.
pub fn lira(target: &[f64], references: &[References]) -> Result<Vec<f64>> {
    check_lists(target, references)?;
    let online = references.iter().all(|of| of.with.len() >= 2);
    let common = |part: fn(&References) -> &[f64]| {
        let (mut sum, mut freedom) = (0.0, 0_usize);
        for of in references {
            let values = part(of);
            let mean = mean(values);
            sum += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            freedom += values.len().saturating_sub(1);
        }
        (sum / freedom.max(1) as f64).sqrt()
    };
    let (common_with, common_without) = (common(|of| &of.with), common(|of| &of.without));
    let spread = |values: &[f64], common: f64| {
        let own = if values.len() >= 32 { deviation(values) } else { common };
        // Models that agree to the last digit leave no scale; any will do for an order.
        own.max(1e-6)
    };
    Ok(target
        .iter()
        .zip(references)
        .map(|(&phi, of)| {
            let out = (phi - mean(&of.without)) / spread(&of.without, common_without);
            if online {
                let deviation = spread(&of.with, common_with);
                let inside = (phi - mean(&of.with)) / deviation;
                0.5 * (out * out - inside * inside) + (spread(&of.without, common_without) / deviation).ln()
            } else {
                -normal::log_survival(out)
            }
        })
        .collect())
}

/// RMIA's scores: the share of `population` examples z with LR(x, z) = (p(x|model) / p(x)) / (p(z|model) / p(z)) >= `gamma`.
///
/// `target` and `population` hold the audited model's confidence in the true class of each example, between 0 and 1;
/// `target_references[i]` and `population_references[j]` those of the reference models that were *not* trained on the example.
/// p(x) is ((1 + a) p_out(x) + (1 - a)) / 2, the offline estimate, with `offline_scale` a in [0, 1]; 1 for references of which
/// half had the example. `gamma` is at least 1, and usually below 2.
///
/// # Errors
///
/// [`AuditError::Lengths`], [`AuditError::TooFew`] or an [`burn_privacy_output::InvalidValue`] for a confidence outside [0, 1],
/// a `gamma` below 1 or a scale outside [0, 1].
pub fn rmia(
    target: &[f64],
    target_references: &[Vec<f64>],
    population: &[f64],
    population_references: &[Vec<f64>],
    gamma: f64,
    offline_scale: f64,
) -> Result<Vec<f64>> {
    use burn_privacy_output::InvalidValue;
    if gamma.is_nan() || gamma < 1.0 {
        return Err(InvalidValue::new("gamma", gamma, "at least 1").into());
    }
    if !(0.0..=1.0).contains(&offline_scale) {
        return Err(InvalidValue::new("the offline scale", offline_scale, "between 0 and 1").into());
    }
    let ratios = |confidences: &[f64], references: &[Vec<f64>]| -> Result<Vec<f64>> {
        if confidences.len() != references.len() {
            return Err(AuditError::Lengths {
                what: "lists of reference confidences",
                given: references.len(),
                needed: confidences.len(),
            });
        }
        confidences
            .iter()
            .zip(references)
            .map(|(&p, of)| {
                if of.is_empty() {
                    return Err(AuditError::TooFew { part: "reference models", given: 0, least: 1 });
                }
                if let Some(&given) = std::iter::once(&p).chain(of).find(|p| !(0.0..=1.0).contains(*p)) {
                    return Err(InvalidValue::new("confidence", given, "between 0 and 1").into());
                }
                let marginal = 0.5 * ((1.0 + offline_scale) * mean(of) + 1.0 - offline_scale);
                Ok(p / marginal.max(1e-300))
            })
            .collect()
    };
    let targets = ratios(target, target_references)?;
    let mut others = ratios(population, population_references)?;
    if others.is_empty() {
        return Err(AuditError::TooFew { part: "population examples", given: 0, least: 1 });
    }
    others.sort_unstable_by(f64::total_cmp);
    Ok(targets
        .into_iter()
        .map(|ratio| others.partition_point(|&other| other * gamma <= ratio) as f64 / others.len() as f64)
        .collect())
}

fn check_lists(target: &[f64], references: &[References]) -> Result<()> {
    if target.len() != references.len() {
        return Err(AuditError::Lengths {
            what: "lists of reference models",
            given: references.len(),
            needed: target.len(),
        });
    }
    for (index, (&phi, of)) in target.iter().zip(references).enumerate() {
        if of.without.len() < 2 {
            return Err(AuditError::TooFew {
                part: "reference models without the example",
                given: of.without.len(),
                least: 2,
            });
        }
        if let Some(&given) = std::iter::once(&phi).chain(&of.with).chain(&of.without).find(|value| !value.is_finite())
        {
            return Err(AuditError::Score { part: "confidences", index, given });
        }
    }
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// With n - 1 degrees of freedom.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(with: &[f64], without: &[f64]) -> References {
        References { with: with.to_vec(), without: without.to_vec() }
    }

    #[test]
    fn lira_is_the_ratio_of_two_normal_densities() {
        let given = [references(&[2.0, 4.0], &[-1.0, 1.0]), references(&[3.0, 5.0], &[0.0, 2.0])];
        let scores = lira(&[3.0, 1.0], &given).unwrap();
        // Common variances 2 and 2: ((3 - 0)^2 - (3 - 3)^2) / 4 and ((1 - 1)^2 - (1 - 4)^2) / 4.
        assert!((scores[0] - 2.25).abs() < 1e-12 && (scores[1] + 2.25).abs() < 1e-12, "{scores:?}");
        // Offline: -ln P[Z > 3 / sqrt 2].
        let offline = lira(&[3.0], &[references(&[], &[-1.0, 1.0])]).unwrap();
        assert!((offline[0] + normal::survival(3.0 / 2.0_f64.sqrt()).ln()).abs() < 1e-12);
    }

    #[test]
    fn rmia_counts_the_population_that_is_dominated() {
        // Ratios of the population: 0.5 / 0.5, 0.25 / 0.5, 0.9 / 0.5; of the target: 0.9 / 0.5 and 0.1 / 0.5.
        let population = [0.5, 0.25, 0.9];
        let references = vec![vec![0.5]; 3];
        let scores = rmia(&[0.9, 0.1], &references[..2], &population, &references, 1.5, 1.0).unwrap();
        assert_eq!(scores, [2.0 / 3.0, 0.0]);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        assert!(lira(&[1.0], &[]).unwrap_err().to_string().contains("0 were given where 1"));
        assert!(lira(&[1.0], &[references(&[], &[1.0])]).unwrap_err().to_string().contains("at least 2"));
        assert!(lira(&[f64::NAN], &[references(&[], &[1.0, 2.0])]).is_err());
        assert!(rmia(&[0.5], &[vec![0.5]], &[], &[], 1.0, 1.0).is_err());
        assert!(rmia(&[1.5], &[vec![0.5]], &[0.5], &[vec![0.5]], 1.0, 1.0).is_err());
        assert!(rmia(&[0.5], &[vec![0.5]], &[0.5], &[vec![0.5]], 0.5, 1.0).is_err());
        assert!(logit(1.5).is_err() && logit(1.0).unwrap().is_finite());
    }
}
