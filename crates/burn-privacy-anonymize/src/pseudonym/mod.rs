//! Keyed pseudonyms: the same value under the same key gets the same pseudonym over tables, files and years, without a
//! lookup file; forgetting the key is the erasure. And masks, which are weaker.

mod check_digits;
mod format_preserving;
mod key;
mod mask;
mod realistic;
mod shape;

pub use check_digits::{iban_check_digits, luhn_check_digit};
pub use format_preserving::{FormatPreserving, NumberFormat};
pub(crate) use key::{KeyedHash, padded_keys};
pub use key::{KeyedPseudonym, PseudonymKey, keyed, unkeyed_hash};
pub use mask::{Mask, MaskPattern};
pub use realistic::{Locale, Realistic, RealisticKind};
pub use shape::{EmailPseudonym, ShapePreserving};
