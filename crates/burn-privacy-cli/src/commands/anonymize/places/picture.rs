//! A map of places as PNG or SVG.

use burn_privacy_location::DrawnMap;
use burn_privacy_output::OutputError;
use burn_privacy_output::plot::{Drawing, Pen, in_words};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};

const TRUE: RGBColor = RGBColor(0, 114, 178);
const RELEASED: RGBColor = RGBColor(213, 94, 0);
const GRAY: RGBColor = RGBColor(150, 150, 150);
const BLACK: RGBColor = RGBColor(34, 34, 34);

/// The picture of a map.
pub struct Picture {
    /// What is drawn where.
    pub drawn: DrawnMap,
}

impl Drawing for Picture {
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, scale: f64) -> Result<(), OutputError> {
        let pen = Pen::new(scale);
        let at = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
        let line = |points: &[(f64, f64)], width: u32, color: RGBColor| {
            // What is far outside the picture is not drawn: the backend's numbers end.
            let near: Vec<(i32, i32)> =
                points.iter().filter(|(x, y)| x.abs() < 1e5 && y.abs() < 1e5).map(|point| at(*point)).collect();
            area.draw(&PathElement::new(near, pen.line(width, color))).map_err(in_words)
        };
        area.fill(&RGBColor(255, 255, 255)).map_err(in_words)?;
        for outline in &self.drawn.outlines {
            line(outline, 1, GRAY)?;
        }
        for circle in &self.drawn.circles {
            line(circle, 1, TRUE)?;
        }
        for from_to in &self.drawn.moves {
            line(from_to, 1, GRAY)?;
        }
        for (points, color) in [(&self.drawn.before, TRUE), (&self.drawn.after, RELEASED)] {
            for point in points {
                area.draw(&Circle::new(at(*point), pen.length(3), color.filled())).map_err(in_words)?;
            }
        }
        let (length, meters) = self.drawn.scale;
        line(&[(20.0, 20.0), (20.0 + length, 20.0)], 2, BLACK)?;
        let label = if meters >= 1_000.0 { format!("{} km", meters / 1_000.0) } else { format!("{meters} m") };
        area.draw(&Text::new(label, at((20.0, 26.0)), pen.text(14, BLACK))).map_err(in_words)?;
        for (row, (label, color)) in [("true", TRUE), ("released", RELEASED)].into_iter().enumerate() {
            let y = 56.0 + 20.0 * row as f64;
            area.draw(&Circle::new(at((25.0, y + 7.0)), pen.length(4), color.filled())).map_err(in_words)?;
            area.draw(&Text::new(label, at((36.0, y)), pen.text(14, BLACK))).map_err(in_words)?;
        }
        Ok(())
    }
}
