//! Which arithmetic the noise of a session is drawn in.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn_privacy_budget::statement::Noise;

use super::Session;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// How noise is drawn and added: [`Noise::FloatingPoint`] unless told otherwise.
    ///
    /// With [`Noise::ExactRounded`] the sum is read into the CPU's memory, from a GPU too, and noise is drawn there on all cores.
    /// A step of a session that goes on draws from a key of its own, so that the choice may change
    /// between sessions; statements speak of exact noise only if every charged step is known to have had it.
    pub fn with_noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    /// How noise is drawn and added.
    pub fn noise(&self) -> Noise {
        self.noise
    }
}
