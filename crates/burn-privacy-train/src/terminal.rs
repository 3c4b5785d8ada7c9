//! Lines on a terminal. Control characters of names and paths in them are spelled out.

use std::io::Write;

use burn_privacy_output::printable_lines;

/// A line on standard output. Whoever has closed it (`| head`) doesn't stop the run.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", printable_lines(text));
}

/// A line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable_lines(text));
}

/// `0.775` as `77.50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
