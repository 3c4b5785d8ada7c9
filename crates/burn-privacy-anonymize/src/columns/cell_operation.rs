//! Operations with their keys derived, applied to a column of a batch at a time.

use std::sync::Arc;

use burn_privacy_mechanisms::key::PrivacyKey;
use burn_privacy_mechanisms::local::RandomnessBlock;

use super::dates::DateFormat;
use super::free_text::Redaction;
use super::labels::Labels;
use super::numbers::{Bounds, Rounding};
use super::operation::{Ff1Format, Operation, PseudonymMethod};
use super::repeats::Repeats;
use super::row_treatment::RowWriter;
use crate::AnonymizeError;
use crate::perturb::Perturbed;
use crate::pseudonym::{
    EmailPseudonym, FormatPreserving, KeyedHash, KeyedPseudonym, Mask, MaskPattern, PseudonymKey, Realistic,
    RealisticKind, ShapePreserving, unkeyed_hash,
};
use crate::records::{Batch, Released, Span, Style};

/// Writes what a row's cell becomes; the error is the rest of a sentence on the cell.
type WriteRow<'a> = dyn FnMut(usize, &[u8], &mut Vec<u8>) -> Result<(), String> + 'a;

/// As [`WriteRow`], for what depends on the cell alone.
type WriteCell<'a> = dyn Fn(&[u8], &mut Vec<u8>) -> Result<(), String> + 'a;

/// An operation that is ready.
pub(super) enum CellOperation {
    Keep,
    Hmac(KeyedPseudonym),
    Email(EmailPseudonym),
    Realistic(Realistic),
    Number(Box<FormatPreserving>),
    Shape(Box<ShapePreserving>),
    UnkeyedHash,
    Mask(Mask),
    Pattern(MaskPattern),
    Labels(Labels),
    Round(Rounding),
    Bounds(Bounds),
    ShiftDates {
        hash: KeyedHash,
        subject: usize,
        days: u32,
        format: DateFormat,
    },
    Redact {
        redaction: Box<Redaction>,
        columns: Vec<usize>,
    },
    /// Noise, and the column that its randomness is drawn for.
    Noise(Box<Perturbed>, u64),
    /// A treatment that another crate brings, which of its columns this is, and where those are that it reads.
    Rows {
        writer: Arc<dyn RowWriter>,
        part: usize,
        reads: Vec<usize>,
    },
}

/// What a thread has of its own for one column.
pub(super) struct ColumnWorker {
    repeats: Option<Repeats>,
    /// Memory of the batch before, to be used again: new memory is slow the first time that it is written.
    bytes: Vec<u8>,
    cells: Vec<Span>,
    /// Decimal logarithm of the guesses that the hardest cell needs, for hashes without a key.
    pub(super) most_guesses: f64,
}

impl ColumnWorker {
    /// Takes the memory of a column back that is written.
    pub(super) fn take_back(&mut self, released: Released) {
        if let Released::Made { bytes, cells, .. } = released {
            (self.bytes, self.cells) = (bytes, cells);
        }
    }
}

/// Records that randomness is drawn for at once.
const BLOCK: usize = 1_024;

impl CellOperation {
    /// Derives keys; `place` finds a column of the input. Nothing for a column that is dropped.
    pub(super) fn new(
        operation: &Operation,
        name: &str,
        key: Option<&PseudonymKey>,
        place: impl Fn(&str) -> Result<usize, AnonymizeError>,
    ) -> Result<Option<Self>, AnonymizeError> {
        let wrong = |problem: String| AnonymizeError::Schema { problem: format!("column {name:?}: {problem}") };
        let keyed = || {
            let allowed = "given for pseudonyms and shifted dates (`anonymize key` makes one)";
            key.ok_or_else(|| AnonymizeError::parameter("the key", "missing", allowed))
        };
        Ok(Some(match operation {
            Operation::Drop {} => return Ok(None),
            Operation::Keep {} => Self::Keep,
            Operation::Pseudonym { method, domain, format, kind, locale, keep_domain } => {
                let domain = domain.as_deref().unwrap_or(name);
                match method {
                    PseudonymMethod::Hmac => Self::Hmac(KeyedPseudonym::new(keyed()?, domain)),
                    PseudonymMethod::Email => {
                        Self::Email(EmailPseudonym::new(keyed()?, domain, keep_domain.unwrap_or(false)))
                    }
                    PseudonymMethod::Realistic => {
                        let kind = kind.unwrap_or(RealisticKind::Name);
                        Self::Realistic(Realistic::new(keyed()?, domain, kind, locale.unwrap_or_default()))
                    }
                    PseudonymMethod::Ff1 => match format.unwrap_or(Ff1Format::Digits).of_numbers() {
                        Some(format) => Self::Number(Box::new(FormatPreserving::new(keyed()?, domain, format)?)),
                        None => Self::Shape(Box::new(ShapePreserving::new(keyed()?, domain)?)),
                    },
                }
            }
            Operation::UnkeyedHash {} => Self::UnkeyedHash,
            Operation::Mask { pattern: Some(pattern), .. } => Self::Pattern(MaskPattern::new(pattern)),
            Operation::Mask { first, last, .. } => {
                Self::Mask(Mask { first: first.unwrap_or(0), last: last.unwrap_or(0) })
            }
            Operation::Generalize { labels, other, .. } => Self::Labels(Labels::new(labels, other.as_ref())),
            Operation::Round { to } => Self::Round(Rounding::new(*to).map_err(wrong)?),
            Operation::TopCode { lo, hi } => Self::Bounds(Bounds::new(*lo, *hi).map_err(wrong)?),
            Operation::ShiftDates { subject, days, format, domain } => Self::ShiftDates {
                hash: KeyedHash::new(keyed()?, "dates", domain.as_deref().unwrap_or(subject)),
                subject: place(subject)?,
                days: *days,
                format: *format,
            },
            Operation::RedactText { words, columns } => Self::Redact {
                redaction: Box::new(Redaction::new(words).map_err(wrong)?),
                columns: columns.iter().map(|column| place(column)).collect::<Result<_, _>>()?,
            },
        }))
    }

