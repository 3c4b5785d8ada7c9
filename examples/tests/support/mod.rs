//! Where the programs are.

use std::path::{Path, PathBuf};

/// Cargo builds examples along with tests, but tells no test where: `target/PROFILE/examples`, beside the folder
/// `deps` that this test lies in.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not built: run cargo test without --test", program.display());
    program
}
