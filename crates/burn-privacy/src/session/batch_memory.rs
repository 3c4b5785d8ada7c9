//! How many records are in memory at once: an estimate measured on a few of them, halved where a device says that it has no more.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;

use super::{LossResult, MOST_AT_ONCE, Session};
use crate::error::{Error, Result};
use crate::per_example::{GradientSum, RandomRecords, TrainableParameters};
use crate::process_memory::{available_memory, peak_growth};
use crate::sampler::DrawnBatch;

/// How many examples (views, if there are several of a record) are in memory at once.
///
/// It is a question of memory and time alone: the logical batch, the noise and the guarantee are the plan's.
///
/// # `Auto`
///
/// On the CPU under Linux, where running out of memory ends the process, the first step measures what a forward and a backward pass
/// of two and of sixteen random records need, and takes the largest power of two of examples, 256 at most, for which three times as
/// much fits into half of the memory that the system has left (also under a limit of its control group, or of `ulimit`). Elsewhere
/// it begins with 256. Where a device reports that it is out of memory, which GPUs do, the step is computed anew with half as many,
/// and so is every later one; nothing of a step is released before its sum is complete.
///
/// *What it rests on.* Records are cut into physical batches by fixed ranges of places, whose length follows from this number (see
/// [`PrivacyPlan::sensitivity`](crate::plan::PrivacyPlan::sensitivity)), so that neighboring data sets must get the same number, or
/// the rounding of sums, their last bits, is not covered. The number follows from the shapes of records, from the machine, and from
/// whether a device ran out of memory. Where the shapes of records are private (sequences that are not padded to a public
/// length), say a number instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhysicalBatch {
    /// As many as fit, by measurement; 256 at most.
    #[default]
    Auto,
    /// At most so many. Zero counts as one, and more than 65 536 as so many.
    AtMost(usize),
}

impl From<usize> for PhysicalBatch {
    fn from(examples: usize) -> Self {
        Self::AtMost(examples)
    }
}

/// Fewer need no measurement.
const FEW: usize = 32;

/// Records of the two measurements.
const PROBES: [usize; 2] = [2, 16];

