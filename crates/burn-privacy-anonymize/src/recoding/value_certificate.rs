//! How little a row can lose whose class must hold many sensitive values.
//!
//! Each of these models asks, of any class, that the weights of the sensitive values that occur in it come to some sum:
//!
//! - distinct l-diversity: l, at weight 1 each; entropy l-diversity: l rounded up, since the entropy of m values is at most
//!   log m; recursive (c, l)-diversity: l, since nothing is left on its right side otherwise;
//! - t-closeness by the equal distance: 1 - t at weight q(v), its share in the table, since each value that is missing is
//!   q(v) of the distance. By the ordered distance over m values mass moves by 1 / (m - 1) at least, and by the hierarchical
//!   one of height h by 1 / h: the equal distance is then at most t (m - 1), or t h;
//! - beta-likeness: 1 at weight min(1, (1 + beta) q(v)), since no value's share may be above that.
//!
//! A class that holds row r covers r and, for each value in it, a row with that value: r loses at least the loss d of
//! covering both. So r loses at least the smallest D for which the values with a row within D come to the sum. The mean over
//! rows bounds every recoding, as in the certificate of k-anonymity, of which each row takes the larger bound.

use super::pair_losses::{Joined, PairLosses};
use crate::table::{PrivacyModel, SensitiveDistribution, Table};

/// What a class's values must come to, and what each contributes.
struct Demand {
    weights: Vec<f64>,
    needed: f64,
}

impl Demand {
    fn of(model: &PrivacyModel, table: &SensitiveDistribution) -> Option<Self> {
        let shares = || table.shares();
        let closeness = |t: f64| Some(Self { weights: shares().collect(), needed: 1.0 - t });
        let values = shares().count();
        match model {
            PrivacyModel::DistinctLDiversity { .. }
            | PrivacyModel::EntropyLDiversity { .. }
            | PrivacyModel::RecursiveLDiversity { .. } => {
                Some(Self { weights: vec![1.0; values], needed: model.least_values() as f64 })
            }
            PrivacyModel::EqualTCloseness { t } => closeness(*t),
            PrivacyModel::OrderedTCloseness { t } => closeness(t * (values.max(2) - 1) as f64),
            PrivacyModel::HierarchicalTCloseness { t, hierarchy } => {
                closeness(t * (hierarchy.levels().max(2) - 1) as f64)
            }
            PrivacyModel::BetaLikeness { beta, enhanced } => {
                let weight = |share: f64| {
                    let allowed = if *enhanced { beta.min(-share.ln()) } else { *beta };
                    ((1.0 + allowed) * share).min(1.0)
                };
                Some(Self { weights: shares().map(weight).collect(), needed: 1.0 })
            }
            _ => None,
        }
    }

    /// The smallest distance within which values come to what is needed; infinite if all do not.
    fn bound(&self, nearest: &[f64]) -> f64 {
        // Rounding must not ask for a value more than the models do.
        let needed = self.needed * (1.0 - 1e-9) - 1e-9;
        let mut order: Vec<usize> = (0..nearest.len()).collect();
        order.sort_by(|&one, &other| nearest[one].total_cmp(&nearest[other]));
        let mut sum = 0.0;
        if needed <= 0.0 {
            return 0.0;
        }
        for value in order {
            sum += self.weights[value];
            if sum >= needed {
                return nearest[value];
            }
        }
        f64::INFINITY
    }
}

/// A bound for a row of each tuple, summed over columns: 0 where no model asks for sensitive values.
pub(super) fn row_bounds_by_values(pairs: &PairLosses, table: &Table, models: &[PrivacyModel]) -> Vec<f64> {
    let Some(distribution) = table.sensitive_distribution() else { return vec![0.0; pairs.tuples()] };
    let demands: Vec<Demand> = models.iter().filter_map(|model| Demand::of(model, &distribution)).collect();
    if demands.is_empty() {
        return vec![0.0; pairs.tuples()];
    }
    let values = distribution.shares().count();
    let codes: Vec<usize> =
        (0..table.tuples()).map(|tuple| table.sensitive_code(tuple).map_or(0, |code| code as usize)).collect();
    let all: Vec<u32> = (0..pairs.tuples() as u32).collect();
    let mut distances = Vec::new();
    let bound = |tuple: &u32| {
        pairs.with_each(&Joined::alone(pairs, *tuple), &all, &mut distances);
        let mut nearest = vec![f64::INFINITY; values];
        for (distance, &code) in distances.iter().zip(&codes) {
            nearest[code] = nearest[code].min(*distance);
        }
        let bounds = demands.iter().map(|demand| demand.bound(&nearest));
        // What no class can meet is suppressed, at 1 a column.
        bounds.fold(0.0, f64::max).min(pairs.columns() as f64)
    };
    all.iter().map(bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_where_the_values_suffice() {
        let table = SensitiveDistribution::new(&["a", "b", "c"].map(str::to_owned), vec![50, 30, 20]);
        let nearest = [0.0, 0.4, 0.9];
        let bound = |model: PrivacyModel| Demand::of(&model, &table).unwrap().bound(&nearest);
        assert_eq!(bound(PrivacyModel::DistinctLDiversity { l: 2 }), 0.4);
        assert_eq!(bound(PrivacyModel::EntropyLDiversity { l: 2.1 }), 0.9);
        assert_eq!(bound(PrivacyModel::EqualTCloseness { t: 0.2 }), 0.4);
        assert_eq!(bound(PrivacyModel::EqualTCloseness { t: 0.19 }), 0.9);
        assert_eq!(bound(PrivacyModel::EqualTCloseness { t: 0.5 }), 0.0);
        assert_eq!(bound(PrivacyModel::BetaLikeness { beta: 0.3, enhanced: false }), 0.4);
        assert_eq!(bound(PrivacyModel::DistinctLDiversity { l: 4 }), f64::INFINITY);
    }
}
