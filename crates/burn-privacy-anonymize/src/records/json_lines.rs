//! JSON lines to cells, and cells to JSON lines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::batch::{Batch, Released, Span, Style};

/// What is known of a file of JSON lines: the columns, and which are passed on as the JSON that they are.
pub(crate) struct JsonReading {
    pub(crate) names: Vec<String>,
    pub(crate) places: HashMap<String, usize>,
    /// Columns whose values stay JSON (kept ones, where JSON is written); others become text.
    pub(crate) raw: Vec<bool>,
    /// Columns that are not looked at, so that they may hold anything.
    pub(crate) unused: Vec<bool>,
}

/// The members of one object, in order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A name, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl JsonReading {
    /// The cells of a chunk of whole lines. Empty lines are passed over; a member that is not there is null.
    ///
    /// # Errors
    ///
    /// A line and a sentence, which never holds a value.
    pub(crate) fn read(&self, bytes: &[u8], first_line: u64) -> Result<Batch, (u64, String)> {
        let mut batch = Batch {
            columns: vec![Vec::new(); self.names.len()],
            bytes: Vec::with_capacity(bytes.len()),
            first_line,
            ..Batch::default()
        };
        for (line, text) in (first_line..).zip(bytes.split(|&byte| byte == b'\n')) {
            let text = if line == 1 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
            if text.trim_ascii().is_empty() {
                continue;
            }
            self.read_line(text, &mut batch).map_err(|problem| (line, problem))?;
            batch.lines.push(line);
            batch.rows += 1;
        }
        Ok(batch)
    }

    fn read_line(&self, text: &[u8], batch: &mut Batch) -> Result<(), String> {
        // The parser's own message could hold a part of a value.
        let members: Members<'_> = serde_json::from_slice(text)
            .map_err(|error| format!("this is no JSON object (column {} of the line)", error.column()))?;
        batch.columns.iter_mut().for_each(|cells| cells.push(Span::NULL));
        let mut seen = vec![false; self.names.len()];
        for (name, value) in &members.0 {
            let Some(&place) = self.places.get(name.as_ref()) else {
                return Err(format!("the member {name:?} is not in the schema: add it, as dropped if need be"));
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(format!("the member {name:?} is there twice"));
            }
            let value = value.get();
            if value == "null" || self.unused[place] {
                continue;
            }
            let begin = batch.bytes.len();
            if self.raw[place] || !value.starts_with(['"', '{', '[']) {
                batch.bytes.extend_from_slice(value.as_bytes());
            } else if let Ok(Name(text)) = serde_json::from_str(value) {
                batch.bytes.extend_from_slice(text.as_bytes());
            } else {
                return Err(format!("the member {name:?} is a list or an object: keep it or drop it, nothing else"));
            }
            if let Some(cell) = batch.columns[place].last_mut() {
                *cell = Span::new(begin, batch.bytes.len());
            }
        }
        Ok(())
    }
}

/// True for text that is a number in JSON.
fn is_number(text: &[u8]) -> bool {
    text.first().is_some_and(|&first| first == b'-' || first.is_ascii_digit())
        && serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// Writes the rows of a batch that are chosen as objects with these names.
///
/// # Errors
///
/// Line and sentence, for text that is not UTF-8.
pub(crate) fn write_json_lines(
    batch: &Batch,
    columns: &[Released],
    names: &[String],
    chosen: impl Fn(usize) -> bool,
    out: &mut Vec<u8>,
) -> Result<(), (u64, String)> {
    // Strings and memory: neither fails.
    let quoted = |text: &str, out: &mut Vec<u8>| serde_json::to_writer(out, text).unwrap_or_default();
    let keys: Vec<Vec<u8>> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let mut key = vec![if place == 0 { b'{' } else { b',' }];
            quoted(name, &mut key);
            key.push(b':');
            key
        })
        .collect();
    for row in (0..batch.rows).filter(|&row| chosen(row)) {
        for (column, key) in columns.iter().zip(&keys) {
            out.extend_from_slice(key);
            match (column.cell(batch, row), column.style()) {
                (None, _) | (Some(b""), Style::Number) => out.extend_from_slice(b"null"),
                (Some(cell), Style::Json) => out.extend_from_slice(cell),
                (Some(cell), Style::Number) if is_number(cell) => out.extend_from_slice(cell),
                (Some(cell), _) => {
                    let text = std::str::from_utf8(cell)
                        .map_err(|_| (batch.line(row), "the text is not UTF-8: convert the file".to_owned()))?;
                    quoted(text, out);
                }
            }
        }
        out.extend_from_slice(if columns.is_empty() { b"{}\n" } else { b"}\n" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> JsonReading {
        let names: Vec<String> = ["a", "ü", "n"].map(str::to_owned).to_vec();
        let places = names.iter().cloned().zip(0..).collect();
        JsonReading { names, places, raw: vec![false, false, true], unused: vec![false; 3] }
    }

    #[test]
    fn values_become_text_and_come_back_as_what_they_were() {
        let text =
            "{\"a\":\"x\\u00e9\\n\",\"n\":[1, {\"b\":2}]}\n\n{\"\\u00fc\":1e5,\"n\":0.10,\"a\":null}\n{\"a\":\"\"}";
        let batch = reading().read(text.as_bytes(), 1).unwrap();
        assert_eq!((batch.rows, batch.line(1), batch.line(2)), (3, 3, 4));
        assert_eq!(batch.cell(0, 0), Some("xé\n".as_bytes()));
        assert_eq!((batch.cell(1, 1), batch.cell(0, 1), batch.cell(0, 2)), (Some(&b"1e5"[..]), None, Some(&b""[..])));
        let columns =
            [Released::Input(0, Style::Text), Released::Input(1, Style::Number), Released::Input(2, Style::Json)];
        let mut out = Vec::new();
        write_json_lines(&batch, &columns, &reading().names, |_| true, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\":\"xé\\n\",\"ü\":null,\"n\":[1, {\"b\":2}]}\n{\"a\":null,\"ü\":1e5,\"n\":0.10}\n\
             {\"a\":\"\",\"ü\":null,\"n\":null}\n"
        );
    }

    #[test]
    fn what_is_no_such_object_is_refused_without_its_value() {
        for (text, part) in [
            ("[1]", "no JSON object"),
            ("{\"a\":\"secret\"", "no JSON object"),
            ("{\"b\":\"secret\"}", "\"b\" is not in the schema"),
            ("{\"a\":\"secret\",\"a\":2}", "\"a\" is there twice"),
            ("{\"a\":[\"secret\"]}", "a list or an object"),
        ] {
            let (line, problem) = reading().read(text.as_bytes(), 7).err().unwrap();
            assert!(line == 7 && problem.contains(part) && !problem.contains("secret"), "{problem}");
        }
        for (text, number) in
            [("1", true), ("-0.5e3", true), ("01", false), ("+1", false), ("1 2", false), ("x", false)]
        {
            assert_eq!(is_number(text.as_bytes()), number, "{text}");
        }
    }
}
