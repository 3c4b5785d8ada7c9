//! What a composition is asked.

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// The epsilon at this delta.
    EpsilonAt(f64),
    /// The delta at this epsilon.
    DeltaAt(f64),
}
