//! The schema: what the user states about a table.

use std::collections::HashSet;

use super::budget::{Request, divide};
use super::column::{Categories, Column, Perturbed, RealMechanism, Treatment};
use super::error::TableError;
use super::number_format::NumberFormat;
use super::raw_schema::{Kind, Mechanism, RawColumn, RawSchema, RawTreatment};
use super::readability::ReadabilityCheck;
use super::statement::PerturbationStatement;
use burn_privacy_mechanisms::key::Entropy;
use burn_privacy_mechanisms::local::{
    Duchi, IntegerNoise, LocalError, MAX_INTEGER_BOUND, Piecewise, RandomizedResponse, RealNoise,
};

/// What each column of a table may hold and what happens to it, checked, with the row's budget divided.
///
/// Keys of the TOML text, all others are refused:
///
/// | key | of | meaning |
/// |---|---|---|
/// | `epsilon`, `delta` | the row | what is divided among the columns without their own |
/// | `readability_epsilon` | the row | what is spent to tell, privately, which columns seem unreadable; in the sum |
/// | `name` | every column | as in the header; `""` for a column without a name, such as pandas' index |
/// | `treatment` | every column | `randomize`, `obfuscate`, `drop`, or `keep` (in the clear) |
/// | `kind` | perturbed columns | `real`, `integer` or `category` |
/// | `lo`, `hi`, `default` | numbers | bounds, and the public value of missing or unreadable cells |
/// | `thousands`, `decimal`, `suffix` | numbers | what cells hold beside digits: `","`, `"."` and `"%"` read 1,234.5 and 45% |
/// | `values`, `other` | categories | the known ones, and the one that stands for everything else |
/// | `mechanism` | randomized columns | `laplace`, `gaussian`, `piecewise`, `duchi`; `discrete-laplace`, `gaussian`; `randomized-response` |
/// | `epsilon` or `share` | randomized columns | an epsilon of its own, or a weight (1 by default) in what is left of the row's |
/// | `delta` | Gaussian noise | a delta of its own, else an even share of the row's |
/// | `standard_deviation` | obfuscated columns | of the Gaussian noise |
/// | `clamp_output` | numbers | brings outputs back into the bounds |
/// | `label` | any column | true for what a model will predict |
#[derive(Debug, Clone)]
pub struct TableSchema {
    columns: Vec<Column>,
    epsilon: f64,
    delta: f64,
    readability: Option<ReadabilityCheck>,
}

/// Deltas from here on say nothing, however few rows there are: every tenth row could be published as it is.
const MEANINGLESS_DELTA: f64 = 0.1;

