//! Attacks on one's own output: what each finds is what the output gives away.

mod dictionary;
mod downcoding;
mod homogeneity;
mod intersection;
mod linkage;

pub use dictionary::{DictionaryFinding, dictionary};
pub use downcoding::{DowncodingFinding, downcoding};
pub use homogeneity::{HomogeneityFinding, homogeneity};
pub use intersection::{IntersectionFinding, intersection};
pub use linkage::{LinkageFinding, linkage};
