//! Shapes whose lengths are known for every number of examples.

/// A length: the same for every batch, or so many times the number of examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Fixed(usize),
    Growing(usize),
}

/// A shape with at most one growing axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lengths(pub(crate) Vec<Length>);

/// Why two shapes don't make one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Rank,
    /// No multiple of the number of examples.
    Multiple {
        axis: usize,
    },
    /// Two axes that grow.
    Pairs {
        axes: [usize; 2],
    },
}

impl Lengths {
    /// From the same shape with two numbers of examples.
    pub(crate) fn of_two(first: (&[usize], usize), second: (&[usize], usize)) -> Result<Self, Mismatch> {
        let ((first, few), (second, many)) = (first, second);
        if first.len() != second.len() {
            return Err(Mismatch::Rank);
        }
        let mut lengths = Vec::with_capacity(first.len());
        let mut growing = None;
        for (axis, (a, b)) in first.iter().zip(second).enumerate() {
            if a == b {
                lengths.push(Length::Fixed(*a));
                continue;
            }
            if a % few != 0 || b % many != 0 || a / few != b / many {
                return Err(Mismatch::Multiple { axis });
            }
            if let Some(other) = growing.replace(axis) {
                return Err(Mismatch::Pairs { axes: [other, axis] });
            }
            lengths.push(Length::Growing(a / few));
        }
        Ok(Self(lengths))
    }

    /// Whether a shape with so many examples is this one.
    pub(crate) fn fits(&self, dims: &[usize], examples: usize) -> bool {
        self.0.len() == dims.len()
            && self.0.iter().zip(dims).all(|(length, found)| match length {
                Length::Fixed(fixed) => fixed == found,
                Length::Growing(times) => times * examples == *found,
            })
    }

    pub(crate) fn rank(&self) -> usize {
        self.0.len()
    }

    /// The axis that grows, and how many times the number of examples it is long.
    pub(crate) fn growing(&self) -> Option<(usize, usize)> {
        self.0.iter().enumerate().find_map(|(axis, length)| match length {
            Length::Growing(times) => Some((axis, *times)),
            Length::Fixed(_) => None,
        })
    }

    /// Whether an axis has so many entries, whatever the batch.
    pub(crate) fn is(&self, axis: usize, length: usize) -> bool {
        self.0.get(axis) == Some(&Length::Fixed(length))
    }

    /// Product of the fixed lengths of the axes before `axis`.
    pub(crate) fn before(&self, axis: usize) -> usize {
        self.0[..axis].iter().map(Length::factor).product()
    }

    /// Product of the fixed lengths of the axes behind `axis`.
    pub(crate) fn behind(&self, axis: usize) -> usize {
        self.0[axis + 1..].iter().map(Length::factor).product()
    }
}

impl Length {
    fn factor(&self) -> usize {
        match self {
            Self::Fixed(length) | Self::Growing(length) => *length,
        }
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lengths: Vec<String> = self
            .0
            .iter()
            .map(|length| match length {
                Length::Fixed(length) => length.to_string(),
                Length::Growing(1) => "B".to_owned(),
                Length::Growing(times) => format!("{times} B"),
            })
            .collect();
        write!(f, "[{}]", lengths.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_axis_grows_in_proportion_or_the_shape_is_refused() {
        let of = |a: &[usize], b: &[usize]| Lengths::of_two((a, 3), (b, 5));
        let lengths = of(&[2, 12, 7], &[2, 20, 7]).unwrap();
        assert_eq!(lengths.growing(), Some((1, 4)));
        assert_eq!((lengths.before(1), lengths.behind(1), lengths.to_string().as_str()), (2, 7, "[2, 4 B, 7]"));
        assert!(lengths.fits(&[2, 8, 7], 2) && !lengths.fits(&[2, 9, 7], 2) && !lengths.fits(&[2, 8], 2));
        assert_eq!(of(&[3, 3], &[5, 5]), Err(Mismatch::Pairs { axes: [0, 1] }));
        assert_eq!(of(&[4], &[6]), Err(Mismatch::Multiple { axis: 0 }));
        assert_eq!(of(&[1, 4], &[1]), Err(Mismatch::Rank));
        assert_eq!(of(&[], &[]).unwrap().growing(), None);
    }
}