impl TableSchema {
    /// Reads a schema. `epsilon`, if given, takes the place of the row's.
    ///
    /// # Errors
    ///
    /// Every [`TableError`] that concerns a schema.
    pub fn parse(text: &str, epsilon: Option<f64>) -> Result<Self, TableError> {
        let raw: RawSchema = toml::from_str(text)
            .map_err(|error| TableError::SchemaSyntax { reason: error.to_string().trim_end().to_owned() })?;
        if raw.column.is_empty() {
            return Err(TableError::NoColumns);
        }
        let mut names = HashSet::new();
        for column in &raw.column {
            // As headers are read; a column of a data frame's index has no name.
            if column.name.trim_ascii() != column.name {
                return Err(column.wrong("a name must not begin or end with a space: headers are read without"));
            }
            if !names.insert(column.name.as_str()) {
                return Err(TableError::DuplicateColumn { column: column.name.clone() });
            }
        }
        let perturbed: Vec<&RawColumn> = raw.column.iter().filter(|column| column.is_perturbed()).collect();
        if perturbed.is_empty() {
            return Err(TableError::NothingRandomized);
        }
        let budget = |problem| TableError::Budget { problem };
        for column in &perturbed {
            column.check_keys()?;
        }

        let noisy: Vec<&RawColumn> = perturbed.iter().copied().filter(|column| column.needs_delta()).collect();
        let requests: Vec<Request> =
            noisy.iter().map(|column| column.delta.map_or(Request::Share(1.0), Request::Own)).collect();
        let (deltas, delta) = divide("delta", raw.delta, &requests).map_err(budget)?;
        if delta >= MEANINGLESS_DELTA {
            let allowed = "and well below one over the number of rows";
            return Err(budget(format!("delta is {delta}, but must be below {MEANINGLESS_DELTA}, {allowed}")));
        }
        let mut deltas = deltas.into_iter();
        let deltas: Vec<f64> =
            perturbed.iter().map(|c| if c.needs_delta() { deltas.next().unwrap_or(0.0) } else { 0.0 }).collect();

        // What obfuscation is worth follows from its deviation; it comes off the row's epsilon first.
        let columns = perturbed.len();
        let check = raw.readability_epsilon.map(|epsilon| ReadabilityCheck::new(epsilon, columns)).transpose();
        let readability =
            check.map_err(|error| budget(format!("readability_epsilon, divided among {columns} columns: {error}")))?;
        let requests = perturbed
            .iter()
            .zip(&deltas)
            .map(|(column, &delta)| match column.treatment {
                RawTreatment::Obfuscate => Ok(Request::Own(column.obfuscation(delta)?.guarantee("", false).epsilon)),
                _ => column.request(),
            })
            .chain(readability.iter().map(|check| Ok(Request::Own(check.epsilon()))))
            .collect::<Result<Vec<_>, TableError>>()?;
        let (epsilons, epsilon) = divide("epsilon", epsilon.or(raw.epsilon), &requests).map_err(budget)?;

        let mut amounts = epsilons.into_iter().zip(deltas);
        let columns = raw
            .column
            .iter()
            .map(|column| {
                let treatment = match column.treatment {
                    RawTreatment::Drop => Treatment::Drop,
                    RawTreatment::Keep => Treatment::Keep,
                    treatment => {
                        let (epsilon, delta) = amounts.next().unwrap_or_default();
                        Treatment::Perturb(if treatment == RawTreatment::Obfuscate {
                            column.obfuscation(delta)?
                        } else {
                            column.randomization(epsilon, delta)?
                        })
                    }
                };
                Ok(Column { name: column.name.clone(), label: column.label, treatment })
            })
            .collect::<Result<Vec<_>, TableError>>()?;
        Ok(Self { columns, epsilon, delta, readability })
    }

    /// The epsilon of a whole row: the sum over the perturbed columns.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The delta of a whole row: the sum over the perturbed columns.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn readability(&self) -> Option<&ReadabilityCheck> {
        self.readability.as_ref()
    }

    /// True if it is told, privately, which columns seem unreadable (`readability_epsilon`).
    pub fn checks_readability(&self) -> bool {
        self.readability.is_some()
    }

    /// What a table perturbed under this schema is worth, with this randomness.
    pub fn statement(&self, entropy: Entropy) -> PerturbationStatement {
        let (mut guarantees, mut kept, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
        for Column { name, label, treatment } in &self.columns {
            match treatment {
                Treatment::Drop => dropped.push(name.clone()),
                Treatment::Keep => kept.push(name.clone()),
                Treatment::Perturb(perturbed) => guarantees.push(perturbed.guarantee(name, *label)),
            }
        }
        let check = self.readability.map(|check| check.epsilon());
        PerturbationStatement::new(guarantees, kept, dropped, (self.epsilon, self.delta), check, entropy.is_private())
    }
}

impl RawColumn {
    fn wrong(&self, problem: impl Into<String>) -> TableError {
        TableError::Column { column: self.name.clone(), problem: problem.into() }
    }

    fn local(&self) -> impl Fn(LocalError) -> TableError {
        |source| TableError::Mechanism { column: self.name.clone(), source }
    }

    fn is_perturbed(&self) -> bool {
        matches!(self.treatment, RawTreatment::Randomize | RawTreatment::Obfuscate)
    }

    fn needs_delta(&self) -> bool {
        self.treatment == RawTreatment::Obfuscate || self.mechanism == Some(Mechanism::Gaussian)
    }

