//! The four grades of protection, and what each may say.

use std::fmt;

use burn_privacy_accounting::round_up_for_display;

/// How much a guarantee is worth, from most to least.
///
/// The order is that of what an adversary must not know: nothing is assumed of them under differential privacy, some
/// background knowledge breaks a syntactic model, a key or a second table undoes a pseudonym, and a disguise is broken by
/// better software.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Identifying marks are hidden from a casual look.
    Disguised,
    /// Direct identifiers are replaced; whoever links the rest, or has the key, finds the person.
    Pseudonymized,
    /// A property of the released table: k-anonymity, l-diversity, t-closeness and their kin.
    Syntactic,
    /// A property of the mechanism, whatever the adversary knows.
    DifferentialPrivacy,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DifferentialPrivacy => "differential privacy",
            Self::Syntactic => "syntactic",
            Self::Pseudonymized => "pseudonymized",
            Self::Disguised => "disguised",
        })
    }
}

/// A text claims more than its grade holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a statement of the grade {grade} can't say {word:?}: say what was replaced or hidden, and who can undo it \
     (epsilon and delta belong to differential privacy, and only models that bound identification call themselves anonymous)"
)]
pub struct OverclaimError {
    /// The grade.
    pub grade: Grade,
    /// What was said.
    pub word: String,
}

/// A sentence that was checked against the grade it is said under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording(String);

impl Wording {
    /// Checks a sentence.
    ///
    /// # Errors
    ///
    /// [`OverclaimError`] if it speaks of epsilon or of differential privacy, or, as a pseudonym or a disguise, of anonymity.
    pub fn under(grade: Grade, sentence: impl Into<String>) -> Result<Self, OverclaimError> {
        let sentence = sentence.into();
        let lower = sentence.to_lowercase();
        let forbidden: &[&str] = match grade {
            Grade::DifferentialPrivacy => &[],
            Grade::Syntactic => &["epsilon", "ε", "differential", "-dp"],
            Grade::Pseudonymized | Grade::Disguised => &["epsilon", "ε", "differential", "-dp", "anonym"],
        };
        match forbidden.iter().find(|word| lower.contains(**word)) {
            Some(word) => Err(OverclaimError { grade, word: (*word).to_owned() }),
            None => Ok(Self(sentence)),
        }
    }

    /// The sentence.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a mechanism guarantees, by grade.
#[derive(Clone, Debug, PartialEq)]
pub enum Guarantee {
    /// (epsilon, delta)-differential privacy.
    DifferentialPrivacy {
        /// What releases, such as "DP-SGD"; may be empty.
        mechanism: String,
        /// In nats; infinity for no finite one.
        epsilon: f64,
        /// 0 for pure differential privacy.
        delta: f64,
        /// False for an estimate.
        is_bound: bool,
        /// What is protected and among which neighbors, such as "one record under add-or-remove-one adjacency".
        of: String,
        /// Who counted, such as "PLD"; empty for a closed form.
        accountant: String,
        /// True for local differential privacy: each record is randomized before anybody collects it.
        local: bool,
    },
    /// Metric differential privacy: how alike outputs are depends on how far inputs are apart. For places it is called
    /// geo-indistinguishability. It is never said as the epsilon of a record, which it has only together with a distance.
    Metric {
        /// What releases, such as "planar Laplace".
        mechanism: String,
        /// What it is called where the inputs are such, such as "geo-indistinguishability".
        name: String,
        /// In nats for one unit of distance.
        epsilon: f64,
        /// The unit, such as "meter".
        unit: String,
        /// What is added to the factor `e^(epsilon x distance)`; 0 for none.
        delta: f64,
        /// What is protected, such as "each report".
        of: String,
    },
    /// A mechanism of differential privacy that no accountant has counted.
    Uncounted {
        /// What releases.
        mechanism: String,
    },
    /// A property of the released table.
    Syntactic(Wording),
    /// Identifiers were replaced.
    Pseudonymized(Wording),
    /// Identifying marks were hidden.
    Disguised(Wording),
}

impl Guarantee {
    /// A syntactic model, such as "5-anonymity over age, sex and zip".
    ///
    /// # Errors
    ///
    /// As [`Wording::under`].
    pub fn syntactic(sentence: impl Into<String>) -> Result<Self, OverclaimError> {
        Wording::under(Grade::Syntactic, sentence).map(Self::Syntactic)
    }

    /// What was replaced, and who can undo it.
    ///
    /// # Errors
    ///
    /// As [`Wording::under`].
    pub fn pseudonymized(sentence: impl Into<String>) -> Result<Self, OverclaimError> {
        Wording::under(Grade::Pseudonymized, sentence).map(Self::Pseudonymized)
    }

