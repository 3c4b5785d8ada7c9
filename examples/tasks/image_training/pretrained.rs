//! Weights that somebody else learned from public data.

use std::path::PathBuf;

use burn::module::Module;
use burn_privacy_pretrained::{Loaded, WeightFile};
use burn_privacy_train::say;
use clap::Args;

use super::TRAINING;
use crate::Result;

/// The part of the command line that is about weights to start from.
#[derive(Args, Clone, Debug, Default)]
pub struct PretrainedArguments {
    /// Start from these weights, which are taken to be public: a burnpack (.bpk), safetensors or (built with --features pytorch)
    /// PyTorch (.pt, .pth) file
    #[arg(long, value_name = "FILE", help_heading = TRAINING)]
    pub pretrained: Option<PathBuf>,

    /// Rename the file's weights: a regular expression and what comes in its place, such as '^module\.='; may be repeated
    #[arg(long, value_name = "FROM=TO", help_heading = TRAINING, requires = "pretrained", value_parser = renaming)]
    pub rename: Vec<(String, String)>,

    /// Keep fresh weights where a regular expression matches their names, such as '^output\.'; may be repeated
    #[arg(long, value_name = "NAMES", help_heading = TRAINING, requires = "pretrained")]
    pub keep: Vec<String>,
}

/// What is before and behind the last equals sign.
fn renaming(given: &str) -> std::result::Result<(String, String), String> {
    let (from, to) = given.rsplit_once('=').ok_or("give FROM=TO, with a regular expression before the equals sign")?;
    Ok((from.to_owned(), to.to_owned()))
}

impl PretrainedArguments {
    /// The model with the file's weights, if a file was given.
    ///
    /// # Errors
    ///
    /// If the file can't be read or does not fit.
    pub fn load_into<M: Module>(&self, model: M) -> Result<M> {
        let Some(path) = &self.pretrained else {
            return Ok(model);
        };
        let file = self.rename.iter().fold(WeightFile::new(path), |file, (from, to)| file.with_renaming(from, to));
        let file = self.keep.iter().fold(file, |file, names| file.keeping(names));
        let (model, Loaded { applied, kept, unused }) = file.load_into(model)?;
        say(&format!(
            "Pretrained:  {} of {} weights from {} ({} of the file not used)",
            applied.len(),
            applied.len() + kept.len(),
            path.display(),
            unused.len()
        ));
        Ok(model)
    }

    /// # Errors
    ///
    /// If a file was given although the model has no use for one, as `why` says.
    pub fn refuse(&self, why: &str) -> Result<()> {
        match &self.pretrained {
            Some(path) => Err(format!("--pretrained {}: the model is of {why}", path.display()).into()),
            None => Ok(()),
        }
    }

    /// What a statement has to say of them.
    pub fn assumption(&self) -> Option<String> {
        let path = self.pretrained.as_ref()?;
        Some(format!(
            "training starts from the weights in {}, which are taken to be public: whatever they were trained on is not protected, and \
             none of it is among the private images",
            path.display()
        ))
    }
}
