//! Colors and strokes for the drawing library.

use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::font::FAMILY;

/// Lengths, text and lines at one scale, so that PNG and SVG look alike.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    scale: f64,
}

impl Pen {
    /// A pen for a drawing of `scale` pixels a unit of length.
    pub fn new(scale: f64) -> Self {
        Self { scale }
    }

    /// A length in pixels.
    pub fn length(&self, units: u32) -> i32 {
        (f64::from(units) * self.scale).round() as i32
    }

    /// Text of a size and color.
    pub fn text(&self, size: u32, color: RGBColor) -> TextStyle<'static> {
        (FAMILY, f64::from(size) * self.scale).into_font().color(&color)
    }

    /// A line of a width and color.
    pub fn line(&self, width: u32, color: RGBColor) -> ShapeStyle {
        color.stroke_width(self.length(width) as u32)
    }
}
