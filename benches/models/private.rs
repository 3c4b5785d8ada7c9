//! The networks over layers with per-example gradients.

mod layers {
    pub use burn_privacy::activation::*;
    pub use burn_privacy::attention::attention;
    pub use burn_privacy::nn::*;
}
#[path = "networks.rs"]
mod networks;

pub use networks::*;
