//! Training without privacy, to see what privacy costs.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;

use crate::{BoxedError, Result, TrainError};

/// Trains a model in Burn's ordinary way: shuffled batches, each example once an epoch. Protects nobody.
///
/// A [`Trainer`](crate::Trainer)'s twin: with the same model and optimizer, what differs is the price of privacy.
pub struct OrdinaryTrainer<D, B> {
    dataset: D,
    batcher: B,
    device: Device,
    batch_size: usize,
    steps: u64,
    learning_rate: f64,
    seed: Option<u64>,
}

impl<D, B> OrdinaryTrainer<D, B> {
    /// Makes `steps` updates from batches of `batch_size` examples (zero counts as one) on `device`, which has autodiff, at
    /// learning rate 0.1.
    pub fn new(dataset: D, batcher: B, device: &Device, batch_size: usize, steps: u64) -> Self {
        let batch_size = batch_size.max(1);
        Self { dataset, batcher, device: device.clone(), batch_size, steps, learning_rate: 0.1, seed: None }
    }

    /// The learning rate, in units of the optimizer.
    pub fn with_learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// The seed of the shuffling; without one, it differs each time.
    pub fn with_seed(mut self, seed: Option<u64>) -> Self {
        self.seed = seed;
        self
    }

    /// Trains until the steps are made or `go_on` says no; it is asked with the model before the first step and after each.
    /// `loss` gives the mean loss of a batch, `[1]`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] if a batch can't be loaded or there is none; [`TrainError::Closure`] from the closures.
    pub fn train<M, I, O>(
        self,
        mut model: M,
        mut optimizer: ModuleOptimizer,
        mut loss: impl FnMut(&M, O) -> std::result::Result<Tensor<1>, BoxedError>,
        mut go_on: impl FnMut(&M) -> std::result::Result<bool, BoxedError>,
    ) -> Result<M>
    where
        M: Module,
        D: Dataset<I> + 'static,
        B: Batcher<I, O> + 'static,
        I: Send + Sync + Clone + Debug + 'static,
        O: Send + Clone + Debug + 'static,
    {
        if self.dataset.is_empty() {
            return Err(TrainError::Data("it is empty".into()));
        }
        // Batches need no cryptographic randomness here.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let loader = DataLoaderBuilder::<I, O>::new(self.batcher)
            .batch_size(self.batch_size)
            .shuffle(seed)
            .set_device(self.device)
            .build(self.dataset);
        let mut done = 0;
        loop {
            for batch in loader.iter() {
                if !go_on(&model).map_err(TrainError::Closure)? || done == self.steps {
                    return Ok(model);
                }
                let batch = batch.map_err(|error| TrainError::Data(error.into()))?;
                let gradients = loss(&model, batch).map_err(TrainError::Closure)?.backward();
                let update = GradientsParams::from_grads(gradients, &model);
                model = optimizer.step(self.learning_rate, model, update);
                done += 1;
            }
        }
    }
}
