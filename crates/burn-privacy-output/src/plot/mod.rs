//! Drawing PNG and SVG alike: a font that is built in, colors that stay apart, and line charts.

mod axis;
mod chart_stack;
mod font;
mod line_chart;
pub mod palette;
mod pen;
mod png;

pub use axis::{Axis, Scale, compact};
pub use chart_stack::ChartStack;
pub use line_chart::{LineChart, Series, Stroke};
pub use pen::Pen;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::prelude::DrawingBackend;

use crate::OutputError;

/// A PNG is drawn this many times larger and averaged down, which smooths lines.
const OVERSAMPLING: u32 = 2;

/// Something that can be drawn on any backend.
pub trait Drawing {
    /// Draws it; `scale` is the number of pixels a unit of length.
    ///
    /// # Errors
    ///
    /// What the backend says, in words.
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, scale: f64) -> Result<(), OutputError>;
}

/// A PNG file of this many pixels.
///
/// # Errors
///
/// [`OutputError::Plot`].
pub fn png(drawing: &impl Drawing, (width, height): (u32, u32)) -> Result<Vec<u8>, OutputError> {
    font::require_font()?;
    let (wide, high) = (width * OVERSAMPLING, height * OVERSAMPLING);
    let mut pixels = vec![255; wide as usize * high as usize * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, (wide, high)).into_drawing_area();
    drawing.draw(&area, f64::from(OVERSAMPLING))?;
    drop(area);
    png::encode(&png::averaged_down(&pixels, wide as usize, OVERSAMPLING as usize), width, height)
}

/// An SVG of this size. Text stays text, in DejaVu Sans where the viewer has it.
///
/// # Errors
///
/// [`OutputError::Plot`].
pub fn svg(drawing: &impl Drawing, size: (u32, u32)) -> Result<String, OutputError> {
    font::require_font()?;
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    drawing.draw(&area, 1.0)?;
    drop(area);
    Ok(text)
}

/// A backend's error, in words.
pub fn in_words<E: std::fmt::Display>(error: E) -> OutputError {
    OutputError::Plot(error.to_string())
}
