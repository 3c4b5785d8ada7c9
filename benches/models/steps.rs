//! Training steps to be timed: plain or private, one call a step, which ends when the device has finished.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_privacy::prelude::*;

use super::{Network, Rows, private, recurrent, stock};

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plain training with Burn's layers.
    Stock,
    /// Plain training with the private layers.
    Layers,
    /// DP-SGD: load, forward, backward, norms, clipped sum, noise, optimizer.
    Private,
    /// The same with noise rounded to the grid of the sum and drawn exactly.
    Exact,
    /// [`Private`](Self::Private) with Burn's layers, on the operation graph.
    Traced,
    /// The same with Burn's layers, one example at a time.
    Loop,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "stock" => Ok(Self::Stock),
            "layers" => Ok(Self::Layers),
            "private" => Ok(Self::Private),
            "exact" => Ok(Self::Exact),
            "traced" => Ok(Self::Traced),
            "loop" => Ok(Self::Loop),
            _ => Err(format!("{name:?} is not a mode: give stock, layers, private, exact, traced or loop")),
        }
    }
}

/// Takes one training step and returns when its numbers are there.
pub type Stepper = Box<dyn FnMut()>;

fn plain_steps<M: Network + 'static>(batch: usize, device: &Device) -> Stepper {
    let device = device.clone();
    let mut model = M::new(&device);
    let mut optim = SgdConfig::new().init();
    let rows = M::TASK.rows(batch);
    Box::new(move || {
        let (input, targets) = Rows.batch(rows.clone(), &device);
        let loss = M::TASK.losses(model.forward(input), targets).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(0.01, model.clone(), gradients);
        device.sync().expect("the device answers");
    })
}

fn private_steps<M: Network + 'static>(batch: usize, device: &Device, per_example: PerExample) -> Stepper {
    noisy_steps::<M>(batch, device, per_example, Noise::FloatingPoint)
}

fn noisy_steps<M: Network + 'static>(batch: usize, device: &Device, per_example: PerExample, noise: Noise) -> Stepper {
    let device = device.clone();
    let mut model = M::new(&device);
    let mut optim = SgdConfig::new().init();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(batch))
        .with_noise(NoiseLevel::multiplier(1.1))
        .with_delta(1e-5)
        .with_steps(1 << 30)
        .build()
        .expect("the plan is valid");
    let dataset = InMemDataset::new(M::TASK.rows(batch));
    let session = plan.start(dataset, Rows, &device, Entropy::os()).expect("the session starts");
    let mut session = session.with_physical_batch(batch).with_per_example(per_example).with_noise(noise);
    Box::new(move || {
        let step = session.next_step().expect("a step").expect("steps are left");
        let update = step
            .gradients(&model, |model, (input, targets)| Ok(M::TASK.losses(model.forward(input), targets)))
            .expect("the model is covered");
        model = optim.step(0.01, model.clone(), update.into());
        device.sync().expect("the device answers");
    })
}

macro_rules! networks {
    ($($name:literal => $network:ident),* $(,)?) => {
        /// Names of the networks.
        pub const MODELS: &[&str] = &[$($name),*];

        /// Training steps of the named network; `None` for a name not among [`MODELS`].
        pub fn stepper(model: &str, mode: Mode, batch: usize, device: &Device) -> Option<Stepper> {
            match (model, mode) {
                $(
                    ($name, Mode::Stock) => Some(plain_steps::<stock::$network>(batch, device)),
                    ($name, Mode::Layers) => Some(plain_steps::<private::$network>(batch, device)),
                    ($name, Mode::Private) => {
                        Some(private_steps::<private::$network>(batch, device, PerExample::OneBackward))
                    }
                    ($name, Mode::Exact) => {
                        let mode = PerExample::OneBackward;
                        Some(noisy_steps::<private::$network>(batch, device, mode, Noise::ExactRounded))
                    }
                    ($name, Mode::Traced) => Some(private_steps::<stock::$network>(batch, device, PerExample::Traced)),
                    ($name, Mode::Loop) => Some(private_steps::<stock::$network>(batch, device, PerExample::Loop)),
                )*
                _ => stock_stepper(model, mode, batch, device),
            }
        }
    };
}

macro_rules! stock_networks {
    ($($name:literal => $network:ident),* $(,)?) => {
        /// Names of the networks that exist over Burn's layers only.
        pub const STOCK_MODELS: &[&str] = &[$($name),*];

        fn stock_stepper(model: &str, mode: Mode, batch: usize, device: &Device) -> Option<Stepper> {
            match (model, mode) {
                $(
                    ($name, Mode::Stock) => Some(plain_steps::<recurrent::$network>(batch, device)),
                    ($name, Mode::Traced) => Some(private_steps::<recurrent::$network>(batch, device, PerExample::Traced)),
                    ($name, Mode::Loop) => Some(private_steps::<recurrent::$network>(batch, device, PerExample::Loop)),
                )*
                _ => None,
            }
        }
    };
}

stock_networks! {
    "lstm_64" => Lstm64,
    "encoder_4_lora" => EncoderLora,
}

networks! {
    "affordability_mlp" => AffordabilityMlp,
    "wide_mlp" => WideMlp,
    "wide_mlp_256" => WideMlp256,
    "wide_mlp_2816" => WideMlp2816,
    "handout_cnn" => HandoutCnn,
    "tanh_cnn" => TanhCnn,
    "wrn16_4" => Wrn16x4,
    "wrn16_4_ws" => Wrn16x4WeightStandardized,
    "transformer" => Transformer,
    "transformer_128" => Transformer128,
    "transformer_256" => Transformer256,
}
