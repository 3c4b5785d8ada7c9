//! A schema applied to a header: which operation each released column has, and how rows are read and written.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use burn_privacy_mechanisms::key::{Entropy, PrivacyKey};

use super::cell_operation::{CellOperation, ColumnWorker};
use super::class_counts::{ClassPlaces, Releasable};
use super::input::{Chunk, ReadPlace, Rows, SpareMemory};
use super::operation::Role;
use super::options::TransformOptions;
use super::row_treatment::{RowTreatment, RowWriter, is_same};
use super::rules::Action;
use super::schema::ColumnSchema;
use super::statement::{ColumnsStatement, Observed};
use crate::AnonymizeError;
use crate::perturb::Treatment;
use crate::pseudonym::PseudonymKey;
use crate::records::{Batch, CsvReading, FileFormat, JsonReading, Released, write_csv, write_json_lines};
#[cfg(feature = "parquet")]
use crate::records::{Packing, ParquetColumns};

/// What a thread has of its own: a part for each released column.
pub(super) struct Worker(Vec<ColumnWorker>);

impl Worker {
    /// Takes the memory of columns back that are written.
    pub(super) fn take_back(&mut self, released: Vec<Released>) {
        self.0.iter_mut().zip(released).for_each(|(worker, column)| worker.take_back(column));
    }
}

/// A schema applied to a header.
pub(super) struct Plan {
    pub(super) place: ReadPlace,
    reading: Reading,
    /// Of each released column: its place in the input, its place in the schema, and its operation.
    released: Vec<(usize, usize, CellOperation)>,
    pub(super) names: Vec<String>,
    pub(super) classes: Option<ClassPlaces>,
    pub(super) separator: u8,
    /// Treatments that other crates bring, ready for this table.
    writers: Vec<(Arc<dyn RowTreatment>, Arc<dyn RowWriter>)>,
    randomness: PrivacyKey,
    /// Memory of outputs that are written.
    written: SpareMemory,
    #[cfg(feature = "parquet")]
    pub(super) parquet: Option<ParquetColumns>,
}

