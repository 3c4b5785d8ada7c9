//! Line charts with axes, a legend and error bars.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, DashedPathElement, PathElement, Text};
use plotters::prelude::DrawingBackend;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

use super::axis::Axis;
use super::palette::{GRAY, INK, PALE, SERIES, WHITE};
use super::{Drawing, Pen, in_words};
use crate::OutputError;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// A line.
    Line,
    /// A line with a dot at each point.
    Dotted,
    /// A dashed line, for references.
    Dashed,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// x and y, in the order in which they are joined; points that can't be placed are left out.
    pub points: Vec<(f64, f64)>,
    /// Low and high end of each point's error bar, or nothing.
    pub bars: Vec<(f64, f64)>,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its color, if it is not that of its place among the series.
    pub color: Option<RGBColor>,
}

impl Series {
    /// A curve without error bars, in the color of its place among the series.
    pub fn new(name: impl Into<String>, stroke: Stroke, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, bars: Vec::new(), stroke, color: None }
    }

    /// Another color, such as one of the [`palette`](super::palette).
    pub fn with_color(mut self, color: RGBColor) -> Self {
        self.color = Some(color);
        self
    }

    fn color_at(&self, index: usize) -> RGBColor {
        self.color.unwrap_or(SERIES[index % SERIES.len()])
    }

    /// Adds an error bar to each point.
    pub fn with_bars(mut self, bars: Vec<(f64, f64)>) -> Self {
        self.bars = bars;
        self
    }
}

/// A chart of curves with a title, two named axes and a legend.
///
/// ```
/// use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, svg};
///
/// let chart = LineChart {
///     title: "Accuracy over epsilon".into(),
///     subtitle: "three seeds each".into(),
///     x: Axis::logarithmic("Privacy loss ε (nats)"),
///     y: Axis::linear("Test accuracy (%)"),
///     series: vec![
///         Series::new("private", Stroke::Dotted, vec![(0.5, 61.0), (2.0, 74.5), (8.0, 80.1)])
///             .with_bars(vec![(58.0, 63.0), (73.0, 76.0), (79.5, 80.6)]),
///         Series::new("not private", Stroke::Dashed, vec![(0.5, 84.0), (8.0, 84.0)]),
///     ],
/// };
/// assert!(svg(&chart, (1200, 800))?.contains("Test accuracy (%)"));
/// # Ok::<(), burn_privacy_output::OutputError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// Above all.
    pub title: String,
    /// Below the title, smaller.
    pub subtitle: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// The curves; the first six have colors of their own unless they are given some.
    pub series: Vec<Series>,
}

impl Drawing for LineChart {
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, scale: f64) -> Result<(), OutputError> {
        area.fill(&WHITE).map_err(in_words)?;
        let pen = Pen::new(scale);
        let (head, below) = area.split_vertically(pen.length(100));
        headline(&head, &pen, (self.title.as_str(), 34, INK), 18)?;
        headline(&head, &pen, (self.subtitle.as_str(), 24, GRAY), 62)?;
        self.draw_panel(&below, &pen)?;
        area.present().map_err(in_words)
    }
}

/// A line of text in a size and a color, `top` units below the top of an area.
pub(super) fn headline<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    pen: &Pen,
    (text, size, color): (&str, u32, RGBColor),
    top: u32,
) -> Result<(), OutputError> {
    let style = pen.text(size, color).pos(Pos::new(HPos::Left, VPos::Top));
    area.draw(&Text::new(text, (pen.length(110), pen.length(top)), style)).map_err(in_words)
}

/// A range of places with the ticks that were chosen for it.
struct Ticked {
    places: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.places.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.places.range()
    }
}

type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Ticked, Ticked>>;

