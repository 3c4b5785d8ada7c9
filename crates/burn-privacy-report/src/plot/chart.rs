//! A report's curves as charts: one of accuracy and one of epsilon, over the steps they share.

use burn_privacy_output::grouped;
use burn_privacy_output::plot::palette::{BLUE, GRAY, VERMILION};
use burn_privacy_output::plot::{Axis, ChartStack, LineChart, Series, Stroke, compact};

use super::curves::{Curves, EpsilonCurve};

/// The charts of a report.
pub(super) fn charts(curves: &Curves) -> ChartStack {
    let accuracy = accuracy(curves);
    let epsilon = curves.epsilon.as_ref().map(|epsilon| epsilon_chart(curves, epsilon));
    ChartStack {
        title: curves.title.clone(),
        subtitle: curves.subtitle.clone(),
        warning: curves.warning.map(str::to_owned),
        charts: std::iter::once(accuracy).chain(epsilon).collect(),
    }
}

fn chart(curves: &Curves, y: Axis, series: Vec<Series>) -> LineChart {
    let steps = match curves.steps_per_epoch {
        Some(steps) if steps.fract() == 0.0 => format!("Step (an epoch is {} steps)", grouped(steps as usize)),
        Some(steps) => format!("Step (an epoch is {steps:.1} steps)"),
        None => "Step".to_owned(),
    };
    let x = Axis::linear(steps).including(0.0).including(curves.steps as f64);
    LineChart { title: String::new(), subtitle: String::new(), x, y, series }
}

fn accuracy(curves: &Curves) -> LineChart {
    let name = match curves.accuracy.last() {
        Some(&(_, last)) => {
            format!("{} (images declared public); in the end {} %", curves.accuracy_name, compact(last))
        }
        None => "No accuracy was measured.".to_owned(),
    };
    let (bottom, top) = around(&curves.accuracy);
    let y = Axis::linear(format!("{} (%)", curves.accuracy_name)).including(bottom).including(top);
    chart(curves, y, vec![Series::new(name, Stroke::Dotted, curves.accuracy.clone()).with_color(BLUE)])
}

fn epsilon_chart(curves: &Curves, epsilon: &EpsilonCurve) -> LineChart {
    let name = if epsilon.points.is_empty() { "ε is infinite: no noise" } else { &epsilon.name };
    let mut series = vec![Series::new(name, Stroke::Line, epsilon.points.clone()).with_color(VERMILION)];
    if let Some(target) = epsilon.target {
        let ends = vec![(0.0, target), (curves.steps as f64, target)];
        series.push(Series::new(format!("Target ε = {target}"), Stroke::Dashed, ends).with_color(GRAY));
    }
    chart(curves, Axis::linear("Privacy loss ε (nats)").including(0.0), series)
}

/// The tens around all values, in per cent, at least 20 apart.
fn around(points: &[(f64, f64)]) -> (f64, f64) {
    let lowest = points.iter().map(|(_, value)| *value).fold(100.0, f64::min);
    let highest = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    if lowest > highest {
        return (0.0, 100.0);
    }
    let bottom = ((lowest - 2.0) / 10.0).floor().clamp(0.0, 8.0) * 10.0;
    let top = ((highest + 2.0) / 10.0).ceil().clamp(bottom / 10.0 + 2.0, 10.0) * 10.0;
    (bottom, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_accuracy_holds_all_points() {
        assert_eq!(around(&[]), (0.0, 100.0));
        assert_eq!(around(&[(1.0, 9.7), (2.0, 74.3)]), (0.0, 80.0));
        assert_eq!(around(&[(1.0, 52.1)]), (50.0, 70.0));
        assert_eq!(around(&[(1.0, 99.9)]), (80.0, 100.0));
        assert_eq!(around(&[(1.0, 0.0)]), (0.0, 20.0));
        assert_eq!(around(&[(1.0, 100.0)]), (80.0, 100.0));
    }
}
