//! Text from a user's file for a terminal: what would act on the terminal is spelled out instead.

use std::borrow::Cow;

/// `text` with what a terminal would obey, or a reader not see, spelled out as in a Rust string: control characters (and so
/// all escape sequences), line and paragraph separators, and characters that turn the direction of writing or have no width.
///
/// For names and values on one line: a line feed becomes `\n`, too.
///
/// ```
/// use burn_privacy_output::printable;
///
/// assert_eq!(printable("run 1, größer"), "run 1, größer");
/// assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// [`printable`] for whole messages: line feeds and tabs stay.
///
/// ```
/// assert_eq!(burn_privacy_output::printable_lines("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
/// ```
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

/// [`printable`] for Markdown: on one line, and nothing in it is markup, a link, a table's border or HTML.
///
/// ```
/// assert_eq!(burn_privacy_output::printable_markdown("a|b\n<i>"), "a\\|b &lt;i>");
/// ```
pub fn printable_markdown(text: &str) -> String {
    let line = text.replace("\r\n", " ").replace(['\n', '\r'], " ");
    let mut shown = String::with_capacity(line.len());
    for character in printable(&line).chars() {
        match character {
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            '\\' | '|' | '`' | '[' | ']' | '*' => shown.extend(['\\', character]),
            _ => shown.push(character),
        }
    }
    shown
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let acts = |character: char| is_acting(character) && !stays(character);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_acting(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        for code in (0..=0xffff_u32).filter_map(char::from_u32).filter(|c| c.is_control()) {
            let shown = printable(&format!("a{code}b")).into_owned();
            assert!(shown.starts_with("a\\") && !shown.contains(char::is_control), "{shown:?}");
        }
        // Right to left, no width, and the eight-bit escape.
        for sneaky in ["\u{202e}", "\u{200b}", "\u{2066}", "\u{9b}31m", "\u{feff}"] {
            assert!(printable(sneaky).is_ascii(), "{sneaky:?}");
        }
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in ["", "Größe ✓", "日本語", "a|b \\n"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }
}
