//! Attacks on one's own output: what each finds is what the output gives away.

mod dictionary;
mod homogeneity;
mod linkage;

pub use dictionary::{DictionaryFinding, dictionary};
pub use homogeneity::{HomogeneityFinding, homogeneity};
pub use linkage::{LinkageFinding, linkage};
