//! What this crate refuses.

use std::fmt;
use std::path::PathBuf;

use burn_privacy_features::FeatureError;

/// `std::result::Result` with this crate's [`PretrainedError`].
pub type Result<T, E = PretrainedError> = std::result::Result<T, E>;

/// Names that a message lists before it counts.
const LISTED: usize = 10;

/// Why weights were not loaded. Nothing of a file is in the module then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// The file's name says no format that is read.
    #[error(
        "{} is no file of weights that can be read: give a burnpack (.bpk), safetensors (.safetensors) or PyTorch (.pt, .pth) file",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read.
    #[error("{} can't be read as {format}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Of its name.
        format: &'static str,
        /// The reader's words.
        reason: String,
    },
    /// A pattern for names is no regular expression.
    #[error("`{pattern}` is no regular expression for names of weights: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two weights of the file have one name after renaming.
    #[error("two weights of {} are called `{name}` after renaming: make the patterns tell them apart", path.display())]
    SameName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The file does not have what the module needs.
    #[error("{}", mismatch(path, missing, differing, broken, unused))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Weights of the module that the file does not have.
        missing: Vec<String>,
        /// Weights of other shapes.
        differing: Vec<ShapeDifference>,
        /// Weights that could not be read or have another element type, each with the reason.
        broken: Vec<String>,
        /// Weights of the file that the module has no place for.
        unused: Vec<String>,
    },
    /// Weights could not become a frozen body.
    #[error(transparent)]
    Features(#[from] FeatureError),
}

/// A weight of one shape in the file and another in the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeDifference {
    /// Dotted path in the module.
    pub name: String,
    /// In the file, as the module would have it.
    pub in_file: Vec<usize>,
    /// In the module.
    pub in_module: Vec<usize>,
}

impl fmt::Display for ShapeDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} in the file, {:?} in the module", self.name, self.in_file, self.in_module)
    }
}

/// The first names, and how many more there are.
fn listed<T: fmt::Display>(names: &[T]) -> String {
    let mut text: Vec<String> = names.iter().take(LISTED).map(T::to_string).collect();
    if names.len() > LISTED {
        text.push(format!("and {} more", names.len() - LISTED));
    }
    text.join("; ")
}

fn mismatch(
    path: &std::path::Path,
    missing: &[String],
    differing: &[ShapeDifference],
    broken: &[String],
    unused: &[String],
) -> String {
    let mut text = format!("{} does not fit the module, and nothing of it was loaded.", path.display());
    if !missing.is_empty() {
        text.push_str(&format!(" Not in the file: {}.", listed(missing)));
    }
    if !differing.is_empty() {
        text.push_str(&format!(" Of another shape: {}.", listed(differing)));
    }
    if !broken.is_empty() {
        text.push_str(&format!(" Not readable: {}.", listed(broken)));
    }
    if !unused.is_empty() {
        text.push_str(&format!(" In the file, with no place in the module: {}.", listed(unused)));
    }
    text.push_str(" Rename the file's weights (with_renaming), or keep the module's own where they are meant to differ (keeping).");
    text
}
