//! All that the command prints: whatever a file or a flag said, no control character but line feeds and tabs gets out.

use std::io::{self, Write};

use burn_privacy_output::printable_lines;

/// Text for a terminal or a pipe. Each line is written at its end, or when it is flushed.
pub struct TerminalText<W: Write> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> TerminalText<W> {
    /// Around what the text goes to.
    pub fn new(inner: W) -> Self {
        Self { inner, line: Vec::new() }
    }

    /// Writes the line so far. What is not UTF-8 is shown as such.
    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.inner.write_all(printable_lines(&String::from_utf8_lossy(&line)).as_bytes())
    }
}

impl<W: Write> Write for TerminalText<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.write_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_line()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_gets_out_however_it_is_cut() {
        let text = "größe\t1\n\u{1b}[2J\u{9b}31m\u{202e}x\r\nend";
        for cut in 1..text.len() {
            let mut out = TerminalText::new(Vec::new());
            for part in text.as_bytes().chunks(cut) {
                out.write_all(part).unwrap();
            }
            out.flush().unwrap();
            let shown = String::from_utf8(out.inner).unwrap();
            assert_eq!(shown, "größe\t1\n\\u{1b}[2J\\u{9b}31m\\u{202e}x\\r\nend", "{cut}");
        }
    }
}
