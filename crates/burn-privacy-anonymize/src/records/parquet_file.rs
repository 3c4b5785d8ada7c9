//! Apache Parquet of plain columns, by the crate `parquet` without Arrow.
//!
//! A kept column keeps its type. A transformed one is text, or a double where it holds numbers; dates and times become text
//! as ISO 8601 has them, and so do kept ones that another column reads. Lists and groups are refused.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::record::{Field, reader::RowIter};
use parquet::schema::types::{Type, TypePtr};

use super::batch::{Batch, Released, Span, Style};
use crate::AnonymizeError;

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 16_384;

/// Rows of a row group that is written, at least.
const GROUP_ROWS: usize = 1 << 18;

/// The rest of a Parquet file.
pub(crate) struct ParquetSource {
    file: PathBuf,
    rows: RowIter<'static>,
    columns: Vec<TypePtr>,
    bytes: u64,
    total_rows: u64,
    read: u64,
}

impl ParquetSource {
    /// Opens a file; its columns' names come with it.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError`] if it can't be read, is no Parquet, or has lists or groups.
    pub(crate) fn open(file: &Path) -> Result<(Self, Vec<String>), AnonymizeError> {
        let unread = |source| AnonymizeError::Read { file: file.to_owned(), source };
        let opened = File::open(file).map_err(unread)?;
        let bytes = opened.metadata().map_err(unread)?.len();
        let reader = SerializedFileReader::new(opened).map_err(|error| broken(file, 0, &error))?;
        let metadata = reader.metadata().file_metadata();
        let columns = metadata.schema_descr().root_schema().get_fields().to_vec();
        for column in &columns {
            if !column.is_primitive() || column.get_basic_info().repetition() == Repetition::REPEATED {
                let problem = format!("the column {:?} is a list or a group: leave it out before", column.name());
                return Err(AnonymizeError::Structure { file: file.to_owned(), line: 0, problem });
            }
        }
        let total_rows = metadata.num_rows().max(0) as u64;
        let names = columns.iter().map(|column| column.name().to_owned()).collect();
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok((Self { file: file.to_owned(), rows, columns, bytes, total_rows, read: 0 }, names))
    }

    /// The next rows; `raw` are the columns that are passed on in their own type. Line numbers are those of rows, from 1.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Structure`] for a broken file, and for bytes that are no text.
    pub(crate) fn next_batch(&mut self, raw: &[bool]) -> Result<Option<Batch>, AnonymizeError> {
        let mut batch = Batch {
            columns: vec![Vec::with_capacity(BATCH_ROWS); self.columns.len()],
            first_line: self.read + 1,
            ..Batch::default()
        };
        for row in self.rows.by_ref().take(BATCH_ROWS) {
            let line = batch.first_line + batch.rows as u64;
            let row = row.map_err(|error| broken(&self.file, line, &error))?;
            for ((cells, (name, field)), &raw) in batch.columns.iter_mut().zip(row.get_column_iter()).zip(raw) {
                let begin = batch.bytes.len();
                let null = write_field(field, raw, &mut batch.bytes).ok_or_else(|| AnonymizeError::Structure {
                    file: self.file.clone(),
                    line,
                    problem: format!("column {name:?} holds bytes that are no UTF-8 text: drop it or keep it"),
                })?;
                cells.push(if null { Span::NULL } else { Span::new(begin, batch.bytes.len()) });
            }
            batch.rows += 1;
        }
        self.read += batch.rows as u64;
        Ok((batch.rows > 0).then_some(batch))
    }

    /// About how many bytes were read: by the share of the rows.
    pub(crate) fn bytes(&self) -> u64 {
        (self.bytes as f64 * (self.read as f64 / self.total_rows.max(1) as f64)) as u64
    }
}

/// Writes a value; tells whether it is null, or nothing for bytes that are no text.
fn write_field(field: &Field, raw: bool, out: &mut Vec<u8>) -> Option<bool> {
    // Writing to memory does not fail.
    let _ = match field {
        Field::Null => return Some(true),
        Field::Bool(value) => write!(out, "{value}"),
        Field::Byte(value) => write!(out, "{value}"),
        Field::Short(value) => write!(out, "{value}"),
        Field::Int(value) => write!(out, "{value}"),
        Field::Long(value) => write!(out, "{value}"),
        Field::UByte(value) => write!(out, "{value}"),
        Field::UShort(value) => write!(out, "{value}"),
        Field::UInt(value) if raw => write!(out, "{}", *value as i32),
        Field::UInt(value) => write!(out, "{value}"),
        Field::ULong(value) if raw => write!(out, "{}", *value as i64),
        Field::ULong(value) => write!(out, "{value}"),
        Field::Float(value) => write!(out, "{value}"),
        Field::Double(value) => write!(out, "{value}"),
        Field::Str(value) => out.write_all(value.as_bytes()),
        Field::Bytes(value) => {
            if !raw && std::str::from_utf8(value.data()).is_err() {
                return None;
            }
            out.write_all(value.data())
        }
        Field::Date(value) | Field::TimeMillis(value) if raw => write!(out, "{value}"),
        Field::TimeMicros(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) if raw => {
            write!(out, "{value}")
        }
        other => write!(out, "{other}"),
    };
    Some(false)
}