    fn kind(&self) -> Result<Kind, TableError> {
        self.kind.ok_or_else(|| self.wrong("no kind: give kind = \"real\", \"integer\" or \"category\""))
    }

    /// Refuses keys that would have no effect.
    fn check_keys(&self) -> Result<(), TableError> {
        let category = self.kind()? == Kind::Category;
        let obfuscated = self.treatment == RawTreatment::Obfuscate;
        let unused = [
            (category && self.lo.is_some(), "lo", "is for numbers"),
            (category && self.hi.is_some(), "hi", "is for numbers"),
            (category && self.default.is_some(), "default", "is for numbers; categories have other"),
            (category && self.clamp_output, "clamp_output", "is for numbers"),
            (category && self.has_number_format(), "thousands, decimal and suffix", "are for numbers"),
            (!category && self.values.is_some(), "values", "is for categories"),
            (!category && self.other.is_some(), "other", "is for categories; numbers have default"),
            (obfuscated && category, "treatment", "obfuscate is for numbers; use randomize"),
            (obfuscated && self.mechanism.is_some(), "mechanism", "is for randomize; obfuscate adds Gaussian noise"),
            (
                obfuscated && self.epsilon.is_some(),
                "epsilon",
                "follows from standard_deviation; use randomize to set it",
            ),
            (obfuscated && self.share.is_some(), "share", "is for randomize"),
            (!obfuscated && self.standard_deviation.is_some(), "standard_deviation", "is for obfuscate"),
            (!self.needs_delta() && self.delta.is_some(), "delta", "is for Gaussian noise"),
            (self.epsilon.is_some() && self.share.is_some(), "share", "and epsilon exclude each other"),
        ];
        match unused.iter().find(|(present, ..)| *present) {
            Some((_, key, why)) => Err(self.wrong(format!("{key} {why}"))),
            None => Ok(()),
        }
    }

    fn request(&self) -> Result<Request, TableError> {
        match (self.epsilon, self.share.unwrap_or(1.0)) {
            (Some(epsilon), _) => Ok(Request::Own(epsilon)),
            (None, share) if share > 0.0 && share <= 1e6 => Ok(Request::Share(share)),
            (None, share) => Err(self.wrong(format!("share is {share}, but must be a weight above 0, up to 1e6"))),
        }
    }

    /// Bounds and default of a number.
    fn bounds(&self) -> Result<(f64, f64, f64), TableError> {
        let (Some(lo), Some(hi), Some(default)) = (self.lo, self.hi, self.default) else {
            return Err(self.wrong("needs lo, hi and default (the public value of missing or unreadable cells)"));
        };
        if lo < hi && !(lo..=hi).contains(&default) {
            return Err(self.wrong(format!("default is {default}, but must be from {lo} to {hi}")));
        }
        Ok((lo, hi, default))
    }

    fn integer_bounds(&self) -> Result<(i64, i64, i64), TableError> {
        let (lo, hi, default) = self.bounds()?;
        let whole = |key: &str, value: f64| {
            let most = MAX_INTEGER_BOUND as f64;
            if value.fract() == 0.0 && value.abs() <= most {
                Ok(value as i64)
            } else {
                Err(self.wrong(format!("{key} is {value}, but must be a whole number of magnitude up to {most}")))
            }
        };
        Ok((whole("lo", lo)?, whole("hi", hi)?, whole("default", default)?))
    }

    fn has_number_format(&self) -> bool {
        self.thousands.is_some() || self.decimal.is_some() || self.suffix.is_some()
    }

    fn number_format(&self) -> Result<NumberFormat, TableError> {
        NumberFormat::new(self.thousands.as_deref(), self.decimal.as_deref(), self.suffix.as_deref())
            .map_err(|problem| self.wrong(problem))
    }

