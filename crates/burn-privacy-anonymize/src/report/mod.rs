//! One self-contained page on a recoding: what it is worth, what it costs, who can be found. No script, no font, nothing that a
//! browser would load from elsewhere.

use burn_privacy_budget::statement::{Statement, text};
use burn_privacy_output::OutputError;
use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, svg};

use crate::recoding::{Measures, Recoding};
use crate::risk::{ClassSizes, PopulationUniques, Risk};
use crate::table::Table;

/// What a page is about.
pub struct Report<'a> {
    /// Such as the name of the file.
    pub title: &'a str,
    /// The table that was recoded.
    pub table: &'a Table,
    /// What was released.
    pub recoding: &'a Recoding,
    /// What the release is worth.
    pub statement: &'a dyn Statement,
    /// What it costs.
    pub measures: &'a Measures,
    /// A bound below every recoding's loss, if one is known.
    pub lower_bound: Option<f64>,
    /// The risks of the release.
    pub risk: &'a Risk,
    /// The risks of the table as it was.
    pub risk_before: &'a Risk,
    /// Estimates of population uniques before and after, where a population's size is known.
    pub uniques: Option<(PopulationUniques, PopulationUniques)>,
}

const STYLE: &str = "body{font:16px/1.5 'DejaVu Sans',Arial,sans-serif;color:#1a1a1a;max-width:1040px;margin:2em auto;padding:0 1em}\
h1{font-size:1.7em;margin-bottom:.2em}h2{margin-top:1.8em;border-bottom:1px solid #ccc}table{border-collapse:collapse;width:100%}\
td,th{padding:.3em .6em;border-bottom:1px solid #e4e4e4;text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
pre{background:#f5f5f2;padding:1em;white-space:pre-wrap}.bar{background:#0072b2;height:.8em;display:inline-block}\
.track{background:#e8e8e8;width:260px;display:inline-block;line-height:0}svg{width:100%;height:auto}p.note,td.note{color:#555}td.short{white-space:nowrap}";

/// Signs of a label that is kept on one line: `20-39` would be broken at its hyphen.
const SHORT: usize = 12;

impl Report<'_> {
    /// The page.
    ///
    /// # Errors
    ///
    /// [`OutputError::Plot`], for which no case is known.
    pub fn html(&self) -> Result<String, OutputError> {
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head>\
             <body>\n<h1>{0}</h1>\n",
            escaped(self.title)
        );
        page += "<h2>What the release is worth</h2>\n";
        page += &format!("<pre>{}</pre>\n", escaped(&text(self.statement)));
        page += "<h2>Who can be found</h2>\n";
        page += &self.risks();
        page += &svg(&self.size_chart(), (1100, 620))?;
        page += "<p class=\"note\">A row in a class of n rows is found by whoever knows its person's quasi-identifiers with \
                 probability 1 in n. The attack commands of <code>burn-privacy anonymize attack</code> try more than that on \
                 the released file.</p>\n";
        page += "<h2>What it costs</h2>\n";
        page += &self.costs();
        page += "<h2>Columns</h2>\n";
        page += &self.columns();
        page += "<h2>The largest and the smallest classes</h2>\n";
        page += &self.classes();
        page += "</body></html>\n";
        Ok(page)
    }

    fn risks(&self) -> String {
        let percent = |value: f64| format!("{:.4} %", 100.0 * value);
        let optional = |value: Option<f64>| value.map_or("not known".to_owned(), percent);
        let mut rows = vec![
            (
                "Prosecutor, highest",
                percent(self.risk_before.prosecutor_highest),
                percent(self.risk.prosecutor_highest),
            ),
            (
                "Prosecutor, mean over rows",
                percent(self.risk_before.prosecutor_mean),
                percent(self.risk.prosecutor_mean),
            ),
            (
                "Journalist, highest",
                optional(self.risk_before.journalist_highest),
                optional(self.risk.journalist_highest),
            ),
            ("Marketer, in the population", optional(self.risk_before.marketer), optional(self.risk.marketer)),
            ("Rows alone in their class", alone(&self.risk_before.sizes), alone(&self.risk.sizes)),
        ];
        if let Some((before, after)) = &self.uniques {
            let shown = |uniques: &PopulationUniques| format!("{:.1} (by {})", uniques.chosen, uniques.chosen_by);
            rows.push(("People unique in the population, estimated", shown(before), shown(after)));
        }
        let rows: String = rows
            .into_iter()
            .map(|(name, before, after)| {
                format!("<tr><td>{name}</td><td class=\"n\">{before}</td><td class=\"n\">{after}</td></tr>\n")
            })
            .collect();
        format!("<table><tr><th></th><th class=\"n\">table</th><th class=\"n\">release</th></tr>\n{rows}</table>\n")
    }

    /// Share of rows in classes up to each size.
    fn size_chart(&self) -> LineChart {
        let curve = |sizes: &ClassSizes| -> Vec<(f64, f64)> {
            let mut points = Vec::new();
            let mut below = 0.0;
            // Steps: at each size the share jumps.
            for &(size, _) in sizes.by_size() {
                points.push((size as f64, 100.0 * below));
                below = sizes.share_up_to(size);
                points.push((size as f64, 100.0 * below));
            }
            points
        };
        LineChart {
            title: "Rows by the size of their class".to_owned(),
            subtitle: "how many rows are in a class of at most so many".to_owned(),
            x: Axis::logarithmic("Rows of the class"),
            y: Axis::linear("Rows up to that (%)").including(0.0).including(100.0),
            series: vec![
                Series::new("table", Stroke::Dashed, curve(&self.risk_before.sizes)),
                Series::new("release", Stroke::Line, curve(&self.risk.sizes)),
            ],
        }
    }

    fn costs(&self) -> String {
        let measures = self.measures;
        let bound = match self.lower_bound {
            Some(bound) => format!("{:.6}; no recoding can be below {bound:.6}", measures.loss),
            None => format!("{:.6}", measures.loss),
        };
        let rows = [
            ("Rows", measures.rows.to_string()),
            ("Suppressed rows", measures.suppressed.to_string()),
            ("Classes", measures.classes.to_string()),
            ("Rows of a class, smallest and largest", format!("{} and {}", measures.class_min, measures.class_max)),
            ("Average class size", format!("{:.4}", measures.average_class_size)),
            ("Discernibility", format!("{:.0}", measures.discernibility)),
            ("Mean loss of a cell (0 to 1)", bound),
            ("Precision (0 to 1)", format!("{:.6}", measures.precision)),
            ("Non-uniform entropy, bits hidden", format!("{:.2}", measures.entropy)),
        ];
        let rows: String = rows
            .into_iter()
            .map(|(name, value)| format!("<tr><td>{name}</td><td class=\"n\">{value}</td></tr>\n"))
            .collect();
        format!("<table>{rows}</table>\n")
    }

    fn columns(&self) -> String {
        let mut table =
            "<table><tr><th>column</th><th>mean loss</th><th class=\"n\"></th><th class=\"n\">mean level</th>\
                         <th class=\"n\">bits hidden a cell</th><th class=\"n\">divergence, bits</th></tr>\n"
                .to_owned();
        for column in &self.measures.columns {
            let width = (260.0 * column.loss).round();
            table += &format!(
                "<tr><td>{}</td><td><span class=\"track\"><span class=\"bar\" style=\"width:{width}px\"></span></span></td>\
                 <td class=\"n\">{:.4}</td><td class=\"n\">{:.2} of {}</td><td class=\"n\">{:.4}</td><td class=\"n\">{:.4}</td>\
                 </tr>\n",
                escaped(&column.name),
                column.loss,
                column.level,
                column.highest_level,
                column.bits,
                column.divergence
            );
        }
        table
            + "</table>\n<p class=\"note\">Divergence: Kullback and Leibler's, of the column's distribution from what a reader \
               infers who takes all values under a label for equally likely.</p>\n"
    }

    fn classes(&self) -> String {
        let mut order: Vec<usize> = (0..self.recoding.classes().len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(self.recoding.classes()[class].rows));
        let (large, between, small) = match order.len() {
            0..=10 => (order.as_slice(), 0, &[][..]),
            length => (&order[..5], length - 10, &order[length - 5..]),
        };
        let names: String =
            self.table.columns().iter().map(|column| format!("<th>{}</th>", escaped(&column.name))).collect();
        let mut table = format!("<table><tr><th class=\"n\">rows</th>{names}</tr>\n");
        let row = |&class: &usize| -> String {
            let labels = self.recoding.labels(self.table, class).into_iter().map(|label| {
                let short = if label.chars().count() <= SHORT { " class=\"short\"" } else { "" };
                format!("<td{short}>{}</td>", escaped(label))
            });
            let labels: String = labels.collect();
            format!("<tr><td class=\"n\">{}</td>{labels}</tr>\n", self.recoding.classes()[class].rows)
        };
        table.extend(large.iter().map(row));
        if between > 0 {
            let columns = self.table.columns().len();
            table += &format!(
                "<tr><td></td><td class=\"note\" colspan=\"{columns}\">{between} classes between these</td></tr>\n"
            );
        }
        table.extend(small.iter().map(row));
        table + "</table>\n"
    }
}

