//! Private training in Burn's own learner: its dashboard, logs, checkpointers, early stopping, schedulers and interrupter.
//!
//! | What | How |
//! |---|---|
//! | the strategy, in the place of Burn's | [`PrivateLearning`] |
//! | the model's wrapper, whose training output holds nothing private | [`Private`] |
//! | epsilon on the dashboard, in the logs and for early stopping | [`EpsilonMetric`] |
//!
//! # Formal guarantee
//!
//! That of the session: the strategy gives the learner noisy gradients, and the dashboard gets an item without a tensor for each
//! step, so that no metric of the training split can show private data. Validation data are as public as what is shown of them.

mod epsilon_metric;
mod private_module;
mod strategy;

pub use epsilon_metric::EpsilonMetric;
pub use private_module::{Private, PrivateItem};
pub use strategy::{PrivateLearning, UnreadLoader};
