//! Reading text from files and from standard input, and keeping outputs from what is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// True for `-`, which stands for standard input, or for standard output where a file is written.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of an input in messages.
pub fn named(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// A file, or standard input for `-`.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if is_standard(path) {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Box::new(file))
}

/// The text of a file, or of standard input for `-`: UTF-8 with or without a byte-order mark, of at most `most` bytes.
pub fn read_text(path: &Path, most: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(Failure::Input(format!(
            "{} is larger than {} MiB, which is no such document",
            named(path),
            most >> 20
        )));
    }
    decode(bytes).map_err(|problem| Failure::Input(format!("{} {problem}", named(path))))
}

/// Refuses to write over what is read.
pub fn refuse_input(inputs: &[&Path], outputs: &[&Path]) -> Result<(), Failure> {
    let place = |path: &Path| path.canonicalize().ok();
    let read: Vec<PathBuf> = inputs.iter().filter_map(|input| place(input)).collect();
    match outputs.iter().find(|output| place(output).is_some_and(|output| read.contains(&output))) {
        Some(output) => {
            Err(Failure::Input(format!("the output is the input: name another file than {}", output.display())))
        }
        None => Ok(()),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Input(format!("could not read {}: {error}", named(path)))
}

/// Bytes as text; the error is the rest of a sentence about them.
fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    if let Some(problem) = other_encoding(&bytes) {
        return Err(problem);
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text: save it as UTF-8")?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What bytes are that are no UTF-8, by how they begin.
pub fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    const UTF_16: &str =
        "is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8; in PowerShell, Out-File -Encoding utf8)";
    let start = |magic: &[u8]| bytes.starts_with(magic);
    if start(&[0xFF, 0xFE]) || start(&[0xFE, 0xFF]) || bytes.iter().take(2).any(|&byte| byte == 0) && bytes.len() > 2 {
        Some(UTF_16)
    } else if start(&[0x1F, 0x8B]) {
        Some("is compressed by gzip: unpack it first (gunzip -c FILE, and - for the file's name here)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8_and_all_else_is_named() {
        assert_eq!(decode(b"{}".to_vec()).as_deref(), Ok("{}"));
        assert_eq!(decode("\u{feff}{}".into()).as_deref(), Ok("{}"));
        for bytes in [&b"\xFF\xFE{\0}\0"[..], b"\xFE\xFF\0{\0}", b"{\0}\0", b"\0{\0}"] {
            assert!(decode(bytes.to_vec()).unwrap_err().starts_with("is UTF-16"), "{bytes:?}");
        }
        assert!(decode(vec![0x1F, 0x8B, 8, 0]).unwrap_err().contains("gzip"));
        assert!(decode(vec![b'"', 0xC3, b'"']).unwrap_err().contains("not UTF-8"));
    }
}