fn alone(sizes: &ClassSizes) -> String {
    format!("{} of {}", sizes.of_size(1), sizes.rows())
}

/// A text that no browser takes for markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recoding::recode_by_mondrian;
    use crate::risk::{population_uniques, risk};
    use crate::table::{Column, Hierarchy, PrivacyModel};

    #[test]
    fn a_page_holds_everything_and_loads_nothing() {
        let lines =
            ["<b>;low;*", "2;low;*", "3;high;*", "4;high;*"].map(|line| line.split(';').map(str::to_owned).collect());
        let column = Column { name: "a<script>".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        let rows = [(vec![0], 3), (vec![1], 1), (vec![2], 1), (vec![3], 1)];
        let table = Table::from_tuples(vec![column], None, rows).unwrap();
        let models = [PrivacyModel::KAnonymity { k: 2 }];
        let recoding = recode_by_mondrian(&table, &models).unwrap();
        let statement = recoding.statement(&table, &models).unwrap();
        let before = risk(&(0..4).map(|tuple| (table.count(tuple), None)).collect::<Vec<_>>());
        let after = risk(&recoding.classes().iter().map(|class| (class.rows, None)).collect::<Vec<_>>());
        let uniques = [&before, &after].map(|risk| population_uniques(&risk.sizes, 100).unwrap());
        let report = Report {
            title: "people & others",
            table: &table,
            recoding: &recoding,
            statement: &statement,
            measures: &Measures::new(&table, &recoding),
            lower_bound: Some(0.01),
            risk: &after,
            risk_before: &before,
            uniques: Some((uniques[0], uniques[1])),
        };
        let page = report.html().unwrap();
        for part in
            ["people &amp; others", "2-anonymity", "a&lt;script&gt;", "<svg", "Discernibility", "3 of 6", "0.010000"]
        {
            assert!(page.contains(part), "{part:?} is not in the page");
        }
        assert!(
            !page.contains("<script") && !page.contains("src=") && !page.contains("href=") && !page.contains("@import")
        );
    }
}
