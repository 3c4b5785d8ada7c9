//! Several line charts under one headline.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;

use super::line_chart::{LineChart, headline};
use super::palette::{GRAY, INK, RED, WHITE};
use super::{Drawing, Pen, in_words};
use crate::OutputError;

/// Line charts of equal height below one another, under one title; their own titles are not drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartStack {
    /// Above all.
    pub title: String,
    /// Below the title, smaller.
    pub subtitle: String,
    /// What must not be overlooked, if anything: below both, in red.
    pub warning: Option<String>,
    /// The charts, from above.
    pub charts: Vec<LineChart>,
}

impl Drawing for ChartStack {
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, scale: f64) -> Result<(), OutputError> {
        area.fill(&WHITE).map_err(in_words)?;
        let pen = Pen::new(scale);
        let (head, below) = area.split_vertically(pen.length(if self.warning.is_some() { 165 } else { 120 }));
        headline(&head, &pen, (self.title.as_str(), 38, INK), 22)?;
        headline(&head, &pen, (self.subtitle.as_str(), 30, GRAY), 68)?;
        if let Some(warning) = &self.warning {
            headline(&head, &pen, (warning.as_str(), 36, RED), 112)?;
        }
        for (panel, chart) in below.split_evenly((self.charts.len().max(1), 1)).iter().zip(&self.charts) {
            chart.draw_panel(panel, &pen)?;
        }
        area.present().map_err(in_words)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Series, Stroke, svg};
    use super::*;

    #[test]
    fn charts_stand_below_one_another_under_one_headline() {
        let chart = |name: &str| LineChart {
            title: "not drawn".into(),
            subtitle: String::new(),
            x: Axis::linear("step"),
            y: Axis::linear(name),
            series: vec![Series::new(format!("curve of {name}"), Stroke::Dotted, vec![(0.0, 1.0), (1.0, 2.0)])],
        };
        let charts = vec![chart("first"), chart("second")];
        let stack = ChartStack { title: "Both".into(), subtitle: "of a run".into(), warning: None, charts };
        let text = svg(&stack, (900, 900)).unwrap();
        let row =
            |tag: &str| -> i32 { tag.split_once(" cy=\"").unwrap().1.split_once('"').unwrap().0.parse().unwrap() };
        let dots: Vec<i32> = text.split("<circle").skip(1).map(row).collect();
        assert_eq!(dots.len(), 6);
        assert!(dots[..3].iter().max() < dots[3..].iter().min(), "{dots:?}");
        for words in ["Both", "of a run", "curve of first", "curve of second"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("not drawn"));
        let warned = ChartStack { warning: Some("NOT PRIVATE".into()), charts: Vec::new(), ..stack };
        assert!(svg(&warned, (900, 900)).unwrap().contains("NOT PRIVATE"));
    }
}
