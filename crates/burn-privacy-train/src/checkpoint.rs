//! What a run needs to go on, as one file: nothing of the private data but what the run released, and no key.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn_privacy::WeightAverage;
use burn_privacy::plan::PrivacyPlan;
use burn_privacy::report::CurvePoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::CheckpointError;
use crate::optimizer_trace::{self, OptimizerTrace};

/// The first line of a file, before its version.
const MAGIC: &str = "burn-privacy/checkpoint ";

/// The version of the format.
///
/// 2: what the optimizer does.
const FORMAT: u32 = 2;

/// A run at some step: what it needs to go on.
///
/// The file holds a line with its version, one with the SHA-256 of all that follows, one of JSON, and the tensors in Burn's own
/// format, which no backend and no device shows in. All of it is a function of the plan and of what the run released.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    header: Header,
    sections: Vec<Vec<u8>>,
    path: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    dataset: String,
    run: String,
    plan: Value,
    /// Updates that the model has had.
    steps: u64,
    charged_steps: u64,
    clipping_norm: f64,
    average: Option<Average>,
    optimizer: OptimizerTrace,
    curve: Vec<CurvePoint>,
    /// Lengths in bytes: model, optimizer and, with an average, the model of averages.
    sections: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Average {
    decay: f64,
    steps: u64,
}

/// What is saved of a run.
pub(crate) struct RunState<'a, M> {
    pub(crate) dataset: &'a str,
    pub(crate) run: &'a str,
    pub(crate) plan: &'a PrivacyPlan,
    pub(crate) steps: u64,
    pub(crate) charged_steps: u64,
    pub(crate) clipping_norm: f64,
    pub(crate) curve: Vec<CurvePoint>,
    pub(crate) model: &'a M,
    pub(crate) optimizer: &'a ModuleOptimizer,
    pub(crate) optimizer_trace: &'a OptimizerTrace,
    pub(crate) average: Option<&'a WeightAverage>,
}

/// Whose a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) dataset: String,
    pub(crate) run: String,
    pub(crate) charged_steps: u64,
}

impl Owner {
    /// From a file's first three lines, which nothing guards against changes: good enough to choose among files, not to go on from
    /// one. `None` for a file of another version, or of nobody.
    pub(crate) fn of(first_lines: &[u8]) -> Option<Self> {
        let (version, rest) = line(first_lines)?;
        if version.strip_prefix(MAGIC)? != FORMAT.to_string() {
            return None;
        }
        let (_, rest) = line(rest)?;
        let (header, _) = line(rest)?;
        let header: Header = serde_json::from_str(header).ok()?;
        Some(Self { dataset: header.dataset, run: header.run, charged_steps: header.charged_steps })
    }
}

/// What a file turned out to be.
pub(crate) enum Reading {
    Whole(Box<Checkpoint>),
    /// Cut off or changed.
    Damaged,
}

impl Checkpoint {
    /// Updates that the model has had.
    pub fn steps(&self) -> u64 {
        self.header.steps
    }

    /// The run's name in its ledger.
    pub fn run(&self) -> &str {
        &self.header.run
    }

    /// The data set's name in the ledger.
    pub fn dataset(&self) -> &str {
        &self.header.dataset
    }

    /// Steps that the ledger had charged when the file was written. The ledger may have charged more since, and is right.
    pub fn charged_steps(&self) -> u64 {
        self.header.charged_steps
    }

    /// Score and epsilon after each epoch so far.
    pub fn curve(&self) -> &[CurvePoint] {
        &self.header.curve
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// See [`Session::clipping_norm`](burn_privacy::session::Session::clipping_norm).
    pub(crate) fn clipping_norm(&self) -> f64 {
        self.header.clipping_norm
    }

    pub(crate) fn encode<M: Module>(state: RunState<'_, M>) -> Result<Vec<u8>, CheckpointError> {
        let failed = |error: &dyn std::fmt::Display| CheckpointError::Encode(error.to_string());
        let mut sections = vec![
            state.model.clone().into_record().into_bytes().map_err(|error| failed(&error))?,
            state.optimizer.to_record().into_bytes().map_err(|error| failed(&error))?,
        ];
        if let Some(average) = state.average {
            let model = average.average(state.model.clone());
            sections.push(model.into_record().into_bytes().map_err(|error| failed(&error))?);
        }
        let header = Header {
            dataset: state.dataset.to_owned(),
            run: state.run.to_owned(),
            plan: serde_json::to_value(state.plan).map_err(|error| failed(&error))?,
            steps: state.steps,
            charged_steps: state.charged_steps,
            clipping_norm: state.clipping_norm,
            average: state.average.map(|average| Average { decay: average.decay(), steps: average.steps() }),
            optimizer: state.optimizer_trace.clone(),
            curve: state.curve,
            sections: sections.iter().map(|section| section.len() as u64).collect(),
        };
        file_of(&header, &sections)
    }

    /// The file's bytes, for other ranks.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        file_of(&self.header, &self.sections)
    }

