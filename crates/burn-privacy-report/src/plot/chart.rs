//! Draws a report's curves: a panel for accuracy and one for epsilon, over the steps they share.

use std::ops::Range;

use burn_privacy_output::plot::palette::{BLUE, GRAY, INK, PALE, RED, VERMILION, WHITE};
use burn_privacy_output::plot::{Drawing, Pen, in_words};
use burn_privacy_output::{OutputError, grouped};
use plotters::chart::{ChartBuilder, ChartContext, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, DashedPathElement, EmptyElement, PathElement, Text};
use plotters::prelude::DrawingBackend;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

use super::curves::{Curves, EpsilonCurve};

type Area<DB> = DrawingArea<DB, Shift>;
type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Drawing for Curves {
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: f64) -> Result<(), OutputError> {
        let pen = Pen::new(scale);
        let parts = Parts { pen };
        area.fill(&WHITE).map_err(in_words)?;
        let (head, panels) = area.split_vertically(pen.length(if self.warning.is_some() { 165 } else { 120 }));
        parts.head(&head, self)?;
        match &self.epsilon {
            None => parts.accuracy(&panels, self, true)?,
            Some(epsilon) => {
                let height = f64::from(panels.dim_in_pixel().1);
                let (upper, lower) = panels.split_vertically((height * 0.53) as i32);
                parts.accuracy(&upper, self, false)?;
                parts.epsilon(&lower, self, epsilon)?;
            }
        }
        area.present().map_err(in_words)
    }
}

/// The parts of the plot.
struct Parts {
    pen: Pen,
}

impl Parts {
    /// Title, data, and the warning if there is one.
    fn head<DB: DrawingBackend>(&self, area: &Area<DB>, curves: &Curves) -> Result<(), OutputError> {
        let left = self.pen.length(135);
        let line = |text: &str, size: u32, color: RGBColor, y: u32| {
            let style = self.pen.text(size, color).pos(Pos::new(HPos::Left, VPos::Top));
            area.draw(&Text::new(text.to_owned(), (left, self.pen.length(y)), style)).map_err(in_words)
        };
        line(&curves.title, 38, INK, 22)?;
        line(&curves.subtitle, 30, GRAY, 68)?;
        curves.warning.map_or(Ok(()), |warning| line(warning, 36, RED, 112))
    }

