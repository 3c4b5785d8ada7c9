//! `burn-privacy completions` and `burn-privacy man`.

use std::io::Write;

use clap::Command;

use crate::failure::Failure;

/// Prints a completion script for a shell.
pub fn completions(shell: clap_complete::Shell, mut command: Command, out: &mut impl Write) -> Result<(), Failure> {
    // The generator panics where writing fails, so that it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "burn-privacy", &mut script);
    Ok(out.write_all(&script)?)
}

/// Prints the manual page, with a section for each subcommand.
pub fn man(command: &Command, out: &mut impl Write) -> Result<(), Failure> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    for subcommand in command.get_subcommands() {
        let name = format!("burn-privacy-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand.clone().display_name(name)).render(out)?;
    }
    Ok(())
}
