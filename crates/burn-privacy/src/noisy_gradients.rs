//! The release of a step: the sum of clipped gradients plus noise, over the public expected batch size.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use burn_privacy_mechanisms::{MechanismError, PrivacyKey, StepNoise};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::per_example::{GradientSum, Integers, Total, TrainableParameters};
use burn_privacy_kernels::ops::noise::{NoiseRun, noisy_mean};

/// The gradients of one step with noise added: what an optimizer gets.
///
/// There is no way to make one without the session's noise, and no way to get gradients out of a step but
/// this. Everything computed from it afterwards is post-processing and free.
#[derive(Debug)]
#[must_use = "the step was charged: give the gradients to an optimizer"]
pub struct NoisyGradients {
    gradients: GradientsParams,
}

impl NoisyGradients {
    /// `(sum + N(0, std^2 I)) / expected batch` for **every** trainable parameter, whether an example reached it
    /// or not.
    ///
    /// Element `i` of the noise vector, counted over the parameters in the module visitor's order, depends on
    /// (key, step, `i`) only.
    pub(crate) fn release<M: Module>(
        model: &M,
        trainable: &TrainableParameters,
        sum: GradientSum,
        key: &PrivacyKey,
        step: u64,
        noise_standard_deviation: f64,
        expected_batch_size: usize,
    ) -> Result<Self> {
        let noise = StepNoise::new(key, step)?;
        let mut release = Release {
            sum,
            noise,
            noise_standard_deviation,
            expected_batch_size: expected_batch_size as f64,
            trainable,
            next_element: 0,
            gradients: GradientsParams::new(),
            result: Ok(()),
        };
        tracing::trace_span!("noise").in_scope(|| model.visit(&mut release));
        release.result?;
        Ok(Self { gradients: release.gradients })
    }

    /// The bits of one parameter's noisy gradient, flattened.
    pub(crate) fn bits_of<M: Module>(&self, model: &M, id: ParamId) -> Result<Vec<u32>> {
        struct Reader<'a> {
            id: ParamId,
            gradients: &'a GradientsParams,
            found: Option<Result<Vec<u32>>>,
        }
        impl ModuleVisitor for Reader<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.id != self.id {
                    return;
                }
                let Some(gradient) = self.gradients.get::<D>(self.id) else { return };
                let unreadable = |error| Error::Execution(format!("an update could not be read from it: {error:?}"));
                let bits = |data: TensorData| data.iter::<f32>().map(f32::to_bits).collect();
                self.found = Some(gradient.try_into_data().map_err(unreadable).map(bits));
            }
        }
        let mut reader = Reader { id, gradients: &self.gradients, found: None };
        model.visit(&mut reader);
        reader.found.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// What another rank released, of whose bits nobody can tell whether they travelled.
    pub(crate) fn received<M: Module>(model: &M, entries: &[(ParamId, Vec<u32>)]) -> Self {
        struct Writer<'a> {
            entries: &'a [(ParamId, Vec<u32>)],
            gradients: GradientsParams,
        }
        impl ModuleVisitor for Writer<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some((_, bits)) = self.entries.iter().find(|(id, _)| *id == param.id) else { return };
                let value = param.val();
                let values: Vec<f32> = bits.iter().copied().map(f32::from_bits).collect();
                let data = TensorData::new(values, value.dims());
                self.gradients.register(param.id, Tensor::<D>::from_data(data, &value.device().without_autodiff()));
            }
        }
        let mut writer = Writer { entries, gradients: GradientsParams::new() };
        model.visit(&mut writer);
        Self { gradients: writer.gradients }
    }

    /// The noisy gradient of one parameter.
    pub fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
        self.gradients.get(id)
    }
}

impl From<NoisyGradients> for GradientsParams {
    fn from(noisy: NoisyGradients) -> Self {
        noisy.gradients
    }
}

struct Release<'a> {
    sum: GradientSum,
    noise: StepNoise,
    noise_standard_deviation: f64,
    expected_batch_size: f64,
    trainable: &'a TrainableParameters,
    next_element: u64,
    gradients: GradientsParams,
    result: Result<()>,
}

impl ModuleVisitor for Release<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(parameter) = self.trainable.iter().find(|parameter| parameter.id == param.id) else { return };
        if self.result.is_err() {
            return;
        }
        let total = self.sum.take(param.id, Tensor::zeros([parameter.entries], &parameter.device));
        match self.noisy_mean(total) {
            Ok(mean) => {
                self.next_element += parameter.entries as u64;
                let dims: [usize; D] = param.val().dims();
                self.gradients.register(param.id, mean.reshape(dims));
            }
            Err(error) => self.result = Err(error.into()),
        }
    }
}

impl Release<'_> {
    /// `(sum + noise) / expected batch`, with the noise from `next_element` on. A sum is not rounded to f32 before.
    fn noisy_mean(&self, total: Total) -> std::result::Result<Tensor<1>, MechanismError> {
        let divisor = self.expected_batch_size;
        match total {
            Total::One(sum) => noisy_mean(sum, self.run(), divisor),
            Total::Integers(Integers { values, spacing, device }) => {
                let mut values: Vec<f64> = values.par_iter().map(|&value| value as f64 * spacing).collect();
                self.noise.add_f64(self.next_element, &mut values, self.noise_standard_deviation, divisor)?;
                let mean: Vec<f32> = values.into_par_iter().map(|value| value as f32).collect();
                let entries = mean.len();
                Ok(Tensor::from_data(TensorData::new(mean, [entries]), &device))
            }
            // The noise is rounded to the grid of the sum, as the noisy sum would be.
            Total::Words(sum) => {
                let noise = noisy_mean(sum.zeros(), self.run(), 1.0)?;
                Ok(sum.plus(noise).rounded() / divisor as f32)
            }
        }
    }

    /// The noise of the next parameter.
    fn run(&self) -> NoiseRun<'_> {
        NoiseRun { noise: &self.noise, first: self.next_element, std: self.noise_standard_deviation }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;
    use burn_privacy_mechanisms::Entropy;

    use super::*;
    use crate::nn::{Linear, LinearConfig};

    #[test]
    fn every_entry_gets_its_own_element_of_the_steps_noise() {
        let device = Device::flex().autodiff();
        let key = PrivacyKey::draw(&Entropy::seeded(4)).unwrap();
        // All parameters within one tile of the generator, and over many.
        for width in [7, 1_000] {
            let model: [Linear; 2] = std::array::from_fn(|_| LinearConfig::new(3, width).init(&device));
            let trainable = TrainableParameters::of(&model).unwrap();
            let entries = 2 * 4 * width;
            let update = NoisyGradients::release(&model, &trainable, GradientSum::new(1.0), &key, 9, 2.0, 5).unwrap();
            // As for every other sum: an empty batch must not show in the last bits of a quotient.
            let mut expected = vec![0.0; entries];
            StepNoise::new(&key, 9).unwrap().add_f64(0, &mut expected, 2.0, 5.0).unwrap();
            let mut first = 0;
            for layer in &model {
                let weight = update.get::<2>(layer.weight.id).unwrap().into_data();
                let bias = update.get::<1>(layer.bias.as_ref().unwrap().id).unwrap().into_data();
                for found in [weight, bias] {
                    for found in found.try_to_vec::<f32>().unwrap() {
                        assert_eq!(found, expected[first] as f32, "entry {first}");
                        first += 1;
                    }
                }
            }
            assert_eq!(first, entries);
        }
    }
}
