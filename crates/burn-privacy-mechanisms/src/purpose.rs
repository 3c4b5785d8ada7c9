//! What the streams of a key are for.

/// The largest step that a stream number holds: 2^56 - 1.
pub const MAX_STEP: u64 = (1 << 56) - 1;

/// What the words of a stream decide. Each purpose has streams of its own, so that nothing that is shown (an
/// initial weight, say) has a word in common with what must stay secret.
///
/// The numbers are part of the frozen layout; 0 is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Purpose {
    /// Which records a step uses. Secret: amplification by sampling holds only while nobody knows the coins.
    Sampling = 1,
    /// The key of a step's noise. Secret: whoever knows it subtracts the noise. (2 and 10 were earlier layouts.)
    Noise = 11,
    /// Random inputs of checks, such as the parameters at which a model is validated.
    Validation = 3,
    /// Initial weights.
    Initialization = 4,
    /// Augmentation of examples, dropout, and other randomness inside an example's own computation.
    Augmentation = 5,
    /// Tests.
    Testing = 6,
    /// Noise and coins that perturb records before anybody collects them. Secret: whoever knows them undoes them.
    InputPerturbation = 7,
    /// Noise on predictions and released weights. Secret: whoever knows it subtracts it.
    OutputPerturbation = 8,
    /// Which shard a record belongs to. Secret, as a coin of [`Sampling`](Self::Sampling) is.
    Assignment = 9,
    /// The key of a step's noise on whole numbers. Secret: whoever knows it subtracts the noise.
    RoundedNoise = 12,
}

impl Purpose {
    /// Whether privacy rests on the words of this purpose being unknown.
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Sampling
                | Self::Noise
                | Self::RoundedNoise
                | Self::InputPerturbation
                | Self::OutputPerturbation
                | Self::Assignment
        )
    }
}
