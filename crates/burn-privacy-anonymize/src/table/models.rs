//! Privacy models that a class of rows meets or not.
//!
//! A class meets a model or its rows are suppressed; a model never is met by a class of no rows.

use std::fmt;

use super::hierarchy::Hierarchy;
use super::sensitive_distance::{equal_numerator, hierarchical, ordered_numerator};
use super::sensitive_distribution::SensitiveDistribution;
use crate::AnonymizeError;

/// Slack, relative, of comparisons of distances: a class that meets a bound exactly must not fail by rounding.
const ROUNDING: f64 = 1e-12;

/// What every class of a release has to meet.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PrivacyModel {
    /// At least `k` rows (Samarati and Sweeney 1998).
    KAnonymity {
        /// Rows, at least 1.
        k: u64,
    },
    /// At least `l` sensitive values (Machanavajjhala et al. 2007).
    DistinctLDiversity {
        /// Values, at least 1.
        l: u64,
    },
    /// Entropy of the sensitive values at least log `l` (Machanavajjhala et al. 2007, definition 4.1).
    EntropyLDiversity {
        /// At least 1; need not be whole.
        l: f64,
    },
    /// The most frequent sensitive value less often than `c` times all but the `l` - 1 most frequent ones together
    /// (Machanavajjhala et al. 2007, definition 4.2).
    RecursiveLDiversity {
        /// Above 0.
        c: f64,
        /// At least 1.
        l: u64,
    },
    /// Equal earth mover's distance to the table's sensitive values at most `t` (Li et al. 2007).
    EqualTCloseness {
        /// From 0 to 1.
        t: f64,
    },
    /// Ordered earth mover's distance at most `t`; the order is that of the numbers, since texts have none.
    OrderedTCloseness {
        /// From 0 to 1.
        t: f64,
    },
    /// Hierarchical earth mover's distance at most `t`.
    HierarchicalTCloseness {
        /// From 0 to 1.
        t: f64,
        /// Of the sensitive values.
        hierarchy: Hierarchy,
    },
    /// No sensitive value's frequency above (1 + `beta`) times that in the table (Cao and Karras 2012), with the bound
    /// min(beta, -ln p) in place of beta if `enhanced`.
    BetaLikeness {
        /// Above 0.
        beta: f64,
        /// The enhanced variant.
        enhanced: bool,
    },
    /// The logarithm (natural) of each occurring sensitive value's share over that in the table between -`delta` and `delta`, both
    /// excluded (Brickell and Shmatikov 2008; as in ARX, of values that occur in the class). Two classes that meet it may fail it
    /// together, so that local recodings can be refused that show the same labels twice.
    DeltaDisclosure {
        /// Above 0.
        delta: f64,
    },
    /// At least `k` rows of the population (a public table that holds the released one's people) in the class
    /// (Sweeney 2001, k-map).
    KMap {
        /// Rows of the population, at least 1.
        k: u64,
    },
    /// Share of the class's population that is in the released table between two bounds (Nergiz, Atzori and Clifton 2007).
    /// With a lower bound above 0 everybody in the population must fit a released class.
    DeltaPresence {
        /// From 0 to 1.
        lower: f64,
        /// From `lower` to 1.
        upper: f64,
    },
}

impl fmt::Display for PrivacyModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KAnonymity { k } => write!(f, "{k}-anonymity"),
            Self::DistinctLDiversity { l } => write!(f, "distinct {l}-diversity"),
            Self::EntropyLDiversity { l } => write!(f, "entropy {l}-diversity"),
            Self::RecursiveLDiversity { c, l } => write!(f, "recursive ({c}, {l})-diversity"),
            Self::EqualTCloseness { t } => write!(f, "{t}-closeness by the equal distance"),
            Self::OrderedTCloseness { t } => write!(f, "{t}-closeness by the ordered distance"),
            Self::HierarchicalTCloseness { t, .. } => write!(f, "{t}-closeness by the hierarchical distance"),
            Self::BetaLikeness { beta, enhanced: false } => write!(f, "basic {beta}-likeness"),
            Self::BetaLikeness { beta, enhanced: true } => write!(f, "enhanced {beta}-likeness"),
            Self::DeltaDisclosure { delta } => write!(f, "{delta}-disclosure privacy"),
            Self::KMap { k } => write!(f, "{k}-map"),
            Self::DeltaPresence { lower, upper } => write!(f, "({lower}, {upper})-presence"),
        }
    }
}