impl LineChart {
    /// The legend and the curves, without title and subtitle.
    pub(super) fn draw_panel<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        pen: &Pen,
    ) -> Result<(), OutputError> {
        let panel = self.legend(area, pen)?;
        self.panel(&panel, pen)
    }

    fn placed(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    fn panel<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, pen: &Pen) -> Result<(), OutputError> {
        let points = || self.series.iter().flat_map(|series| &series.points).filter_map(|&point| self.placed(point));
        let bars = self.series.iter().flat_map(|series| &series.bars).flat_map(|&(low, high)| [low, high]);
        let bars = bars.filter_map(|value| self.y.place(value));
        let across = self.x.range(points().map(|(x, _)| x));
        let up = self.y.range(points().map(|(_, y)| y).chain(bars));
        let ticked = |axis: &Axis, range: Range<f64>| Ticked { ticks: axis.ticks(&range), places: range.into() };
        let mut chart = ChartBuilder::on(area)
            .margin_bottom(pen.length(16))
            .margin_left(pen.length(16))
            .margin_right(pen.length(44))
            .x_label_area_size(pen.length(76))
            .y_label_area_size(pen.length(104))
            .build_cartesian_2d(ticked(&self.x, across), ticked(&self.y, up))
            .map_err(in_words)?;
        chart
            .configure_mesh()
            .x_labels(24)
            .y_labels(24)
            .x_max_light_lines(0)
            .y_max_light_lines(0)
            .bold_line_style(pen.line(1, PALE))
            .axis_style(pen.line(2, INK))
            .x_label_style(pen.text(24, INK))
            .y_label_style(pen.text(24, INK))
            .axis_desc_style(pen.text(28, INK))
            .x_label_formatter(&|place| self.x.tick(*place))
            .y_label_formatter(&|place| self.y.tick(*place))
            .set_all_tick_mark_size(pen.length(7))
            .x_desc(self.x.label.as_str())
            .y_desc(self.y.label.as_str())
            .draw()
            .map_err(in_words)?;
        for (index, series) in self.series.iter().enumerate() {
            self.curve(&mut chart, pen, series, series.color_at(index))?;
        }
        Ok(())
    }

    fn curve<DB: DrawingBackend>(
        &self,
        chart: &mut Chart<'_, DB>,
        pen: &Pen,
        series: &Series,
        color: RGBColor,
    ) -> Result<(), OutputError> {
        let points: Vec<(f64, f64)> = series.points.iter().filter_map(|&point| self.placed(point)).collect();
        let (line, dot) = (pen.line(3, color), pen.length(6));
        for (point, bar) in series.points.iter().zip(&series.bars) {
            let ends = (self.placed((point.0, bar.0)), self.placed((point.0, bar.1)));
            if let (Some(low), Some(high)) = ends {
                chart
                    .draw_series(std::iter::once(PathElement::new(vec![low, high], pen.line(2, color))))
                    .map_err(in_words)?;
            }
        }
        let (dash, gap) = (pen.length(12), pen.length(8));
        match series.stroke {
            Stroke::Dashed => chart.draw_series(DashedLineSeries::new(points, dash, gap, line)).map_err(in_words)?,
            Stroke::Line => chart.draw_series(LineSeries::new(points, line)).map_err(in_words)?,
            Stroke::Dotted => {
                chart.draw_series(LineSeries::new(points.iter().copied(), line)).map_err(in_words)?;
                chart
                    .draw_series(points.into_iter().map(|point| Circle::new(point, dot, color.filled())))
                    .map_err(in_words)?
            }
        };
        Ok(())
    }

    /// Draws the names of the series in rows at the top, where no data can lie beneath, and returns the area below.
    fn legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        pen: &Pen,
    ) -> Result<DrawingArea<DB, Shift>, OutputError> {
        let (left, sample, gap, row) = (pen.length(110), pen.length(44), pen.length(12), pen.length(36));
        let style = pen.text(24, INK).pos(Pos::new(HPos::Left, VPos::Center));
        let right = area.dim_in_pixel().0 as i32 - pen.length(44);
        let (mut x, mut y) = (left, row / 2);
        for (index, series) in self.series.iter().enumerate() {
            let (text, _) = area.estimate_text_size(&series.name, &style).map_err(in_words)?;
            let width = sample + gap + text as i32;
            if x > left && x + width > right {
                (x, y) = (left, y + row);
            }
            let color = series.color_at(index);
            let (line, ends) = (pen.line(3, color), [(x, y), (x + sample, y)]);
            match series.stroke {
                Stroke::Dashed => area.draw(&DashedPathElement::new(ends, pen.length(12), pen.length(8), line)),
                Stroke::Line | Stroke::Dotted => area.draw(&PathElement::new(ends, line)),
            }
            .map_err(in_words)?;
            if series.stroke == Stroke::Dotted {
                let middle = (x + sample / 2, y);
                area.draw(&Circle::new(middle, pen.length(6), color.filled())).map_err(in_words)?;
            }
            area.draw(&Text::new(series.name.as_str(), (x + sample + gap, y), style.clone())).map_err(in_words)?;
            x += width + 3 * gap;
        }
        Ok(area.split_vertically(y + row / 2 + gap).1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::png::tests::decode;
    use super::super::{png, svg};
    use super::*;

    fn chart(x: Axis, y: Axis) -> LineChart {
        let points = vec![(0.1, 1e-6), (1.0, 1e-3), (10.0, 0.2), (0.0, -1.0), (f64::NAN, 1.0), (3.0, f64::INFINITY)];
        LineChart {
            title: "Title <&>".into(),
            subtitle: "below".into(),
            x,
            y,
            series: vec![
                Series::new("with bars", Stroke::Dotted, points.clone()).with_bars(vec![(0.0, 1e-5), (5e-4, 2e-3)]),
                Series::new("reference", Stroke::Dashed, vec![(0.1, 0.1), (10.0, 0.1)]),
                Series::new("line", Stroke::Line, points),
                Series::new("empty", Stroke::Line, Vec::new()),
            ],
        }
    }

    #[test]
    fn charts_are_drawn_on_all_scales_whatever_the_data() {
        for x in [Axis::linear("x axis"), Axis::logarithmic("x axis")] {
            for y in [Axis::linear("y axis").including(0.0), Axis::logarithmic("y axis")] {
                let chart = chart(x.clone(), y);
                let text = svg(&chart, (900, 600)).unwrap();
                for words in ["x axis", "y axis", "with bars", "reference", "Title &lt;"] {
                    assert!(text.contains(words), "{words}");
                }
                let (width, height, pixels) = decode(&png(&chart, (900, 600)).unwrap());
                assert_eq!((width, height), (900, 600));
                let white = pixels.chunks(3).filter(|pixel| *pixel == [255, 255, 255]).count();
                assert!((0.5..0.99).contains(&(white as f64 / 540_000.0)), "{white}");
            }
        }
        let nothing = LineChart { series: Vec::new(), ..chart(Axis::linear("x"), Axis::linear("y")) };
        assert!(svg(&nothing, (900, 600)).is_ok());
    }

    #[test]
    fn the_names_of_series_lie_above_the_data_in_as_many_rows_as_they_need() {
        // `<text x="154" y="118" ...>` and a circle for each point.
        let attribute = |tag: &str, name: &str| -> i32 {
            let value = tag.split_once(&format!(" {name}=\"")).unwrap().1;
            value.split_once('"').unwrap().0.parse().unwrap()
        };
        let series = |index| {
            Series::new(format!("series of a long name, number {index}"), Stroke::Dotted, vec![(0.0, 9.0), (1.0, 9.0)])
        };
        let mut heights = Vec::new();
        for count in [1, 2, 9] {
            let chart = LineChart {
                series: (0..count).map(series).collect(),
                ..chart(Axis::linear("x"), Axis::linear("y").including(9.0))
            };
            let text = svg(&chart, (900, 900)).unwrap();
            let names: Vec<(i32, i32)> = text
                .split("<text")
                .filter(|tag| tag.contains("long name"))
                .map(|tag| (attribute(tag, "x"), attribute(tag, "y")))
                .collect();
            assert_eq!(names.len(), count);
            assert!(names.iter().all(|&(x, _)| (100..500).contains(&x)), "{names:?}");
            let lowest = names.iter().map(|name| name.1).max().unwrap();
            let dots: Vec<i32> = text.split("<circle").skip(1).map(|tag| attribute(tag, "cy")).collect();
            assert_eq!(dots.len(), 3 * count);
            assert_eq!(dots.iter().filter(|&&y| y > lowest + 12).count(), 2 * count, "below the names: {dots:?}");
            heights.push(lowest);
        }
        assert!(heights[1] > heights[0] && heights[2] == heights[0] + 8 * (heights[1] - heights[0]), "{heights:?}");
    }
}
