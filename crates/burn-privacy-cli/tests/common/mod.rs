//! Runs the binary.
#![allow(dead_code, missing_docs)]

use std::io::Write;
use std::process::{Command, Stdio};

pub struct Shown {
    pub ok: bool,
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn run(args: &[&str]) -> Shown {
    run_with_input(args, b"")
}

pub fn run_with_input(args: &[&str], input: &[u8]) -> Shown {
    let mut child = Command::new(env!("CARGO_BIN_EXE_burn-privacy"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // From a thread of its own, since either side may wait for the other. The command may end before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Shown {
        ok: output.status.success(),
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Path of a file of this process, with a text in it.
pub fn temporary(name: &str, text: &str) -> String {
    let folder = format!("{}/{}-{:?}", env!("CARGO_TARGET_TMPDIR"), std::process::id(), std::thread::current().id());
    std::fs::create_dir_all(&folder).unwrap();
    let path = format!("{folder}/{name}");
    std::fs::write(&path, text).unwrap();
    path
}
