//! What can go wrong: the operating system gave no randomness, or an argument lies outside its range.

use crate::purpose::{MAX_STEP, Purpose};

/// An error of this crate. Each message says what was given, what is allowed, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MechanismError {
    /// The operating system's generator failed.
    #[error(
        "the operating system gave no randomness for a privacy key ({reason}); without it nothing can be made \
         private, so nothing was done: check that the system's random source (getrandom, /dev/urandom) is available"
    )]
    OsRandomness {
        /// The operating system's own words.
        reason: String,
    },

    /// A step does not fit the 56 bits that a stream number has for it.
    #[error("step {step} is too large: a stream number holds steps 0 to {MAX_STEP}; draw a new key and count from 0")]
    StepOutOfRange {
        /// The step given.
        step: u64,
    },

    /// The elements asked for run past the end of the stream's numbering.
    #[error(
        "elements {first} to {first} + {count} run past the last element {last}; start at a smaller cumulative index"
    )]
    ElementOutOfRange {
        /// The first element asked for.
        first: u64,
        /// How many elements were asked for.
        count: usize,
        /// The last element that exists.
        last: u64,
    },

    /// The process is in a dry run of CubeCL: what would be released is what memory happens to hold.
    #[error(
        "the devices of this process are in a dry run of CubeCL and drop what they are told to do, so no noise can be added \
         and nothing is released: end the dry run before a private step"
    )]
    DroppedByTheDevice,

    /// A standard deviation is negative, not finite, or outside what the number format can carry.
    #[error(
        "a noise standard deviation of {std:e} cannot be drawn as {format}: give 0 (no noise) or a value from \
         {smallest:e} to {largest:e}; if it is a noise multiplier times a clipping bound, rescale the bound"
    )]
    StandardDeviation {
        /// The standard deviation given.
        std: f64,
        /// The number format of the output: `f32` or `f64`.
        format: &'static str,
        /// The smallest positive standard deviation allowed.
        smallest: f64,
        /// The largest standard deviation allowed.
        largest: f64,
    },

    /// A sampling rate is not a probability.
    #[error("a sampling rate of {rate} is not a probability: give a number from 0 to 1, as expected batch / records")]
    SamplingRate {
        /// The rate given.
        rate: f64,
    },

    /// A population cannot be indexed on this machine.
    #[error("the population is too large to be indexed here: at most {largest} records are allowed")]
    Population {
        /// The largest population allowed.
        largest: u64,
    },

    /// A stream that must stay secret was asked for as plain uniform numbers.
    #[error(
        "purpose {purpose:?} is secret: its words decide the noise or the samples, so they are not given out as \
         uniform numbers; use Purpose::Validation, Initialization, Augmentation or Testing"
    )]
    SecretPurpose {
        /// The purpose given.
        purpose: Purpose,
    },

    /// Secret numbers were asked for a purpose that has a function of its own or needs none.
    #[error(
        "purpose {purpose:?} has no secret uniform numbers: use Purpose::InputPerturbation, OutputPerturbation or \
         Assignment; sampling and noise have functions of their own, and fill_uniform serves the rest"
    )]
    OtherPurpose {
        /// The purpose given.
        purpose: Purpose,
    },
}
