//! The font of all plots, built in.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use crate::OutputError;

/// DejaVu Sans, reduced to Latin, Greek and a few signs and lowered to where plotters needs it; its license lies
/// beside it.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-plots.ttf");

/// The name under which it is registered, which is also what an SVG viewer reads: a list of fonts to try.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Makes the font known to plotters, once for the whole process.
pub(super) fn require_font() -> Result<(), OutputError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if *REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok()) {
        Ok(())
    } else {
        Err(OutputError::Plot("the built-in font can't be read".into()))
    }
}
