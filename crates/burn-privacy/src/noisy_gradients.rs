use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use burn_privacy_mechanisms::{PrivacyKey, fill_gaussian_f32};

use crate::error::Result;
use crate::per_example::{GradientSum, TrainableParameters};

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
        let mut release = Release {
            sum,
            key,
            step,
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
    key: &'a PrivacyKey,
    step: u64,
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
        let mut noise = vec![0.0_f32; parameter.entries];
        let filled =
            fill_gaussian_f32(self.key, self.step, self.next_element, &mut noise, self.noise_standard_deviation);
        if let Err(error) = filled {
            self.result = Err(error.into());
            return;
        }
        self.next_element += parameter.entries as u64;
        let noise = Tensor::<1>::from_data(TensorData::new(noise, [parameter.entries]), &parameter.device);
        let total = match self.sum.take(param.id) {
            Some(sum) => sum + noise,
            None => noise,
        };
        let dims: [usize; D] = param.val().dims();
        self.gradients.register(param.id, (total / self.expected_batch_size).reshape(dims));
    }
}
