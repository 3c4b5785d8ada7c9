//! A summary as CSV, as a table for people, and as the sentences that belong to it.

use std::fmt::Write;

use burn_privacy_accounting::{EpsilonReport, round_up_for_display};

use super::config::Setting;
use super::planned::{PlanFigures, PlannedSetting};
use super::summary::{SettingSummary, SweepSummary};
use burn_privacy_budget::ledger::COMPOSITION_CAVEAT;
use burn_privacy_budget::plan::NoiseTarget;
use burn_privacy_output::printable_markdown;

impl SweepSummary {
    /// One line a setting, at full precision: what the same sweep with the same fixed seed gives again, whether it was
    /// interrupted or not.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "noise_multiplier,target_epsilon,batch_size,clip,learning_rate,steps,epsilon_pld,epsilon_rdp,",
        );
        if self.simulated {
            text.push_str(
                "simulated_batch_size,simulated_noise_multiplier,simulated_epsilon_pld,simulated_epsilon_rdp,",
            );
        }
        text.push_str("trials,failed,mean,standard_deviation,min,max\n");
        for row in &self.settings {
            let [shown, ran] = match &row.planned {
                None => [",,,,,,inf,inf,".to_owned(), ",,,,".to_owned()],
                Some(planned) => {
                    let Setting { noise, clip, learning_rate, .. } = planned.setting;
                    let target = match noise {
                        NoiseTarget::Epsilon(epsilon) => epsilon.to_string(),
                        NoiseTarget::NoiseMultiplier(_) => String::new(),
                    };
                    let PlanFigures { noise_multiplier, batch_size, steps, epsilon_pld, epsilon_rdp } =
                        planned.shown().1;
                    let ran = planned.figures;
                    [
                        format!(
                            "{noise_multiplier},{target},{batch_size},{clip},{learning_rate},{steps},{epsilon_pld},{epsilon_rdp},"
                        ),
                        format!("{},{},{},{},", ran.batch_size, ran.noise_multiplier, ran.epsilon_pld, ran.epsilon_rdp),
                    ]
                }
            };
            text.push_str(&shown);
            if self.simulated {
                text.push_str(&ran);
            }
            let (count, failed) = (row.scores.len(), row.errors.len());
            let deviation = row.standard_deviation().map_or(String::new(), |value| value.to_string());
            let _ = match row.range() {
                (low, high) if count > 0 => {
                    writeln!(text, "{},{failed},{},{deviation},{low},{high}", count + failed, row.mean())
                }
                _ => writeln!(text, "{failed},{failed},,,,"),
            };
        }
        text
    }

    /// The header of a table for people.
    pub(super) fn table_header(&self, score: &str) -> Vec<String> {
        let mut header =
            ["noise multiplier", "batch", "clip", "learning rate", "steps", "ε", "ε (RDP)"].map(str::to_owned).to_vec();
        if self.simulated {
            header.push("simulated at batch, with noise".into());
            header.push("ε spent on the simulation".into());
        }
        header.push(format!("{score}: mean"));
        header.extend(["standard deviation", "min", "max", "runs"].map(str::to_owned));
        header
    }

    /// Its rows.
    pub(super) fn table_rows(&self) -> Vec<Vec<String>> {
        self.settings.iter().map(|row| self.table_row(row)).collect()
    }

    fn table_row(&self, row: &SettingSummary) -> Vec<String> {
        let mut cells = match &row.planned {
            None => {
                let mut cells = vec!["no privacy".to_owned()];
                cells.extend(["-"; 4].map(str::to_owned));
                cells.extend(["∞"; 2].map(str::to_owned));
                cells
            }
            Some(planned) => {
                let PlanFigures { noise_multiplier, batch_size, steps, epsilon_pld, epsilon_rdp } = planned.shown().1;
                vec![
                    significant(noise_multiplier),
                    batch_size.to_string(),
                    planned.setting.clip.to_string(),
                    planned.setting.learning_rate.to_string(),
                    steps.to_string(),
                    round_up_for_display(epsilon_pld),
                    round_up_for_display(epsilon_rdp),
                ]
            }
        };
        if self.simulated {
            cells.extend(match &row.planned {
                None => ["-".to_owned(), "∞".to_owned()],
                Some(PlannedSetting { figures, .. }) => [
                    format!("{}, {}", figures.batch_size, significant(figures.noise_multiplier)),
                    round_up_for_display(figures.epsilon_pld),
                ],
            });
        }
        let number = |value: f64| if row.scores.is_empty() { "-".into() } else { format!("{value:.4}") };
        let (low, high) = row.range();
        cells.push(number(row.mean()));
        cells.push(row.standard_deviation().map_or("-".into(), |value| format!("{value:.4}")));
        cells.extend([number(low), number(high)]);
        let failed = if row.errors.is_empty() { String::new() } else { format!(" ({} failed)", row.errors.len()) };
        cells.push(format!("{}{failed}", row.scores.len()));
        cells
    }

    /// What a reader must know about the figures, a sentence or two each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.private {
            notes.push(
                "NOT PRIVATE: fixed seed. The randomness can be repeated, so these runs protect nobody; the epsilons of the \
                 table are what the same runs would have cost with secret randomness."
                    .into(),
            );
        }
        let list = |reports: &[EpsilonReport]| {
            let each = reports.iter().map(|report| {
                format!("{} by {} (upper bound)", round_up_for_display(report.epsilon), report.accountant)
            });
            each.collect::<Vec<String>>().join(", ")
        };
        let delta = round_up_for_display(self.delta);
        notes.push(format!(
            "Each ε of the table is that of one run, at δ = {delta}, and holds if that run was the only use of the data. \
             Choosing by looking at all of them costs all of them: the {} charged trials of this sweep together cost ε {}.",
            self.charged_trials,
            list(&self.composed)
        ));
        if self.other_runs > 0 {
            notes.push(format!(
                "The ledger has {} other runs on these data; everything in it together costs ε {} ({COMPOSITION_CAVEAT}).",
                self.other_runs,
                list(&self.ledger)
            ));
        }
        if self.simulated {
            notes.push(
                "Scores are of simulations at a smaller batch with the same ratio of batch to noise and the same number of \
                 steps (Sander et al. 2023): they predict the run of the row, which was not made. The simulations are what was \
                 charged; the prediction errs where the simulated noise multiplier is so small that sampling matters more \
                 than noise."
                    .into(),
            );
        }
        if self.settings.iter().any(|row| row.planned.is_none()) {
            notes.push(
                "The trials without privacy are for comparison: no ε covers them, and the ledger does not have them. Leave them \
                 out where the data are not public."
                    .into(),
            );
        }
        notes.extend(self.limits());
        for row in &self.settings {
            if let (Some(error), name) = (row.errors.first(), setting_name(row)) {
                notes.push(format!("{} failed trials of {name}; the first one: {error}", row.errors.len()));
            }
        }
        notes
    }

    /// The table and the notes as Markdown; `score` is what the scores are.
    pub fn to_markdown(&self, score: &str) -> String {
        let line = |cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| printable_markdown(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = format!("# Sweep on {}\n\n", printable_markdown(&self.dataset));
        let header = self.table_header(score);
        let rule = vec!["---".to_owned(); header.len()];
        text.push_str(&line(header));
        text.push_str(&format!("|{}|\n", rule.join("|")));
        for row in self.table_rows() {
            text.push_str(&line(row));
        }
        for note in self.notes() {
            let _ = write!(text, "\n- {}", printable_markdown(&note));
        }
        text.push('\n');
        text
    }
}

fn setting_name(row: &SettingSummary) -> String {
    row.planned.as_ref().map_or("no privacy".into(), |planned| planned.setting.to_string())
}

/// Four digits, for people; exact values are in the CSV file.
fn significant(value: f64) -> String {
    let decimals = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
