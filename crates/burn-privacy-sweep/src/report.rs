//! Writes a sweep's report: a table as CSV and Markdown, and a page of HTML that needs no other file.

use std::fmt::Write;
use std::path::{Path, PathBuf};

#[cfg(feature = "plot")]
use burn_privacy_output::plot::{png, svg};

use super::summary::SweepSummary;
use crate::error::Result;
use burn_privacy_output::printable_lines;
use burn_privacy_report::{ReportError, Versions, write_atomically};

/// Width and height of plots.
#[cfg(feature = "plot")]
const SIZE: (u32, u32) = (1_400, 900);

/// How a sweep is described in its report.
#[derive(Clone, Debug)]
pub struct SweepDescription {
    /// What a score is, such as `"Test accuracy (%)"`.
    pub score: String,
    /// The command that was run.
    pub command: String,
    /// More to be known, such as model and device: names and values.
    pub facts: Vec<(String, String)>,
}

impl SweepSummary {
    /// Writes `summary.csv`, `summary.md`, `report.html` and, with the feature `plot`, each plot as PNG and SVG into
    /// `folder`, every file complete or not at all. Returns their paths.
    ///
    /// # Errors
    ///
    /// If a file can't be written or a plot not be drawn.
    pub fn write(&self, folder: impl AsRef<Path>, description: &SweepDescription) -> Result<Vec<PathBuf>> {
        let folder = folder.as_ref();
        let mut written = Vec::new();
        let mut write = |name: &str, contents: &[u8]| -> Result<()> {
            let path = folder.join(name);
            write_atomically(&path, contents).map_err(ReportError::from)?;
            written.push(path);
            Ok(())
        };
        write("summary.csv", self.to_csv().as_bytes())?;
        write("summary.md", self.to_markdown(&description.score).as_bytes())?;
        #[allow(unused_mut)]
        let mut pictures: Vec<String> = Vec::new();
        #[cfg(feature = "plot")]
        for (name, chart) in super::charts::charts(self, &description.score)? {
            let picture = svg(&chart, SIZE).map_err(ReportError::from)?;
            write(&format!("{name}.png"), &png(&chart, SIZE).map_err(ReportError::from)?)?;
            write(&format!("{name}.svg"), picture.as_bytes())?;
            pictures.push(picture);
        }
        write("report.html", self.to_html(description, &pictures).as_bytes())?;
        Ok(written)
    }

    /// One page that needs no other file and no script; `pictures` are SVG.
    fn to_html(&self, description: &SweepDescription, pictures: &[String]) -> String {
        let title = escaped(&format!("Sweep on {}", self.dataset));
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        );
        for note in self.notes() {
            let class = if note.starts_with("NOT PRIVATE") { " class=\"warning\"" } else { "" };
            let _ = writeln!(page, "<p{class}>{}</p>", escaped(&note));
        }
        let row = |page: &mut String, tag: &str, cells: Vec<String>| {
            page.push_str("<tr>");
            for cell in cells {
                let _ = write!(page, "<{tag}>{}</{tag}>", escaped(&cell));
            }
            page.push_str("</tr>\n");
        };
        page.push_str("<table>\n");
        row(&mut page, "th", self.table_header(&description.score));
        for cells in self.table_rows() {
            row(&mut page, "td", cells);
        }
        page.push_str("</table>\n");
        for picture in pictures {
            let _ = writeln!(page, "<figure>{picture}</figure>");
        }
        page.push_str("<h2>How it was made</h2>\n<table class=\"facts\">\n");
        let versions = Versions::current();
        let mut facts = vec![("Command".to_owned(), description.command.clone())];
        facts.extend(description.facts.iter().cloned());
        facts.extend([
            ("burn-privacy".to_owned(), versions.burn_privacy),
            ("Burn".to_owned(), versions.burn),
            ("Platform".to_owned(), versions.platform),
        ]);
        for (name, value) in facts {
            let _ = writeln!(page, "<tr><th>{}</th><td><code>{}</code></td></tr>", escaped(&name), escaped(&value));
        }
        page.push_str("</table>\n</body>\n</html>\n");
        page
    }
}

const STYLE: &str = "\
body { font-family: sans-serif; color: #282828; max-width: 72em; margin: 2em auto; padding: 0 1em; line-height: 1.4 }
table { border-collapse: collapse; margin: 1.5em 0; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #e1e1e1; padding: .35em .8em; text-align: right }
th:first-child, td:first-child, .facts th, .facts td { text-align: left }
figure { margin: 2em 0 } figure svg { width: 100%; height: auto }
.warning { color: #be0000; font-weight: bold } code { white-space: pre-wrap }
";

/// Text that HTML can't take for anything else.
fn escaped(text: &str) -> String {
    let text = printable_lines(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
