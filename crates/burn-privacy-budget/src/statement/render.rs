//! Text, Markdown and JSON of any statement.

use std::fmt::Write as _;

use serde_json::{Value, json as value};

use super::{Guarantee, SEEDED, Statement};

/// The format's name in JSON.
const SCHEMA: &str = "burn-privacy/statement";
/// The format's version.
const VERSION: u64 = 1;

/// For a terminal: title, headline, facts in two columns, caveats.
#[must_use]
pub fn text(statement: &(impl Statement + ?Sized)) -> String {
    let mut text = String::new();
    if statement.is_void() {
        let _ = writeln!(text, "*** {SEEDED} ***\n");
    }
    let _ = writeln!(text, "{}\n{}\n", statement.kind(), statement.headline());
    let facts = statement.facts();
    let width = facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0);
    for fact in &facts {
        let _ = writeln!(text, "  {:width$}  {}", fact.name, fact.value);
    }
    for table in statement.tables() {
        let columns = table.columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let rows: Vec<&Vec<String>> = std::iter::once(&columns).chain(&table.rows).collect();
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
            let _ = writeln!(text, "  - {sentence}");
        }
    }
    text
}

/// A section of a report.
#[must_use]
pub fn markdown(statement: &(impl Statement + ?Sized)) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    if statement.is_void() {
        let _ = write!(text, "> **{SEEDED}**\n\n");
    }
    let _ = write!(text, "## {}\n\n", statement.kind());
    let _ = write!(text, "**{}**\n\n| | |\n|---|---|\n", statement.headline());
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
            let _ = writeln!(text, "- {sentence}");
        }
    }
    text
}

/// One object for machines: schema, grade, void or not, headline, the figures of differential privacy if they are its
/// grade, facts, tables and caveats. Infinity is the string `"inf"`.
#[must_use]
pub fn json(statement: &(impl Statement + ?Sized)) -> Value {
    let guarantee = statement.guarantee();
    let number = |number: f64| if number.is_finite() { value!(number) } else { value!("inf") };
    let figures = match &guarantee {
        Guarantee::DifferentialPrivacy { epsilon, delta, is_bound, .. } => {
            value!({ "epsilon": number(*epsilon), "delta": number(*delta), "is_bound": is_bound })
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

    #[test]
    fn a_void_statement_says_so_first() {
        let blur = Blur { void: true };
        assert!(text(&blur).starts_with("*** NOT PRIVATE: fixed seed ***"));
        let markdown = markdown(&blur);
        assert!(markdown.find(SEEDED).unwrap() < markdown.find("faces").unwrap());
        assert_eq!(json(&blur)["void"], true);
    }
}
