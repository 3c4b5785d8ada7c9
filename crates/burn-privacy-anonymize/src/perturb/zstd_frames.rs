//! zstd, frame after frame: a file may hold several (RFC 8878 section 3), while the crate's decoder ends with the first.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// The largest window that is unpacked, which bounds memory: what `zstd` allows without a flag.
const MOST_WINDOW: u64 = 128 << 20;

/// Unpacks all frames of a file.
pub(crate) struct ZstdFrames<R: Read> {
    state: State<R>,
}

#[expect(clippy::large_enum_variant, reason = "there is one of them a file")]
enum State<R: Read> {
    /// Before a frame, or at the end of the file.
    Between(BufReader<R>),
    Within(StreamingDecoder<BufReader<R>, FrameDecoder>),
    /// After an error.
    Broken(Option<R>),
}

impl<R: Read> ZstdFrames<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { state: State::Between(BufReader::with_capacity(1 << 16, packed)) }
    }

    /// What it reads from; nothing can be asked of it after an error but this.
    pub(super) fn get_ref(&self) -> Option<&R> {
        match &self.state {
            State::Between(packed) => Some(packed.get_ref()),
            State::Within(decoder) => Some(decoder.get_ref().get_ref()),
            State::Broken(packed) => packed.as_ref(),
        }
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Broken(None)) {
                State::Between(mut packed) => {
                    if packed.fill_buf()?.is_empty() {
                        self.state = State::Between(packed);
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new_with_max_window_size(packed, MOST_WINDOW)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("broken zstd: {error}")))?;
                    self.state = State::Within(decoder);
                }
                State::Within(mut decoder) => {
                    let read = decoder.read(buffer)?;
                    if read > 0 {
                        self.state = State::Within(decoder);
                        return Ok(read);
                    }
                    self.state = State::Between(decoder.into_inner());
                }
                State::Broken(packed) => {
                    self.state = State::Broken(packed);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "broken zstd"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    #[test]
    fn all_frames_are_read_and_a_broken_one_is_an_error() {
        let text = "one line, again and again\n".repeat(20_000);
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let mut packed = frame(&text);
        packed.extend(frame("and the last"));
        let mut read = String::new();
        ZstdFrames::new(packed.as_slice()).read_to_string(&mut read).unwrap();
        assert_eq!(read, text + "and the last");
        packed.truncate(packed.len() - 4);
        assert!(ZstdFrames::new(packed.as_slice()).read_to_end(&mut Vec::new()).is_err());
    }
}
