//! Losses of one example that depend on another: adding or removing one example would change every contribution.

use burn::nn::Initializer;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Ask, Batch, Values, assert_says, distance, flex, refusal, try_clipped_sum, with_values};

#[derive(Module, Debug)]
struct Model {
    first: Linear,
    head: Linear,
}

impl Model {
    fn new() -> Self {
        let device = flex();
        let model = Self { first: LinearConfig::new(4, 5).init(&device), head: LinearConfig::new(5, 3).init(&device) };
        with_values(model, 1)
    }

    /// The last layer starts at zero, as residual branches and heads often do.
    fn with_a_silent_head() -> Self {
        let device = flex();
        Self {
            first: LinearConfig::new(4, 5).init(&device),
            head: LinearConfig::new(5, 3).with_initializer(Initializer::Zeros).init(&device),
        }
    }
}

const ADVICE: [&str; 2] = ["depends on other examples of the batch", "batch statistics"];

fn assert_coupled(model: &Model, loss: impl Fn(&Model, Batch) -> Tensor<1>) {
    let mut examples = Values::new(1).examples(8, 4, 3);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target[0] = (i % 3) as f32);
    assert_says(&refusal(&Ask::flex(1.0), model, &examples, &loss), &ADVICE);
    // One example at a time has no other example to depend on.
    let alone = Ask::flex(1.0).loop_over_examples();
    assert!(try_clipped_sum(&alone, model, &examples, &loss).is_ok());
}

#[test]
fn outputs_minus_their_mean_over_the_batch() {
    for model in [Model::new(), Model::with_a_silent_head()] {
        assert_coupled(&model, |model, batch| {
            let hidden = model.first.forward(batch.input).tanh();
            let centred = hidden.clone() - hidden.mean_dim(0);
            distance(model.head.forward(centred), batch.target)
        });
    }
}

#[test]
fn losses_that_compare_examples() {
    assert_coupled(&Model::new(), |model, batch| {
        let output = model.head.forward(model.first.forward(batch.input).tanh());
        let similarities = output.clone().matmul(output.transpose());
        similarities.sum_dim(1).reshape([batch.target.dims()[0]])
    });
}

#[test]
fn the_mean_repeated_for_every_example() {
    assert_coupled(&Model::new(), |model, batch| {
        let n = batch.size();
        distance(model.head.forward(model.first.forward(batch.input).tanh()), batch.target).mean().expand([n])
    });
}

#[test]
fn attention_over_the_batch_axis() {
    assert_coupled(&Model::with_a_silent_head(), |model, batch| {
        let hidden = model.first.forward(batch.input);
        let weights = burn::tensor::activation::softmax(hidden.clone().matmul(hidden.clone().transpose()), 1);
        distance(model.head.forward(weights.matmul(hidden)), batch.target)
    });
}

/// The coupling lies before the first layer: no gradient flows along it.
#[test]
fn inputs_normalised_by_the_batch() {
    assert_coupled(&Model::new(), |model, batch| {
        let centred = batch.input.clone() - batch.input.mean_dim(0);
        distance(model.head.forward(model.first.forward(centred).tanh()), batch.target)
    });
}

/// The coupling is detached: no gradient flows along it.
#[test]
fn detached_batch_statistics() {
    assert_coupled(&Model::new(), |model, batch| {
        let hidden = model.first.forward(batch.input);
        let scale = hidden.clone().detach().abs().mean_dim(0);
        distance(model.head.forward((hidden / scale).tanh()), batch.target)
    });
}

/// A mask compares the batch: no gradient flows through a comparison.
#[test]
fn masks_made_from_the_whole_batch() {
    assert_coupled(&Model::new(), |model, batch| {
        let hidden = model.first.forward(batch.input);
        let above = hidden.clone().greater(hidden.clone().mean_dim(0).expand(hidden.dims()));
        distance(model.head.forward(hidden.mask_fill(above, 0.0)), batch.target)
    });
}

/// Class weights from the labels of the batch: no gradient flows through labels.
#[test]
fn class_weights_counted_in_the_batch() {
    assert_coupled(&Model::new(), |model, batch| {
        let (n, classes) = (batch.size(), batch.classes());
        let one_hot: Tensor<2> = classes.clone().one_hot(3).float();
        let counts = one_hot.clone().sum_dim(0);
        let weights = (one_hot / counts.clamp_min(1.0)).sum_dim(1).reshape([n]);
        cross_entropy(model.head.forward(model.first.forward(batch.input).tanh()), classes) * weights
    });
}

/// One loss an example, each divided by the number of examples: a mean by hand.
#[test]
fn losses_divided_by_the_batch_size() {
    assert_coupled(&Model::new(), |model, batch| {
        let n = batch.size() as f64;
        distance(model.head.forward(model.first.forward(batch.input).tanh()), batch.target) / n
    });
}

/// What the validator must not mistake for a coupling.
mod accepted {
    use burn::nn::{Dropout, DropoutConfig};

    use super::*;

    fn assert_accepted<M: Module>(model: &M, loss: impl Fn(&M, Batch) -> Tensor<1>) {
        for examples in [2, 3, 8] {
            let examples = Values::new(1).examples(examples, 4, 3);
            if let Err(error) = try_clipped_sum(&Ask::flex(1.0), model, &examples, &loss) {
                panic!("{error}");
            }
        }
    }

    #[derive(Module, Debug)]
    struct WithDropout {
        model: Model,
        dropout: Dropout,
    }

    #[test]
    fn dropout() {
        let model = WithDropout { model: Model::new(), dropout: DropoutConfig::new(0.5).init() };
        assert_accepted(&model, |model, batch| {
            let hidden = model.dropout.forward(model.model.first.forward(batch.input).tanh());
            distance(model.model.head.forward(hidden), batch.target)
        });
    }

    /// A normalised vector: its derivative at exactly zero is NaN.
    #[test]
    fn activations_that_are_exactly_zero() {
        let mut examples = Values::new(1).examples(6, 4, 3);
        // Without bias, an input of zeros gives activations of zeros.
        examples[2].input = vec![0.0; 4];
        let device = flex();
        let model = Model {
            first: LinearConfig::new(4, 5).with_bias(false).init(&device),
            head: LinearConfig::new(5, 3).init(&device),
        };
        let result = try_clipped_sum(&Ask::flex(1.0), &model, &examples, |model: &Model, batch| {
            let hidden = model.first.forward(batch.input);
            let length = hidden.clone().square().sum_dim(1).sqrt();
            distance(model.head.forward(hidden / (length + 1.0)), batch.target)
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    }

    /// A model that needs its parameters positive, which randomised ones are not.
    #[test]
    fn parameters_under_a_square_root() {
        let model = burn::module::Param::from_tensor(Tensor::<1>::ones([3], &flex()));
        assert_accepted(&model, |model: &burn::module::Param<Tensor<1>>, batch| {
            let copies: Tensor<2> = burn_privacy::per_example::per_example(model, batch.size());
            distance(copies.sqrt(), batch.target)
        });
    }

    #[test]
    fn losses_in_another_order_of_magnitude() {
        for factor in [1e-6, 1e6] {
            assert_accepted(&Model::new(), |model, batch| {
                distance(model.head.forward(model.first.forward(batch.input).tanh()), batch.target) * factor
            });
        }
    }
}
