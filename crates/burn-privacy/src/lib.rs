//! Differentially private training for [Burn](https://burn.dev): DP-SGD with per-example clipping, Poisson
//! sampling, Gaussian noise and accounting, all made from one plan.
//!
//! ```
//! use burn::data::{dataloader::batcher::Batcher, dataset::InMemDataset};
//! use burn::optim::SgdConfig;
//! use burn::prelude::*;
//! use burn_privacy::nn::{Linear, LinearConfig};
//! use burn_privacy::prelude::*;
//!
//! #[derive(Clone)]
//! struct Rows;
//!
//! impl Batcher<(f32, f32), (Tensor<2>, Tensor<2>)> for Rows {
//!     fn batch(&self, rows: Vec<(f32, f32)>, device: &Device) -> (Tensor<2>, Tensor<2>) {
//!         let (x, y): (Vec<f32>, Vec<f32>) = rows.into_iter().unzip();
//!         let column = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), device).reshape([-1, 1]);
//!         (column(x), column(y))
//!     }
//! }
//!
//! let device = Device::flex().autodiff();
//! let dataset = InMemDataset::new((0..1000).map(|i| (i as f32 / 1000.0, i as f32 / 500.0)).collect());
//! let plan = PrivacyPlanConfig::new()
//!     .with_sampling(Sampling::poisson(100, 1000))
//!     .with_steps(5)
//!     .with_noise(NoiseLevel::target(3.0, 1e-5))
//!     .build()?;
//!
//! let mut model: Linear = LinearConfig::new(1, 1).init(&device);
//! let mut optim = SgdConfig::new().init();
//! let mut session = plan.start(dataset, Rows, &device, Entropy::os())?;
//! while let Some(step) = session.next_step()? {
//!     let update = step.gradients(&model, |model, (x, y)| Ok(mean_squared_error(model.forward(x), y)))?;
//!     model = optim.step(0.5, model, update.into());
//! }
//! let statement = session.finish()?;
//! assert_eq!(statement.charged_steps, 5);
//! println!("{statement}");
//! # Ok::<(), burn_privacy::Error>(())
//! ```
//!
//! What changes against plain Burn: the loss keeps one value per example ([`loss`]), and batches come from the session
//! instead of a data loader. Layers may stay Burn's; those of [`nn`] are faster. The device decides the backend at run
//! time, as in Burn.
//!
//! # What is guaranteed
//!
//! A [`PrivacyPlan`](plan::PrivacyPlan) is immutable and makes the sampler, the clipping, the noise and the
//! accounting event together. A [`Session`](session::Session) charges each step before its update exists, and gives
//! [`NoisyGradients`] only. A model whose per-example gradients are not known exactly is refused, with the
//! parameter's path and the fix. The [`PrivacyStatement`](statement::PrivacyStatement) says what holds, under which
//! assumptions, and what it does not cover. [`Entropy::Seeded`](mechanisms::Entropy) makes a run reproducible and marks
//! every report as not private.
//!
//! How much accuracy a given epsilon costs is a question for a [`sweep`]. Besides the gradients, noise can go on an
//! ensemble's answers: see [`prediction`].
//!
//! # Two levels
//!
//! | level | for | entry |
//! |---|---|---|
//! | session | a training loop of your own | [`StartPlan::start`](session::StartPlan::start) |
//! | parts | a layer of your own | [`PerExampleRule`](per_example::PerExampleRule), [`record`](per_example::record), [`per_example`](per_example::per_example) |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `flex` | yes | Burn's pure-Rust CPU backend |
//! | `wgpu` | yes | GPUs through wgpu |
//! | `vulkan`, `metal`, `webgpu`, `cuda`, `rocm`, `ndarray` | no | Burn's other backends |
//! | `mpi` | no | ranks that are processes, connected by MPI (needs an MPI and libclang to build) |
//! | `download` | no | fetching public data sets over HTTPS |
//! | `plot` | no | PNG and SVG plots of runs and sweeps |

#[cfg(doctest)]
mod book;

pub mod activation;
pub mod attention;
pub mod audit;
pub mod device;
pub mod exchange;
pub mod fine_tune;
pub mod loss;
pub mod nn;
pub mod per_example;
pub mod sampler;
pub mod session;

mod charges;
mod error;
mod index_range;
#[cfg(feature = "mpi")]
mod mpi_exchange;
mod noisy_gradients;
mod process_memory;
mod traced;
mod weight_average;

pub use burn_privacy_accounting as accounting;
pub use burn_privacy_budget::{ledger, plan, statement};
pub use burn_privacy_datasets as datasets;
pub use burn_privacy_ensemble as prediction;
pub use burn_privacy_mechanisms as mechanisms;
pub use burn_privacy_report as report;
pub use burn_privacy_sweep as sweep;
pub use error::{Error, Result, Unprotected};
pub use noisy_gradients::NoisyGradients;
pub use process_memory::keep_freed_memory;
pub use weight_average::WeightAverage;

/// What most programs import.
pub mod prelude {
    pub use crate::accounting::{Accountant, Adjacency, PldAccountant, RdpAccountant};
    pub use crate::loss::{
        binary_cross_entropy_with_logits, cross_entropy, huber, mean_squared_error, sequence_cross_entropy,
    };
    pub use crate::mechanisms::Entropy;
    pub use crate::per_example::{PerExample, per_example};
    pub use crate::plan::{Clipping, NoiseLevel, PrivacyPlan, PrivacyPlanConfig, Sampling};
    pub use crate::session::{Session, StartPlan, Step};
    pub use crate::statement::{Noise, PrivacyStatement, Statement};
    pub use crate::{Error, NoisyGradients};
}
