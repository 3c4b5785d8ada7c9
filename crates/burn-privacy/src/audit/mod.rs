//! How much leaks, measured: the crate `burn-privacy-audit`, and a test of this machine's own private steps.
//!
//! [`SelfTest`] runs the real session, clipping, sums, noise and optimizer on this device with gradients that are known: what
//! comes out has a known distribution, so that missing noise, noise of half the size, noise for each physical batch, a wrong
//! clipping norm or a wrong divisor show at once.

mod self_test;

pub use burn_privacy_audit::*;
pub use self_test::{SelfTest, SelfTestReport};
