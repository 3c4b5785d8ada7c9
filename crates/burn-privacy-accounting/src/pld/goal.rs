//! What a composition is asked.

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// The epsilon at this delta.
    EpsilonAt(f64),
    /// The delta at this epsilon.
    DeltaAt(f64),
}

/// Which bounds are wanted. Both hold always; one that is not wanted may be loose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    /// A narrow bracket.
    Both,
    /// A tight upper bound, as a search asks for it: several times cheaper where the lower bound needs a finer grid.
    Upper,
}
