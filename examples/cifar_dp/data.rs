//! What is trained on, and what is evaluated on.

use std::path::{Path, PathBuf};

use burn_privacy::datasets::{
    Checksum, Cifar10, DATA_VARIABLE, DEFAULT_FOLDER, Download, ImageDataset, generated, locate_cifar10,
};
use burn_privacy::report::{DataDescription, EvaluationPart};

use crate::Result;
use crate::cli::Arguments;
use crate::progress::grouped;

/// The images of a run.
pub struct Data {
    pub train: ImageDataset,
    pub validation: Option<ImageDataset>,
    pub test: ImageDataset,
    name: String,
    short_name: &'static str,
    held_out: bool,
}

/// Where images come from.
struct Source {
    name: String,
    short_name: &'static str,
    train: ImageDataset,
    /// If there are any apart.
    test: Option<ImageDataset>,
}

impl Data {
    /// Finds, fetches or draws the images.
    pub fn load(arguments: &Arguments) -> Result<Self> {
        let Source { name, short_name, train, test } = source(arguments)?;
        let mut data = match test.filter(|_| !arguments.holdout) {
            Some(test) => Self { train, validation: None, test, name, short_name, held_out: false },
            None => {
                let held_out = train.len() / 10;
                let (train, rest) = train.split_at(train.len() - held_out)?;
                let (validation, test) = rest.split_at(held_out / 2)?;
                Self { train, validation: Some(validation), test, name, short_name, held_out: true }
            }
        };
        let first = |images: &ImageDataset, limit: Option<u64>| {
            images.slice(0..limit.map_or(images.len(), |limit| images.len().min(limit as usize)))
        };
        data.train = first(&data.train, arguments.limit_train)?;
        data.test = first(&data.test, arguments.limit_test)?;
        data.validation = data.validation.map(|images| first(&images, arguments.limit_test)).transpose()?;
        Ok(data)
    }

    /// The first line of the program's output.
    pub fn headline(&self) -> String {
        let mut line = format!("Training on: {}, {} train", self.name, grouped(self.train.len()));
        if let Some(validation) = &self.validation {
            line.push_str(&format!(" / {} validation", grouped(validation.len())));
        }
        line.push_str(&format!(" / {} test", grouped(self.test.len())));
        if self.held_out {
            line.push_str(" held out of the training set");
        }
        line
    }

    /// For file names.
    pub fn short_name(&self) -> &'static str {
        self.short_name
    }

    /// What is evaluated on after every epoch.
    pub fn monitored(&self) -> (EvaluationPart, &ImageDataset) {
        match &self.validation {
            Some(validation) => (EvaluationPart::Validation, validation),
            None => (EvaluationPart::Test, &self.test),
        }
    }

    /// Why accuracies may be shown.
    pub fn evaluation(&self) -> String {
        let origin = if self.held_out { "held out of the training set" } else { "not part of the training set" };
        format!("{origin} and declared public, so their accuracies are not protected")
    }

    pub fn describe(&self) -> DataDescription {
        DataDescription {
            name: self.name.clone(),
            train: self.train.len(),
            validation: self.validation.as_ref().map_or(0, ImageDataset::len),
            test: self.test.len(),
            monitored: self.monitored().0,
            evaluation: self.evaluation(),
        }
    }
}

fn source(arguments: &Arguments) -> Result<Source> {
    let path = if arguments.asks_for_generated() {
        None
    } else if arguments.download {
        Some(Download::cifar10().fetch_into(download_folder(arguments.data.as_deref()))?)
    } else {
        locate_cifar10(arguments.data.as_deref())?
    };
    let Some(path) = path else {
        let images = generated();
        return Ok(Source {
            name: "generated images (not CIFAR-10)".into(),
            short_name: "generated",
            train: images.train,
            test: Some(images.test),
        });
    };
    let images = Cifar10::load(&path, Checksum::Verify)?;
    let name = format!("CIFAR-10 from {}", path.display());
    Ok(Source { name, short_name: "cifar10", train: images.train, test: images.test })
}

/// Where `--download` puts the archive: where it would be looked for without it.
fn download_folder(explicit: Option<&Path>) -> PathBuf {
    let variable = || std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    explicit.map(Path::to_owned).or_else(variable).unwrap_or_else(|| DEFAULT_FOLDER.into())
}
