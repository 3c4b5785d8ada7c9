//! Masks: some signs of a value are covered, others are seen.

/// Covers the middle of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// Signs seen at the beginning.
    pub first: usize,
    /// Signs seen at the end.
    pub last: usize,
}

/// Covers a value sign by sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskPattern(Vec<char>);

impl MaskPattern {
    /// A sign for each sign of the value: `*` covers it, `+` shows it, any other must stand there and is shown.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.chars().collect())
    }

    /// The masked value. One that does not fit is covered whole: as many `*` as it has signs.
    pub fn apply(&self, value: &str) -> String {
        let signs = || value.chars().zip(&self.0);
        let fits = value.chars().count() == self.0.len()
            && signs().all(|(sign, &wanted)| matches!(wanted, '*' | '+') || sign == wanted);
        let covered = self.0.contains(&'*');
        if !fits || !covered {
            return value.chars().map(|_| '*').collect();
        }
        signs().map(|(sign, &wanted)| if wanted == '*' { '*' } else { sign }).collect()
    }
}

impl Mask {
    /// The masked value: as many `*` as signs are covered. A value so short that it would be seen whole is covered whole.
    pub fn apply(self, value: &str) -> String {
        let mut masked = Vec::with_capacity(value.len());
        self.write(value, &mut masked);
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// Writes the masked value.
    pub(crate) fn write(self, value: &str, out: &mut Vec<u8>) {
        if value.is_ascii() {
            let (bytes, shown) = (value.as_bytes(), self.first.saturating_add(self.last) < value.len());
            let (first, last) = if shown { (self.first, self.last) } else { (0, 0) };
            out.extend_from_slice(&bytes[..first]);
            out.resize(out.len() + bytes.len() - first - last, b'*');
            out.extend_from_slice(&bytes[bytes.len() - last..]);
            return;
        }
        let length = value.chars().count();
        let shown = self.first.saturating_add(self.last) < length;
        let covered = |place: usize| !shown || (place >= self.first && place + self.last < length);
        for (place, sign) in value.chars().enumerate() {
            let sign = if covered(place) { '*' } else { sign };
            out.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_does_not_fit() {
        let pattern = MaskPattern::new("++**-**+");
        assert_eq!(
            ["abcd-efg", "Ünïx-abc", "abcd_efg", "abcd-ef", ""].map(|value| pattern.apply(value)),
            ["ab**-**g", "Ün**-**c", "********", "*******", ""]
        );
        // A pattern that covers nothing shows nothing.
        assert_eq!(MaskPattern::new("++").apply("ab"), "**");
    }

    #[test]
    fn short_values_are_never_seen_whole() {
        let mask = Mask { first: 1, last: 2 };
        assert_eq!(
            ["", "ab", "abc", "abcd", "Zoë Müller"].map(|value| mask.apply(value)),
            ["", "**", "***", "a*cd", "Z*******er"]
        );
    }
}
