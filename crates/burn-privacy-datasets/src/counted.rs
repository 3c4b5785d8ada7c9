//! A reader that counts.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// A reader that counts the bytes taken from it, so that an error can name the place.
pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, count: Rc::default() }
    }

    /// The count, which stays readable while someone else holds the reader.
    pub(super) fn count(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.count)
    }

    fn add(&self, bytes: usize) {
        self.count.set(self.count.get() + bytes as u64);
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.add(bytes);
        Ok(bytes)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        self.add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_reading_are_counted() {
        let mut reader = Counted::new(&b"eleven here"[..]);
        let count = reader.count();
        reader.read_exact(&mut [0; 4]).unwrap();
        reader.consume(3);
        assert_eq!(count.get(), 7);
        assert_eq!(reader.fill_buf().unwrap(), b"here");
        assert_eq!(count.get(), 7);
    }
}
