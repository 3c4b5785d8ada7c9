//! Files as other programs write them, and cells that can't be read.

use std::io::Write;

use burn_privacy_anonymize::perturb::{
    PerturbOptions, PerturbationStatement, TableError, TableFormat, TableSchema, perturb_stream, schema_template_of,
};
use burn_privacy_budget::statement::Statement;
use burn_privacy_mechanisms::Entropy;

const SCHEMA: &str = "
    epsilon = 8.0

    [[column]]
    name = 'income'
    kind = 'real'
    lo = 0
    hi = 10000
    default = 100
    treatment = 'randomize'

    [[column]]
    name = 'age'
    kind = 'integer'
    lo = 0
    hi = 120
    default = 40
    treatment = 'randomize'

    [[column]]
    name = 'member'
    kind = 'category'
    values = ['yes', 'no']
    other = '?'
    treatment = 'randomize'
";

/// A table's perturbed form under a fixed seed, with its statement.
fn perturb(
    schema: &str,
    table: impl AsRef<[u8]>,
    format: TableFormat,
) -> Result<(String, PerturbationStatement), TableError> {
    let schema = TableSchema::parse(schema, None)?;
    let options = PerturbOptions { format, ..PerturbOptions::new(Entropy::seeded(3)) };
    let mut output = Vec::new();
    let statement = perturb_stream(&schema, table.as_ref(), "table", &mut output, &options, &mut |_| {})?;
    Ok((String::from_utf8(output).unwrap(), statement))
}

fn refusal(table: impl AsRef<[u8]>) -> String {
    let run = perturb(SCHEMA, table.as_ref(), TableFormat::default()).unwrap_err().to_string();
    let template = schema_template_of(table.as_ref(), "table", &TableFormat::default()).unwrap_err().to_string();
    assert_eq!(run, template);
    run
}

fn format(separator: Option<char>, comment: Option<char>) -> TableFormat {
    TableFormat::new(separator, comment).unwrap()
}

const TABLE: &str = "income,age,member\n1234.5,31,yes\n99,40,no\n";

#[test]
fn other_separators_comments_marks_and_gzip_are_the_same_table() {
    let (expected, _) = perturb(SCHEMA, TABLE, TableFormat::default()).unwrap();
    for separator in [';', '\t', '|'] {
        let table = TABLE.replace(',', &separator.to_string());
        let (text, _) = perturb(SCHEMA, &table, format(Some(separator), None)).unwrap();
        assert_eq!(text, expected.replace(',', &separator.to_string()));
    }
    let (text, _) = perturb(SCHEMA, format!("\u{feff}{TABLE}"), TableFormat::default()).unwrap();
    assert_eq!(text, expected);
    let commented = format!("# made by hand, \"today\n{}# the end\n", TABLE.replacen("99", "#\n99", 1));
    let (text, _) = perturb(SCHEMA, commented, format(None, Some('#'))).unwrap();
    assert_eq!(text, expected);
    // Packed in two parts, as `cat a.gz b.gz` makes it.
    let mut packed = Vec::new();
    for part in [&TABLE[..20], &TABLE[20..]] {
        let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::default());
        encoder.write_all(part.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }
    let (text, _) = perturb(SCHEMA, &packed, TableFormat::default()).unwrap();
    assert_eq!(text, expected);
    assert!(schema_template_of(packed.as_slice(), "table", &TableFormat::default()).unwrap().contains("\"income\""));
    packed.truncate(packed.len() - 12);
    assert!(matches!(perturb(SCHEMA, &packed, TableFormat::default()), Err(TableError::Read { .. })));
}

#[test]
fn what_is_not_read_is_named_with_what_to_do() {
    let semicolons = TABLE.replace(',', ";");
    assert!(refusal(&semicolons).contains("give --separator ';'"), "{}", refusal(&semicolons));
    // Decimal commas make cells of their own.
    let table = "income;age;member\n1234,5;31;yes\n";
    assert!(refusal(table).contains("give --separator ';'"), "{}", refusal(table));
    assert!(refusal(TABLE.replace(',', "\t")).contains("give --separator tab"));
    assert!(refusal(format!("# by hand\n{TABLE}")).contains("give --comment '#'"));
    for utf16 in [u16::to_le_bytes, u16::to_be_bytes] {
        let marked: Vec<u8> = format!("\u{feff}{TABLE}").encode_utf16().flat_map(utf16).collect();
        assert!(refusal(&marked).contains("is UTF-16"));
        assert!(refusal(&marked[2..]).contains("if the file is UTF-16"), "{}", refusal(&marked[2..]));
    }
    assert!(refusal(b"PK\x03\x04\x14\0\x06\0").contains("Excel"));
    // A table of one column may hold semicolons in its name, if the schema says so.
    let one = "[[column]]\nname = 'a;b'\nkind = 'integer'\nlo = 0\nhi = 1\ndefault = 0\ntreatment = 'randomize'\n\
               epsilon = 1.0\n";
    let _ = perturb(one, "a;b\n1\n", TableFormat::default()).unwrap();
}

#[test]
fn any_header_leads_from_the_template_to_a_run() {
    for header in [
        ",income,age,member",
        "\" \",income",
        "income,\"a \"\"b\"\"\",c d, e ",
        "\u{a0}x,\u{b}y",
        "'q',a=b,[c],\"new\nline\"",
        "é,日本,\u{1f600}",
        "#id,b",
    ] {
        let line = header.replace('\n', " ");
        let template = schema_template_of(format!("{line}\n").as_bytes(), "table", &TableFormat::default());
        let template = if line.starts_with('#') {
            schema_template_of(format!("{line}\n").as_bytes(), "table", &format(None, Some('%'))).unwrap()
        } else {
            template.unwrap()
        };
        let first = "kind = 'integer'\nlo = 0\nhi = 9\ndefault = 1\nepsilon = 1.0\ntreatment = 'randomize'";
        let schema = template.replacen("treatment = \"drop\"", first, 1).replace("\"drop\"", "\"keep\"");
        let cells = header.split(',').count();
        let table = format!("{line}\n{}\n", vec!["1"; cells].join(","));
        let (text, statement) = perturb(&schema, table, format(None, Some('%'))).unwrap();
        assert_eq!(text.lines().count(), 2, "{header}");
        assert_eq!(statement.unprotected_columns.len(), cells - 1, "{header}");
    }
}

