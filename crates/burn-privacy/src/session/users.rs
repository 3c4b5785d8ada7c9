//! Users as units: which records of the data set belong to whom, and what a user's gradient is.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::plan::{PrivacyPlan, ProtectedUnit};

/// What a user's gradient is made of, before it is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserGradient {
    /// The mean of the losses of their records: users with many records and with few count the same.
    Mean,
    /// The sum of the losses of their records: users with many records have more weight, up to the clipping norm.
    Sum,
    /// None: each record's own gradient is sampled and clipped, and at most so many records of a user take part. For
    /// [`ProtectedUnit::UserByRecords`](crate::plan::ProtectedUnit::UserByRecords), and only there.
    EachRecord,
}

/// The records of each user, for [`StartPlan::start_with_users`](super::StartPlan::start_with_users).
///
/// Private data: who has which records, and how many.
#[derive(Clone)]
pub struct Users {
    records: Vec<Vec<usize>>,
    gradient: UserGradient,
}

impl Users {
    /// Groups the records of a data set by the user that each belongs to: one id a record, in the data set's order. Users are
    /// numbered by their ids' order.
    pub fn by<Id: Ord>(ids: impl IntoIterator<Item = Id>, gradient: UserGradient) -> Self {
        let mut users: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (record, id) in ids.into_iter().enumerate() {
            users.entry(id).or_default().push(record);
        }
        Self { records: users.into_values().collect(), gradient }
    }

    /// Number of users. Private under add/remove adjacency.
    pub(crate) fn count(&self) -> usize {
        self.records.len()
    }

    /// Number of records of all users.
    pub(crate) fn record_count(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }

    /// The records of a user.
    pub(crate) fn records_of(&self, user: usize) -> &[usize] {
        &self.records[user]
    }

    /// The records that take part if each user has at most so many: their first ones, which is a choice that no other user's records
    /// have a part in.
    pub(crate) fn first_records(&self, most: u64) -> Vec<bool> {
        let mut kept = vec![false; self.record_count()];
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for records in &self.records {
            // A user's records are in the data set's order.
            records.iter().take(most).for_each(|record| kept[*record] = true);
        }
        kept
    }

    pub(crate) fn gradient(&self) -> UserGradient {
        self.gradient
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("gradient", &self.gradient).finish_non_exhaustive()
    }
}

/// The plan's unit is what is drawn.
pub(super) fn check_unit(plan: &PrivacyPlan, users: Option<&Users>, records: usize) -> Result<()> {
    let refuse =
        |given: String, allowed: &str| Err(Error::Plan { field: "protected unit", given, allowed: allowed.into() });
    match (plan.protected_unit(), users) {
        (ProtectedUnit::Example, None) => Ok(()),
        (unit @ (ProtectedUnit::User | ProtectedUnit::UserByRecords { .. }), Some(users))
            if users.record_count() == records =>
        {
            match (unit, users.gradient()) {
                (ProtectedUnit::User, UserGradient::Mean | UserGradient::Sum) => Ok(()),
                (ProtectedUnit::UserByRecords { .. }, UserGradient::EachRecord) => Ok(()),
                (ProtectedUnit::User, found) => {
                    refuse(format!("{unit}, with {found:?}"), "UserGradient::Mean or UserGradient::Sum for this unit")
                }
                (_, found) => refuse(format!("{unit}, with {found:?}"), "UserGradient::EachRecord for this unit"),
            }
        }
        // The numbers are private.
        (ProtectedUnit::User | ProtectedUnit::UserByRecords { .. }, Some(_)) => {
            refuse("users of another number of records than the data set has".into(), "one user id for each record")
        }
        (ProtectedUnit::User | ProtectedUnit::UserByRecords { .. }, None) => {
            refuse(plan.protected_unit().to_string(), "start_with_users, which is told whose the records are")
        }
        (unit, _) => refuse(unit.to_string(), "start; or give the plan with_protected_unit(ProtectedUnit::User)"),
    }
}
