//! A curve as a picture.

use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke};

use crate::commands::curve::{Labels, Point};

/// Width and height.
pub const SIZE: (u32, u32) = (1_200, 800);

/// The chart of all columns.
pub fn chart(points: &[Point], labels: &Labels) -> LineChart {
    let column = |name: &str, index: usize, stroke: Stroke| {
        Series::new(name, stroke, points.iter().map(|point| (point[0], point[index])).collect())
    };
    let y =
        if labels.logarithmic { Axis::logarithmic(labels.y_axis) } else { Axis::linear(labels.y_axis).including(0.0) };
    LineChart {
        title: labels.title.clone(),
        subtitle: labels.subtitle.clone(),
        x: Axis::linear(labels.x_axis).including(0.0),
        y,
        series: vec![
            column("PLD, upper bound", 2, Stroke::Line),
            column("RDP, upper bound", 3, Stroke::Line),
            column("PLD, lower bound", 1, Stroke::Dashed),
        ],
    }
}
