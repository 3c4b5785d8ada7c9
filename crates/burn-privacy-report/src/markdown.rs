//! A run's report as Markdown: its result, and its privacy statement.

use burn_privacy_accounting::round_up_for_display;
use burn_privacy_budget::statement::markdown;
use burn_privacy_output::printable_markdown;

use super::{Protection, RunReport};

impl RunReport {
    /// The result and the privacy statement for people, as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}, run {}\n\n", printable_markdown(&self.program), printable_markdown(&self.run));
        if let Some(reason) = self.protection.why_not_private() {
            text.push_str(&format!("> **{reason}**\n\n"));
        }
        if self.interrupted {
            text.push_str("> **Interrupted before its planned steps; what follows is about the steps that ran.**\n\n");
        }
        text.push_str("| | |\n|---|---|\n");
        for (name, value) in self.facts() {
            text.push_str(&format!("| {name} | {} |\n", printable_markdown(&value)));
        }
        text.push('\n');
        match &self.protection {
            Protection::DifferentialPrivacy { statement, .. } => text.push_str(&statement.to_markdown()),
            Protection::PhasedDifferentialPrivacy { statement } => text.push_str(&markdown(&**statement)),
            Protection::NotPrivate => text.push_str(
                "## Privacy statement\n\nThis model was trained without differential privacy: no clipping, no noise, \
                 epsilon = inf. It may reveal any of its training records to whoever sees it, and no later step can \
                 take that back.\n",
            ),
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let percent = |accuracy: f64| format!("{:.2} %", 100.0 * accuracy);
        let mut facts = vec![("Trained on", format!("{}, {} records", self.data.name, self.data.train))];
        facts.push(("Model", format!("{}, {} parameters", self.model.name, self.model.parameters)));
        facts.push(("Device", self.device.clone()));
        if let Some(accuracy) = self.validation_accuracy {
            facts.push(("Validation accuracy", format!("{} of {} records", percent(accuracy), self.data.validation)));
        }
        if let Some(accuracy) = self.test_accuracy {
            facts.push(("Test accuracy", format!("{} of {} records", percent(accuracy), self.data.test)));
        }
        facts.push(("Evaluation records", self.data.evaluation.clone()));
        facts.push(("Epsilon of this run", round_up_for_display(self.epsilon)));
        let (total, rate) = (self.timing.total_seconds, self.timing.examples_per_second);
        facts.push(("Wall time", format!("{total:.1} s, {rate:.0} examples/s in training steps")));
        facts
    }
}
