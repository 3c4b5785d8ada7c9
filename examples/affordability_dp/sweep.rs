//! All modes at all epsilons, several times each.

use std::collections::BTreeMap;
use std::time::Instant;

use burn_privacy::device::{DeviceChoice, select_device};

use crate::cli::{Arguments, Mode};
use crate::modes::{Job, LEDGER, Outcome, composed_epsilon};
use crate::report::{Results, Setting};
use crate::{report, survey};
use burn_privacy_examples::affordability::data::{Data, bounds_of};
use burn_privacy_examples::affordability::generated;
use burn_privacy_examples::{NominalSize, Result};
use burn_privacy_train::{complain, say};

/// Standard deviations of the handout's obfuscation.
const OBFUSCATION: [f64; 4] = [10.0, 500.0, 1_000.0, 5_000.0];

/// Does all of it.
pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(path) = &arguments.write_data {
        generated::write(path)?;
        say(&format!("Wrote {} invented households to {}", generated::HOUSEHOLDS, path.display()));
        return Ok(());
    }
    let start = Instant::now();
    let nominal = arguments.nominal_size.map(|size| size as usize);
    let mut data = match (&arguments.data, &arguments.scf) {
        (Some(path), _) => Data::from_csv(path, &NominalSize::new(nominal, None)?)?,
        (None, Some(path)) => survey::load(path, nominal)?,
        (None, None) => generated::generated_data_of(nominal)?,
    };
    if let Some(schema) = &arguments.schema {
        data.bounds = bounds_of(schema)?;
    }
    // On so small a network a GPU would wait for its host.
    let selected = select_device(DeviceChoice::Cpu)?;
    say(&format!(
        "Data:    {}; nominally {} to train on, {} to test on",
        data.name,
        data.nominal.get(),
        data.test.len()
    ));
    say(&format!("Number:  {}; the households to train on are not counted", data.nominal.origin()));
    say(&format!("Network: 4 features, dense 10, ReLU, dense 1 (61 parameters); {}", selected.description));
    let modes = arguments.modes();
    say(&protection(&modes));
    let job = Job { arguments, data: &data, device: selected.device.autodiff() };
    let name = run_name();
    let mut results = Results::default();
    for repeat in 1..=arguments.repeats {
        for &mode in &modes {
            one_mode(&job, mode, repeat, &name, &mut results)?;
            complain(&format!(
                "{} of {}: {} done after {:.0} s",
                repeat,
                arguments.repeats,
                mode.name(),
                start.elapsed().as_secs_f64()
            ));
        }
    }
    say(report::table(&results).trim_end_matches('\n'));
    if arguments.mode == Mode::Obfuscation {
        say(&format!("\nWhat each noise amounts to, as a guarantee for each column at delta {}:", arguments.delta));
        for (_, statement) in results.statements() {
            say(statement.trim_end_matches('\n'));
        }
    }
    if arguments.out.join(LEDGER).exists() {
        let all = composed_epsilon(&arguments.out, arguments.delta)?;
        say(&format!(
            "\nEach epsilon is that of one run. All runs in the ledger {} together: epsilon {} at delta {} ({}, {}).",
            arguments.out.join(LEDGER).display(),
            burn_privacy::accounting::round_up_for_display(all.epsilon),
            arguments.delta,
            all.accountant,
            burn_privacy::ledger::COMPOSITION_CAVEAT,
        ));
    }
    if let Some(sentence) = local_total(&modes, arguments) {
        say(&sentence);
    }
    let written = report::write(arguments, &data, &results)?;
    say(&format!("\nWrote {written} into {} after {:.0} s", arguments.out.display(), start.elapsed().as_secs_f64()));
    Ok(())
}

/// What of the households to train on is behind the figures.
fn protection(modes: &[Mode]) -> String {
    let unprotected: Vec<&str> = modes.iter().filter(|mode| mode.is_unprotected()).map(|mode| mode.name()).collect();
    if unprotected.is_empty() {
        return "Test households are declared public; no figure of the others is shown but for what its epsilon covers.\n".into();
    }
    format!(
        "Test households are declared public. The figures of `{}` come from the others and are not protected: no epsilon covers \
         them. Do not publish them if anybody is behind the data.\n",
        unprotected.join("` and `")
    )
}