#[test]
fn a_column_without_a_name_is_said_to_have_none() {
    let schema = format!("{SCHEMA}\n[[column]]\nname = ''\ntreatment = 'drop'\n");
    let (text, statement) = perturb(&schema, ",income,age,member\n0,1,2,yes\n", TableFormat::default()).unwrap();
    assert!(text.starts_with("income,age,member\n"));
    assert!(statement.to_string().contains("Dropped columns      (no name)"), "{statement}");
    let error = perturb(SCHEMA, ",income,age,member\n0,1,2,yes\n", TableFormat::default()).unwrap_err().to_string();
    assert!(error.contains("pandas writes its index"), "{error}");
    let error = perturb(&schema, ",,income,age,member\n", TableFormat::default()).unwrap_err().to_string();
    assert!(error.contains("pandas writes its index") && error.contains("twice"), "{error}");
}

#[test]
fn numbers_are_read_as_the_schema_says_they_are_written() {
    let (expected, _) = perturb(SCHEMA, TABLE, TableFormat::default()).unwrap();
    let stated =
        SCHEMA.replace("hi = 10000", "hi = 10000\nthousands = ','").replace("hi = 120", "hi = 120\nsuffix = 'y'");
    let (text, _) =
        perturb(&stated, "income,age,member\n\"1,234.5\",31 y,yes\n99,40y,no\n", TableFormat::default()).unwrap();
    assert_eq!(text, expected);
    let (text, _) =
        perturb(SCHEMA, "income,age,member\n\"1,234.5\",31 y,yes\n99,40y,no\n", TableFormat::default()).unwrap();
    assert_ne!(text, expected);
}

#[test]
fn columns_that_are_unreadable_throughout_are_told_for_an_epsilon() {
    let checked = format!("readability_epsilon = 1.0\n{SCHEMA}");
    let table = |income: &str, age: &str, member: &str, rows: usize| {
        format!("member,income,age\n{}", format!("{member},{income},{age}\n").repeat(rows))
    };
    let told = |table: &str| {
        let (_, statement) = perturb(&checked, table, TableFormat::default()).unwrap();
        assert_eq!((statement.epsilon, statement.readability_epsilon), (8.0, Some(1.0)));
        statement
    };
    let statement = told(&table("\"1,234.50\"", "45%", "True", 84));
    assert_eq!(statement.unreadable_columns.as_deref().unwrap(), ["income", "age", "member"]);
    assert!(statement.to_string().contains("seem unreadable: income, age, member"), "{statement}");
    assert_eq!(told(&table("1", "45 ", "yes", 84)).unreadable_columns.as_deref().unwrap(), [""; 0]);
    assert_eq!(told(&table("1", "45 years", "no", 84)).unreadable_columns.as_deref().unwrap(), ["age"]);
    // Too few rows to tell: nothing is drawn.
    let statement = told(&table("\"1,234.50\"", "45%", "True", 83));
    assert_eq!(statement.unreadable_columns, None);
    assert!(statement.to_string().contains("too few rows"));
    // The check is paid from the row's epsilon: the others share 7.
    let shares: f64 = statement.protected_columns.iter().map(|column| column.epsilon).sum();
    assert!(shares > 6.999 && shares <= 7.0, "{shares}");
    // Without it nothing is told.
    let (_, statement) = perturb(SCHEMA, table("\"1,234.50\"", "45%", "True", 84), TableFormat::default()).unwrap();
    assert_eq!((statement.readability_epsilon, statement.unreadable_columns), (None, None));
    for epsilon in ["0.0", "nan", "-1.0", "99.0"] {
        let text = format!("readability_epsilon = {epsilon}\n{SCHEMA}");
        assert!(TableSchema::parse(&text, None).unwrap_err().to_string().contains("readability_epsilon"), "{epsilon}");
    }
}

#[test]
fn a_delta_that_means_nothing_for_the_rows_is_refused() {
    let schema =
        SCHEMA.replacen("treatment = 'randomize'", "treatment = 'randomize'\nmechanism = 'gaussian'\ndelta = 1e-3", 1);
    let table = |rows| format!("income,age,member\n{}", "1,2,yes\n".repeat(rows));
    let _ = perturb(&schema, table(999), TableFormat::default()).unwrap();
    let error = perturb(&schema, table(1_000), TableFormat::default()).unwrap_err();
    assert!(matches!(error, TableError::Delta { rows: 1_000, .. }), "{error}");
}

#[test]
fn amounts_are_summed_as_they_are_written() {
    let column = |name: &str, epsilon: &str| {
        format!(
            "[[column]]\nname = '{name}'\nkind = 'real'\nlo = 0\nhi = 1\ndefault = 0\ntreatment = 'randomize'\nepsilon = {epsilon}\n"
        )
    };
    let schema = TableSchema::parse(&(column("a", "0.1") + &column("b", "0.2")), None).unwrap();
    let statement = schema.statement(Entropy::os());
    assert_eq!(statement.headline().split('-').next(), Some("0.3"));
    let json = statement.to_json();
    assert!(json.contains("\"epsilon\": 0.3,") && json.contains("\"delta\": 0.0,") && !json.contains("-0.0"), "{json}");
}