    /// A panel with axes. `below` says whether it is the lowest, which names the steps.
    fn panel<'a, DB: DrawingBackend>(
        &self,
        area: &'a Area<DB>,
        curves: &Curves,
        range: Range<f64>,
        name: &str,
        below: bool,
    ) -> Result<Chart<'a, DB>, OutputError> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.pen.length(12))
            .margin_bottom(self.pen.length(if below { 20 } else { 8 }))
            .margin_left(self.pen.length(20))
            .margin_right(self.pen.length(60))
            .x_label_area_size(self.pen.length(if below { 90 } else { 45 }))
            .y_label_area_size(self.pen.length(115))
            .build_cartesian_2d(0.0..curves.steps as f64, range)
            .map_err(in_words)?;
        let steps = match curves.steps_per_epoch {
            Some(steps) if steps.fract() == 0.0 => format!("Step (an epoch is {} steps)", grouped(steps as usize)),
            Some(steps) => format!("Step (an epoch is {steps:.1} steps)"),
            None => "Step".to_owned(),
        };
        let mut mesh = chart.configure_mesh();
        mesh.x_labels(9)
            .y_labels(7)
            .x_max_light_lines(0)
            .y_max_light_lines(0)
            .bold_line_style(self.pen.line(1, PALE))
            .axis_style(self.pen.line(2, INK))
            .x_label_style(self.pen.text(27, INK))
            .y_label_style(self.pen.text(27, INK))
            .axis_desc_style(self.pen.text(32, INK))
            .x_label_formatter(&|step: &f64| whole(*step).map(|step| grouped(step as usize)).unwrap_or_default())
            .y_label_formatter(&|value: &f64| short(*value))
            .set_all_tick_mark_size(self.pen.length(8))
            .y_desc(name);
        if below {
            mesh.x_desc(steps);
        }
        mesh.draw().map_err(in_words)?;
        Ok(chart)
    }

    fn legend<'a, DB: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, DB>) -> Result<(), OutputError> {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .legend_area_size(self.pen.length(70))
            .margin(self.pen.length(14))
            .background_style(WHITE.mix(0.9))
            .border_style(self.pen.line(1, PALE))
            .label_font(self.pen.text(28, INK))
            .draw()
            .map_err(in_words)
    }

    fn accuracy<DB: DrawingBackend>(&self, area: &Area<DB>, curves: &Curves, below: bool) -> Result<(), OutputError> {
        let name = format!("{} (%)", curves.accuracy_name);
        let mut chart = self.panel(area, curves, around(&curves.accuracy), &name, below)?;
        let Some(&(_, last)) = curves.accuracy.last() else {
            let (width, height) = chart.plotting_area().dim_in_pixel();
            let style = self.pen.text(30, GRAY).pos(Pos::new(HPos::Center, VPos::Center));
            let note = Text::new("No accuracy was measured.", (width as i32 / 2, height as i32 / 2), style);
            return chart.plotting_area().strip_coord_spec().draw(&note).map_err(in_words);
        };
        let (line, dot, length) = (self.pen.line(4, BLUE), self.pen.length(8), self.pen.length(52));
        chart.draw_series(LineSeries::new(curves.accuracy.iter().copied(), line)).map_err(in_words)?;
        chart
            .draw_series(curves.accuracy.iter().map(|&point| Circle::new(point, dot, BLUE.filled())))
            .map_err(in_words)?
            .label(format!("{} (images declared public); in the end {} %", curves.accuracy_name, short(last)))
            .legend(move |(x, y)| {
                EmptyElement::at((x, y))
                    + PathElement::new(vec![(0, 0), (length, 0)], line)
                    + Circle::new((length / 2, 0), dot, BLUE.filled())
            });
        self.legend(&mut chart)
    }

    fn epsilon<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        curves: &Curves,
        epsilon: &EpsilonCurve,
    ) -> Result<(), OutputError> {
        let highest = epsilon.points.iter().map(|(_, value)| *value).chain(epsilon.target).fold(0.0, f64::max);
        let top = if highest > 0.0 { highest * 1.15 } else { 1.0 };
        let mut chart = self.panel(area, curves, 0.0..top, "Privacy loss ε (nats)", true)?;
        let (line, thin, length) = (self.pen.line(4, VERMILION), self.pen.line(2, GRAY), self.pen.length(52));
        if let Some(target) = epsilon.target {
            let ends = [(0.0, target), (curves.steps as f64, target)];
            let (dash, gap) = (self.pen.length(14), self.pen.length(10));
            chart
                .draw_series(DashedLineSeries::new(ends, dash, gap, thin))
                .map_err(in_words)?
                .label(format!("Target ε = {target}"))
                .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + length, y)], dash, gap, thin));
        }
        let label = if epsilon.points.is_empty() { "ε is infinite: no noise" } else { &epsilon.name };
        chart
            .draw_series(LineSeries::new(epsilon.points.iter().copied(), line))
            .map_err(in_words)?
            .label(label)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + length, y)], line));
        self.legend(&mut chart)
    }
}

/// The tens around all values, in per cent, at least 20 apart.
fn around(points: &[(f64, f64)]) -> Range<f64> {
    let lowest = points.iter().map(|(_, value)| *value).fold(100.0, f64::min);
    let highest = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    if lowest > highest {
        return 0.0..100.0;
    }
    let bottom = ((lowest - 2.0) / 10.0).floor().clamp(0.0, 8.0) * 10.0;
    let top = ((highest + 2.0) / 10.0).ceil().clamp(bottom / 10.0 + 2.0, 10.0) * 10.0;
    bottom..top
}

fn whole(value: f64) -> Option<f64> {
    (value >= 0.0 && (value - value.round()).abs() < 1e-6).then(|| value.round())
}

/// `2.5`, `30`: two decimals at most, no zeros behind them.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_accuracy_holds_all_points() {
        assert_eq!(around(&[]), 0.0..100.0);
        assert_eq!(around(&[(1.0, 9.7), (2.0, 74.3)]), 0.0..80.0);
        assert_eq!(around(&[(1.0, 52.1)]), 50.0..70.0);
        assert_eq!(around(&[(1.0, 99.9)]), 80.0..100.0);
        assert_eq!(around(&[(1.0, 0.0)]), 0.0..20.0);
        assert_eq!(around(&[(1.0, 100.0)]), 80.0..100.0);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!((short(2.50), short(30.0), short(0.25)), ("2.5".into(), "30".into(), "0.25".into()));
        assert_eq!((whole(400.0), whole(12.5)), (Some(400.0), None));
    }
}
