//! The command that started a program.

/// The command that started this program, as a shell takes it.
pub fn command_line() -> String {
    std::env::args().map(quoted).collect::<Vec<String>>().join(" ")
}

/// As a shell takes it for one word.
fn quoted(word: String) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_=./,:+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [("--seeds=3", "--seeds=3"), ("a b", "'a b'"), ("", "''"), ("it's", r"'it'\''s'")] {
            assert_eq!(quoted(word.into()), expected);
        }
    }
}
