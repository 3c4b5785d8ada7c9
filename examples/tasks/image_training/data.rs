//! The images of a run, split by public numbers.

use burn_privacy::datasets::ImageDataset;
use burn_privacy::report::{DataDescription, EvaluationPart};
use burn_privacy_output::grouped;

use super::TrainingArguments;
use crate::{NominalSize, Result};

/// The images of a run: what is trained on, and what is evaluated on.
pub struct ImageData {
    /// Private.
    pub train: ImageDataset,
    /// Held out of the training images, if any are.
    pub validation: Option<ImageDataset>,
    /// Declared public.
    pub test: ImageDataset,
    /// The public number of images in `train`.
    nominal: NominalSize,
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
    /// How many training images there are, as somebody published it, and who. Nothing if the files are somebody's own.
    pub published: Option<(usize, &'static str)>,
}

impl ImageData {
    /// Splits the images as the command line says, at places that follow from public numbers alone.
    ///
    /// # Errors
    ///
    /// If nobody said how many training images there are, and they are to be protected.
    pub fn split(source: ImageSource, arguments: &TrainingArguments) -> Result<Self> {
        let ImageSource { name, short_name, train, test, published } = source;
        // Without privacy there is nobody to protect: the images may be counted.
        let counted = arguments.no_privacy.then_some((train.len(), "counting them, which protects nobody"));
        let nominal = NominalSize::new(arguments.nominal_size.map(|size| size as usize), published.or(counted))?;
        let mut data = match test.filter(|_| !arguments.holdout) {
            Some(test) => Self { train, validation: None, test, nominal, name, short_name, held_out: false },
            None => {
                let (held_out, rule) = match arguments.holdout_size.map(|size| size as usize) {
                    Some(size) if size >= nominal.get() => {
                        return Err(format!(
                            "--holdout-size {size} leaves none of the {} training images to train on",
                            grouped(nominal.get())
                        )
                        .into());
                    }
                    Some(size) => (size, "what is not held out of"),
                    None => (nominal.get() / 10, "nine tenths of"),
                };
                let nominal = nominal.derived(nominal.get() - held_out, rule);
                let held_out = held_out.min(train.len());
                let (train, rest) = train.split_at(train.len() - held_out)?;
                let (validation, test) = rest.split_at(held_out / 2)?;
                Self { train, validation: Some(validation), test, nominal, name, short_name, held_out: true }
            }
        };
        let first = |images: &ImageDataset, limit: Option<u64>| {
            images.slice(0..limit.map_or(images.len(), |limit| images.len().min(limit as usize)))
        };
        data.train = first(&data.train, arguments.limit_train)?;
        data.nominal = data.nominal.at_most(arguments.limit_train.map(|limit| limit as usize));
        data.test = first(&data.test, arguments.limit_test)?;
        data.validation = data.validation.map(|images| first(&images, arguments.limit_test)).transpose()?;
        Ok(data)
    }

    /// The first line of the program's output.
    pub fn headline(&self) -> String {
        let mut line = format!("Training on: {}, {} train", self.name, grouped(self.nominal.get()));
        if let Some(validation) = &self.validation {
            line.push_str(&format!(" / {} validation", grouped(validation.len())));
        }
        line.push_str(&format!(" / {} test", grouped(self.test.len())));
        if self.held_out {
            line.push_str(" held out of the training set");
        }
        line
    }

    /// The public number of images to train on.
    pub fn nominal_size(&self) -> &NominalSize {
        &self.nominal
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
            train: self.nominal.get(),
            validation: self.validation.as_ref().map_or(0, ImageDataset::len),
            test: self.test.len(),
            monitored: self.monitored().0,
            evaluation: self.evaluation(),
        }
    }
}
