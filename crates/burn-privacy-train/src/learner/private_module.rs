//! The wrapper that makes a model one of Burn's learner, with a training output that holds nothing.

use std::fmt;
use std::ops::{Deref, DerefMut};

use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, ExecutionError};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

/// A model that [`PrivateLearning`](super::PrivateLearning) trains.
///
/// Transparent: paths, records and display are the model's own, so that a checkpoint of one is a checkpoint of the other.
#[derive(Clone, Debug)]
pub struct Private<M>(pub M);

/// What a private step shows: that there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateItem;

impl ItemLazy for PrivateItem {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl<M: InferenceStep> TrainStep for Private<M> {
    type Input = M::Input;
    type Output = PrivateItem;

    /// Refuses: gradients of batches that another loader made have no noise and no charge.
    ///
    /// # Panics
    ///
    /// Always. Only Burn's own strategies call it, which have no way to hear of an error.
    fn step(&self, _batch: M::Input) -> TrainOutput<PrivateItem> {
        panic!(
            "a Private model was given to one of Burn's own strategies, which would train it without privacy (and, on several \
             devices, add up gradients that each have noise of their own): give \
             .with_training_strategy(TrainingStrategy::Custom(PrivateLearning))"
        )
    }
}

impl<M: InferenceStep> InferenceStep for Private<M> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, batch: M::Input) -> M::Output {
        self.0.step(batch)
    }
}

impl<M> Deref for Private<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for Private<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M: Module> Module for Private<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        self.0.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        Self(self.0.map(mapper))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplayDefault for Private<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.0.content(content)
    }

    fn num_params(&self) -> usize {
        Module::num_params(&self.0)
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplay for Private<M> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        self.0.custom_settings()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        self.0.custom_content(content)
    }
}

impl<M: fmt::Display> fmt::Display for Private<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
