//! A body of inverted residual blocks.

use std::borrow::Cow;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::layers::length;
use super::{Dense, Depthwise};
use crate::{FeatureError, Result};

/// Images that one task takes through the body.
pub(super) const GROUP: usize = 16;

/// Pixels that a block takes at once, so that its widest values stay in a core's cache.
const PIXELS: usize = 1024;

/// A block: expansion, depthwise convolution, projection.
#[derive(Clone, Debug, PartialEq)]
pub struct InvertedResidual {
    /// Pointwise, to more channels; nothing if the block doesn't widen.
    pub expand: Option<Dense>,
    /// Over space.
    pub depthwise: Depthwise,
    /// Pointwise, to fewer channels, without an activation.
    pub project: Dense,
}

impl InvertedResidual {
    fn inputs(&self) -> usize {
        self.expand.as_ref().map_or(self.depthwise.channels(), |expand| expand.inputs)
    }

    /// Whether the input is added to the output: where both have the same shape.
    fn is_residual(&self) -> bool {
        self.depthwise.stride == 1 && self.inputs() == self.project.outputs()
    }

    fn forward(&self, input: &[f32], [images, side]: [usize; 2], work: &mut Work) -> Vec<f32> {
        let (side_out, inputs) = (side.div_ceil(self.depthwise.stride), self.inputs());
        let mut out = Vec::with_capacity(images * side_out * side_out * self.project.outputs());
        let at_once = (PIXELS / (side * side)).max(1);
        for part in input.chunks(at_once * side * side * inputs) {
            let images = part.len() / (side * side * inputs);
            let wide = match &self.expand {
                Some(expand) => {
                    work.wide.clear();
                    expand.forward(part, [images, side], None, &mut work.patches, &mut work.wide);
                    &work.wide
                }
                None => part,
            };
            self.depthwise.forward(wide, [images, side], &mut work.deep);
            let residual = self.is_residual().then_some(part);
            self.project.forward(&work.deep, [images, side_out], residual, &mut work.patches, &mut out);
        }
        out
    }
}

/// What a task works with.
#[derive(Default)]
struct Work {
    patches: Vec<f32>,
    wide: Vec<f32>,
    deep: Vec<f32>,
}

/// A convolution, inverted residual blocks, a pointwise convolution, and the mean over all places.
#[derive(Clone, Debug, PartialEq)]
pub struct FrozenBody {
    stem: Dense,
    blocks: Vec<InvertedResidual>,
    head: Dense,
}

impl FrozenBody {
    /// Of its layers.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if a layer has another number of input channels than the one before it has outputs, or an expansion,
    /// projection or the head is not pointwise.
    pub fn new(stem: Dense, blocks: Vec<InvertedResidual>, head: Dense) -> Result<Self> {
        let mut channels = stem.outputs();
        for block in &blocks {
            length("input channels of a block", block.inputs(), channels)?;
            if let Some(expand) = &block.expand {
                length("channels of a depthwise convolution", block.depthwise.channels(), expand.outputs())?;
                pointwise(expand)?;
            }
            length("input channels of a projection", block.project.inputs, block.depthwise.channels())?;
            pointwise(&block.project)?;
            channels = block.project.outputs();
        }
        length("input channels of the head", head.inputs, channels)?;
        pointwise(&head)?;
        Ok(Self { stem, blocks, head })
    }

    /// Features of an image.
    pub fn features(&self) -> usize {
        self.head.outputs()
    }

    /// Channels of an image.
    pub const fn colors(&self) -> usize {
        self.stem.inputs
    }

    /// SHA-256 of all weights, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        type Add<'a> = dyn FnMut(&[usize], &[f32], &[f32]) + 'a;
        let mut hash = Sha256::new();
        let mut add = |numbers: &[usize], weights: &[f32], bias: &[f32]| {
            numbers.iter().for_each(|&number| hash.update((number as u64).to_le_bytes()));
            [weights, bias].iter().for_each(|values| values.iter().for_each(|value| hash.update(value.to_le_bytes())));
        };
        let dense = |layer: &Dense, add: &mut Add<'_>| {
            let numbers = [layer.inputs, layer.outputs(), layer.kernel, layer.stride, usize::from(layer.relu6)];
            add(&numbers, &layer.weights, &layer.bias);
        };
        dense(&self.stem, &mut add);
        for block in &self.blocks {
            if let Some(expand) = &block.expand {
                dense(expand, &mut add);
            }
            let Depthwise { kernel, stride, weights, bias } = &block.depthwise;
            add(&[bias.len(), *kernel, *stride], weights, bias);
            dense(&block.project, &mut add);
        }
        dense(&self.head, &mut add);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Features of images of `[side, side, colors]`: `[images, features]`. In parallel.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] without pixels; [`FeatureError::Length`] if the values are no whole number of images.
    pub fn compute(&self, images: &[f32], side: usize) -> Result<Vec<f32>> {
        let size = side * side * self.colors();
        if size == 0 {
            return Err(FeatureError::invalid("the side of an image", 0, "at least 1"));
        }
        length("numbers of images", images.len(), images.len().next_multiple_of(size))?;
        Ok(images.par_chunks(GROUP * size).flat_map_iter(|group| self.group(group, side)).collect())
    }

    /// Features of at most [`GROUP`] images, by this thread.
    ///
    /// How a product of matrices rounds a row depends on their number (one row goes another way than several), so that each group is
    /// filled up with blank images: an image has the same features, bit by bit, in any company, as what is proved of sums over
    /// records needs it.
    pub(super) fn group(&self, images: &[f32], side: usize) -> Vec<f32> {
        let mut work = Work::default();
        let size = side * side * self.colors();
        let (given, count) = (images.len() / size, GROUP);
        let mut images = Cow::Borrowed(images);
        if given < count {
            images.to_mut().resize(count * size, 0.0);
        }
        let mut values = Vec::new();
        for image in images.chunks(size) {
            self.stem.forward(image, [1, side], None, &mut work.patches, &mut values);
        }
        let mut side = side.div_ceil(self.stem.stride);
        for block in &self.blocks {
            values = block.forward(&values, [count, side], &mut work);
            side = side.div_ceil(block.depthwise.stride);
        }
        work.wide.clear();
        self.head.forward(&values, [count, side], None, &mut work.patches, &mut work.wide);
        let places = side * side;
        let mut features = vec![0.0; count * self.features()];
        for (pixel, values) in work.wide.chunks_exact(self.features()).enumerate() {
            let sums = &mut features[pixel / places * self.features()..][..self.features()];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        features.truncate(given * self.features());
        features.iter_mut().for_each(|feature| *feature /= places as f32);
        features
    }
}

fn pointwise(layer: &Dense) -> Result<()> {
    length("places of a pointwise kernel", layer.kernel * layer.kernel, 1)?;
    length("pixels of a pointwise stride", layer.stride, 1)
}