/// An error of the crate, as ours. Its message tells of the file's form, not of values.
fn broken(file: &Path, line: u64, error: &parquet::errors::ParquetError) -> AnonymizeError {
    AnonymizeError::Structure { file: file.to_owned(), line, problem: format!("this is no readable Parquet ({error})") }
}

/// The columns of an output.
pub(crate) struct ParquetColumns {
    types: Vec<Option<TypePtr>>,
    names: Vec<String>,
}

/// A type whose values can be passed on.
fn passes(column: &Type) -> bool {
    let decimal = column.get_basic_info().converted_type() == ConvertedType::DECIMAL;
    let physical = column.get_physical_type();
    !decimal && !matches!(physical, Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY)
}

/// A type whose text is not what is stored: dates, times, and numbers without a sign.
fn reads_otherwise(column: &Type) -> bool {
    use ConvertedType as Kind;
    matches!(
        column.get_basic_info().converted_type(),
        Kind::DATE
            | Kind::TIME_MILLIS
            | Kind::TIME_MICROS
            | Kind::TIMESTAMP_MILLIS
            | Kind::TIMESTAMP_MICROS
            | Kind::UINT_8
            | Kind::UINT_16
            | Kind::UINT_32
            | Kind::UINT_64
    )
}

impl ParquetColumns {
    /// For each released column its name, and where it is kept the source, its place there, and whether another column
    /// reads it. It is read as text then, and is text in the output where that text is not what is stored.
    pub(crate) fn new<'a>(
        names: &[String],
        kept: impl Iterator<Item = Option<(&'a ParquetSource, usize, bool)>>,
    ) -> Self {
        let types = kept.map(|kept| {
            let (source, place, read_by_another) = kept?;
            let column = &source.columns[place];
            (passes(column) && !(read_by_another && reads_otherwise(column))).then(|| column.clone())
        });
        Self { types: types.collect(), names: names.to_vec() }
    }

    /// True for a released column that keeps its type.
    pub(crate) fn keeps(&self, released: usize) -> bool {
        self.types[released].is_some()
    }

    /// The chosen rows of a batch, by column.
    ///
    /// # Errors
    ///
    /// A line and a sentence for text that is not UTF-8, and for a number that is none.
    pub(crate) fn group(
        &self,
        batch: &Batch,
        released: &[Released],
        chosen: impl Fn(usize) -> bool,
    ) -> Result<ParquetGroup, (u64, String)> {
        let rows: Vec<usize> = (0..batch.rows).filter(|&row| chosen(row)).collect();
        let columns = released.iter().zip(&self.types).map(|(column, kept)| {
            let physical = match (kept, column.style()) {
                (Some(kept), _) => kept.get_physical_type(),
                (None, Style::Number) => Physical::DOUBLE,
                (None, _) => Physical::BYTE_ARRAY,
            };
            Values::of(physical, kept.is_some(), batch, column, &rows)
        });
        Ok(ParquetGroup { rows: rows.len(), columns: columns.collect::<Result<_, _>>()? })
    }

    /// The schema of the output, once it is known which columns hold numbers.
    fn schema(&self, group: &ParquetGroup) -> Result<TypePtr, parquet::errors::ParquetError> {
        let fields = self.types.iter().zip(&self.names).zip(&group.columns).map(|((kept, name), column)| match kept {
            Some(kept) => Ok(kept.clone()),
            None => {
                let number = matches!(column.values, Typed::Double(_));
                let physical = if number { Physical::DOUBLE } else { Physical::BYTE_ARRAY };
                let text = (!number).then_some(LogicalType::String);
                let built = Type::primitive_type_builder(name, physical)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(text)
                    .build()?;
                Ok(Arc::new(built))
            }
        });
        let fields = fields.collect::<Result<Vec<_>, parquet::errors::ParquetError>>()?;
        Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
    }
}