/// What per-example norms and sums may need besides the two passes.
const RESERVE: u64 = 3;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Splits a logical batch into physical ones, by memory: a number, or [`PhysicalBatch::Auto`], the default. Results and privacy
    /// don't depend on it beyond the order of a sum.
    ///
    /// A physical batch holds the drawn records of a fixed range of places in the data set, so that one record more or less
    /// changes no other: see [`PrivacyPlan::sensitivity`](crate::plan::PrivacyPlan::sensitivity).
    pub fn with_physical_batch(mut self, examples: impl Into<PhysicalBatch>) -> Self {
        self.physical_batch = examples.into();
        self.measured = false;
        self.at_once = match self.physical_batch {
            PhysicalBatch::Auto => MOST_AT_ONCE,
            PhysicalBatch::AtMost(examples) => examples.max(1),
        };
        self
    }

    /// How many examples are in memory at once: with [`PhysicalBatch::Auto`], what was found so far.
    pub fn examples_at_once(&self) -> usize {
        self.at_once
    }

    /// [`clipped_sum_at_once`](Self::clipped_sum_at_once), with as many examples at once as the memory holds.
    pub(super) fn clipped_sum<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<GradientSum> {
        if self.physical_batch != PhysicalBatch::Auto {
            return self.clipped_sum_at_once(model, trainable, batch, loss);
        }
        if !self.measured && !batch.indices.is_empty() {
            self.at_once = self.measured_at_once(model, batch.step, loss)?.unwrap_or(self.at_once);
            self.measured = true;
        }
        loop {
            // What a panic leaves behind is a sum that is dropped; the session's own state changes at the ends of its parts.
            let attempt = catch_unwind(AssertUnwindSafe(|| self.clipped_sum_at_once(model, trainable, batch, loss)));
            let out_of_memory = match &attempt {
                Ok(Ok(_)) => false,
                Ok(Err(error)) => says_out_of_memory(&said_by(error)),
                Err(panic) => says_out_of_memory(panic_message(panic.as_ref())),
            };
            if out_of_memory && self.at_once > self.views {
                self.at_once = (self.at_once / 2).max(self.views);
                tracing::warn!(at_once = self.at_once, "the device is out of memory: half as many examples at once");
                continue;
            }
            return attempt.unwrap_or_else(|panic| resume_unwind(panic));
        }
    }

    /// As many examples as an estimate lets fit; none where nothing is known or it does not matter.
    fn measured_at_once<M: Module>(
        &self,
        model: &M,
        step: u64,
        loss: &mut impl FnMut(&M, O) -> LossResult,
    ) -> Result<Option<usize>> {
        let expected = self.plan.sampling().expected_batch_size().saturating_mul(self.views);
        let [few, more] = PROBES;
        if expected <= FEW || self.dataset.len() < more || !GradientSum::is_on_cpu(&self.device) {
            return Ok(None);
        }
        // The peak is the process's: sessions in other threads wait, and what they hold already is in both measurements.
        static MEASURING: Mutex<()> = Mutex::new(());
        let _guard = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
        let records = RandomRecords::new(&self.key, step, self.dataset.len()).distinct(more)?;
        // What fails here fails again in the step, where it is said.
        let mut pass = |count: usize| -> Option<u64> {
            let (outcome, grown) = peak_growth(|| -> Result<()> {
                let losses = self.losses(model, &records[..count], loss)?;
                // One that is not tracked is refused later, by what it is.
                if losses.is_tracked() {
                    drop(losses.sum().backward());
                }
                Ok(())
            });
            outcome.ok().and(grown)
        };
        // Caches and pools are filled first.
        let warmed = pass(few).and_then(|_| pass(few));
        let (Some(least), Some(most), Some(available)) = (warmed, pass(more), available_memory()) else {
            return Ok(None);
        };
        let of_one = most.saturating_sub(least) / ((more - few) * self.views) as u64;
        Ok(Some(fitting(of_one, available).max(self.views)))
    }
}

/// The largest power of two of examples that fit, 256 at most and 1 at least.
fn fitting(bytes_of_one: u64, available: u64) -> usize {
    let fits = (available / 2).checked_div(bytes_of_one.saturating_mul(RESERVE)).unwrap_or(u64::MAX);
    let fits = fits.clamp(1, MOST_AT_ONCE as u64) as usize;
    1 << fits.ilog2()
}

/// What a device, or the closure that used it, reports.
fn said_by(error: &Error) -> String {
    match error {
        Error::Execution(reason) => reason.clone(),
        Error::Loss(source) => source.to_string(),
        _ => String::new(),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

/// The words of Burn's backends and of the drivers below them.
fn says_out_of_memory(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "out of memory",
        "out of device memory",
        "can't allocate buffer",
        "outofmemory",
        "out_of_device_memory",
        "not enough memory",
    ];
    let message = message.to_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_half_of_the_memory_holds() {
        const MIB: u64 = 1 << 20;
        assert_eq!(fitting(0, 8 << 30), 256);
        assert_eq!(fitting(1_000, 8 << 30), 256);
        // 4 GiB over 3 x 100 MiB is 13.
        assert_eq!(fitting(100 * MIB, 8 << 30), 8);
        assert_eq!(fitting(3_000 * MIB, 8 << 30), 1);
        assert_eq!(fitting(u64::MAX, 0), 1);
    }

    #[test]
    fn what_backends_say_is_understood() {
        // The first two are cubecl's own words.
        for said in [
            "can't allocate buffer of size: 4294967296",
            "out of device memory allocating 17 bytes",
            "wgpu error: Out of Memory",
            "called `Result::unwrap()` on an `Err` value: OutOfMemory { size: 3 }",
        ] {
            assert!(says_out_of_memory(said), "{said}");
        }
        assert!(!says_out_of_memory("index out of bounds: the len is 3 but the index is 7"));
    }
}
