//! Modules of another crate, with no import of ours, train with one changed line.

use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, all_parameters, flex};

/// What somebody else wrote: nothing of this crate in it.
mod theirs {
    use super::*;

    #[derive(Module, Debug)]
    pub struct Classifier {
        embed: Linear,
        encoder: TransformerEncoder,
        dropout: Dropout,
        head: Linear,
    }

    impl Classifier {
        pub fn new(device: &Device) -> Self {
            Self {
                embed: LinearConfig::new(4, 8).init(device),
                encoder: TransformerEncoderConfig::new(8, 16, 2, 1).init(device),
                dropout: DropoutConfig::new(0.2).init(),
                head: LinearConfig::new(8, 2).init(device),
            }
        }

        pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
            let x = self.encoder.forward(TransformerEncoderInput::new(self.embed.forward(x)));
            self.head.forward(self.dropout.forward(x.mean_dim(1).squeeze_dim::<2>(1)))
        }
    }
}

/// Records of two classes that differ in the sign of their mean.
fn records(count: usize) -> Vec<Example> {
    let mut values = Values::new(5);
    let record = |class: usize, values: &mut Values| {
        let shift = if class == 0 { -1.0 } else { 1.0 };
        Example::new(values.normals(12).iter().map(|value| value + shift).collect(), vec![class as f32])
    };
    (0..count).map(|i| record(i % 2, &mut values)).collect()
}

fn logits(model: &theirs::Classifier, batch: &Batch) -> Tensor<2> {
    model.forward(batch.shaped::<3>(&[3, 4]))
}

#[test]
fn a_stock_transformer_learns_under_noise() {
    let device = flex();
    device.seed(1);
    let records = records(512);
    let mut model = theirs::Classifier::new(&device);
    let before = all_parameters(&model);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(64, 512))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .with_steps(40)
        .build()
        .unwrap();
    let mut session =
        plan.start(burn::data::dataset::InMemDataset::new(records.clone()), Rows, &device, Entropy::seeded(3)).unwrap();
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step().unwrap() {
        // The one changed line: gradients come from the step, not from `loss.backward()`.
        let gradients =
            step.gradients(&model, |model, batch| Ok(cross_entropy(logits(model, &batch), batch.classes()))).unwrap();
        model = optimizer.step(0.3, model, gradients.into());
    }
    assert_ne!(all_parameters(&model), before);
    let statement = session.finish().unwrap();
    assert!(statement.assumptions.iter().any(|text| text.contains("proved on the operation graph at every step")));
    let batch = burn::data::dataloader::batcher::Batcher::batch(&Rows, records, &Device::flex());
    let found = logits(&model.valid(), &batch).argmax(1).reshape([512]);
    let right = found.equal(batch.classes()).int().sum().into_scalar::<i64>();
    assert!(right > 460, "{right} of 512");
}
