//! A schema as a query, for engines that hold larger tables: DuckDB and Spark.

use std::fmt::Write;

use super::operation::{Operation, PseudonymMethod, Role};
use super::rules::{Action, ColumnRule};
use super::schema::ColumnSchema;
use crate::AnonymizeError;
use crate::pseudonym::{PseudonymKey, padded_keys};
use crate::table::PrivacyModel;

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// DuckDB 1.
    DuckDb,
    /// Spark 3 and later.
    Spark,
}

impl ColumnSchema {
    /// A query that gives the rows of a table transformed as [`super::transform_file`] would, and leaves out classes below
    /// k; it fails where those have more rows than the schema's suppression allows. Columns are read as text. `table` is a name, or any other thing that stands behind `FROM`.
    ///
    /// With pseudonyms the query holds the keys of their columns: it is a secret as the key is.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Schema`] for what SQL can't do: FF1, realistic names, e-mail pseudonyms, moved dates, free text,
    /// patterns of masks, noise, and models other than k; [`AnonymizeError::Parameter`] if a key is needed and missing.
    pub fn to_sql(&self, dialect: Dialect, table: &str, key: Option<&PseudonymKey>) -> Result<String, AnonymizeError> {
        let mut columns = Vec::new();
        for column in self.columns.iter().filter(|column| !column.is_dropped()) {
            let name = dialect.name(&column.name);
            columns.push(format!("    {} AS {name}", dialect.expression(column, key)?));
        }
        let select = format!("SELECT\n{}\nFROM {table}", columns.join(",\n"));
        let Some(model) = self.models.first() else { return Ok(select + ";\n") };
        let [PrivacyModel::KAnonymity { k }] = self.models.as_slice() else {
            return Err(AnonymizeError::Schema { problem: format!("SQL checks k alone, not {model} with others") });
        };
        let of = |wanted: &dyn Fn(&ColumnRule) -> bool| -> String {
            let columns = self.columns.iter().filter(|column| !column.is_dropped() && wanted(column));
            columns.map(|column| dialect.name(&column.name)).collect::<Vec<_>>().join(", ")
        };
        let quasi = of(&|column| column.role == Role::QuasiIdentifier);
        let all = of(&|_| true);
        // Beside a column of the same name (names have no case in SQL) the filter would read that one.
        let mut counter = "rows_of_class".to_owned();
        while self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&counter)) {
            counter.push('_');
        }
        let counter = dialect.name(&counter);
        let kept = format!("{counter} >= {k}");
        let condition = if self.suppression < 1.0 {
            let refused = dialect.refusal("more rows would be left out than the suppression allows");
            let share = self.suppression;
            format!(
                "CASE WHEN (SELECT sum(CASE WHEN {kept} THEN 0 ELSE 1 END) > {share:?} * count(*) FROM counted) THEN {refused} \
                 ELSE {kept} END"
            )
        } else {
            kept
        };
        Ok(format!(
            "WITH released AS (\n{select}\n),\ncounted AS (\nSELECT *, count(*) OVER (PARTITION BY {quasi}) AS {counter}\n\
             FROM released\n)\nSELECT {all}\nFROM counted\nWHERE {condition};\n"
        ))
    }
}

