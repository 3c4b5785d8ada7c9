//! The cells of some rows, column by column, as places in one text.

/// A cell: where it begins and ends in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A cell that is not there: JSON's and Parquet's null.
    pub(crate) const NULL: Self = Self { start: u32::MAX, end: u32::MAX };

    /// A cell between two places, which lie in one text of less than 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(end < u32::MAX as usize);
        Self { start: start as u32, end: end as u32 }
    }

    /// The cell's bytes; nothing for a null.
    pub(crate) fn of(self, text: &[u8]) -> Option<&[u8]> {
        if self == Self::NULL { None } else { text.get(self.start as usize..self.end as usize) }
    }
}

/// Rows as they were read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The text that all cells lie in.
    pub(crate) bytes: Vec<u8>,
    /// The cells of each column of the header.
    pub(crate) columns: Vec<Vec<Span>>,
    /// Number of rows.
    pub(crate) rows: usize,
    /// Line of the first row. It grows by at least the number of rows from batch to batch.
    pub(crate) first_line: u64,
    /// The line of each row, where they are not one after another.
    pub(crate) lines: Vec<u64>,
    /// True if the text is CSV without quotes: its cells can be written to CSV of the same separator as they are.
    pub(crate) plain: bool,
}

impl Batch {
    /// The bytes of a cell; nothing for a null.
    pub(crate) fn cell(&self, column: usize, row: usize) -> Option<&[u8]> {
        self.columns[column][row].of(&self.bytes)
    }

    /// The line of a row.
    pub(crate) fn line(&self, row: usize) -> u64 {
        self.lines.get(row).copied().unwrap_or(self.first_line + row as u64)
    }
}

/// How a column's text is to be written where a format tells kinds of values apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A string.
    Text,
    /// A number, where it reads as one; empty is null.
    Number,
    /// JSON already.
    Json,
}

/// A column as it is released.
pub(crate) enum Released {
    /// A column of the batch, as it is.
    Input(usize, Style),
    /// New cells in a text of their own.
    Made {
        /// The text.
        bytes: Vec<u8>,
        /// The cells.
        cells: Vec<Span>,
        /// What they are.
        style: Style,
    },
}

impl Released {
    /// The text that its cells lie in, and where.
    pub(crate) fn cells<'a>(&'a self, batch: &'a Batch) -> (&'a [u8], &'a [Span]) {
        match self {
            Self::Input(column, _) => (&batch.bytes, &batch.columns[*column]),
            Self::Made { bytes, cells, .. } => (bytes, cells),
        }
    }

    /// A cell; nothing for a null.
    pub(crate) fn cell<'a>(&'a self, batch: &'a Batch, row: usize) -> Option<&'a [u8]> {
        let (text, cells) = self.cells(batch);
        cells[row].of(text)
    }

    pub(crate) fn style(&self) -> Style {
        match self {
            Self::Input(_, style) | Self::Made { style, .. } => *style,
        }
    }
}
