//! The release of a step: the sum of clipped gradients plus noise, over the public expected batch size.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use burn_privacy_mechanisms::{PrivacyKey, RoundedStepNoise, StepNoise};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::per_example::{GradientSum, Integers, Total, TrainableParameters};
use crate::statement::Noise;
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
        noise: OfStep,
        noise_standard_deviation: f64,
        expected_batch_size: usize,
    ) -> Result<Self> {
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

    /// What another rank released, of whose bits nobody can tell whether they traveled.
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

/// The noise of one step.
pub(crate) enum OfStep {
    Floating(Box<StepNoise>),
    Rounded(RoundedStepNoise),
}

impl OfStep {
    pub(crate) fn new(noise: Noise, key: &PrivacyKey, step: u64) -> Result<Self> {
        match noise {
            Noise::ExactRounded => Ok(Self::Rounded(RoundedStepNoise::new(key, step)?)),
            _ => Ok(Self::Floating(Box::new(StepNoise::new(key, step)?))),
        }
    }

    /// `(count + noise) / divisor` for a multiple of one half, with the noise of one element.
    pub(crate) fn noisy_count(&self, count: f64, element: u64, std: f64, divisor: f64) -> Result<f64> {
        match self {
            Self::Floating(noise) => {
                let mut share = [count];
                noise.add_f64(element, &mut share, std, divisor)?;
                Ok(share[0])
            }
            Self::Rounded(noise) => {
                // Halves are multiples of it, so that nothing is rounded but the noise.
                const SPACING: f64 = 1.0 / (1_u64 << 40) as f64;
                let mut share = [(count / SPACING) as i128];
                // In a tile of its own: elements that share one are independent at one standard deviation only.
                noise.add(RoundedStepNoise::whole_tiles(element), &mut share, multiple(std, SPACING))?;
                Ok(share[0] as f64 * SPACING / divisor)
            }
        }
    }
}

/// A standard deviation in units of a spacing, which is a power of two. The product that `std` is was rounded to the nearest f64:
/// the next one is not below it.
fn multiple(std: f64, spacing: f64) -> f64 {
    if std == 0.0 { 0.0 } else { (std / spacing).next_up() }
}

struct Release<'a> {
    sum: GradientSum,
    noise: OfStep,
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
        // A second visit of an id would take the first one's place and draw other noise: its sum is gone.
        if self.result.is_err() || self.gradients.get::<D>(param.id).is_some() {
            return;
        }
        match self.noisy_mean(param.id, Tensor::zeros([parameter.entries], &parameter.device)) {
            Ok(mean) => {
                self.next_element += parameter.entries as u64;
                let dims: [usize; D] = param.val().dims();
                self.gradients.register(param.id, mean.reshape(dims));
            }
            Err(error) => self.result = Err(error),
        }
    }
}

impl Release<'_> {
    /// `(sum + noise) / expected batch`, with the noise from `next_element` on. A sum is not rounded to f32 before.
    fn noisy_mean(&mut self, id: ParamId, zeros: Tensor<1>) -> Result<Tensor<1>> {
        let divisor = self.expected_batch_size;
        let (first, std) = (self.next_element, self.noise_standard_deviation);
        let noise = match &self.noise {
            OfStep::Floating(noise) => &**noise,
            OfStep::Rounded(noise) => {
                let Integers { values, spacing, device } = self.sum.take_integers(id, zeros)?;
                let mut values: Vec<i128> = values.into_par_iter().map(i128::from).collect();
                noise.add(first, &mut values, multiple(std, spacing))?;
                return Ok(mean_on(&device, values, |value| value as f64 * spacing / divisor));
            }
        };
        Ok(match self.sum.take(id, zeros) {
            Total::One(sum) => noisy_mean(sum, NoiseRun { noise, first, std }, divisor)?,
            Total::Integers(Integers { values, spacing, device }) => {
                let mut values: Vec<f64> = values.par_iter().map(|&value| value as f64 * spacing).collect();
                noise.add_f64(first, &mut values, std, divisor)?;
                mean_on(&device, values, |value| value)
            }
            // The noise is rounded to the grid of the sum, as the noisy sum would be.
            Total::Words(sum) => {
                let noise = noisy_mean(sum.zeros(), NoiseRun { noise, first, std }, 1.0)?;
                sum.plus(noise).rounded() / divisor as f32
            }
        })
    }
}

