//! The `burn-privacy` command: what a differentially private training run costs, and what it needs to cost less.
//!
//! Exit codes: 0 for an answer, 1 for a value that is refused or a file that can't be read, 2 for a command line that
//! isn't understood, 3 if no parameter reaches the target.

mod accountants;
mod answer;
mod cli;
mod commands;
mod delta_check;
mod failure;
mod flags;
mod input;
mod mechanism;
mod numbers;
mod terminal_text;

use std::io::Write;
use std::process::ExitCode;

use burn_privacy_output::printable_lines;
use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use terminal_text::TerminalText;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = TerminalText::new(std::io::stdout().lock());
    let outcome = match cli.command {
        Command::Epsilon(args) => commands::cost::epsilon(&args, &mut out),
        Command::Delta(args) => commands::cost::delta(&args, &mut out),
        Command::Noise(args) => commands::search::noise(&args, &mut out),
        Command::Steps(args) => commands::search::steps(&args, &mut out),
        Command::Recommend(args) => commands::recommend::recommend(&args, &mut out),
        Command::Compose(args) => commands::compose::compose(&args, &mut out),
        Command::Curve(args) => commands::curve::curve(&args, &mut out),
        Command::Ledger { command } => commands::ledger::ledger(&command, &mut out),
        Command::Statement(args) => commands::statement::statement(&args, &mut out),
        Command::Audit { command } => commands::audit::audit(&command, &mut out),
        Command::Anonymize { command } => commands::anonymize::anonymize(&command, &mut out),
        Command::Perturb { command } => commands::perturb::perturb(&command, &mut out),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::serve(args, &mut out),
        Command::Query(args) => commands::query::query(&args, &mut out),
        Command::Completions { shell } => commands::shell::completions(shell, Cli::command(), &mut out),
        Command::Man => commands::shell::man(&Cli::command(), &mut out),
    };
    match outcome.and_then(|()| out.flush().map_err(failure::Failure::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to do where standard error can't be written to.
            let _ = writeln!(std::io::stderr(), "error: {}", printable_lines(&failure.to_string()));
            failure.exit_code()
        }
    }
}
