//! The programs, from the outside.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo builds examples along with tests, but tells no test where: `target/PROFILE/examples`, beside the folder
/// `deps` that this test lies in.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not built: run cargo test without --test", program.display());
    program
}

/// A program whose data are nowhere but where `arguments` say, and whose results go to `out`.
pub fn command(name: &str, arguments: &[&str], out: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments).arg("--out").arg(out).env_remove("BURN_PRIVACY_DATA");
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
