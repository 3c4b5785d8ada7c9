//! What an audit found, beside what was claimed: text, Markdown and JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::Result;
use crate::lower_bound::{clopper_pearson, gaussian_fit, one_run_gaussian_of_scores, one_run_of_scores};
use crate::roc::Roc;
use crate::scores::Scores;

/// How the scores came about, which decides what is a bound and what an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// Canaries of one training run, each in by its own fair coin.
    One,
    /// One score a training run; runs are independent.
    Many,
    /// Examples of one training run that were in or out for other reasons, such as a test set: estimates only.
    Observed,
}

/// One auditor's finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Who found it.
    pub auditor: &'static str,
    /// The epsilon shown at the report's delta, rounded down when printed.
    pub epsilon: f64,
    /// True if it is a lower bound with the report's confidence, for any mechanism.
    pub is_bound: bool,
    /// What it rests on.
    pub assumes: &'static str,
}

/// Claimed at most, measured at least.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// How the scores came about.
    pub runs: Runs,
    /// Number of members.
    pub members: usize,
    /// Number of non-members.
    pub non_members: usize,
    /// The delta of all epsilons.
    pub delta: f64,
    /// Probability with which a lower bound may be wrong.
    pub significance: f64,
    /// The epsilon that was claimed, if any.
    pub claimed: Option<f64>,
    /// All findings.
    pub findings: Vec<Finding>,
    /// Area under the ROC curve.
    pub area: f64,
    /// The largest share of right answers about an example that is a member with probability one half.
    pub balanced_accuracy: f64,
    /// (false positive rate, true positive rate) at 0.1 %, 1 % and 10 %.
    pub true_positive_rates: Vec<(f64, f64)>,
}

impl AuditReport {
    /// Runs every auditor that may be asked about such scores.
    ///
    /// # Errors
    ///
    /// As [`clopper_pearson`], and for a `claimed` epsilon that is negative or not a number.
    pub fn new(scores: &Scores, runs: Runs, delta: f64, significance: f64, claimed: Option<f64>) -> Result<Self> {
        if let Some(given) = claimed.filter(|claimed| claimed.is_nan() || *claimed < 0.0) {
            return Err(burn_privacy_output::InvalidValue::new("the claimed epsilon", given, "at least 0").into());
        }
        let mut findings = Vec::new();
        match runs {
            Runs::One => {
                findings.push(Finding {
                    auditor: "one run",
                    epsilon: one_run_of_scores(scores, delta, significance)?,
                    is_bound: true,
                    assumes: "each canary was in by its own fair coin",
                });
                if delta > 0.0 {
                    findings.push(Finding {
                        auditor: "one run, Gaussian trade-off",
                        epsilon: one_run_gaussian_of_scores(scores, delta, significance)?,
                        is_bound: false,
                        assumes: "each canary was in by its own fair coin, and the trade-off curve is a Gaussian one",
                    });
                }
            }
            Runs::Many => findings.push(Finding {
                auditor: "Clopper-Pearson",
                epsilon: clopper_pearson(scores, delta, significance)?,
                is_bound: true,
                assumes: "one score a run, runs are independent",
            }),
            Runs::Observed => findings.push(Finding {
                auditor: "Clopper-Pearson",
                epsilon: clopper_pearson(scores, delta, significance)?,
                is_bound: false,
                assumes: "members and non-members are drawn alike, and scores are independent, which one run's are not",
            }),
        }
        if delta > 0.0 {
            findings.push(Finding {
                auditor: "Gaussian fit",
                epsilon: gaussian_fit(scores, delta, significance)?,
                is_bound: false,
                assumes: "the trade-off curve is a Gaussian one, and scores are independent",
            });
        }
        let roc = Roc::new(scores);
        Ok(Self {
            runs,
            members: scores.members().len(),
            non_members: scores.non_members().len(),
            delta,
            significance,
            claimed,
            findings,
            area: roc.area(),
            balanced_accuracy: roc.balanced_accuracy(),
            true_positive_rates: [0.001, 0.01, 0.1].map(|rate| (rate, roc.true_positive_rate(rate))).to_vec(),
        })
    }

    /// The largest lower bound; 0 if nothing is shown.
    pub fn lower_bound(&self) -> f64 {
        self.findings.iter().filter(|finding| finding.is_bound).map(|finding| finding.epsilon).fold(0.0, f64::max)
    }

    /// True if a lower bound is above the claim: the claim is wrong, or a precondition of the audit is.
    pub fn refutes_the_claim(&self) -> bool {
        self.claimed.is_some_and(|claimed| self.lower_bound() > claimed)
    }

