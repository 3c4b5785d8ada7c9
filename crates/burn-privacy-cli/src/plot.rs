//! Curves as PNG and SVG.

use std::path::Path;
use std::sync::OnceLock;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::commands::curve::{Labels, Point};
use crate::failure::Failure;

const SIZE: (u32, u32) = (960, 600);

/// The font is part of the command, so that no font has to be installed.
const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-plots.ttf");
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Draws a PNG.
pub fn png(path: &Path, points: &[Point], labels: &Labels) -> Result<(), Failure> {
    draw(BitMapBackend::new(path, SIZE).into_drawing_area(), points, labels).map_err(|reason| failure(path, &reason))
}

/// Draws an SVG.
pub fn svg(path: &Path, points: &[Point], labels: &Labels) -> Result<(), Failure> {
    draw(SVGBackend::new(path, SIZE).into_drawing_area(), points, labels).map_err(|reason| failure(path, &reason))
}

fn failure(path: &Path, reason: &str) -> Failure {
    Failure::Input(format!("could not draw {}: {reason}", path.display()))
}

fn draw<B: DrawingBackend>(area: DrawingArea<B, Shift>, points: &[Point], labels: &Labels) -> Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if !REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok()) {
        return Err("the built-in font can't be read".to_owned());
    }
    let text = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    // A logarithmic axis is drawn as powers of ten.
    let scale = |y: f64| if labels.logarithmic { y.log10() } else { y };
    let series: Vec<Vec<(f64, f64)>> = (1..4)
        .map(|column| {
            points.iter().map(|point| (point[0], scale(point[column]))).filter(|(_, y)| y.is_finite()).collect()
        })
        .collect();
    let all = || series.iter().flatten();
    let (mut low, mut high) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &(_, y)| (low.min(y), high.max(y)));
    let width = points.iter().map(|point| point[0]).fold(0.0, f64::max);
    if all().next().is_none() || width <= 0.0 {
        return Err("no point of the curve is finite".to_owned());
    }
    if !labels.logarithmic {
        low = low.min(0.0);
    }
    if high <= low {
        high = low + 1.0;
    }
    high += 0.04 * (high - low);
    area.fill(&WHITE).map_err(text)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&labels.title, (FAMILY, 18))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..width, low..high)
        .map_err(text)?;
    let y_label = |y: &f64| if labels.logarithmic { format!("1e{y:.1}") } else { format!("{y:.3}") };
    chart
        .configure_mesh()
        .x_desc(labels.x)
        .y_desc(labels.y)
        .y_label_formatter(&y_label)
        .label_style((FAMILY, 14))
        .axis_desc_style((FAMILY, 16))
        .light_line_style(WHITE)
        .draw()
        .map_err(text)?;
    let styles = [
        ("PLD, lower bound", RGBColor(120, 170, 220), 1),
        ("PLD, upper bound", RGBColor(20, 90, 170), 2),
        ("RDP, upper bound", RGBColor(210, 105, 30), 2),
    ];
    for (line, (name, colour, thickness)) in series.into_iter().zip(styles) {
        let style = colour.stroke_width(thickness);
        chart
            .draw_series(LineSeries::new(line, style))
            .map_err(text)?
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(if labels.logarithmic { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::UpperLeft })
        .label_font((FAMILY, 14))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(text)?;
    area.present().map_err(text)
}