/// Values that are there.
enum Typed {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

/// A column of some rows.
struct Values {
    values: Typed,
    /// 1 for each row that has a value, 0 for a null.
    levels: Vec<i16>,
}

/// Rows that are ready to be written.
pub(crate) struct ParquetGroup {
    rows: usize,
    columns: Vec<Values>,
}

impl Values {
    fn of(
        physical: Physical,
        kept: bool,
        batch: &Batch,
        column: &Released,
        rows: &[usize],
    ) -> Result<Self, (u64, String)> {
        let levels = rows.iter().map(|&row| {
            let there = column.cell(batch, row).is_some_and(|cell| {
                // An empty text is one; an empty number is none.
                !cell.is_empty() || physical == Physical::BYTE_ARRAY
            });
            i16::from(there)
        });
        let levels: Vec<i16> = levels.collect();
        let there = rows.iter().zip(&levels).filter(|(_, level)| **level == 1);
        let there = there.map(|(&row, _)| (batch.line(row), column.cell(batch, row).unwrap_or_default()));
        fn parsed<'a, T: std::str::FromStr>(
            cells: impl Iterator<Item = (u64, &'a [u8])>,
        ) -> Result<Vec<T>, (u64, String)> {
            cells
                .map(|(line, cell)| {
                    let value = std::str::from_utf8(cell).ok().and_then(|text| text.trim().parse().ok());
                    value.ok_or_else(|| (line, "a number was expected".to_owned()))
                })
                .collect()
        }
        let values = match physical {
            Physical::BOOLEAN => Typed::Bool(parsed(there)?),
            Physical::INT32 => Typed::Int32(parsed(there)?),
            Physical::INT64 => Typed::Int64(parsed(there)?),
            Physical::FLOAT => Typed::Float(parsed(there)?),
            Physical::DOUBLE => Typed::Double(parsed(there)?),
            _ => Typed::Bytes(
                there
                    .map(|(line, cell)| {
                        if !kept && std::str::from_utf8(cell).is_err() {
                            return Err((line, "the text is not UTF-8: convert the file".to_owned()));
                        }
                        Ok(ByteArray::from(cell.to_vec()))
                    })
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Self { values, levels })
    }

    fn write(
        &self,
        writer: &mut SerializedColumnWriter<'_>,
        required: bool,
    ) -> Result<(), parquet::errors::ParquetError> {
        let levels = (!required).then_some(self.levels.as_slice());
        match (&self.values, writer.untyped()) {
            (Typed::Bool(values), ColumnWriter::BoolColumnWriter(_)) => {
                writer.typed::<BoolType>().write_batch(values, levels, None)?
            }
            (Typed::Int32(values), _) => writer.typed::<Int32Type>().write_batch(values, levels, None)?,
            (Typed::Int64(values), _) => writer.typed::<Int64Type>().write_batch(values, levels, None)?,
            (Typed::Float(values), _) => writer.typed::<FloatType>().write_batch(values, levels, None)?,
            (Typed::Double(values), _) => writer.typed::<DoubleType>().write_batch(values, levels, None)?,
            (Typed::Bytes(values), _) => writer.typed::<ByteArrayType>().write_batch(values, levels, None)?,
            (Typed::Bool(_), _) => 0,
        };
        Ok(())
    }
}

/// A Parquet file that is being written.
pub(crate) struct ParquetSink<'a> {
    /// What is written to, until the first rows tell the schema.
    output: Option<&'a mut (dyn Write + Send)>,
    writer: Option<SerializedFileWriter<&'a mut (dyn Write + Send)>>,
    columns: &'a ParquetColumns,
    named: &'a Path,
    waiting: Vec<ParquetGroup>,
}

impl<'a> ParquetSink<'a> {
    pub(crate) fn new(output: &'a mut (dyn Write + Send), columns: &'a ParquetColumns, named: &'a Path) -> Self {
        Self { output: Some(output), writer: None, columns, named, waiting: Vec::new() }
    }

    /// Takes rows; they are written once there are enough for a row group.
    pub(crate) fn write(&mut self, group: ParquetGroup) -> Result<(), AnonymizeError> {
        self.waiting.push(group);
        let rows: usize = self.waiting.iter().map(|group| group.rows).sum();
        if rows >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), AnonymizeError> {
        let named = self.named;
        let failed = |error: parquet::errors::ParquetError| AnonymizeError::Write {
            file: named.to_owned(),
            source: std::io::Error::other(error),
        };
        let Some(first) = self.waiting.first() else { return Ok(()) };
        if let Some(output) = self.output.take() {
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            let schema = self.columns.schema(first).map_err(failed)?;
            self.writer = Some(SerializedFileWriter::new(output, schema, Arc::new(properties)).map_err(failed)?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut group = writer.next_row_group().map_err(failed)?;
        let mut place = 0;
        while let Some(mut column) = group.next_column().map_err(failed)? {
            let required = self.columns.types[place]
                .as_ref()
                .is_some_and(|kept| kept.get_basic_info().repetition() == Repetition::REQUIRED);
            for part in &self.waiting {
                part.columns[place].write(&mut column, required).map_err(failed)?;
            }
            column.close().map_err(failed)?;
            place += 1;
        }
        group.close().map_err(failed)?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes what waits and the end of the file; `empty` are no rows, for a table without any.
    pub(crate) fn finish(mut self, empty: ParquetGroup) -> Result<(), AnonymizeError> {
        if self.writer.is_none() && self.waiting.is_empty() {
            self.waiting.push(empty);
        }
        self.flush()?;
        let failed = |error: parquet::errors::ParquetError| AnonymizeError::Write {
            file: self.named.to_owned(),
            source: std::io::Error::other(error),
        };
        match self.writer.take() {
            Some(writer) => writer.close().map(drop).map_err(failed),
            None => Ok(()),
        }
    }
}
