//! What a conversion changed.

use std::fmt;

/// What a BatchNorm became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// It keeps its statistics.
    Frozen {
        /// Whether it was frozen before.
        already: bool,
        /// Whether its statistics are a fresh layer's, mean 0 and variance 1, so that it normalizes nothing.
        initial_statistics: bool,
    },
    /// A group norm with the same scale and shift; its statistics are gone.
    GroupNorm,
}

/// One BatchNorm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path in the module.
    pub path: String,
    /// Its channels.
    pub channels: usize,
    /// What it became.
    pub to: Replacement,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: BatchNorm over {} channels ", self.path, self.channels)?;
        match self.to {
            Replacement::Frozen { already, initial_statistics } => {
                let when = if already { "was frozen before" } else { "is frozen now" };
                write!(f, "{when} and keeps its statistics, which must be public")?;
                if initial_statistics {
                    write!(f, "; they are the initial ones (mean 0, variance 1), so that it normalizes nothing")?;
                }
                Ok(())
            }
            Replacement::GroupNorm => {
                write!(f, "is a GroupNorm now, with its scale and shift; outputs differ until it is trained")
            }
        }
    }
}

/// All that a conversion changed, in the module's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// One for each BatchNorm.
    pub changes: Vec<Change>,
    /// Parameters and buffers that were carried over as they are.
    pub kept: usize,
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return write!(f, "The module has no BatchNorm: nothing was changed.");
        }
        for change in &self.changes {
            writeln!(f, "{change}.")?;
        }
        write!(f, "{} other tensors are as they were.", self.kept)
    }
}