    /// Columns of the input that it reads beside its own.
    pub(super) fn others(&self) -> &[usize] {
        match self {
            Self::ShiftDates { subject, .. } => std::slice::from_ref(subject),
            Self::Redact { columns, .. } => columns,
            Self::Rows { reads, .. } => reads,
            _ => &[],
        }
    }

    /// What a thread needs for the column.
    pub(super) fn worker(&self) -> ColumnWorker {
        let repeated =
            matches!(self, Self::Hmac(_) | Self::Email(_) | Self::Realistic(_) | Self::Number(_) | Self::Shape(_));
        let repeats = repeated.then(Repeats::new);
        ColumnWorker { repeats, bytes: Vec::new(), cells: Vec::new(), most_guesses: 0.0 }
    }

    /// The column of a batch as it is released.
    ///
    /// Empty cells and nulls stay what they are, but under noise, where they count as the default, and in hierarchies, where
    /// they are a value like any other.
    ///
    /// # Errors
    ///
    /// A row and a sentence, which holds no value.
    pub(super) fn apply(
        &self,
        batch: &Batch,
        column: usize,
        worker: &mut ColumnWorker,
        noise: Option<&PrivacyKey>,
        json: bool,
    ) -> Result<Released, (usize, String)> {
        let (mut bytes, mut cells) = (std::mem::take(&mut worker.bytes), std::mem::take(&mut worker.cells));
        bytes.clear();
        cells.clear();
        bytes.reserve(batch.rows * 33);
        cells.reserve(batch.rows);
        let mut each = |write: &mut WriteRow<'_>| {
            for row in 0..batch.rows {
                let Some(cell) = batch.cell(column, row) else {
                    cells.push(Span::NULL);
                    continue;
                };
                let begin = bytes.len();
                if !cell.is_empty() {
                    write(row, cell, &mut bytes).map_err(|problem| (row, problem))?;
                }
                cells.push(Span::new(begin, bytes.len()));
            }
            Ok(())
        };
        let mut style = Style::Text;
        let ColumnWorker { repeats, most_guesses, .. } = worker;
        let mut again = |cell: &[u8], out: &mut Vec<u8>, make: &WriteCell<'_>| match repeats.as_mut() {
            Some(repeats) => repeats.write(cell, out, make),
            None => make(cell, out),
        };
        match self {
            Self::Keep => return Ok(Released::Input(column, if json { Style::Json } else { Style::Text })),
            Self::Hmac(keyed) => each(&mut |_, cell, out| {
                again(cell, out, &|cell, out| {
                    keyed.write(cell, out);
                    Ok(())
                })
            })?,
            // Addresses differ, domains are few: these are what is remembered.
            Self::Email(keyed) => each(&mut |_, cell, out| {
                let at = keyed.write_name(cell, out)?;
                again(&cell[at..], out, &|domain, out| {
                    keyed.write_domain(domain, out);
                    Ok(())
                })
            })?,
            Self::Realistic(names) => each(&mut |_, cell, out| {
                again(cell, out, &|cell, out| {
                    names.write(cell, out);
                    Ok(())
                })
            })?,
            Self::Number(cipher) => each(&mut |_, cell, out| {
                again(cell, out, &|cell, out| {
                    out.extend_from_slice(cipher.pseudonym(text(cell)?)?.as_bytes());
                    Ok(())
                })
            })?,
            Self::Shape(cipher) => each(&mut |_, cell, out| {
                again(cell, out, &|cell, out| {
                    out.extend_from_slice(cipher.pseudonym(text(cell)?)?.as_bytes());
                    Ok(())
                })
            })?,
            Self::UnkeyedHash => each(&mut |_, cell, out| {
                let cell = text(cell)?;
                *most_guesses = most_guesses.max(guesses(cell));
                out.extend_from_slice(unkeyed_hash(cell).as_bytes());
                Ok(())
            })?,
            Self::Mask(mask) => each(&mut |_, cell, out| {
                mask.write(text(cell)?, out);
                Ok(())
            })?,
            Self::Pattern(pattern) => each(&mut |_, cell, out| {
                out.extend_from_slice(pattern.apply(text(cell)?).as_bytes());
                Ok(())
            })?,
            Self::Labels(labels) => {
                for row in 0..batch.rows {
                    let begin = bytes.len();
                    labels
                        .apply(batch.cell(column, row).unwrap_or_default(), &mut bytes)
                        .map_err(|problem| (row, problem))?;
                    cells.push(Span::new(begin, bytes.len()));
                }
            }
            Self::Round(rounding) => {
                style = Style::Number;
                each(&mut |_, cell, out| rounding.apply(cell, out))?;
            }
            Self::Bounds(bounds) => {
                style = Style::Number;
                each(&mut |_, cell, out| bounds.apply(cell, out))?;
            }
            Self::ShiftDates { hash, subject, days, format } => each(&mut |row, cell, out| {
                let subject = batch.cell(*subject, row).filter(|subject| !subject.is_empty());
                let subject =
                    subject.ok_or("its subject is missing: the date can't be moved with the subject's others")?;
                let code = hash.code(subject);
                let word = code[..8].iter().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
                // Off from even by less than 2^-40.
                let choices = 2 * u128::from(*days) + 1;
                let moved = ((u128::from(word) * choices) >> 64) as i64 - i64::from(*days);
                format.shift(cell, moved, out)
            })?,
            Self::Redact { redaction, columns } => each(&mut |row, cell, out| {
                let names = columns.iter().filter_map(|&column| batch.cell(column, row));
                redaction.apply(cell, names.filter_map(|name| std::str::from_utf8(name).ok()), out)
            })?,
            Self::Rows { writer, part, reads } => {
                if writer.is_number(*part) {
                    style = Style::Number;
                }
                let mut row_cells = vec![None; reads.len()];
                for first in (0..batch.rows).step_by(BLOCK) {
                    let rows = first..batch.rows.min(first + BLOCK);
                    // A number for each row, as for noise.
                    let mut write = writer
                        .rows(*part, batch.first_line + first as u64, rows.len())
                        .map_err(|problem| (first, problem))?;
                    for row in rows {
                        let begin = bytes.len();
                        for (cell, &other) in row_cells.iter_mut().zip(reads) {
                            *cell = batch.cell(other, row);
                        }
                        write(&row_cells, &mut bytes).map_err(|problem| (row, problem))?;
                        let is_null = begin == bytes.len() && batch.cell(column, row).is_none();
                        cells.push(if is_null { Span::NULL } else { Span::new(begin, bytes.len()) });
                    }
                }
            }
            Self::Noise(perturbed, number) => {
                if perturbed.is_number() {
                    style = Style::Number;
                }
                let Some(key) = noise else { return Err((0, "there is no key for the noise".to_owned())) };
                let mut randomness = RandomnessBlock::default();
                for first in (0..batch.rows).step_by(BLOCK) {
                    let rows = first..batch.rows.min(first + BLOCK);
                    // A line number for each row, which no other row has: lines grow at least as fast as rows.
                    let record = batch.first_line + first as u64;
                    randomness
                        .fill(key, *number, record, rows.len(), perturbed.needs_normals())
                        .map_err(|error| (first, error.to_string()))?;
                    for (place, row) in rows.enumerate() {
                        let begin = bytes.len();
                        let cell = batch.cell(column, row).unwrap_or_default();
                        perturbed.perturb(cell, &randomness.cell(place), &mut bytes);
                        cells.push(Span::new(begin, bytes.len()));
                    }
                }
            }
        }
        Ok(Released::Made { bytes, cells, style })
    }
}

fn text(cell: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| "the text is not UTF-8: convert the file".to_owned())
}

/// Decimal logarithm of the number of values of a value's shape: letters of the same case, digits for digits.
fn guesses(value: &str) -> f64 {
    let of = |sign: char| match sign {
        '0'..='9' => 1.0,
        'a'..='z' | 'A'..='Z' => 26_f64.log10(),
        _ if sign.is_alphabetic() => 4.0,
        _ => 0.0,
    };
    value.chars().map(of).sum()
}
