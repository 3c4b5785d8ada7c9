//! How much accuracy does epsilon cost? One task at several noise multipliers or epsilons, several times each; then a table,
//! plots and a report.
//!
//! ```text
//! cargo run --release --example sweep_noise -- --noise-multipliers 0.5,0.7,1,1.5,2,4 --seeds 3
//! cargo run --release --example sweep_noise -- --task cifar --epsilons 0.5,1,2,4,8
//! cargo run --release --example sweep_noise -- --help
//! ```
//!
//! Read `trial.rs` for what one trial does; the rest is `burn_privacy::sweep`.

mod options;
mod selection;
mod task;
mod trial;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::plan::NoiseTarget;
use burn_privacy::sweep::{Sweep, SweepConfig, SweepDescription, SweepProgress, jobs_that_fit};
use burn_privacy_examples::image_training::{End, exit_code, say};
use burn_privacy_examples::{Result, command_line};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::options::{Arguments, Options, Select};
use crate::task::{Scoring, Task};

fn main() -> ExitCode {
    exit_code(run(Arguments::parse()).map(|()| End::Finished))
}

fn run(mut arguments: Arguments) -> Result<()> {
    let start = Instant::now();
    let options = arguments.resolved()?;
    let private = options.select == Some(Select::Private);
    let scoring = options.scoring(private)?;
    // On so small networks a GPU would wait for its host.
    let selected = select_device(DeviceChoice::Cpu)?;
    let task = Task::load(&arguments, &options, scoring, selected.device.autodiff())?;
    let config = config(&options, &task);
    let (dataset, nominal) = task.dataset();
    say(&format!("Data:    {dataset}, nominally {} to train on ({})", nominal.get(), nominal.origin()));
    say(&format!("Model:   {}; {}", task.model, selected.description));
    if private {
        return selection::run(&arguments, &options, &task, config);
    }
    say(&format!("Scores:  on {}, declared public; the training data show in what is charged alone", task.scored_on));
    let jobs = arguments.jobs.map_or_else(|| jobs_that_fit(task.memory), usize::from);
    let sweep = Sweep::open(config, &arguments.out, arguments.ledger.as_deref())?.with_jobs(jobs);
    say(&format!("Ledger:  {}\n", sweep.ledger_path().display()));

    let bar = Bar::new("trials");
    sweep.run(|plan, trial| task.run(Some(plan), trial), |progress| bar.show(progress))?;
    if !options.no_baseline {
        let bar = Bar::new("trials without privacy");
        sweep.run_without_privacy(|trial| task.run(None, trial), |progress| bar.show(progress))?;
    }

    let summary = sweep.summary()?;
    let seconds = format!("{:.0} s", start.elapsed().as_secs_f64());
    let description = SweepDescription {
        score: task.score.into(),
        command: command_line(),
        facts: vec![
            ("Model".into(), task.model.clone()),
            ("Scored on".into(), format!("{}, declared public", task.scored_on)),
            ("Nominal number of records".into(), format!("{} ({})", nominal.get(), nominal.origin())),
            ("Device".into(), selected.description),
            ("Trials at a time".into(), jobs.to_string()),
            ("Wall time of the last call".into(), seconds.clone()),
        ],
    };
    let written = summary.write(&arguments.out, &description)?;
    say(&summary.to_markdown(task.score));
    let names: Vec<&str> = written.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    say(&format!("Wrote trials.jsonl, {} into {} after {seconds}", names.join(", "), arguments.out.display()));
    Ok(())
}

/// The options with what the task says for those left out.
fn config(options: &Options, task: &Task) -> SweepConfig {
    let (dataset, nominal) = task.dataset();
    let defaults = &task.defaults;
    let listed = options.settings.clone().unwrap_or_default();
    let mut multipliers = options.noise_multipliers.clone().unwrap_or_default();
    let mut epsilons = options.epsilons.clone().unwrap_or_default();
    // An empty list stays empty, and is refused.
    if options.noise_multipliers.is_none() && options.epsilons.is_none() && listed.is_empty() {
        // A private selection costs what its dearest setting does: it gets one.
        let middle = defaults.noises.len() / 2;
        let private = options.select == Some(Select::Private);
        let noises = if private { &defaults.noises[middle..=middle] } else { &defaults.noises[..] };
        for noise in noises {
            match *noise {
                NoiseTarget::NoiseMultiplier(multiplier) => multipliers.push(multiplier),
                NoiseTarget::Epsilon(epsilon) => epsilons.push(epsilon),
            }
        }
    }
    let scoring = match task.scoring {
        Scoring::Public => "public".to_owned(),
        Scoring::Paid(noise) => format!("paid, noise {noise}"),
    };
    SweepConfig::new(dataset, nominal.get())
        .with_label(format!(
            "{}; scores: {scoring}; preset {:?}; average {:?}",
            task.model, options.preset, options.average
        ))
        .with_noise_multipliers(multipliers)
        .with_epsilons(epsilons)
        .with_clips(options.clips.clone().unwrap_or_else(|| vec![defaults.clip]))
        .with_learning_rates(options.learning_rates.clone().unwrap_or_else(|| vec![defaults.learning_rate]))
        .with_batch_sizes(options.batch_sizes.clone().unwrap_or_else(|| vec![defaults.batch_size]))
        .with_settings(listed)
        .with_epochs(options.epochs.unwrap_or(defaults.epochs))
        .with_delta(options.delta.unwrap_or(1e-5))
        .with_repeats(options.seeds.unwrap_or(1))
        .with_seed(options.seed)
        .simulated_at_batch(options.simulate_at_batch)
}

/// Progress on a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(what: &str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(&format!("{{wide_bar}} {{pos}}/{{len}} {what}  {{msg}}")) {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, progress: SweepProgress) {
        let SweepProgress { done, failed, total, remaining } = progress;
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
        let left = remaining.map_or(String::new(), |remaining| format!("{} left", clock(remaining)));
        let failed = if failed > 0 { format!("{failed} failed  ") } else { String::new() };
        self.0.set_message(format!("{failed}{left}"));
        if done == total {
            self.0.finish_and_clear();
        }
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