impl Dialect {
    /// A name in quotes.
    fn name(self, name: &str) -> String {
        match self {
            Self::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Spark => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// A text in quotes.
    fn text(self, text: &str) -> String {
        match self {
            Self::DuckDb => format!("'{}'", text.replace('\'', "''")),
            Self::Spark => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        }
    }

    /// What stops the query with a sentence.
    fn refusal(self, sentence: &str) -> String {
        let function = if self == Self::DuckDb { "error" } else { "raise_error" };
        format!("{function}({})", self.text(sentence))
    }

    /// SHA-256 of bytes, as hexadecimal digits.
    fn sha256(self, bytes: &str) -> String {
        match self {
            Self::DuckDb => format!("sha256({bytes})"),
            Self::Spark => format!("sha2({bytes}, 256)"),
        }
    }

    fn bytes_of(self, text: &str) -> String {
        match self {
            Self::DuckDb => format!("encode({text})"),
            Self::Spark => format!("encode({text}, 'UTF-8')"),
        }
    }

    fn joined(self, one: &str, other: &str) -> String {
        match self {
            Self::DuckDb => format!("{one} || {other}"),
            Self::Spark => format!("concat({one}, {other})"),
        }
    }

    /// What is released of a column.
    fn expression(self, column: &ColumnRule, key: Option<&PseudonymKey>) -> Result<String, AnonymizeError> {
        let text_type = if self == Self::DuckDb { "VARCHAR" } else { "STRING" };
        let name = self.name(&column.name);
        let cell = format!("CAST({name} AS {text_type})");
        let wrong = |problem: &str| AnonymizeError::Schema { problem: format!("column {:?}: {problem}", column.name) };
        // As in files: what is missing or empty stays so.
        let unless_empty =
            |made: String| format!("CASE WHEN {name} IS NULL OR {cell} = '' THEN {cell} ELSE {made} END");
        let Action::Operation(operation) = &column.action else {
            return Err(wrong("noise and places can't be drawn in SQL: apply the schema to a file"));
        };
        let number = match self {
            Self::DuckDb => format!("CAST({cell} AS DOUBLE)"),
            // CAST makes NULL of what is no number: silently, which is not ours to do.
            Self::Spark => format!("coalesce(CAST({cell} AS DOUBLE), raise_error('no number'))"),
        };
        Ok(match operation {
            Operation::Keep {} => name,
            Operation::Pseudonym { method: PseudonymMethod::Hmac, domain, .. } => {
                let allowed = "given: the query holds the keys of columns with pseudonyms";
                let key = key.ok_or_else(|| AnonymizeError::parameter("the key", "missing", allowed))?;
                let padded = padded_keys(key, "hmac", domain.as_deref().unwrap_or(&column.name));
                let [inner, outer] = padded.map(|block| {
                    let digits = block.iter().fold(String::new(), |mut digits, byte| {
                        // Writing to memory does not fail.
                        let _ = write!(digits, "{byte:02x}");
                        digits
                    });
                    format!("unhex('{digits}')")
                });
                let inside = self.sha256(&self.joined(&inner, &self.bytes_of(&cell)));
                let code = self.sha256(&self.joined(&outer, &format!("unhex({inside})")));
                unless_empty(format!("left({code}, 32)"))
            }
            Operation::UnkeyedHash {} => unless_empty(self.sha256(&cell)),
            Operation::Mask { first, last, pattern: None } => {
                let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
                let shown = first + last;
                unless_empty(format!(
                    "CASE WHEN length({cell}) > {shown} THEN concat(left({cell}, {first}), repeat('*', CAST(length({cell}) \
                     - {shown} AS INT)), {}) ELSE repeat('*', CAST(length({cell}) AS INT)) END",
                    if last == 0 { "''".to_owned() } else { format!("right({cell}, {last})") }
                ))
            }
            Operation::Generalize { labels, other, .. } => {
                let value = format!("coalesce({cell}, '')");
                let mut cases = format!("CASE {value}");
                for (value, label) in labels {
                    cases.push_str(&format!(" WHEN {} THEN {}", self.text(value), self.text(label)));
                }
                let refused =
                    self.refusal(&format!("column {} holds a value that its hierarchy does not know", column.name));
                let rest = match other {
                    Some(label) => self.text(label),
                    None => refused,
                };
                format!("{cases} ELSE {rest} END")
            }
            Operation::Round { to } => {
                let round = if self == Self::DuckDb { "round_even" } else { "bround" };
                let decimals = format!("{to}").split_once('.').map_or(0, |(_, places)| places.len());
                unless_empty(format!(
                    "CAST(CAST({round}({number} / {to:?}, 0) * {to:?} AS DECIMAL(38, {decimals})) AS {text_type})"
                ))
            }
            Operation::TopCode { lo, hi } => {
                let mut cases = String::from("CASE");
                for (bound, sign) in [(lo, '<'), (hi, '>')] {
                    if let Some(bound) = bound {
                        cases.push_str(&format!(" WHEN {number} {sign} {bound:?} THEN '{bound}'"));
                    }
                }
                unless_empty(format!("{cases} ELSE {cell} END"))
            }
            _ => return Err(wrong("SQL can't do this: apply the schema to a file, or drop the column")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sql_can_not_do_is_refused_and_names_are_quoted() {
        let of = |treatment: &str| {
            let text = format!("[[column]]\nname = \"a\\\"b`\"\nrole = \"insensitive\"\n{treatment}");
            ColumnSchema::parse(&text, None).unwrap().to_sql(Dialect::DuckDb, "t", None)
        };
        assert_eq!(of("treatment = \"keep\"").unwrap(), "SELECT\n    \"a\"\"b`\" AS \"a\"\"b`\"\nFROM t;\n");
        for treatment in [
            "treatment = \"redact-text\"",
            "treatment = \"pseudonym\"\nmethod = \"ff1\"",
            "treatment = \"mask\"\npattern = \"**\"",
            "treatment = \"noise\"\nkind = \"real\"\nlo = 0\nhi = 1\ndefault = 0\nepsilon = 1.0",
            "treatment = \"pseudonym\"\nmethod = \"hmac\"",
        ] {
            assert!(of(treatment).is_err(), "{treatment}");
        }
        assert_eq!(Dialect::Spark.text("o'clock\\"), "'o\\'clock\\\\'");
        assert_eq!(Dialect::DuckDb.text("o'clock\\"), "'o''clock\\'");
    }

    const TWO: &str = "k = 2\n[[column]]\nname = \"age\"\nrole = \"quasi-identifier\"\ntreatment = \"keep\"\n";

    #[test]
    fn no_column_of_the_table_takes_the_place_of_the_counter() {
        for (dialect, counter, theirs) in [
            (Dialect::DuckDb, "\"rows_of_class_\"", "\"rows_of_class\" >="),
            (Dialect::Spark, "`rows_of_class_`", "`rows_of_class` >="),
        ] {
            let other = "[[column]]\nname = \"Rows_Of_Class\"\nrole = \"insensitive\"\ntreatment = \"keep\"\n";
            let query =
                ColumnSchema::parse(&format!("{TWO}{other}"), None).unwrap().to_sql(dialect, "t", None).unwrap();
            assert!(
                query.contains(&format!("AS {counter}\n")) && query.contains(&format!("{counter} >= 2")),
                "{query}"
            );
            assert!(!query.to_lowercase().contains(theirs), "{query}");
        }
    }

    #[test]
    fn what_the_suppression_forbids_stops_the_query() {
        let of = |more: &str, dialect| {
            ColumnSchema::parse(&format!("{more}{TWO}"), None).unwrap().to_sql(dialect, "t", None).unwrap()
        };
        let query = of("suppression = 0.25\n", Dialect::DuckDb);
        assert!(query.contains("> 0.25 * count(*) FROM counted) THEN error('"), "{query}");
        assert!(query.ends_with("ELSE \"rows_of_class\" >= 2 END;\n"), "{query}");
        assert!(
            of("suppression = 0.0\n", Dialect::Spark).contains("> 0.0 * count(*) FROM counted) THEN raise_error('")
        );
        assert!(of("suppression = 1.0\n", Dialect::DuckDb).ends_with("WHERE \"rows_of_class\" >= 2;\n"));
    }
}
