//! Lines on a terminal.

use std::io::Write;

/// A line on standard output. Whoever has closed it (`| head`) doesn't stop the run.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// `0.775` as `77.50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