impl PrivacyModel {
    /// Checks the parameters, and that the table has what the model needs.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for a parameter outside its range, for a missing sensitive column, for sensitive
    /// values without order, or for values that the hierarchy does not know.
    pub fn check(&self, sensitive: Option<&SensitiveDistribution>) -> Result<(), AnonymizeError> {
        let at_least_one = |name, value: u64| match value {
            0 => Err(AnonymizeError::parameter(name, value, "at least 1")),
            _ => Ok(()),
        };
        let share = |name, value: f64| match value {
            value if (0.0..=1.0).contains(&value) => Ok(()),
            _ => Err(AnonymizeError::parameter(name, value, "from 0 to 1")),
        };
        match self {
            Self::KAnonymity { k } | Self::KMap { k } => at_least_one("k", *k)?,
            Self::DistinctLDiversity { l } => at_least_one("l", *l)?,
            Self::EntropyLDiversity { l } if !(1.0..f64::INFINITY).contains(l) => {
                return Err(AnonymizeError::parameter("l", l, "a number from 1"));
            }
            Self::RecursiveLDiversity { c, l } => {
                at_least_one("l", *l)?;
                if !(*c > 0.0 && c.is_finite()) {
                    return Err(AnonymizeError::parameter("c", c, "above 0"));
                }
            }
            Self::EqualTCloseness { t } | Self::OrderedTCloseness { t } | Self::HierarchicalTCloseness { t, .. } => {
                share("t", *t)?;
            }
            Self::BetaLikeness { beta, .. } if !(*beta > 0.0 && beta.is_finite()) => {
                return Err(AnonymizeError::parameter("beta", beta, "above 0"));
            }
            Self::DeltaDisclosure { delta } if !(*delta > 0.0 && delta.is_finite()) => {
                return Err(AnonymizeError::parameter("the bound of disclosure", delta, "above 0"));
            }
            Self::DeltaPresence { lower, upper } => {
                share("the lower bound", *lower)?;
                share("the upper bound", *upper)?;
                if lower > upper {
                    return Err(AnonymizeError::parameter("the lower bound", lower, "at most the upper bound"));
                }
            }
            _ => {}
        }
        if !self.needs_sensitive() {
            return Ok(());
        }
        let Some(sensitive) = sensitive else {
            return Err(AnonymizeError::parameter("the sensitive column", "missing", "named for this model"));
        };
        match self {
            Self::OrderedTCloseness { .. } if sensitive.order.is_none() => Err(AnonymizeError::parameter(
                "the sensitive column",
                "text",
                "numbers for the ordered distance: the order of texts means nothing",
            )),
            // Two values of one number would count as a step apart, and make every other step count for less.
            Self::OrderedTCloseness { .. } => match sensitive.same_number() {
                Some((one, other)) => Err(AnonymizeError::parameter(
                    "the sensitive column",
                    format!("{one:?} in one row and {other:?} in another"),
                    "one text for each number: write them alike",
                )),
                None => Ok(()),
            },
            Self::HierarchicalTCloseness { hierarchy, .. } => {
                match sensitive.values.iter().find(|value| hierarchy.code(value).is_none()) {
                    Some(value) => Err(AnonymizeError::parameter(
                        "a sensitive value",
                        value,
                        "in the sensitive column's hierarchy",
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// True if the model looks at sensitive values.
    pub fn needs_sensitive(&self) -> bool {
        !matches!(self, Self::KAnonymity { .. } | Self::KMap { .. } | Self::DeltaPresence { .. })
    }

    /// True if the model compares with a population.
    pub fn needs_population(&self) -> bool {
        matches!(self, Self::KMap { .. } | Self::DeltaPresence { .. })
    }

    /// True if the model speaks of everybody in the population: whoever fits no released class is known to be absent, a share
    /// of 0, which a lower bound above it forbids.
    pub fn needs_everybody(&self) -> bool {
        matches!(self, Self::DeltaPresence { lower, .. } if *lower > 0.0)
    }

    /// Rows that a class must have at least, whatever the sensitive values are.
    pub fn least_rows(&self) -> u64 {
        match self {
            Self::KAnonymity { k } => *k,
            _ => self.least_values(),
        }
    }

    /// Distinct sensitive values that a class must have at least. Unlike the model itself, this is inherited: a class
    /// with fewer has no part that meets the model.
    pub fn least_values(&self) -> u64 {
        match self {
            Self::DistinctLDiversity { l } => *l,
            // Entropy is at most the logarithm of the number of values. The slack is that of `is_met`.
            Self::EntropyLDiversity { l } => (l * (1.0 - 1e-9)).ceil() as u64,
            // With l - 1 values or fewer nothing is left on the right.
            Self::RecursiveLDiversity { l, .. } => *l,
            _ => 1,
        }
    }

    /// True if a class meets the model.
    ///
    /// `histogram` is the number of its rows with each sensitive value, by code (empty for models that look at none),
    /// `population` the number of the population's rows in it, for models that compare with one; a class without this
    /// number never meets those.
    pub fn is_met(
        &self,
        rows: u64,
        histogram: &[u64],
        sensitive: Option<&SensitiveDistribution>,
        population: Option<u64>,
    ) -> bool {
        if rows == 0 {
            return false;
        }
        let values = || histogram.iter().filter(|&&count| count > 0);
        let by_table = |met: &dyn Fn(&SensitiveDistribution) -> bool| sensitive.is_some_and(met);
        match self {
            Self::KAnonymity { k } => rows >= *k,
            Self::DistinctLDiversity { l } => values().count() as u64 >= *l,
            Self::EntropyLDiversity { l } => {
                // log n - (sum of c log c) / n, in ARX's own order of operations and without slack, so that both judge a
                // class alike that meets the bound exactly: rounding may turn it away, which errs on the safe side.
                let bits = |number: f64| number.ln() / std::f64::consts::LN_2;
                let sum: f64 = values().map(|&count| count as f64 * bits(count as f64)).sum();
                -(sum / rows as f64 - bits(rows as f64)) >= bits(*l)
            }
            Self::RecursiveLDiversity { c, l } => {
                let mut counts: Vec<u64> = values().copied().collect();
                counts.sort_unstable_by(|one, other| other.cmp(one));
                let rest: u64 = counts.iter().skip(*l as usize - 1).sum();
                counts.first().is_some_and(|&most| (most as f64) < c * rest as f64)
            }
            Self::EqualTCloseness { t } => by_table(&|table| {
                let scale = 2.0 * rows as f64 * table.total as f64;
                equal_numerator(histogram, rows, &table.counts, table.total) as f64 <= t * scale * (1.0 + ROUNDING)
            }),
            Self::OrderedTCloseness { t } => by_table(&|table| {
                let Some(order) = &table.order else { return false };
                let sorted = |counts: &[u64]| order.iter().map(|&code| counts[code as usize]).collect::<Vec<u64>>();
                let scale = rows as f64 * table.total as f64 * (order.len().max(2) - 1) as f64;
                let moved = ordered_numerator(&sorted(histogram), rows, &sorted(&table.counts), table.total);
                moved as f64 <= t * scale * (1.0 + ROUNDING)
            }),
            Self::HierarchicalTCloseness { t, hierarchy } => by_table(&|table| {
                let leaves: Option<Vec<u32>> = table.values.iter().map(|value| hierarchy.code(value)).collect();
                leaves.is_some_and(|leaves| {
                    let moved = hierarchical(histogram, rows, &table.counts, table.total, hierarchy, &leaves);
                    moved <= t + ROUNDING
                })
            }),
            Self::BetaLikeness { beta, enhanced } => by_table(&|table| {
                histogram.iter().zip(&table.counts).all(|(&here, &all)| {
                    let expected = all as f64 / table.total as f64;
                    let allowed = if *enhanced { beta.min(-expected.ln()) } else { *beta };
                    here as f64 <= rows as f64 * expected * (1.0 + allowed) * (1.0 + ROUNDING)
                })
            }),
            Self::DeltaDisclosure { delta } => by_table(&|table| {
                let present = histogram.iter().zip(&table.counts).filter(|(here, _)| **here > 0);
                present.into_iter().all(|(&here, &all)| {
                    let ratio = here as f64 * table.total as f64 / (rows as f64 * all as f64);
                    ratio.ln().abs() < *delta
                })
            }),
            Self::KMap { k } => population.is_some_and(|population| population >= *k),
            Self::DeltaPresence { lower, upper } => population.is_some_and(|population| {
                let present = rows as f64 / population as f64;
                population > 0 && present >= *lower && present <= *upper
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(counts: &[u64]) -> SensitiveDistribution {
        let values: Vec<String> = (0..counts.len()).map(|value| value.to_string()).collect();
        SensitiveDistribution::new(&values, counts.to_vec())
    }

    fn met(model: &PrivacyModel, histogram: &[u64], all: &[u64]) -> bool {
        let table = table(all);
        model.check(Some(&table)).unwrap();
        model.is_met(histogram.iter().sum(), histogram, Some(&table), None)
    }

    #[test]
    fn diversity_counts_values() {
        let three = PrivacyModel::DistinctLDiversity { l: 3 };
        assert!(met(&three, &[9, 1, 1], &[9, 1, 1]) && !met(&three, &[9, 1, 0], &[9, 1, 1]));
        let entropy = PrivacyModel::EntropyLDiversity { l: 3.0 };
        assert!(met(&entropy, &[1, 1, 1], &[1, 1, 1]) && met(&entropy, &[5, 5, 5, 1], &[1, 1, 1, 1]));
        assert!(!met(&entropy, &[1000, 1000, 999], &[1, 1, 1]));
        assert!(!met(&entropy, &[9, 1, 1], &[1, 1, 1]));
        // 3 < 2 (1 + 1), but 4 is not.
        let recursive = PrivacyModel::RecursiveLDiversity { c: 2.0, l: 2 };
        assert!(met(&recursive, &[3, 1, 1], &[1, 1, 1]) && !met(&recursive, &[4, 1, 1], &[1, 1, 1]));
        assert!(!met(&recursive, &[4, 0, 0], &[1, 1, 1]));
    }

    #[test]
    fn closeness_is_met_at_its_bound_and_not_above() {
        let close = PrivacyModel::EqualTCloseness { t: 0.2 };
        assert!(met(&close, &[7, 3], &[5, 5]) && !met(&close, &[71, 29], &[50, 50]));
        let ordered = PrivacyModel::OrderedTCloseness { t: 0.375 };
        assert!(met(&ordered, &[1, 1, 1, 0, 0, 0, 0, 0, 0], &[1; 9]));
        let ordered = PrivacyModel::OrderedTCloseness { t: 0.374 };
        assert!(!met(&ordered, &[1, 1, 1, 0, 0, 0, 0, 0, 0], &[1; 9]));
        let texts = SensitiveDistribution::new(&["x".to_owned()], vec![1]);
        assert!(ordered.check(Some(&texts)).unwrap_err().to_string().contains("order of texts"));
        assert!(ordered.check(None).is_err());
        let twice = SensitiveDistribution::new(&["0", "7", "-0.0", "3"].map(str::to_owned), vec![1; 4]);
        let refused = ordered.check(Some(&twice)).unwrap_err().to_string();
        assert!(refused.contains("\"-0.0\" in one row and \"0\" in another"), "{refused}");
    }

    #[test]
    fn likeness_and_presence_keep_to_their_bounds() {
        let basic = PrivacyModel::BetaLikeness { beta: 1.0, enhanced: false };
        assert!(met(&basic, &[2, 8], &[1, 9]) && !met(&basic, &[3, 7], &[1, 9]));
        // -ln 0.9 = 0.105: the common value may grow to 0.9948 only.
        let enhanced = PrivacyModel::BetaLikeness { beta: 1.0, enhanced: true };
        assert!(met(&enhanced, &[1, 99], &[1, 9]) && !met(&enhanced, &[0, 99], &[1, 9]));
        // ln 2 = 0.693: a share may neither double nor halve.
        let disclosure = PrivacyModel::DeltaDisclosure { delta: 0.69 };
        assert!(met(&disclosure, &[19, 81], &[1, 9]) && !met(&disclosure, &[2, 8], &[1, 9]));
        assert!(!met(&disclosure, &[1, 19], &[1, 9]) && met(&disclosure, &[0, 99], &[1, 9]));
        let presence = PrivacyModel::DeltaPresence { lower: 0.1, upper: 0.5 };
        let present = |rows, population| presence.is_met(rows, &[], None, population);
        assert!(
            presence.needs_everybody() && !PrivacyModel::DeltaPresence { lower: 0.0, upper: 1.0 }.needs_everybody()
        );
        assert!(present(5, Some(10)) && !present(6, Some(10)) && !present(1, Some(11)) && !present(5, None));
        let map = PrivacyModel::KMap { k: 5 };
        assert!(map.is_met(1, &[], None, Some(5)) && !map.is_met(9, &[], None, None));
    }

    #[test]
    fn no_class_of_no_rows_meets_anything_and_bad_parameters_are_refused() {
        for (model, bad) in [
            (PrivacyModel::KAnonymity { k: 1 }, PrivacyModel::KAnonymity { k: 0 }),
            (PrivacyModel::EntropyLDiversity { l: 1.0 }, PrivacyModel::EntropyLDiversity { l: f64::NAN }),
            (PrivacyModel::EqualTCloseness { t: 1.0 }, PrivacyModel::EqualTCloseness { t: 1.1 }),
            (PrivacyModel::KMap { k: 1 }, PrivacyModel::DeltaPresence { lower: 0.5, upper: 0.2 }),
        ] {
            assert!(!model.is_met(0, &[0], Some(&table(&[1])), Some(5)));
            assert!(bad.check(Some(&table(&[1]))).is_err());
        }
    }
}
