//! What tests of GPU code have in common, those beside the kernels included.

use std::fmt::Display;
use std::io::Write;

/// Runs `test` where there is an adapter, given with what it is called, and says which of the two happened.
///
/// One line, `software-gpu test ran: NAME, on ADAPTER` or `software-gpu test skipped: NAME: ...`, which a pipeline can count: it is written, because
/// the test harness captures what macros print.
pub fn on_adapter<T>(name: &str, adapter: Result<(String, T), impl Display>, test: impl FnOnce(T)) {
    let line = match adapter {
        Ok((description, adapter)) => {
            test(adapter);
            format!("software-gpu test ran: {name}, on {description}")
        }
        Err(reason) => format!("software-gpu test skipped: {name}: {reason}"),
    };
    let _ = writeln!(std::io::stderr(), "{line}");
}
