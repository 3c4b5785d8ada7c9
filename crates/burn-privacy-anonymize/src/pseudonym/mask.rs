//! Masks: some signs of a value are covered, others are seen.

/// Covers the middle of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// Signs seen at the beginning.
    pub first: usize,
    /// Signs seen at the end.
    pub last: usize,
}

impl Mask {
    /// The masked value: as many `*` as signs are covered. A value so short that it would be seen whole is covered whole.
    pub fn apply(self, value: &str) -> String {
        let length = value.chars().count();
        let shown = self.first.saturating_add(self.last) < length;
        let covered = |place: usize| !shown || (place >= self.first && place + self.last < length);
        value.chars().enumerate().map(|(place, sign)| if covered(place) { '*' } else { sign }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_are_never_seen_whole() {
        let mask = Mask { first: 1, last: 2 };
        assert_eq!(
            ["", "ab", "abc", "abcd", "Zoë Müller"].map(|value| mask.apply(value)),
            ["", "**", "***", "a*cd", "Z*******er"]
        );
    }
}
