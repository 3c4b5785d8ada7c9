//! `burn-privacy completions` and `burn-privacy man`.

use std::io::Write;

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Failure;

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> Result<(), Failure> {
    // The generator panics where writing fails, so that it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "burn-privacy", &mut script);
    Ok(out.write_all(&script)?)
}

/// Prints the manual page, with a section for each subcommand.
pub fn man(out: &mut impl Write) -> Result<(), Failure> {
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for subcommand in command.get_subcommands() {
        let name = format!("burn-privacy-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand.clone().display_name(name)).render(out)?;
    }
    Ok(())
}
