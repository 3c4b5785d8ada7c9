//! Text, Markdown and JSON of any statement.

use std::fmt::Write as _;

use burn_privacy_output::{printable, printable_markdown as escaped};
use serde_json::{Value, json as value};

use super::{Guarantee, SEEDED, Statement};

/// The format's name in JSON.
const SCHEMA: &str = "burn-privacy/statement";
/// The format's version.
const VERSION: u64 = 1;

/// For a terminal: title, headline, facts in two columns, caveats. Control characters of names and values are spelled out.
pub fn text(statement: &(impl Statement + ?Sized)) -> String {
    let mut text = String::new();
    if statement.is_void() {
        let _ = writeln!(text, "*** {SEEDED} ***\n");
    }
    let _ = writeln!(text, "{}\n{}\n", statement.kind(), printable(&statement.headline()));
    let facts: Vec<(String, String)> = statement
        .facts()
        .iter()
        .map(|fact| (printable(&fact.name).into_owned(), printable(&fact.value).into_owned()))
        .collect();
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &facts {
        let _ = writeln!(text, "  {name:width$}  {value}");
    }
    for table in statement.tables() {
        let columns = table.columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = std::iter::once(&columns)
            .chain(&table.rows)
            .map(|row| row.iter().map(|cell| printable(cell).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..columns.len())
            .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        text.push('\n');
        for row in rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
        }
    }
    for caveats in statement.caveats().into_iter().filter(|caveats| !caveats.sentences.is_empty()) {
        let _ = writeln!(text, "\n{}:", caveats.title);
        for sentence in caveats.sentences {
            let _ = writeln!(text, "  - {}", printable(&sentence));
        }
    }
    text
}

/// A section of a report. Names and values are no Markdown and no HTML.
pub fn markdown(statement: &(impl Statement + ?Sized)) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    if statement.is_void() {
        let _ = write!(text, "> **{SEEDED}**\n\n");
    }
    let _ = write!(text, "## {}\n\n", statement.kind());
    let _ = write!(text, "**{}**\n\n| | |\n|---|---|\n", escaped(&statement.headline()));
    for fact in statement.facts() {
        text.push_str(&row(&[escaped(&fact.name), escaped(&fact.value)]));
    }
    for table in statement.tables() {
        text.push('\n');
        text.push_str(&row(&table.columns.iter().map(|name| escaped(name)).collect::<Vec<_>>()));
        let _ = writeln!(text, "|{}", "---|".repeat(table.columns.len()));
        for cells in table.rows {
            text.push_str(&row(&cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>()));
        }
    }
    for caveats in statement.caveats().into_iter().filter(|caveats| !caveats.sentences.is_empty()) {
        let _ = write!(text, "\n{}:\n\n", caveats.title);
        for sentence in caveats.sentences {
            let _ = writeln!(text, "- {}", escaped(&sentence));
        }
    }
    text
}

