//! Pictures as PNG files.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::OutputError;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Pixels per meter that print the plot 203 mm (8 in) wide.
const PIXELS_PER_METER: u32 = 7_874;

/// The mean of each square of `factor` x `factor` pixels, of 8-bit RGB rows that are `width` pixels long.
pub(super) fn averaged_down(pixels: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let (row, block) = (width * 3, factor * factor);
    let height = pixels.len() / row;
    let mut small = Vec::with_capacity(pixels.len() / block);
    for y in (0..height).step_by(factor) {
        for x in (0..width).step_by(factor) {
            for channel in 0..3 {
                let sum: usize = (0..block)
                    .map(|at| usize::from(pixels[(y + at / factor) * row + (x + at % factor) * 3 + channel]))
                    .sum();
                small.push(((sum + block / 2) / block) as u8);
            }
        }
    }
    small
}

/// A PNG file of 8-bit RGB pixels, row by row (W3C, "Portable Network Graphics", 2003).
pub(super) fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, OutputError> {
    let failed = |error: std::io::Error| OutputError::Plot(error.to_string());
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // 8 bits, RGB, deflate, the standard filters, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut resolution = Vec::new();
    resolution.extend(PIXELS_PER_METER.to_be_bytes());
    resolution.extend(PIXELS_PER_METER.to_be_bytes());
    resolution.push(1);

    let row_bytes = width as usize * 3;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut above = vec![0; row_bytes];
    for row in pixels.chunks_exact(row_bytes) {
        // Filter "up": equal rows become zeros.
        let filtered: Vec<u8> = row.iter().zip(&above).map(|(byte, above)| byte.wrapping_sub(*above)).collect();
        packed.write_all(&[2]).map_err(failed)?;
        packed.write_all(&filtered).map_err(failed)?;
        above.copy_from_slice(row);
    }
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"pHYs", &resolution);
    chunk(&mut file, b"IDAT", &packed.finish().map_err(failed)?);
    chunk(&mut file, b"IEND", &[]);
    Ok(file)
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], contents: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(contents);
    file.extend((contents.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(contents);
    file.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    /// Width, height and pixels of an 8-bit RGB file with the filter "up" throughout; every check sum is checked.
    pub(in crate::plot) fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        assert_eq!(file[..8], SIGNATURE);
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
        let (mut rest, mut size, mut packed, mut ended) = (&file[8..], (0, 0), Vec::new(), false);
        while !rest.is_empty() {
            let length = number(rest) as usize;
            let (kind, contents) = (&rest[4..8], &rest[8..8 + length]);
            let mut crc = Crc::new();
            crc.update(&rest[4..8 + length]);
            assert_eq!(crc.sum(), number(&rest[8 + length..]));
            match kind {
                b"IHDR" => {
                    size = (number(contents), number(&contents[4..]));
                    assert_eq!(contents[8..], [8, 2, 0, 0, 0]);
                }
                b"IDAT" => packed.extend(contents),
                b"IEND" => ended = true,
                _ => assert_eq!(kind, b"pHYs"),
            }
            rest = &rest[12 + length..];
        }
        assert!(ended);
        let mut filtered = Vec::new();
        ZlibDecoder::new(packed.as_slice()).read_to_end(&mut filtered).unwrap();
        let row_bytes = size.0 as usize * 3;
        assert_eq!(filtered.len(), (row_bytes + 1) * size.1 as usize);
        let mut pixels: Vec<u8> = Vec::new();
        let mut above = vec![0_u8; row_bytes];
        for row in filtered.chunks(row_bytes + 1) {
            assert_eq!(row[0], 2);
            above.iter_mut().zip(&row[1..]).for_each(|(above, byte)| *above = above.wrapping_add(*byte));
            pixels.extend(&above);
        }
        (size.0, size.1, pixels)
    }

    #[test]
    fn pixels_survive() {
        let pixels: Vec<u8> = (0..7 * 5 * 3).map(|at| (at * 37 % 256) as u8).collect();
        assert_eq!(decode(&encode(&pixels, 7, 5).unwrap()), (7, 5, pixels));
    }

    #[test]
    fn averaging_keeps_colors_apart() {
        // Two by two pixels of red and green become one.
        let pixels = [[255, 0, 0], [0, 255, 0], [255, 0, 0], [0, 255, 0]].concat();
        assert_eq!(averaged_down(&pixels, 2, 2), [128, 128, 0]);
        assert_eq!(averaged_down(&pixels, 2, 1), pixels);
    }
}
