//! Files of weights into modules.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::DType;
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{
    ApplyError, BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    SafetensorsStore,
};
use regex::Regex;

use crate::error::{PretrainedError, Result, ShapeDifference};

/// The longest header of a safetensors file, as its own library has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// A file of weights, and how its names become a module's.
///
/// The format is that of the file's extension. Weights of PyTorch's layout (linear layers transposed, `weight` and `bias` of norms) are
/// turned into Burn's; so are those of a safetensors file that was not written by Burn. Numbers in gaps of PyTorch's
/// `nn.Sequential` (`features.0`, `features.3`) are closed (`features.0`, `features.1`) before names are changed. Floats of other
/// precisions become 32-bit.
#[derive(Clone, Debug)]
pub struct WeightFile {
    path: PathBuf,
    renaming: Vec<(String, String)>,
    keeping: Vec<String>,
    #[cfg_attr(not(feature = "pytorch"), allow(dead_code))]
    top_level_key: Option<String>,
}

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Weights of the module that the file gave, sorted.
    pub applied: Vec<String>,
    /// Weights of the module that it kept, sorted.
    pub kept: Vec<String>,
    /// Weights of the file that the module has no place for, sorted.
    pub unused: Vec<String>,
}

impl WeightFile {
    /// The file at `path`, which is read by [`load_into`](Self::load_into).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), renaming: Vec::new(), keeping: Vec::new(), top_level_key: None }
    }

    /// Replaces what a regular expression matches in the file's names, after earlier patterns; `$1` is its first group.
    pub fn with_renaming(mut self, pattern: &str, replacement: &str) -> Self {
        self.renaming.push((pattern.to_owned(), replacement.to_owned()));
        self
    }

    /// Leaves the module's own weights whose names a regular expression matches, whatever the file has.
    pub fn keeping(mut self, pattern: &str) -> Self {
        self.keeping.push(pattern.to_owned());
        self
    }

    /// Takes the weights under a key of a PyTorch file, such as `state_dict`. Other formats have none. (PyTorch files need the
    /// feature `pytorch`.)
    pub fn with_top_level_key(mut self, key: &str) -> Self {
        self.top_level_key = Some(key.to_owned());
        self
    }

    /// The module with the file's weights. Which parameters are trainable, and what its flags say, stays.
    ///
    /// # Errors
    ///
    /// [`PretrainedError::Mismatch`] if a weight of the module is neither in the file, in the module's shape, nor kept; then nothing is
    /// loaded. [`PretrainedError::Format`] and [`PretrainedError::Read`] for the file, [`PretrainedError::Pattern`] and
    /// [`PretrainedError::SameName`] for the patterns.
    pub fn load_into<M: Module>(&self, module: M) -> Result<(M, Loaded)> {
        let keeping = self.keeping.iter().map(|pattern| regex(pattern)).collect::<Result<Vec<_>>>()?;
        let is_kept = |name: &str| keeping.iter().any(|pattern| pattern.is_match(name));
        let (tensors, from_pytorch) = self.tensors()?;
        let offered: Vec<StoredTensor> = tensors.into_values().filter(|tensor| !is_kept(&tensor.name)).collect();
        let to_f32 = FloatCastAdapter::to(DType::F32);
        let adapter: Box<dyn ModuleAdapter> =
            if from_pytorch { Box::new(PyTorchToBurnAdapter.chain(to_f32)) } else { Box::new(to_f32) };
        let mut module = module;
        let result = module.apply(offered, None, Some(adapter), from_pytorch);

        let (kept, missing) =
            result.missing.into_iter().map(|(name, _)| name).partition::<Vec<_>, _>(|name| is_kept(name));
        let (mut differing, mut broken) = (Vec::new(), Vec::new());
        for error in result.errors {
            match error {
                ApplyError::ShapeMismatch { path, expected, found } => {
                    let (in_file, in_module) = (found.iter().copied().collect(), expected.iter().copied().collect());
                    differing.push(ShapeDifference { name: path, in_file, in_module });
                }
                other => broken.push(other.to_string()),
            }
        }
        let (mut missing, mut unused) = (missing, result.unused);
        missing.sort();
        unused.sort();
        differing.sort_by(|a, b| a.name.cmp(&b.name));
        if !(missing.is_empty() && differing.is_empty() && broken.is_empty()) {
            return Err(PretrainedError::Mismatch { path: self.path.clone(), missing, differing, broken, unused });
        }
        let mut loaded = Loaded { applied: result.applied, kept, unused };
        loaded.applied.sort();
        loaded.kept.sort();
        Ok((module, loaded))
    }

    /// The names and shapes in the file, after renaming.
    ///
    /// # Errors
    ///
    /// Those of the file and of the patterns, as [`load_into`](Self::load_into).
    pub fn names(&self) -> Result<Vec<(String, Vec<usize>)>> {
        let shapes = |tensor: StoredTensor| tensor.shape.iter().copied().collect();
        Ok(self.tensors()?.0.into_iter().map(|(name, tensor)| (name, shapes(tensor))).collect())
    }

    /// The file's weights by their new names, and whether they are laid out as PyTorch has them.
    fn tensors(&self) -> Result<(BTreeMap<String, StoredTensor>, bool)> {
        let path = &self.path;
        let renaming = (self.renaming.iter())
            .map(|(pattern, replacement)| Ok((regex(pattern)?, replacement)))
            .collect::<Result<Vec<_>>>()?;
        let read = |format, reason: String| PretrainedError::Read { path: path.clone(), format, reason };
        // Before a store is asked, whose words for a file that is not there differ.
        let opened = File::open(path);
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let (tensors, from_pytorch) = match extension.as_deref() {
            Some("bpk") => {
                opened.map_err(|error| read("burnpack", error.to_string()))?;
                (all(&mut BurnpackStore::from_file(path)).map_err(|reason| read("burnpack", reason))?, false)
            }
            Some("safetensors") => {
                let file = opened.map_err(|error| read("safetensors", error.to_string()))?;
                let from_burn = is_from_burn(file).map_err(|reason| read("safetensors", reason))?;
                let mut store = SafetensorsStore::from_file(path).map_indices_contiguous(!from_burn);
                (all(&mut store).map_err(|reason| read("safetensors", reason))?, !from_burn)
            }
            Some("pt" | "pth") => {
                opened.map_err(|error| read("PyTorch", error.to_string()))?;
                (self.pytorch().map_err(|reason| read("PyTorch", reason))?, true)
            }
            _ => return Err(PretrainedError::Format { path: path.clone() }),
        };
        let mut named = BTreeMap::new();
        for mut tensor in tensors {
            for (pattern, replacement) in &renaming {
                tensor.name = pattern.replace_all(&tensor.name, replacement.as_str()).into_owned();
            }
            if let Some(earlier) = named.insert(tensor.name.clone(), tensor) {
                return Err(PretrainedError::SameName { path: path.clone(), name: earlier.name });
            }
        }
        Ok((named, from_pytorch))
    }

    #[cfg(feature = "pytorch")]
    fn pytorch(&self) -> Result<Vec<StoredTensor>, String> {
        let store = burn_store::PytorchStore::from_file(&self.path);
        let mut store = match &self.top_level_key {
            Some(key) => store.with_top_level_key(key),
            None => store,
        };
        all(&mut store)
    }

    #[cfg(not(feature = "pytorch"))]
    fn pytorch(&self) -> Result<Vec<StoredTensor>, String> {
        Err("this program was built without the feature `pytorch`: build it with `--features pytorch`, or write the weights \
             into a safetensors file"
            .into())
    }
}

fn all<S: ModuleStore>(store: &mut S) -> Result<Vec<StoredTensor>, String> {
    let tensors = store.get_all_tensors().map_err(|error| error.to_string())?;
    Ok(tensors.values().cloned().collect())
}

fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(pattern)
        .map_err(|error| PretrainedError::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })
}

/// Whether Burn wrote a safetensors file, as its header says.
fn is_from_burn(mut file: File) -> Result<bool, String> {
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| error.to_string())?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(format!("its header would be {length} bytes long"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(|error| error.to_string())?;
    let header: serde_json::Value =
        serde_json::from_slice(&header).map_err(|error| format!("its header is no JSON: {error}"))?;
    Ok(header["__metadata__"]["producer"] == "burn")
}
