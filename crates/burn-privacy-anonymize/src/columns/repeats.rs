//! Pseudonyms of values that came before, in a bounded place.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Values remembered at once: 42 KiB for a column.
const PLACES: usize = 512;

/// The longest value and the longest pseudonym that are remembered.
const LONGEST: usize = 40;

/// Cells after which it is decided whether to go on.
const TRIAL: u32 = 8_192;

#[derive(Clone, Copy)]
struct Place {
    value_length: u8,
    output_length: u8,
    value: [u8; LONGEST],
    output: [u8; LONGEST],
}

/// Remembers the last value of each place; a value has one place only. It turns itself off for columns in which few values
/// come back, and costs nothing there.
pub(super) struct Repeats {
    places: Vec<Place>,
    asked: u32,
    found: u32,
}

impl Repeats {
    pub(super) fn new() -> Self {
        let empty = Place { value_length: u8::MAX, output_length: 0, value: [0; LONGEST], output: [0; LONGEST] };
        Self { places: vec![empty; PLACES], asked: 0, found: 0 }
    }

    /// Writes what `make` would write for a value.
    pub(super) fn write(
        &mut self,
        value: &[u8],
        out: &mut Vec<u8>,
        make: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.places.is_empty() || value.len() > LONGEST {
            return make(value, out);
        }
        let mut hasher = FxHasher::default();
        hasher.write(value);
        let place = &mut self.places[hasher.finish() as usize >> 7 & (PLACES - 1)];
        self.asked += 1;
        if usize::from(place.value_length) == value.len() && place.value[..value.len()] == *value {
            self.found += 1;
            out.extend_from_slice(&place.output[..usize::from(place.output_length)]);
            return Ok(());
        }
        let begin = out.len();
        make(value, out)?;
        let made = &out[begin..];
        if made.len() <= LONGEST {
            place.value_length = value.len() as u8;
            place.value[..value.len()].copy_from_slice(value);
            place.output_length = made.len() as u8;
            place.output[..made.len()].copy_from_slice(made);
        }
        if self.asked >= TRIAL {
            if self.found < self.asked / 4 {
                self.places = Vec::new();
            }
            (self.asked, self.found) = (0, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_made() {
        let make = |value: &[u8], out: &mut Vec<u8>| {
            out.extend(value.iter().rev());
            out.push(b'!');
            Ok(())
        };
        for different in [3, 300, 100_000] {
            let mut repeats = Repeats::new();
            for number in 0..60_000_u32 {
                let value = number * 7919 % different;
                let value = value.to_string().repeat(1 + value as usize % 9);
                let (mut out, mut expected) = (b"x".to_vec(), b"x".to_vec());
                repeats.write(value.as_bytes(), &mut out, make).unwrap();
                make(value.as_bytes(), &mut expected).unwrap();
                assert_eq!(out, expected);
            }
            assert_eq!(repeats.places.is_empty(), different == 100_000, "{different}");
        }
    }
}
