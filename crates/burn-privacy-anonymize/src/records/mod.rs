//! Rows of tables in three formats, read and written in batches of cells: CSV, JSON lines and, with the feature `parquet`,
//! Parquet; CSV and JSON lines also packed by gzip or zstd.

mod batch;
mod chunks;
mod csv_records;
mod json_lines;
mod packing;
#[cfg(feature = "parquet")]
mod parquet_file;

pub(crate) use batch::{Batch, Released, Span, Style};
pub(crate) use chunks::RecordChunks;
pub(crate) use csv_records::{CsvReading, header_of_first_line, write_csv, write_csv_line};
pub(crate) use json_lines::{JsonReading, write_json_lines};
pub use packing::Packing;
#[cfg(feature = "parquet")]
pub(crate) use parquet_file::{ParquetColumns, ParquetGroup, ParquetSink, ParquetSource};

/// How a table is written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Cells parted by a separator, with a header, quoted as RFC 4180 says.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet, of plain columns (no lists and no groups). Needs the feature `parquet`.
    Parquet,
}

impl FileFormat {
    /// By the end of a file's name, `.gz` and `.zst` left out: `.jsonl`, `.ndjson`, `.parquet`; all else is CSV.
    pub fn of(file: &std::path::Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("jsonl" | "ndjson") => Self::JsonLines,
            Some("parquet") => Self::Parquet,
            _ => Self::Csv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        for (name, format) in [
            ("a.csv", FileFormat::Csv),
            ("a.tsv.zst", FileFormat::Csv),
            ("a.jsonl.gz", FileFormat::JsonLines),
            ("A.NDJSON", FileFormat::JsonLines),
            ("a.parquet", FileFormat::Parquet),
            ("-", FileFormat::Csv),
        ] {
            assert_eq!(FileFormat::of(name.as_ref()), format, "{name}");
        }
    }
}
