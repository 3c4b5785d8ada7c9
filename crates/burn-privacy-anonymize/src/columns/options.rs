//! How a table is read and written.

use burn_privacy_mechanisms::key::Entropy;

use crate::perturb::TableFormat;
use crate::records::{FileFormat, Packing};

/// How a table is read and written.
#[derive(Debug, Clone)]
pub struct TransformOptions {
    /// How the input is written.
    pub input: FileFormat,
    /// How the output is to be written.
    pub output: FileFormat,
    /// Separator and comments of CSV, in and out.
    pub csv: TableFormat,
    /// How the output is packed.
    pub packing: Packing,
    /// Where the randomness of noise comes from: [`Entropy::os`], or nothing is private.
    pub entropy: Entropy,
    /// Whether an output that exists is replaced.
    pub replace: bool,
}

impl Default for TransformOptions {
    fn default() -> Self {
        Self {
            input: FileFormat::Csv,
            output: FileFormat::Csv,
            csv: TableFormat::default(),
            packing: Packing::None,
            entropy: Entropy::os(),
            replace: false,
        }
    }
}