    fn obfuscation(&self, delta: f64) -> Result<Perturbed, TableError> {
        let Some(deviation) = self.standard_deviation else {
            return Err(self.wrong("needs standard_deviation, that of the Gaussian noise"));
        };
        let (name, clamp) = ("plain obfuscation with Gaussian noise", self.clamp_output);
        let format = self.number_format()?;
        if self.kind()? == Kind::Integer {
            let (lo, hi, default) = self.integer_bounds()?;
            let mechanism = IntegerNoise::obfuscation(lo, hi, deviation, delta).map_err(self.local())?;
            Ok(Perturbed::Integer { mechanism, name, default, clamp, format })
        } else {
            let (lo, hi, default) = self.bounds()?;
            let mechanism = RealNoise::obfuscation(lo, hi, deviation, delta).map_err(self.local())?;
            Ok(Perturbed::Real { mechanism: RealMechanism::Noise(mechanism), name, default, clamp, format })
        }
    }

    fn randomization(&self, epsilon: f64, delta: f64) -> Result<Perturbed, TableError> {
        let failed = self.local();
        let (clamp, format) = (self.clamp_output, self.number_format()?);
        match self.kind()? {
            Kind::Real => {
                let (lo, hi, default) = self.bounds()?;
                let noise = RealMechanism::Noise;
                let (name, mechanism) = match self.mechanism.unwrap_or(Mechanism::Laplace) {
                    Mechanism::Laplace => ("Laplace noise", RealNoise::laplace(lo, hi, epsilon).map(noise)),
                    Mechanism::Gaussian => ("Gaussian noise", RealNoise::gaussian(lo, hi, epsilon, delta).map(noise)),
                    Mechanism::Piecewise => {
                        ("piecewise mechanism", Piecewise::new(lo, hi, epsilon).map(RealMechanism::Piecewise))
                    }
                    Mechanism::Duchi => ("Duchi's mechanism", Duchi::new(lo, hi, epsilon).map(RealMechanism::Duchi)),
                    _ => return Err(self.wrong("a real column takes mechanism laplace, gaussian, piecewise or duchi")),
                };
                Ok(Perturbed::Real { mechanism: mechanism.map_err(failed)?, name, default, clamp, format })
            }
            Kind::Integer => {
                let (lo, hi, default) = self.integer_bounds()?;
                let (name, mechanism) = match self.mechanism.unwrap_or(Mechanism::DiscreteLaplace) {
                    Mechanism::DiscreteLaplace => ("discrete Laplace noise", IntegerNoise::laplace(lo, hi, epsilon)),
                    Mechanism::Gaussian => ("Gaussian noise, rounded", IntegerNoise::gaussian(lo, hi, epsilon, delta)),
                    _ => return Err(self.wrong("an integer column takes mechanism discrete-laplace or gaussian")),
                };
                Ok(Perturbed::Integer { mechanism: mechanism.map_err(failed)?, name, default, clamp, format })
            }
            Kind::Category => {
                if self.mechanism.is_some_and(|mechanism| mechanism != Mechanism::RandomizedResponse) {
                    return Err(self.wrong("a category column takes mechanism randomized-response"));
                }
                let (names, other) = self.categories()?;
                let response = RandomizedResponse::new(names.len(), epsilon).map_err(failed)?;
                Ok(Perturbed::Category(Categories::new(response, names, other)))
            }
        }
    }

    /// All categories, and which one stands for other cells.
    fn categories(&self) -> Result<(Vec<String>, u32), TableError> {
        let (Some(values), Some(other)) = (&self.values, &self.other) else {
            return Err(self.wrong("needs values and other (the category of all cells that are not in values)"));
        };
        let mut names = values.clone();
        if !names.contains(other) {
            names.push(other.clone());
        }
        if let Some(name) = names.iter().find(|name| name.trim_ascii() != name.as_str()) {
            return Err(
                self.wrong(format!("category {name:?} begins or ends with a space, which cells are read without"))
            );
        }
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(self.wrong(format!("category {name:?} is in values twice")));
        }
        let place = names.iter().position(|name| name == other).unwrap_or(0);
        Ok((names, u32::try_from(place).unwrap_or(u32::MAX)))
    }
}