/// What the local modes of this command cost together, which are in no ledger: their epsilons are pure and add up.
fn local_total(modes: &[Mode], arguments: &Arguments) -> Option<String> {
    let local: Vec<&str> = modes.iter().filter(|mode| mode.is_local()).map(|mode| mode.name()).collect();
    if local.is_empty() {
        return None;
    }
    let total = arguments.epsilon.iter().sum::<f64>() * local.len() as f64 * f64::from(arguments.repeats);
    Some(format!(
        "Not in the ledger: {}. There each household sends a perturbed message once per mode, epsilon and repeat; all that this \
         command took together: epsilon {}, local (a row against any other), beside the ledger's.",
        local.join(", "),
        burn_privacy::accounting::round_up_for_display(total),
    ))
}

/// A name under which the ledger has nothing yet.
fn run_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_millis());
    format!("affordability {now}")
}

fn one_mode(job: &Job<'_>, mode: Mode, repeat: u32, name: &str, results: &mut Results) -> Result<()> {
    let mut keep = |setting: Setting, outcome: Outcome| results.add(mode, setting, outcome);
    match mode {
        Mode::None => keep(Setting::Nothing, job.without_privacy()),
        Mode::Obfuscation => {
            for deviation in OBFUSCATION {
                keep(Setting::Deviation(deviation), job.obfuscated(deviation)?);
            }
        }
        Mode::OutputNetworks => {
            let teachers = job.teachers()?;
            for &epsilon in &job.arguments.epsilon {
                let run = format!("{name}, networks, epsilon {epsilon}, {repeat}");
                keep(Setting::Epsilon(epsilon), job.on_networks_output(&teachers, epsilon, &run)?);
            }
        }
        Mode::Gradient | Mode::Output | Mode::Input | Mode::InputRows | Mode::InputCells | Mode::All => {
            for &epsilon in &job.arguments.epsilon {
                let run = |place: &str| format!("{name}, {place}, epsilon {epsilon}, {repeat}");
                let outcome = match mode {
                    Mode::Gradient => job.on_the_gradients(epsilon, &run("gradient"))?,
                    Mode::Output => job.on_the_output(epsilon, &run("output"))?,
                    Mode::InputRows => job.on_rows_corrected(epsilon)?,
                    Mode::InputCells => job.on_every_cell(epsilon)?,
                    _ => job.on_the_input(epsilon)?,
                };
                keep(Setting::Epsilon(epsilon), outcome);
            }
        }
    }
    Ok(())
}

/// Scores by mode and setting, in order.
pub type Scores = BTreeMap<(Mode, Setting), Vec<f64>>;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["affordability_dp"][..], words].concat()).unwrap()
    }

    #[test]
    fn figures_that_nothing_protects_are_said_to_be_and_not_made_of_peoples_data_unasked() {
        for people in [&["--data", "a.csv", "--nominal-size", "500"][..], &["--scf", "a.csv"]] {
            let modes = arguments(people).modes();
            assert!(!modes.contains(&Mode::None) && modes.contains(&Mode::Gradient));
            assert!(protection(&modes).contains("no figure of the others"));
            for mode in ["none", "obfuscation"] {
                let modes = arguments(&[people, &["--mode", mode]].concat()).modes();
                let sentence = protection(&modes);
                assert!(sentence.contains("not protected") && !sentence.contains("no figure"), "{sentence}");
            }
        }
        let modes = arguments(&[]).modes();
        assert!(modes.contains(&Mode::None) && protection(&modes).contains("`no privacy`"));
    }

    #[test]
    fn the_local_modes_add_up_outside_of_the_ledger() {
        let all = arguments(&["--epsilon", "1,2", "--repeats", "3"]);
        // Three modes, three repeats, epsilons of three together.
        let sentence = local_total(&all.modes(), &all).unwrap();
        assert!(sentence.contains("epsilon 27, local"), "{sentence}");
        let gradient = arguments(&["--mode", "gradient"]);
        assert_eq!(local_total(&gradient.modes(), &gradient), None);
    }
}
