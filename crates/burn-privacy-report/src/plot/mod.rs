//! Accuracy and epsilon over steps, drawn.

mod chart;
mod curves;

use burn_privacy_output::plot;

use self::chart::charts;
use self::curves::Curves;
use super::{ReportError, RunReport};

/// Width and height of a plot, in pixels of the PNG and units of the SVG.
const SIZE: (u32, u32) = (1_600, 1_200);

/// The plot of a report as a PNG file of 1600 x 1200 pixels: accuracy over steps above, epsilon over steps below.
/// What is not private says so in its title. Needs no font of the system; the same report gives the same bytes.
///
/// # Errors
///
/// [`ReportError::Output`], for which no case is known.
pub fn plot_png(report: &RunReport) -> Result<Vec<u8>, ReportError> {
    Ok(plot::png(&charts(&Curves::of(report)?), SIZE)?)
}

/// The plot of a report as SVG. Text stays text, in DejaVu Sans where the viewer has it.
///
/// # Errors
///
/// [`ReportError::Output`], for which no case is known.
pub fn plot_svg(report: &RunReport) -> Result<String, ReportError> {
    Ok(plot::svg(&charts(&Curves::of(report)?), SIZE)?)
}

#[cfg(test)]
mod tests {
    use burn_privacy_budget::statement::RandomnessSource;

    use super::super::run_report::tests::{plain_report, private_report};
    use super::*;

    /// For looking at plots with one's own eyes: `PLOT_FOLDER=/somewhere cargo test plot`.
    fn keep(name: &str, png: &[u8], svg: &str) {
        if let Some(folder) = std::env::var_os("PLOT_FOLDER").map(std::path::PathBuf::from) {
            std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
            std::fs::write(folder.join(format!("{name}.svg")), svg).unwrap();
        }
    }

    fn interrupted_at_once() -> RunReport {
        let mut report = private_report(RandomnessSource::Os);
        (report.interrupted, report.curve, report.test_accuracy) = (true, Vec::new(), None);
        report
    }

    fn one_point() -> RunReport {
        let mut report = plain_report();
        report.curve.truncate(1);
        report
    }

    #[test]
    fn every_report_has_a_png() {
        for (name, report) in [
            ("private", private_report(RandomnessSource::Os)),
            ("seeded", private_report(RandomnessSource::Seeded)),
            ("plain", plain_report()),
            ("interrupted", interrupted_at_once()),
            ("one-point", one_point()),
        ] {
            let png = plot_png(&report).unwrap();
            keep(name, &png, &plot_svg(&report).unwrap());
            assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{name}: {} bytes", png.len());
            let size = [&png[16..20], &png[20..24]].map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
            assert_eq!((size[0], size[1]), SIZE);
            assert_eq!(plot_png(&report).unwrap(), png, "{name} is drawn differently the second time");
        }
    }

    #[test]
    fn the_svg_says_what_the_axes_are_and_what_is_not_private() {
        let svg = plot_svg(&private_report(RandomnessSource::Os)).unwrap();
        for words in ["test accuracy (%)", "privacy loss ε (nats)", "step", "target", "upper bound", "public"] {
            assert!(svg.to_lowercase().contains(words), "{words:?} is not in the plot");
        }
        assert!(!svg.contains("NOT PRIVATE"));
        for report in [private_report(RandomnessSource::Seeded), plain_report()] {
            assert!(plot_svg(&report).unwrap().contains("NOT PRIVATE"));
        }
    }

    #[test]
    fn names_with_markup_are_harmless() {
        let mut report = private_report(RandomnessSource::Os);
        report.data.name = "<script>&\"' \u{1F600}".into();
        let svg = plot_svg(&report).unwrap();
        assert!(!svg.contains("<script>"));
        plot_png(&report).unwrap();
    }
}
