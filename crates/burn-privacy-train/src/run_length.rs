//! How long a run is, for its display.

/// How long a run is. All of it is public.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunLength {
    /// Updates that are planned.
    pub steps: u64,
    /// Updates in a pass over the (nominal) training set. An epoch ends with the step that reaches a multiple of it.
    pub steps_per_epoch: f64,
    /// Passes that are planned, for the display.
    pub epochs: u64,
    /// Expected examples a step, for the display of the speed: the realized number is private.
    pub batch_size: usize,
    /// False if there is no privacy, which every line then says.
    pub private: bool,
}
