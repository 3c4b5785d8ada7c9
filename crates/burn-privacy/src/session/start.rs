//! How a plan is started: over records, or over users.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use burn_privacy_mechanisms::Entropy;

use super::{Session, Users};
use crate::error::Result;
use crate::plan::PrivacyPlan;

/// Starts what a [`PrivacyPlan`] describes.
pub trait StartPlan {
    /// Starts a run with the defaults: [`PerExample::Automatic`](crate::per_example::PerExample::Automatic), physical batches of as many
    /// examples as fit ([`PhysicalBatch::Auto`](super::PhysicalBatch::Auto)), no ledger.
    ///
    /// See [`Session`] for what can be set, and [`Session::with_ledger`] for a durable record of what was spent.
    ///
    /// # Errors
    ///
    /// If the operating system gives no randomness, or the data set's public size is not the plan's.
    fn start<I, O, D, B>(
        &self,
        dataset: D,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>;

    /// [`start`](Self::start) for a plan whose protected unit is a user.
    ///
    /// With [`ProtectedUnit::User`](crate::plan::ProtectedUnit::User) users are drawn in the place of records, and the gradient
    /// of a user, over all their records, is clipped as one.
    ///
    /// Each user costs a forward and a backward pass over their records, in physical batches, by Burn's own autodiff: any model
    /// works whose forward pass changes no state. The loss closure gives one loss for each record, as ever.
    ///
    /// With [`ProtectedUnit::UserByRecords`](crate::plan::ProtectedUnit::UserByRecords) records are drawn and clipped one by one, as without users, but of each user only the
    /// first records in the data set's order take part, as many as the plan says; the others are never drawn. `users` then has
    /// [`UserGradient::EachRecord`](super::UserGradient::EachRecord).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and unless there is a user for each record of the data set.
    fn start_with_users<I, O, D, B>(
        &self,
        dataset: D,
        users: Users,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>;
}

impl StartPlan for PrivacyPlan {
    fn start<I, O, D, B>(
        &self,
        dataset: D,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>,
    {
        Session::new(Arc::new(self.clone()), dataset, None, batcher, device, entropy)
    }

    fn start_with_users<I, O, D, B>(
        &self,
        dataset: D,
        users: Users,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>,
    {
        Session::new(Arc::new(self.clone()), dataset, Some(users), batcher, device, entropy)
    }
}