fn mean_on<T: Send>(device: &Device, values: Vec<T>, mean: impl Fn(T) -> f64 + Sync) -> Tensor<1> {
    let mean: Vec<f32> = values.into_par_iter().map(|value| mean(value) as f32).collect();
    let entries = mean.len();
    Tensor::from_data(TensorData::new(mean, [entries]), device)
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
        let key = PrivacyKey::draw(Entropy::seeded(4)).unwrap();
        // All parameters within one tile of the generator, and over many.
        for width in [7, 1_000] {
            let model: [Linear; 2] = std::array::from_fn(|_| LinearConfig::new(3, width).init(&device));
            let trainable = TrainableParameters::of(&model).unwrap();
            let entries = 2 * 4 * width;
            let update = {
                let noise = OfStep::new(Noise::FloatingPoint, &key, 9).unwrap();
                NoisyGradients::release(&model, &trainable, GradientSum::new(1.0), noise, 2.0, 5).unwrap()
            };
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

    #[test]
    fn exact_noise_is_that_of_the_grid_whatever_the_cut() {
        let device = Device::flex().autodiff();
        let key = PrivacyKey::draw(Entropy::seeded(4)).unwrap();
        for (norm, spacing) in [(1.0, 2_f64.powi(-40)), (0.7, 2_f64.powi(-40)), (3.0, 2_f64.powi(-38))] {
            let model: [Linear; 2] = std::array::from_fn(|_| LinearConfig::new(3, 50).init(&device));
            let trainable = TrainableParameters::of(&model).unwrap();
            let noise = OfStep::new(Noise::ExactRounded, &key, 9).unwrap();
            let update =
                NoisyGradients::release(&model, &trainable, GradientSum::new(norm), noise, 2.0 * norm, 5).unwrap();
            let mut expected = vec![0_i128; 2 * 4 * 50];
            let std = (2.0 * norm / spacing).next_up();
            RoundedStepNoise::new(&key, 9).unwrap().add(0, &mut expected, std).unwrap();
            let mut expected = expected.into_iter().map(|value| (value as f64 * spacing / 5.0) as f32);
            for layer in &model {
                let weight = update.get::<2>(layer.weight.id).unwrap().into_data();
                let bias = update.get::<1>(layer.bias.as_ref().unwrap().id).unwrap().into_data();
                for found in [weight, bias] {
                    for found in found.try_to_vec::<f32>().unwrap() {
                        assert_eq!(Some(found), expected.next());
                    }
                }
            }
            assert_eq!(expected.next(), None);
        }
    }

    #[test]
    fn counts_get_noise_of_either_kind() {
        let key = PrivacyKey::draw(Entropy::seeded(4)).unwrap();
        for noise in [Noise::FloatingPoint, Noise::ExactRounded] {
            let found: Vec<f64> = (0..500)
                .map(|step| OfStep::new(noise, &key, step).unwrap().noisy_count(-3.5, 77, 2.0, 10.0).unwrap())
                .collect();
            let mean = found.iter().sum::<f64>() / 500.0;
            let deviation = (found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 499.0).sqrt();
            // Six standard errors.
            assert!((mean + 0.35).abs() < 6.0 * 0.2 / 500_f64.sqrt(), "{mean}");
            assert!((deviation - 0.2).abs() < 6.0 * 0.2 / 1_000_f64.sqrt(), "{deviation}");
        }
        let exact = OfStep::new(Noise::ExactRounded, &key, 0).unwrap();
        // Beside 63 entries of another standard deviation: in their tile its words would now and then be those of an entry.
        let mut beside = [0_i128];
        RoundedStepNoise::new(&key, 0).unwrap().add(64, &mut beside, (2_f64 * 2_f64.powi(40)).next_up()).unwrap();
        assert_eq!(exact.noisy_count(0.0, 63, 2.0, 1.0).unwrap(), beside[0] as f64 / 2_f64.powi(40));
        assert_eq!(exact.noisy_count(-3.5, 77, 0.0, 10.0).unwrap(), -0.35);
    }
}
