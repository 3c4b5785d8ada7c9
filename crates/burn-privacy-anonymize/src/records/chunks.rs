//! Whole records from a stream, about a quarter of a mebibyte at a time, so that several threads can read them.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2_iter, memrchr};

use crate::perturb::MAX_RECORD_BYTES;

/// Bytes of a chunk, but for a record that is longer. Small enough that a chunk and what is made of it stay in a core's own
/// cache, and that the allocator need not ask the system for each.
const CHUNK_BYTES: usize = 1 << 18;

/// Reads chunks that end with a record.
pub(crate) struct RecordChunks<R> {
    reader: R,
    /// What follows the last record that was handed out.
    rest: Vec<u8>,
    /// Line of the next chunk's first record.
    line: u64,
    /// Whether line ends within double quotes are none.
    quotes: bool,
    ended: bool,
}

impl<R: Read> RecordChunks<R> {
    /// Chunks of CSV (`quotes`) or of lines.
    pub(crate) fn new(reader: R, quotes: bool) -> Self {
        Self { reader, rest: Vec::new(), line: 1, quotes, ended: false }
    }

    /// What it reads from.
    pub(crate) fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The next records and the line of the first; nothing at the end.
    ///
    /// # Errors
    ///
    /// Of reading; [`io::ErrorKind::InvalidData`] with a sentence for a record that does not end in time.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<(Vec<u8>, u64)>> {
        self.next_chunk_in(Vec::new())
    }

    /// As [`Self::next_chunk`], in the memory of an empty buffer.
    ///
    /// # Errors
    ///
    /// As [`Self::next_chunk`].
    pub(crate) fn next_chunk_in(&mut self, mut bytes: Vec<u8>) -> io::Result<Option<(Vec<u8>, u64)>> {
        bytes.append(&mut self.rest);
        bytes.reserve((CHUNK_BYTES + 1).saturating_sub(bytes.len()));
        loop {
            let wanted = (CHUNK_BYTES.max(bytes.len() + 1) - bytes.len()) as u64;
            let read = if self.ended { 0 } else { self.reader.by_ref().take(wanted).read_to_end(&mut bytes)? };
            self.ended |= (read as u64) < wanted;
            if self.ended {
                break;
            }
            if let Some(end) = self.last_end(&bytes) {
                self.rest.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                break;
            }
            if bytes.len() as u64 > MAX_RECORD_BYTES {
                let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes; is a quote missing?");
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            // One more look at a longer text.
            bytes.reserve(CHUNK_BYTES);
            let more = self.reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
            self.ended = more == 0;
        }
        let line = self.line;
        self.line += memchr_iter(b'\n', &bytes).count() as u64;
        Ok((!bytes.is_empty()).then_some((bytes, line)))
    }

    /// The first line alone, which stays to be read again by nobody: a header.
    ///
    /// # Errors
    ///
    /// As [`Self::next_chunk`].
    pub(crate) fn first_record(&mut self, comment: Option<u8>) -> io::Result<Option<Vec<u8>>> {
        let Some((mut bytes, _)) = self.next_chunk()? else { return Ok(None) };
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        let mut begin = 0;
        while comment.is_some() && bytes.get(begin).copied() == comment {
            begin = memchr(b'\n', &bytes[begin..]).map_or(bytes.len(), |end| begin + end + 1);
        }
        let end = self.first_end(&bytes[begin..]).map_or(bytes.len(), |end| begin + end);
        let record = bytes[begin..end].to_vec();
        self.line = 1 + memchr_iter(b'\n', &bytes[..end]).count() as u64;
        bytes.drain(..end);
        bytes.extend_from_slice(&self.rest);
        self.rest = bytes;
        Ok(Some(record))
    }

    /// Where the last whole record ends. A chunk begins with a record, so quotes before it are closed.
    fn last_end(&self, bytes: &[u8]) -> Option<usize> {
        if !self.quotes || memchr(b'"', bytes).is_none() {
            return memrchr(b'\n', bytes).map(|place| place + 1);
        }
        let (mut open, mut last) = (false, None);
        for place in memchr2_iter(b'"', b'\n', bytes) {
            match bytes[place] {
                b'"' => open = !open,
                _ if !open => last = Some(place + 1),
                _ => {}
            }
        }
        last
    }

    fn first_end(&self, bytes: &[u8]) -> Option<usize> {
        let mut open = false;
        memchr2_iter(b'"', b'\n', bytes)
            .find(|&place| {
                open ^= self.quotes && bytes[place] == b'"';
                bytes[place] == b'\n' && !open
            })
            .map(|place| place + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_records_and_hold_every_byte() {
        let mut text = String::from("\u{feff}# note\na,b\n");
        for row in 0..60_000 {
            text.push_str(&format!("{row},\"line one\nline \"\"two\"\" of {row}\"\n"));
        }
        text.push_str("last,without end");
        let mut chunks = RecordChunks::new(text.as_bytes(), true);
        assert_eq!(chunks.first_record(Some(b'#')).unwrap().unwrap(), b"a,b\n");
        let mut all = Vec::new();
        let mut line = 3;
        while let Some((chunk, first)) = chunks.next_chunk().unwrap() {
            assert_eq!(first, line);
            assert_eq!(chunk.iter().filter(|&&byte| byte == b'"').count() % 2, 0);
            line += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
            all.extend(chunk);
        }
        assert_eq!(all, &text.as_bytes()["\u{feff}# note\na,b\n".len()..]);
    }

    #[test]
    fn a_quote_that_never_closes_is_refused_in_bounded_memory() {
        let text = format!("a\n\"{}", "x\n".repeat(4 << 20));
        let mut chunks = RecordChunks::new(text.as_bytes(), true);
        // The header stands before the open quote, so it is found, or the refusal comes at once.
        let refused = chunks.first_record(None).and_then(|_| chunks.next_chunk()).unwrap_err();
        assert!(refused.to_string().contains("is a quote missing"), "{refused}");
    }
}
