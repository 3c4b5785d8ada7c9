//! `--select private`: only the winner leaves the process.

use burn_privacy::accounting::{DpEvent, RunCount, round_up_for_display};
use burn_privacy::report::{utc_timestamp, write_atomically};
use burn_privacy::sweep::{PrivateSelection, Selected, SweepConfig};
use burn_privacy_examples::image_training::say;
use burn_privacy_examples::{Result, require_writable};

use crate::options::{Arguments, Options};
use crate::task::{Scoring, Task};

/// Runs without a word how many there were or how far they are.
pub fn run(arguments: &Arguments, options: &Options, task: &Task, config: SweepConfig) -> Result<()> {
    let mean = options.expected_trials.unwrap_or(10.0);
    if !(mean > 1.0 && mean <= 10_000.0) {
        return Err(format!("--expected-trials {mean} is not possible: above 1 and at most 10000").into());
    }
    let count = config.settings().len();
    // Geometric: shape 1.
    let runs = RunCount::TruncatedNegativeBinomial { shape: 1.0, gamma: 1.0 / mean };
    let mut selection = PrivateSelection::new(config, runs)?;
    if let Scoring::Paid(noise) = task.scoring {
        selection = selection.with_score_event(DpEvent::gaussian(noise)?)?;
    }
    let out = &arguments.out;
    require_writable(out)?;
    let ledger = arguments.ledger.clone().unwrap_or_else(|| out.join("privacy-ledger.jsonl"));
    let epsilon = round_up_for_display(selection.epsilon()?);
    let scored = match task.scoring {
        Scoring::Public => format!("on {}, declared public", task.scored_on),
        Scoring::Paid(noise) => format!("on a private tenth of the training set, with noise {noise}, paid for"),
    };
    let delta = round_up_for_display(options.delta.unwrap_or(1e-5));
    let (_, nominal) = task.dataset();
    let statement = format!(
        "The best of a secret number of runs (geometric, {mean} on average) at {count} settings, each drawn at random; scores \
         {scored}. The release of the winner, its score included, is ({epsilon}, {delta})-differentially private under \
         add-or-remove-one adjacency (by RDP, upper bound; Papernot and Steinke 2022), if nobody can time it. It rests on this: {}.",
        nominal.assumption(),
    );
    say(&format!(
        "Ledger:  {}\n\n{statement}\n\nSearching; the number of runs is secret, so no progress is shown.",
        ledger.display()
    ));
    let name = format!("private selection {} {}", utc_timestamp(std::time::SystemTime::now()), std::process::id());
    let Some(Selected { setting, score, model, .. }) =
        selection.run(&ledger, &name, |plan, trial| task.run(Some(plan), trial))?
    else {
        return Err("no run ended well; what was charged stays charged".into());
    };
    let text = format!("# Private selection\n\n{statement}\n\n- Winner: {setting}\n- Score: {score:.4}\n");
    write_atomically(out.join("winner.md"), &text)?;
    write_atomically(
        out.join("winner.json"),
        serde_json::to_string_pretty(&serde_json::json!({ "setting": setting, "score": score }))?,
    )?;
    write_atomically(out.join("winner.bpk"), &model)?;
    say(&format!(
        "\nWinner: {setting}\nScore:  {score:.4}\n\nWrote winner.md, winner.json, winner.bpk into {}",
        out.display()
    ));
    Ok(())
}

impl Options {
    /// How trials are scored.
    ///
    /// # Errors
    ///
    /// For noise that is none, or outside a private selection.
    pub fn scoring(&self, private_selection: bool) -> Result<Scoring> {
        let in_selection_only = [("--score-noise", self.score_noise), ("--expected-trials", self.expected_trials)];
        if let Some((flag, _)) = in_selection_only.iter().find(|(_, given)| given.is_some() && !private_selection) {
            return Err(format!("{flag} belongs to a private selection: add --select private, or leave it out").into());
        }
        if private_selection && self.seeds.is_some() {
            return Err("--seeds does not belong to a private selection: its number of runs is drawn".into());
        }
        match self.score_noise {
            Some(noise) if noise.is_finite() && noise > 0.0 => Ok(Scoring::Paid(noise)),
            Some(noise) => Err(format!("--score-noise {noise} is not possible: a finite number above 0").into()),
            None => Ok(Scoring::Public),
        }
    }
}