/// One object for machines: schema, grade, void or not, headline, the figures of differential privacy if they are its
/// grade, facts, tables and caveats. Infinity is the string `"inf"`, and so is the epsilon of a void statement.
pub fn json(statement: &(impl Statement + ?Sized)) -> Value {
    let guarantee = statement.guarantee();
    let number = |number: f64| if number.is_finite() { value!(number) } else { value!("inf") };
    let figures = match &guarantee {
        Guarantee::DifferentialPrivacy { epsilon, delta, is_bound, .. } => {
            let epsilon = if statement.is_void() { f64::INFINITY } else { *epsilon };
            value!({ "epsilon": number(epsilon), "delta": number(*delta), "is_bound": is_bound })
        }
        _ => Value::Null,
    };
    let metric = match &guarantee {
        Guarantee::Metric { name, epsilon, unit, delta, .. } => {
            value!({ "name": name, "epsilon_per_unit": number(*epsilon), "unit": unit, "delta": number(*delta) })
        }
        _ => Value::Null,
    };
    value!({
        "schema": SCHEMA,
        "version": VERSION,
        "kind": statement.kind(),
        "grade": guarantee.grade().to_string(),
        "void": statement.is_void(),
        "headline": statement.headline(),
        "differential_privacy": figures,
        "metric_privacy": metric,
        "facts": statement.facts().into_iter().map(|fact| value!({ "name": fact.name, "value": fact.value })).collect::<Vec<_>>(),
        "tables": statement.tables().into_iter().map(|table| value!({ "columns": table.columns, "rows": table.rows })).collect::<Vec<_>>(),
        "caveats": statement.caveats().into_iter().map(|caveats| value!({ "title": caveats.title, "sentences": caveats.sentences })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Caveats, Fact, FactTable};
    use super::*;

    struct Blur {
        void: bool,
    }

    impl Statement for Blur {
        fn kind(&self) -> &'static str {
            "Statement of masking"
        }

        fn guarantee(&self) -> Guarantee {
            Guarantee::disguised("12 faces were hidden; a better model may find them").unwrap()
        }

        fn facts(&self) -> Vec<Fact> {
            vec![Fact::new("Faces", 12), Fact::new("Method", "solid|box")]
        }

        fn tables(&self) -> Vec<FactTable> {
            vec![FactTable { columns: vec!["file", "faces"], rows: vec![vec!["a.png".into(), "12".into()]] }]
        }

        fn caveats(&self) -> Vec<Caveats> {
            vec![Caveats { title: "Not covered", sentences: vec!["clothes, places and gait".into()] }]
        }

        fn is_void(&self) -> bool {
            self.void
        }
    }

    #[test]
    fn every_form_says_the_same() {
        let blur = Blur { void: false };
        let object = json(&blur);
        for form in [text(&blur), markdown(&blur), object.to_string()] {
            for words in ["disguised: 12 faces", "Faces", "a.png", "clothes, places and gait"] {
                assert!(form.contains(words), "{words} in {form}");
            }
            assert!(!form.contains("NOT PRIVATE") && !form.to_lowercase().contains("anonym"));
        }
        assert_eq!((object["grade"].as_str(), object["differential_privacy"].is_null()), (Some("disguised"), true));
        assert!(markdown(&blur).contains("| Method | solid\\|box |"));
    }

    struct Named(&'static str);

    impl Statement for Named {
        fn kind(&self) -> &'static str {
            "Statement"
        }

        fn guarantee(&self) -> Guarantee {
            Guarantee::DifferentialPrivacy {
                mechanism: self.0.into(),
                epsilon: 1.0,
                delta: 1e-6,
                is_bound: true,
                of: self.0.into(),
                accountant: "PLD".into(),
                local: false,
            }
        }

        fn facts(&self) -> Vec<Fact> {
            vec![Fact::new("Data set", self.0), Fact::new(self.0, 1)]
        }

        fn tables(&self) -> Vec<FactTable> {
            vec![FactTable { columns: vec!["column"], rows: vec![vec![self.0.into()]] }]
        }

        fn caveats(&self) -> Vec<Caveats> {
            vec![Caveats { title: "Not covered", sentences: vec![self.0.into()] }]
        }

        fn is_void(&self) -> bool {
            true
        }
    }

    #[test]
    fn names_act_on_no_terminal_and_are_no_markup() {
        let named = Named("a\u{1b}]0;x\u{7}\u{9b}2J\r\n## b<script>[l](u)`c`|d");
        let (text, markdown) = (text(&named), markdown(&named));
        for form in [&text, &markdown] {
            assert!(!form.contains(|c: char| c.is_control() && c != '\n'), "{form:?}");
            assert!(!form.lines().any(|line| line.starts_with("## b")), "{form}");
        }
        assert!(!markdown.contains("<script") && !markdown.contains("[l](u)"), "{markdown}");
    }

    #[test]
    fn machines_read_no_epsilon_of_a_void_statement() {
        assert_eq!(json(&Named("x"))["differential_privacy"]["epsilon"], "inf");
    }

    #[test]
    fn a_void_statement_says_so_first() {
        let blur = Blur { void: true };
        assert!(text(&blur).starts_with("*** NOT PRIVATE: fixed seed ***"));
        let markdown = markdown(&blur);
        assert!(markdown.find(SEEDED).unwrap() < markdown.find("faces").unwrap());
        assert_eq!(json(&blur)["void"], true);
    }
}