    /// The verdict in one sentence.
    pub fn headline(&self) -> String {
        let confidence = 100.0 * (1.0 - self.significance);
        let found = rounded_down(self.lower_bound());
        match self.claimed {
            Some(claimed) if self.refutes_the_claim() => format!(
                "REFUTED: epsilon {claimed} was claimed at delta {}, and it is at least {found} (confidence {confidence} %)",
                self.delta
            ),
            Some(claimed) => format!(
                "epsilon at delta {}: claimed at most {claimed}, measured at least {found} (confidence {confidence} %)",
                self.delta
            ),
            None => format!("epsilon at delta {}: measured at least {found} (confidence {confidence} %)", self.delta),
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("Audit\n{}\n\n", self.headline());
        for finding in &self.findings {
            let kind = if finding.is_bound { "lower bound" } else { "estimate" };
            let _ = writeln!(
                text,
                "  {:28} {:<10} {kind}; assumes: {}",
                finding.auditor,
                rounded_down(finding.epsilon),
                finding.assumes
            );
        }
        for (name, value) in self.rates() {
            let _ = writeln!(text, "  {name:28} {value}");
        }
        let _ = writeln!(text, "\n{NO_PROOF}");
        text
    }

    /// A section of a report.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("## Audit\n\n**{}**\n\n| auditor | epsilon | | assumes |\n|---|---|---|---|\n", self.headline());
        for finding in &self.findings {
            let kind = if finding.is_bound { "lower bound" } else { "estimate" };
            let epsilon = rounded_down(finding.epsilon);
            let _ = writeln!(text, "| {} | {epsilon} | {kind} | {} |", finding.auditor, finding.assumes);
        }
        text.push_str("\n| | |\n|---|---|\n");
        for (name, value) in self.rates() {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(text, "\n{NO_PROOF}");
        text
    }

    /// One object for machines.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schema": "burn-privacy/audit",
            "version": 1,
            "headline": self.headline(),
            "refuted": self.refutes_the_claim(),
            "lower_bound": self.lower_bound(),
            "report": self,
        })
    }

    fn rates(&self) -> Vec<(String, String)> {
        let mut rates = vec![
            ("members, non-members".to_owned(), format!("{}, {}", self.members, self.non_members)),
            ("area under the ROC curve".to_owned(), format!("{:.4}", self.area)),
            ("balanced accuracy".to_owned(), format!("{:.4}", self.balanced_accuracy)),
        ];
        for (fpr, tpr) in &self.true_positive_rates {
            rates.push((format!("true positives at {} % false", 100.0 * fpr), format!("{:.2} %", 100.0 * tpr)));
        }
        rates
    }
}

const NO_PROOF: &str = "An audit shows leaks. That it finds none proves nothing.";

/// Four digits behind the point, rounded down.
fn rounded_down(epsilon: f64) -> String {
    format!("{:.4}", (epsilon * 1e4).floor() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(claimed: Option<f64>, runs: Runs) -> AuditReport {
        let scores = Scores::new((0..200).map(f64::from).collect(), (-200..0).map(f64::from).collect()).unwrap();
        AuditReport::new(&scores, runs, 1e-6, 0.05, claimed).unwrap()
    }

    #[test]
    fn a_claim_below_the_bound_is_refuted() {
        let refuted = report(Some(0.5), Runs::Many);
        assert!(refuted.refutes_the_claim() && refuted.headline().starts_with("REFUTED"));
        let held = report(Some(50.0), Runs::One);
        assert!(!held.refutes_the_claim() && held.headline().contains("claimed at most 50, measured at least"));
        for form in [held.text(), held.markdown(), held.json().to_string()] {
            assert!(form.contains("one run") && form.contains("Gaussian fit"), "{form}");
        }
        assert!(held.text().contains("proves nothing"));
    }

    #[test]
    fn scores_that_were_merely_observed_refute_nothing() {
        let observed = report(Some(0.5), Runs::Observed);
        assert_eq!(observed.lower_bound(), 0.0);
        assert!(!observed.refutes_the_claim() && observed.findings[0].epsilon > 1.0);
    }

    #[test]
    fn a_claim_is_a_number() {
        let scores = Scores::new(vec![1.0], vec![0.0]).unwrap();
        assert!(AuditReport::new(&scores, Runs::Many, 0.0, 0.05, Some(-1.0)).is_err());
        assert!(AuditReport::new(&scores, Runs::Many, 0.0, 0.05, Some(f64::NAN)).is_err());
        // Without a delta the Gaussian auditors have nothing to say.
        assert_eq!(AuditReport::new(&scores, Runs::One, 0.0, 0.05, None).unwrap().findings.len(), 1);
    }
}