    /// # Errors
    ///
    /// [`CheckpointError::Version`] for another version's file, which is not damaged.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Reading, CheckpointError> {
        let Some((first, rest)) = line(bytes) else { return Ok(Reading::Damaged) };
        let Some(version) = first.strip_prefix(MAGIC) else { return Ok(Reading::Damaged) };
        if version != FORMAT.to_string() {
            // A flipped bit may make another version of the number: only one that could be written counts.
            return match version.parse::<u32>() {
                Ok(number) if number > 0 => {
                    Err(CheckpointError::Version { path: path.to_owned(), found: number.to_string(), read: FORMAT })
                }
                _ => Ok(Reading::Damaged),
            };
        }
        let Some((expected, rest)) = line(rest) else { return Ok(Reading::Damaged) };
        if expected != hash(rest) {
            return Ok(Reading::Damaged);
        }
        let Some((header, mut rest)) = line(rest) else { return Ok(Reading::Damaged) };
        let Ok(header) = serde_json::from_str::<Header>(header) else { return Ok(Reading::Damaged) };
        let mut sections = Vec::new();
        for length in &header.sections {
            let Some((section, after)) = usize::try_from(*length).ok().and_then(|length| rest.split_at_checked(length))
            else {
                return Ok(Reading::Damaged);
            };
            sections.push(section.to_vec());
            rest = after;
        }
        let complete = rest.is_empty() && sections.len() == 2 + usize::from(header.average.is_some());
        let checkpoint = Self { header, sections, path: path.to_owned() };
        Ok(if complete { Reading::Whole(Box::new(checkpoint)) } else { Reading::Damaged })
    }

    /// # Errors
    ///
    /// [`CheckpointError::Another`] with the first thing that differs.
    pub(crate) fn require(
        &self,
        dataset: &str,
        run: &str,
        plan: &PrivacyPlan,
        charged: u64,
    ) -> Result<(), CheckpointError> {
        if self.header.dataset != dataset {
            return Err(self.another("data set", &self.header.dataset, &dataset));
        }
        let plan = serde_json::to_value(plan).map_err(|error| CheckpointError::Encode(error.to_string()))?;
        if self.header.plan != plan {
            let (recorded, given) = (fields(&self.header.plan), fields(&plan));
            for (name, value) in &given {
                let before = recorded.iter().find(|(other, _)| other == name).map_or(&Value::Null, |(_, value)| value);
                if before != value {
                    return Err(self.another(&format!("plan ({name})"), before, value));
                }
            }
            return Err(self.another("plan", &self.header.plan, &plan));
        }
        if self.header.run != run {
            return Err(self.another("run in the ledger", &self.header.run, &run));
        }
        // A ledger with fewer charges than were released was lost, restored or replaced: it would be charged for them again
        // by nobody.
        if charged < self.header.charged_steps {
            let recorded = format!("{} (charged before this checkpoint was written)", self.header.charged_steps);
            return Err(self.another("number of charged steps in the ledger", &recorded, &charged));
        }
        Ok(())
    }

    /// The optimizer, its settings and the average of weights must be those of the run: Burn takes a state that is not the
    /// optimizer's for none, and says nothing.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Another`].
    pub(crate) fn require_updates(
        &self,
        optimizer: &OptimizerTrace,
        average: Option<&WeightAverage>,
    ) -> Result<(), CheckpointError> {
        if let Some((recorded, given)) = optimizer_trace::difference(&self.header.optimizer, optimizer) {
            return Err(self.another("optimizer, or another setting of it", &recorded, &given));
        }
        let (recorded, given) = (self.header.average.map(|average| average.decay), average.map(WeightAverage::decay));
        // JSON may lose the last bit.
        let same = match (recorded, given) {
            (Some(recorded), Some(given)) => (recorded - given).abs() <= 1e-12,
            (recorded, given) => recorded == given,
        };
        let words = |decay: Option<f64>| decay.map_or("no average".to_owned(), |decay| decay.to_string());
        if same { Ok(()) } else { Err(self.another("decay of the weight average", &words(recorded), &words(given))) }
    }

    fn another(&self, field: &str, recorded: &dyn ToString, given: &dyn ToString) -> CheckpointError {
        CheckpointError::Another {
            path: self.path.clone(),
            field: field.to_owned(),
            recorded: recorded.to_string(),
            given: given.to_string(),
        }
    }

    /// The saved weights in a model of the same kind, on its device.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Model`] if they do not fit.
    pub fn model<M: Module>(&self, model: M) -> Result<M, CheckpointError> {
        self.load(0, model)
    }

    pub(crate) fn optimizer(&self, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer, CheckpointError> {
        let record = OptimizerRecord::from_bytes(self.bytes(1)).map_err(|error| self.misfit(&error))?;
        Ok(optimizer.load_record(record))
    }

    /// The average, if there is one, whose weights are put where those of `model` are.
    pub(crate) fn average<M: Module>(&self, model: &M) -> Result<Option<WeightAverage>, CheckpointError> {
        let Some(Average { decay, steps }) = self.header.average else { return Ok(None) };
        let averaged = self.load(2, model.clone())?;
        let average = WeightAverage::new(decay).map_err(|error| self.misfit(&error))?;
        Ok(Some(average.resumed(steps, &averaged)))
    }

    fn load<M: Module>(&self, section: usize, model: M) -> Result<M, CheckpointError> {
        let record = ModuleRecord::from_bytes(self.bytes(section)).map_err(|error| self.misfit(&error))?;
        model.try_load_record(record).map_err(|error| self.misfit(&error))
    }

    fn bytes(&self, section: usize) -> Bytes {
        Bytes::from_bytes_vec(self.sections.get(section).cloned().unwrap_or_default())
    }

    fn misfit(&self, error: &dyn std::fmt::Display) -> CheckpointError {
        CheckpointError::Model { path: self.path.clone(), reason: error.to_string() }
    }
}

fn file_of(header: &Header, sections: &[impl Deref<Target = [u8]>]) -> Result<Vec<u8>, CheckpointError> {
    let mut rest = serde_json::to_vec(header).map_err(|error| CheckpointError::Encode(error.to_string()))?;
    rest.push(b'\n');
    sections.iter().for_each(|section| rest.extend_from_slice(section));
    let mut file = format!("{MAGIC}{FORMAT}\n{}\n", hash(&rest)).into_bytes();
    file.extend(rest);
    Ok(file)
}

fn fields(plan: &Value) -> Vec<(String, Value)> {
    plan.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The text up to the first line feed, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
