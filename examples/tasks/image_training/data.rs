use burn_privacy::datasets::ImageDataset;
use burn_privacy::report::{DataDescription, EvaluationPart};
use burn_privacy_output::grouped;

use super::TrainingArguments;
use crate::Result;

/// The images of a run: what is trained on, and what is evaluated on.
pub struct ImageData {
    /// Private.
    pub train: ImageDataset,
    /// Held out of the training images, if any are.
    pub validation: Option<ImageDataset>,
    /// Declared public.
    pub test: ImageDataset,
    name: String,
    short_name: &'static str,
    held_out: bool,
}

/// Where images come from.
pub struct ImageSource {
    /// In words.
    pub name: String,
    /// For file names.
    pub short_name: &'static str,
    /// All training images.
    pub train: ImageDataset,
    /// If there are any apart.
    pub test: Option<ImageDataset>,
}

impl ImageData {
    /// Splits the images as the command line says.
    ///
    /// # Errors
    ///
    /// None that are known.
    pub fn split(source: ImageSource, arguments: &TrainingArguments) -> Result<Self> {
        let ImageSource { name, short_name, train, test } = source;
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

    /// For the report.
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
