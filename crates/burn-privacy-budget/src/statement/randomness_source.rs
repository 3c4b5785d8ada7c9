//! Where the randomness of a run came from, as statements say it.

use std::fmt;

use burn_privacy_mechanisms::Entropy;
use serde::{Deserialize, Serialize};

/// Where the randomness of a run came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomnessSource {
    /// The operating system's cryptographic generator, new for every run.
    Os,
    /// A fixed seed: whoever knows it can subtract the noise, so there is no privacy.
    Seeded,
}

impl From<Entropy> for RandomnessSource {
    fn from(entropy: Entropy) -> Self {
        if entropy.is_private() { Self::Os } else { Self::Seeded }
    }
}

impl fmt::Display for RandomnessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Os => "operating system's cryptographic generator",
            Self::Seeded => "fixed seed, which makes all figures here void",
        })
    }
}