    /// What was hidden, and what undoes it.
    ///
    /// # Errors
    ///
    /// As [`Wording::under`].
    pub fn disguised(sentence: impl Into<String>) -> Result<Self, OverclaimError> {
        Wording::under(Grade::Disguised, sentence).map(Self::Disguised)
    }

    /// The grade.
    pub fn grade(&self) -> Grade {
        match self {
            Self::DifferentialPrivacy { .. } | Self::Metric { .. } | Self::Uncounted { .. } => {
                Grade::DifferentialPrivacy
            }
            Self::Syntactic(_) => Grade::Syntactic,
            Self::Pseudonymized(_) => Grade::Pseudonymized,
            Self::Disguised(_) => Grade::Disguised,
        }
    }
}

impl fmt::Display for Guarantee {
    /// One sentence, figures rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DifferentialPrivacy { mechanism, epsilon, delta, is_bound, of, accountant, local } => {
                let by = match (accountant.is_empty(), is_bound) {
                    (true, _) => String::new(),
                    (false, true) => format!(" (by {accountant}, upper bound)"),
                    (false, false) => format!(" (by {accountant}, an estimate, not a bound)"),
                };
                let mechanism = if mechanism.is_empty() { String::new() } else { format!("{mechanism}: ") };
                // Also NaN, which no accountant gives, must not read as private.
                if !epsilon.is_finite() {
                    return write!(f, "{mechanism}no finite epsilon{by}");
                }
                let estimated = if *is_bound { "" } else { "an estimated " };
                let epsilon = round_up_for_display(*epsilon);
                let figures = match *local && *delta == 0.0 {
                    true => epsilon,
                    false => format!("({epsilon}, {})", round_up_for_display(*delta)),
                };
                let name = if *local { "local differential privacy (LOCAL DP)" } else { "differential privacy" };
                write!(f, "{mechanism}{estimated}{figures}-{name} of {of}{by}")
            }
            Self::Metric { mechanism, name, epsilon, unit, delta, of } => {
                if !epsilon.is_finite() {
                    return write!(f, "{mechanism}: no finite epsilon");
                }
                let epsilon = round_up_for_display(*epsilon);
                let besides = match *delta == 0.0 {
                    true => String::new(),
                    false => format!(", but for a probability of {}", round_up_for_display(*delta)),
                };
                write!(f, "{mechanism}: {name} at {epsilon} per {unit} of {of}{besides}")
            }
            Self::Uncounted { mechanism } => write!(f, "{mechanism}; no accountant has counted it"),
            Self::Syntactic(words) => f.write_str(words.as_str()),
            Self::Pseudonymized(words) => write!(f, "pseudonymized: {}", words.as_str()),
            Self::Disguised(words) => write!(f, "disguised: {}", words.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_ordered() {
        assert!(Grade::DifferentialPrivacy > Grade::Syntactic);
        assert!(Grade::Syntactic > Grade::Pseudonymized && Grade::Pseudonymized > Grade::Disguised);
    }

    #[test]
    fn a_lower_grade_cannot_claim_a_higher_one() {
        for grade in [Grade::Syntactic, Grade::Pseudonymized, Grade::Disguised] {
            for words in ["epsilon = 1", "Differentially private", "ε of 2", "(1, 0)-DP"] {
                assert!(Wording::under(grade, words).is_err(), "{grade}: {words}");
            }
        }
        assert!(Guarantee::syntactic("5-anonymity over age and sex").is_ok());
        assert!(Guarantee::pseudonymized("Anonymized names").is_err());
        assert!(Guarantee::disguised("an anonymous face").is_err());
        assert!(Guarantee::disguised("faces were blurred; software undoes it").is_ok());
    }

    #[test]
    fn infinity_and_nan_never_read_as_private() {
        for epsilon in [f64::INFINITY, f64::NAN] {
            let guarantee = Guarantee::DifferentialPrivacy {
                mechanism: "DP-SGD".into(),
                epsilon,
                delta: 1e-5,
                is_bound: true,
                of: "one record".into(),
                accountant: "PLD".into(),
                local: false,
            };
            assert_eq!(guarantee.to_string(), "DP-SGD: no finite epsilon (by PLD, upper bound)");
        }
    }

    #[test]
    fn a_metric_guarantee_has_a_unit_and_is_no_epsilon_of_a_record() {
        let guarantee = |epsilon| Guarantee::Metric {
            mechanism: "planar Laplace".into(),
            name: "geo-indistinguishability".into(),
            epsilon,
            unit: "meter".into(),
            delta: 0.0,
            of: "each report".into(),
        };
        let said = guarantee(0.01).to_string();
        assert_eq!(said, "planar Laplace: geo-indistinguishability at 0.01 per meter of each report");
        assert!(!said.contains("differential privacy"));
        assert_eq!(guarantee(f64::NAN).to_string(), "planar Laplace: no finite epsilon");
        assert_eq!(guarantee(1.0).grade(), Grade::DifferentialPrivacy);
    }
}