enum Reading {
    Csv(CsvReading),
    Json(Box<JsonReading>),
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Plan {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new<R: Read + Send>(
        schema: &ColumnSchema,
        key: Option<&PseudonymKey>,
        input: &Path,
        header: Vec<String>,
        rows: &Rows<R>,
        options: &TransformOptions,
        randomness: PrivacyKey,
    ) -> Result<Self, AnonymizeError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            if places.insert(name.clone(), place).is_some() {
                return Err(AnonymizeError::RepeatedColumn { file: input.to_owned(), column: name.clone() });
            }
            if !schema.columns.iter().any(|column| column.name == *name) {
                let problem = format!("the column {name:?} is not in the schema: add it, as dropped if need be");
                return Err(AnonymizeError::Structure { file: input.to_owned(), line: 1, problem });
            }
        }
        let place_of = |name: &str| {
            places.get(name).copied().ok_or_else(|| AnonymizeError::MissingColumn {
                file: input.to_owned(),
                column: name.to_owned(),
                present: header.join(", "),
            })
        };
        let mut released = Vec::new();
        let mut writers: Vec<(Arc<dyn RowTreatment>, Arc<dyn RowWriter>)> = Vec::new();
        for (number, column) in schema.columns.iter().enumerate() {
            let place = place_of(&column.name)?;
            let operation = match &column.action {
                Action::Rows { treatment, part, .. } => {
                    let known = writers.iter().find(|(known, _)| is_same(known, treatment));
                    let writer = match known {
                        Some((_, writer)) => Arc::clone(writer),
                        None => {
                            // Fixed seeds differ, too, so that no two columns have one stream.
                            let entropy = match options.entropy {
                                Entropy::Seeded(seed) => Entropy::seeded(seed.wrapping_add(1 + writers.len() as u64)),
                                Entropy::Os => Entropy::os(),
                            };
                            let writer = treatment.ready(key, entropy).map_err(|problem| column.wrong(problem))?;
                            writers.push((Arc::clone(treatment), Arc::clone(&writer)));
                            writer
                        }
                    };
                    let reads = treatment.reads().iter().map(|name| place_of(name)).collect::<Result<_, _>>()?;
                    Some(CellOperation::Rows { writer, part: *part, reads })
                }
                Action::Operation(operation) => CellOperation::new(operation, &column.name, key, place_of)?,
                Action::Noise(_) => schema
                    .noise
                    .iter()
                    .flat_map(|noise| noise.columns())
                    .find(|noisy| noisy.name == column.name)
                    .and_then(|noisy| match &noisy.treatment {
                        Treatment::Perturb(perturbed) => {
                            Some(CellOperation::Noise(Box::new(perturbed.clone()), number as u64))
                        }
                        _ => None,
                    }),
            };
            released.extend(operation.map(|operation| (place, number, operation)));
        }
        released.sort_by_key(|(place, ..)| *place);
        let json = (options.input, options.output) == (FileFormat::JsonLines, FileFormat::JsonLines);
        let with_role = |role: Role| {
            let with =
                released.iter().enumerate().filter(move |(_, (_, number, _))| schema.columns[*number].role == role);
            with.map(|(place, _)| place)
        };
        let classes = (!schema.models.is_empty()).then(|| ClassPlaces {
            quasi: with_role(Role::QuasiIdentifier).collect(),
            sensitive: if schema.models.iter().any(crate::table::PrivacyModel::needs_sensitive) {
                with_role(Role::Sensitive).next()
            } else {
                None
            },
        });
        let mut used = vec![false; header.len()];
        let mut raw = vec![false; header.len()];
        for (place, _, operation) in &released {
            used[*place] = true;
            raw[*place] = json && matches!(operation, CellOperation::Keep);
        }
        // What another column reads of this one is text, so it is read as text and kept as a string.
        for &other in released.iter().flat_map(|(_, _, operation)| operation.others()) {
            used[other] = true;
            raw[other] = false;
        }
        let names: Vec<String> = released.iter().map(|(place, ..)| header[*place].clone()).collect();
        #[cfg(feature = "parquet")]
        let parquet = (options.output == FileFormat::Parquet).then(|| {
            let source = match rows {
                Rows::Parquet(source) => Some(source.as_ref()),
                Rows::Text(_) => None,
            };
            let read_by_another =
                |place: usize| released.iter().any(|(_, _, operation)| operation.others().contains(&place));
            ParquetColumns::new(
                &names,
                released.iter().map(|(place, _, operation)| {
                    let kept = matches!(operation, CellOperation::Keep);
                    source.filter(|_| kept).map(|source| (source, *place, read_by_another(*place)))
                }),
            )
        });
        #[cfg(feature = "parquet")]
        let own_type = {
            let mut own_type = vec![false; header.len()];
            for (index, (place, ..)) in released.iter().enumerate() {
                own_type[*place] = parquet.as_ref().is_some_and(|columns: &ParquetColumns| columns.keeps(index));
            }
            for &other in released.iter().flat_map(|(_, _, operation)| operation.others()) {
                own_type[other] = false;
            }
            own_type
        };
        #[cfg(feature = "parquet")]
        if options.output == FileFormat::Parquet && options.packing != Packing::None {
            return Err(AnonymizeError::parameter(
                "the output's packing",
                "given for Parquet",
                "none: it packs its pages",
            ));
        }
        #[cfg(not(feature = "parquet"))]
        if options.output == FileFormat::Parquet {
            return Err(AnonymizeError::parameter(
                "the output's format",
                "Parquet",
                "built in: use --features parquet",
            ));
        }
        let reading = match rows {
            Rows::Text(_) if options.input == FileFormat::Csv => Reading::Csv(CsvReading {
                separator: options.csv.separator(),
                comment: options.csv.comment(),
                columns: header.len(),
            }),
            Rows::Text(_) => Reading::Json(Box::new(JsonReading {
                names: header,
                places,
                raw,
                unused: used.iter().map(|used| !used).collect(),
            })),
            #[cfg(feature = "parquet")]
            Rows::Parquet(_) => Reading::Parquet,
        };
        Ok(Self {
            place: ReadPlace {
                input: input.to_owned(),
                spare: SpareMemory::default(),
                #[cfg(feature = "parquet")]
                raw: own_type,
            },
            reading,
            released,
            names,
            classes,
            separator: options.csv.separator(),
            writers,
            randomness,
            written: SpareMemory::default(),
            #[cfg(feature = "parquet")]
            parquet,
        })
    }

    /// A pass over the table begins.
    pub(super) fn begin(&self) {
        self.writers.iter().for_each(|(_, writer)| writer.begin());
    }

    pub(super) fn workers(&self) -> Vec<Worker> {
        let worker = |_| Worker(self.released.iter().map(|(.., operation)| operation.worker()).collect());
        (0..2 * rayon::current_num_threads()).map(worker).collect()
    }

    fn wrong(&self, line: u64, problem: String) -> AnonymizeError {
        AnonymizeError::Structure { file: self.place.input.clone(), line, problem }
    }

    /// The cells of a chunk.
    pub(super) fn read(&self, chunk: Chunk) -> Result<Batch, AnonymizeError> {
        let read = match (chunk, &self.reading) {
            (Chunk::Text(bytes, line), Reading::Csv(reading)) => reading.read(bytes, line),
            (Chunk::Text(bytes, line), Reading::Json(reading)) => reading.read(&bytes, line),
            #[cfg(feature = "parquet")]
            (Chunk::Read(batch), _) => Ok(batch),
            #[cfg(feature = "parquet")]
            (Chunk::Text(_, line), Reading::Parquet) => Err((line, "text where Parquet was expected".to_owned())),
        };
        read.map_err(|(line, problem)| self.wrong(line, problem))
    }

    /// The released columns of a batch.
    pub(super) fn transform(&self, batch: &Batch, worker: &mut Worker) -> Result<Vec<Released>, AnonymizeError> {
        let columns = self.released.iter().zip(&self.names).zip(&mut worker.0);
        columns
            .map(|(((place, _, operation), name), worker)| {
                let json = match &self.reading {
                    Reading::Json(reading) => reading.raw[*place],
                    _ => false,
                };
                operation
                    .apply(batch, *place, worker, Some(&self.randomness), json)
                    .map_err(|(row, problem)| self.wrong(batch.line(row), format!("column {name:?}: {problem}")))
            })
            .collect()
    }

    /// The rows that are chosen, as they are written.
    pub(super) fn encode(
        &self,
        batch: &Batch,
        released: &mut [Released],
        chosen: Option<&[bool]>,
        options: &TransformOptions,
    ) -> Result<Encoded, AnonymizeError> {
        let is_chosen = |row: usize| chosen.is_none_or(|chosen| chosen[row]);
        let mut bytes = self.written.take();
        bytes.reserve(batch.rows * (24 * released.len() + 8));
        match options.output {
            FileFormat::Csv => write_csv(batch, released, self.separator, is_chosen, &mut bytes),
            FileFormat::JsonLines => write_json_lines(batch, released, &self.names, is_chosen, &mut bytes)
                .map_err(|(line, problem)| self.wrong(line, problem))?,
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => {
                if let Some(columns) = &self.parquet {
                    let group = columns
                        .group(batch, released, is_chosen)
                        .map_err(|(line, problem)| self.wrong(line, problem))?;
                    return Ok(Encoded::Group(group));
                }
            }
            #[cfg(not(feature = "parquet"))]
            FileFormat::Parquet => {}
        }
        let packed = options.packing.pack(bytes);
        packed.map(Encoded::Bytes).map_err(|source| AnonymizeError::Write { file: "the output".into(), source })
    }

    /// Takes memory back that was read into.
    pub(super) fn take_back_batch(&self, batch: Batch) {
        match &self.reading {
            Reading::Csv(_) | Reading::Json(_) => self.place.spare.keep(batch.bytes),
            #[cfg(feature = "parquet")]
            Reading::Parquet => {}
        }
    }

    /// Takes memory back that was written.
    pub(super) fn take_back(&self, encoded: Encoded) {
        match encoded {
            Encoded::Bytes(bytes) => self.written.keep(bytes),
            #[cfg(feature = "parquet")]
            Encoded::Group(_) => {}
        }
    }

    /// No rows, which still have a schema.
    #[cfg(feature = "parquet")]
    pub(super) fn empty_group(&self) -> Result<crate::records::ParquetGroup, AnonymizeError> {
        let width = 1 + self.released.iter().map(|(place, ..)| *place).max().unwrap_or(0);
        let batch = Batch { columns: vec![Vec::new(); width], ..Batch::default() };
        let mut worker = Worker(self.released.iter().map(|(.., operation)| operation.worker()).collect());
        let released = self.transform(&batch, &mut worker)?;
        let columns = self.parquet.as_ref().map(|columns| columns.group(&batch, &released, |_| true));
        let missing = || AnonymizeError::parameter("the output", "of two formats", "of one");
        columns.ok_or_else(missing)?.map_err(|(line, problem)| self.wrong(line, problem))
    }

    pub(super) fn statement(
        &self,
        schema: &ColumnSchema,
        workers: &[Worker],
        rows: u64,
        released_rows: u64,
        releasable: Option<&Releasable>,
        options: &TransformOptions,
    ) -> Result<ColumnsStatement, AnonymizeError> {
        let mut guesses = vec![0.0_f64; schema.columns.len()];
        let mut realistic = vec![None; schema.columns.len()];
        for (index, (_, number, operation)) in self.released.iter().enumerate() {
            let of_workers = workers.iter().map(|worker| worker.0[index].most_guesses);
            guesses[*number] = of_workers.fold(0.0, f64::max);
            if let CellOperation::Realistic(names) = operation {
                realistic[*number] = Some(names.choices());
            }
        }
        if let Some(noise) = &schema.noise
            && noise.delta() > 0.0
            && noise.delta() >= 1.0 / rows as f64
        {
            let given = format!("{:e} for a table of {rows} rows", noise.delta());
            return Err(AnonymizeError::parameter("the row's delta", given, "below one over the number of rows"));
        }
        let order: Vec<usize> = self.released.iter().map(|(_, number, _)| *number).collect();
        let wrong = |problem: String| AnonymizeError::Schema { problem };
        let worth = |(treatment, writer): &(Arc<dyn RowTreatment>, Arc<dyn RowWriter>)| {
            writer.worth().map(|worth| (Arc::clone(treatment), worth)).map_err(wrong)
        };
        let observed = Observed {
            worths: self.writers.iter().map(worth).collect::<Result<_, _>>()?,
            rows,
            released_rows,
            smallest_class: releasable.map(|found| found.smallest),
            guesses,
            realistic,
        };
        let noise = schema.noise.as_ref().map(|noise| noise.statement(options.entropy));
        ColumnsStatement::new(schema, &order, noise, &observed)
    }
}

/// Rows as they are written.
pub(super) enum Encoded {
    Bytes(Vec<u8>),
    #[cfg(feature = "parquet")]
    Group(crate::records::ParquetGroup),
}
