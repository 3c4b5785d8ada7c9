//! Tables through a schema of columns: what is written, what is refused, and what is claimed.

use std::fs;
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::columns::{
    ColumnSchema, ColumnsStatement, TransformOptions, transform_bytes, transform_file, transform_stream,
};
use burn_privacy_anonymize::perturb::TableFormat;
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_anonymize::{AnonymizeError, FileFormat, Packing};
use burn_privacy_budget::statement::Grade;

fn key() -> PseudonymKey {
    PseudonymKey::from_hex(&"1f".repeat(32)).unwrap()
}

fn transformed(
    schema: &str,
    input: &str,
    options: &TransformOptions,
) -> Result<(String, ColumnsStatement), AnonymizeError> {
    let schema = ColumnSchema::parse(schema, None)?;
    let mut out = Vec::new();
    let statement = transform_stream(&schema, Some(&key()), input.as_bytes(), "in", &mut out, options, &mut |_| {})?;
    Ok((String::from_utf8(out).unwrap(), statement))
}

fn csv(schema: &str, input: &str) -> Result<(String, ColumnsStatement), AnonymizeError> {
    transformed(schema, input, &TransformOptions::default())
}

/// A column of a schema.
fn column(name: &str, role: &str, keys: &str) -> String {
    format!("[[column]]\nname = \"{name}\"\nrole = \"{role}\"\n{keys}\n")
}

const HMAC: &str = "treatment = \"pseudonym\"\nmethod = \"hmac\"";
const KEEP: &str = "treatment = \"keep\"";
const DROP: &str = "treatment = \"drop\"";

#[test]
fn every_operation_does_what_it_says() {
    let schema = [
        column("id", "identifier", HMAC),
        column("iban", "identifier", "treatment = \"pseudonym\"\nmethod = \"ff1\"\nformat = \"iban\""),
        column("mail", "identifier", "treatment = \"pseudonym\"\nmethod = \"email\""),
        column("name", "identifier", "treatment = \"pseudonym\"\nmethod = \"realistic\"\nkind = \"name\""),
        column("phone", "identifier", "treatment = \"mask\"\nlast = 2"),
        column("age", "quasi-identifier", "treatment = \"top-code\"\nhi = 90"),
        column("pay", "sensitive", "treatment = \"round\"\nto = 100"),
        column("born", "quasi-identifier", "treatment = \"shift-dates\"\nsubject = \"id\"\ndays = 30"),
        column("died", "quasi-identifier", "treatment = \"shift-dates\"\nsubject = \"id\"\ndays = 30"),
        column("note", "sensitive", "treatment = \"redact-text\"\ncolumns = [\"name\"]"),
        column(
            "ward",
            "quasi-identifier",
            "treatment = \"generalize\"\nlabels = { a1 = \"a\", a2 = \"a\" }\nother = \"?\"",
        ),
        column("hash", "identifier", "treatment = \"unkeyed-hash\""),
        column("gone", "identifier", DROP),
    ]
    .concat();
    let header = "id,iban,mail,name,phone,age,pay,born,died,note,ward,hash,gone\n";
    let row = "7,DE89 3704 0044 0532 0130 00,ann@uni.example,Ann Lee,+49 171 55,97,1234.5,1950-01-31,2020-02-29,\
               \"Ann said: \"\"call 0171 1234567\"\"\",a2,x1,secret\n";
    let (out, statement) = csv(&schema, &format!("{header}{row}{row},,,,,,,,,,,,\n")).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[1] == lines[2]), (4, true));
    assert_eq!(lines[0], "id,iban,mail,name,phone,age,pay,born,died,note,ward,hash");
    assert_eq!(lines[3], ",,,,,,,,,,?,");
    let cells: Vec<&str> = lines[1].split(',').collect();
    assert_eq!((cells[0].len(), cells[1].len()), (32, 27));
    assert!(cells[1].starts_with("DE") && cells[2].ends_with(".example") && cells[3].contains(' '));
    assert_eq!((cells[4], cells[5], cells[6]), ("********55", "90", "1200"));
    // Both dates moved by the same number of days: 25,596 days apart before and after.
    let day = |text: &str| -> i64 {
        let mut reader = csv_days(text);
        reader.remove(0)
    };
    assert_eq!(day(cells[8]) - day(cells[7]), 25_596);
    assert!((day(cells[7]) - day("1950-01-31")).abs() <= 30);
    assert_eq!(cells[9], "\"[NAME] said: \"\"call [NUMBER]\"\"\"");
    assert_eq!((cells[10], cells[11].len(), out.contains("secret")), ("a", 64, false));
    assert_eq!((statement.grade(), statement.rows), (Grade::Disguised, 3));
    let text = statement.to_string();
    assert!(text.contains("addresses of one domain show that they are"), "{text}");
    assert!(text.contains("guesses") && text.contains("gone") && text.contains("pseudonymized"), "{text}");
}

#[test]
fn letters_beside_encrypted_digits_are_refused_and_those_of_an_iban_are_stated() {
    let ff1 = "treatment = \"pseudonym\"\nmethod = \"ff1\"";
    let refused = csv(&column("a", "identifier", ff1), "a\n123 456\nAnna 123456\n").unwrap_err().to_string();
    assert!(refused.contains("line 3") && refused.contains("letters") && !refused.contains("Anna"), "{refused}");
    let iban = column("a", "identifier", &format!("{ff1}\nformat = \"iban\""));
    let (_, statement) = csv(&iban, "a\nGB82WEST12345698765432\n").unwrap();
    assert!(statement.to_string().contains("the country, the letters"), "{statement}");
}

/// Days of ISO dates, by counting.
fn csv_days(text: &str) -> Vec<i64> {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
    let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let years: i64 = (1900..parts[0]).map(|year| 365 + leap(year)).sum();
    let lengths = [31, 28 + leap(parts[0]), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: i64 = lengths[..parts[1] as usize - 1].iter().sum();
    vec![years + months + parts[2]]
}

#[test]
fn the_grade_is_that_of_the_weakest_column() {
    let noise = "treatment = \"noise\"\nkind = \"integer\"\nlo = 0\nhi = 100\ndefault = 50\nepsilon = 1.0";
    for (columns, grade, part) in [
        (vec![column("a", "sensitive", noise)], Grade::DifferentialPrivacy, "each row"),
        (
            vec![column("a", "sensitive", noise), column("b", "insensitive", KEEP)],
            Grade::DifferentialPrivacy,
            "the others are not protected",
        ),
        (vec![column("a", "identifier", HMAC), column("b", "sensitive", noise)], Grade::Pseudonymized, "the key"),
        (
            vec![column("a", "identifier", HMAC), column("b", "quasi-identifier", KEEP)],
            Grade::Disguised,
            "no guarantee",
        ),
        (vec![column("a", "identifier", HMAC), column("b", "sensitive", KEEP)], Grade::Pseudonymized, "the key"),
        (vec![column("a", "insensitive", KEEP), column("b", "sensitive", KEEP)], Grade::Disguised, "no guarantee"),
    ] {
        let header = if columns.len() == 2 { "a,b\n1,2\n" } else { "a\n1\n" };
        let (_, statement) = csv(&columns.concat(), header).unwrap();
        assert_eq!(statement.grade(), grade, "{columns:?}");
        assert!(statement.to_string().contains(part), "{part}: {statement}");
        // What the noise's epsilon rests on stands with it.
        let noisy = columns.iter().any(|column| column.contains("noise"));
        for part in ["every further release of them adds its epsilon", "each person is in one row"] {
            assert_eq!(statement.to_string().contains(part), noisy, "{part}: {statement}");
        }
    }
}

#[test]
fn joins_survive_over_tables_files_and_formats() {
    let one = column("customer", "identifier", &format!("{HMAC}\ndomain = \"person\""));
    let other = column("patient", "identifier", &format!("{HMAC}\ndomain = \"person\""));
    let apart = column("customer", "identifier", HMAC);
    let (first, _) = csv(&one, "customer\nann\nbob\n").unwrap();
    let json = TransformOptions { input: FileFormat::JsonLines, output: FileFormat::JsonLines, ..Default::default() };
    let (second, _) = transformed(&other, "{\"patient\":\"bob\"}\n{\"patient\":null}\n{}\n", &json).unwrap();
    let bob = first.lines().nth(2).unwrap();
    assert_eq!(second, format!("{{\"patient\":\"{bob}\"}}\n{{\"patient\":null}}\n{{\"patient\":null}}\n"));
    assert!(!csv(&apart, "customer\nbob\n").unwrap().0.contains(bob), "another domain, another pseudonym");
}

#[test]
fn unicode_spellings_numbers_and_odd_cells_are_taken_byte_by_byte() {
    let schema = column("a", "identifier", HMAC);
    let (out, _) = csv(&schema, "a\n\u{e9}\ne\u{301}\n1e5\n100000\n+0049\n0049\n\"a,b\"\n\" x\"\nx\n").unwrap();
    let distinct: std::collections::HashSet<&str> = out.lines().skip(1).collect();
    assert_eq!(distinct.len(), 9);
    let kept = column("a", "insensitive", KEEP) + &column("b", "insensitive", KEEP);
    let input = "a,b\n\"x\"\"y\",\"line\nend\"\n,\" \"\n\u{e9},e\u{301}\n1e5,+0049\n";
    assert_eq!(csv(&kept, input).unwrap().0, "a,b\n\"x\"\"y\",\"line\nend\"\n, \n\u{e9},e\u{301}\n1e5,+0049\n");
}

#[test]
fn what_is_no_such_table_is_refused_by_line_and_never_by_value() {
    let schema = column("a", "identifier", HMAC) + &column("b", "sensitive", "treatment = \"round\"\nto = 10");
    for (input, part) in [
        ("", "no header"),
        ("a,b,a\n", "two columns are named \"a\""),
        ("a\nx\n", "no column \"b\""),
        ("a,b,c\nx,1,2\n", "\"c\" is not in the schema"),
        ("a;b\nx;1\n", "--separator ';'"),
        ("a,b\nx,1\nsecret,secret\n", "line 3: column \"b\": this is no finite number"),
        ("a,b\nx,1\ny\n", "line 3"),
        ("a,b\nx,1\n\"y,2\n", "line 3"),
        ("a,b\nx,1\n\n", "an empty line"),
    ] {
        let error = csv(&schema, input).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains("secret"), "{input:?}: {error}");
    }
    let without_key = ColumnSchema::parse(&schema, None).unwrap();
    let options = TransformOptions::default();
    let error = transform_stream(&without_key, None, "a,b\n".as_bytes(), "in", &mut Vec::new(), &options, &mut |_| {});
    assert!(error.unwrap_err().to_string().contains("the key is missing"));
}

/// A file in a folder of its own.
fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn classes_below_k_are_left_out_and_counted_anew_for_new_rows() {
    let folder = tempfile::tempdir().unwrap();
    let labels = "treatment = \"generalize\"\nlabels = { 21 = \"20s\", 23 = \"20s\", 41 = \"40s\", \"\" = \"*\" }";
    let schema = |head: &str| {
        let text = format!("{head}\n{}{}", column("age", "quasi-identifier", labels), column("ill", "sensitive", KEEP));
        ColumnSchema::parse(&text, None).unwrap()
    };
    let input = written(folder.path(), "in.csv", "age,ill\n21,flu\n23,gout\n41,flu\n23,flu\n,flu\n");
    let output = folder.path().join("out.csv");
    let apply = |schema: &ColumnSchema, input: &Path| {
        let options = TransformOptions { replace: true, ..Default::default() };
        transform_file(schema, None, input, &output, &options, &mut |_| {})
    };
    let statement = apply(&schema("k = 2"), &input).unwrap();
    assert_eq!(fs::read_to_string(&output).unwrap(), "age,ill\n20s,flu\n20s,gout\n20s,flu\n");
    assert_eq!((statement.grade(), statement.rows, statement.released_rows), (Grade::Syntactic, 5, 3));
    assert_eq!(statement.smallest_class, Some(3));
    // The same recipe on new rows.
    let more = written(folder.path(), "more.csv", "ill,age\nflu,41\nflu,21\ngout,41\n");
    assert_eq!(apply(&schema("k = 2"), &more).unwrap().released_rows, 2);
    assert_eq!(fs::read_to_string(&output).unwrap(), "ill,age\nflu,40s\ngout,40s\n");
    // Other models, k beyond all rows, one row.
    assert_eq!(apply(&schema("k = 2\ndistinct_l = 2"), &input).unwrap().released_rows, 3);
    assert_eq!(apply(&schema("k = 2\nentropy_l = 2.0"), &input).unwrap().released_rows, 0);
    assert_eq!(apply(&schema("k = 6"), &input).unwrap().released_rows, 0);
    let before = fs::read_to_string(&output).unwrap();
    let refused = apply(&schema("k = 2\nsuppression = 0.1"), &input).unwrap_err();
    assert!(matches!(refused, AnonymizeError::Unreachable { .. }), "{refused}");
    let unknown = written(folder.path(), "unknown.csv", "age,ill\nninety-nine,flu\n");
    let refused = apply(&schema("k = 2"), &unknown).unwrap_err().to_string();
    assert!(refused.contains("line 2") && !refused.contains("ninety"), "{refused}");
    assert_eq!(fs::read_to_string(&output).unwrap(), before, "a refusal leaves what was there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "and nothing beside it");
}

#[test]
fn a_sensitive_value_in_two_spellings_is_one_value() {
    let schema = format!(
        "k = 2\ndistinct_l = 2\nsuppression = 1.0\n{}{}",
        column("zip", "quasi-identifier", KEEP),
        column("ill", "sensitive", KEEP)
    );
    let schema = ColumnSchema::parse(&schema, None).unwrap();
    let options =
        TransformOptions { input: FileFormat::JsonLines, output: FileFormat::JsonLines, ..Default::default() };
    let released = |one: &str, other: &str| {
        let table = [one, other].map(|ill| format!("{{\"zip\":\"1\",\"ill\":{ill}}}\n")).concat();
        let mut out = Vec::new();
        transform_bytes(&schema, None, table.as_bytes(), "in", &mut out, &options, &mut |_| {}).unwrap().released_rows
    };
    assert_eq!(released("\"Gr\\u00fcn\"", "\"Grün\""), 0);
    assert_eq!(released("50", "50.0"), 0);
    assert_eq!(released("\"Gr\\u00fcn\"", "\"gout\""), 2);
}

#[test]
fn packed_files_are_read_and_written() {
    let schema = ColumnSchema::parse(&column("a", "insensitive", KEEP), None).unwrap();
    let rows: String = (0..300_000).map(|row| format!("value {row}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let input = written(folder.path(), "in.csv", &format!("a\n{rows}"));
    let mut from = input;
    for (name, packing) in [("a.csv.gz", Packing::Gzip), ("b.csv.zst", Packing::Zstd), ("c.csv", Packing::None)] {
        let output = folder.path().join(name);
        assert_eq!(Packing::of(&output), packing);
        let options = TransformOptions { packing, ..Default::default() };
        let statement = transform_file(&schema, None, &from, &output, &options, &mut |_| {}).unwrap();
        assert_eq!(statement.rows, 300_000);
        from = output;
    }
    assert_eq!(fs::read_to_string(&from).unwrap(), format!("a\n{rows}"));
    assert!(fs::metadata(folder.path().join("b.csv.zst")).unwrap().len() < rows.len() as u64 / 2);
}

#[test]
fn other_separators_and_comments_are_read_and_rows_keep_their_order() {
    let schema = column("a", "insensitive", KEEP) + &column("b", "insensitive", DROP);
    let options = TransformOptions { csv: TableFormat::new(Some('\t'), Some('#')).unwrap(), ..Default::default() };
    let rows: String =
        (0..200_000).map(|row| format!("{row}\tx\n{}", if row % 1000 == 0 { "# note\n" } else { "" })).collect();
    let (out, statement) = transformed(&schema, &format!("# head\na\tb\n{rows}"), &options).unwrap();
    let expected: String = (0..200_000).map(|row| format!("{row}\n")).collect();
    assert!(out == format!("a\n{expected}"));
    assert_eq!(statement.rows, 200_000);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_written_and_read_and_kept_columns_keep_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40_000)
        .map(|row| format!("{},{},{row}\n", row * 3, if row % 7 == 0 { String::new() } else { format!("{row}.26") }))
        .collect();
    let input = written(folder.path(), "in.csv", &format!("id,pay,n\n{rows}"));
    let first = column("id", "identifier", HMAC)
        + &column("pay", "sensitive", "treatment = \"round\"\nto = 0.5")
        + &column("n", "insensitive", KEEP);
    let packed = folder.path().join("a.parquet");
    let again = folder.path().join("b.parquet");
    let back = folder.path().join("back.csv");
    let apply = |schema: &str, from: &Path, to: &Path| {
        let schema = ColumnSchema::parse(schema, None).unwrap();
        let (input, output) = (FileFormat::of(from), FileFormat::of(to));
        let options = TransformOptions { input, output, ..Default::default() };
        transform_file(&schema, Some(&key()), from, to, &options, &mut |_| {}).unwrap()
    };
    apply(&first, &input, &packed);
    // Kept: the double stays one, and so is written again.
    let kept =
        [("id", KEEP), ("pay", KEEP), ("n", KEEP)].map(|(name, keys)| column(name, "insensitive", keys)).concat();
    apply(&kept, &packed, &again);
    let twice = kept.replacen(KEEP, "treatment = \"mask\"\nfirst = 32", 1);
    let statement = apply(&twice, &again, &back);
    assert_eq!(statement.rows, 40_000);
    let direct = folder.path().join("direct.csv");
    apply(&first, &input, &direct);
    let (back, direct) = (fs::read_to_string(back).unwrap(), fs::read_to_string(direct).unwrap());
    for (one, other) in back.lines().zip(direct.lines()).skip(1) {
        let (one, other): (Vec<&str>, Vec<&str>) = (one.split(',').collect(), other.split(',').collect());
        // A mask that would show all covers all.
        assert_eq!((one[0], one[2]), ("*".repeat(32).as_str(), other[2]));
        assert_eq!(one[1].parse::<f64>().ok(), other[1].parse::<f64>().ok());
    }
    assert_eq!(back.lines().count(), direct.lines().count());
    // No rows are a table, too.
    let none = written(folder.path(), "none.csv", "id,pay,n\n");
    let empty = folder.path().join("none.parquet");
    apply(&first, &none, &empty);
    assert_eq!(apply(&kept, &empty, &folder.path().join("none-back.csv")).rows, 0);
    let broken = written(folder.path(), "broken.parquet", "PAR1 and no more");
    let schema = ColumnSchema::parse(&kept, None).unwrap();
    let options = TransformOptions { input: FileFormat::Parquet, ..Default::default() };
    let refused = transform_file(&schema, None, &broken, &folder.path().join("x.csv"), &options, &mut |_| {});
    assert!(refused.unwrap_err().to_string().contains("no readable Parquet"));
}

#[cfg(feature = "parquet")]
#[test]
fn kept_dates_that_another_column_reads_are_text_and_others_keep_their_type() {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    let types = "message m { optional int32 born (DATE); optional int32 died (DATE); optional int32 id; optional binary note (UTF8); }";
    let mut writer = SerializedFileWriter::new(
        fs::File::create(&input).unwrap(),
        Arc::new(parse_message_type(types).unwrap()),
        Arc::default(),
    )
    .unwrap();
    let mut group = writer.next_row_group().unwrap();
    for value in [20_786, 20_787, 7] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[value], Some(&[1]), None).unwrap();
        column.close().unwrap();
    }
    let mut notes = group.next_column().unwrap().unwrap();
    let note = ByteArray::from("7 was born on 2026-11-29, Ann says");
    notes.typed::<ByteArrayType>().write_batch(&[note], Some(&[1]), None).unwrap();
    notes.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();

    let schema = ["born", "died", "id"].map(|name| column(name, "insensitive", KEEP)).concat()
        + &column("note", "sensitive", "treatment = \"redact-text\"\ncolumns = [\"born\", \"id\"]");
    let schema = ColumnSchema::parse(&schema, None).unwrap();
    let options = TransformOptions { input: FileFormat::Parquet, output: FileFormat::Parquet, ..Default::default() };
    let output = folder.path().join("out.parquet");
    transform_file(&schema, None, &input, &output, &options, &mut |_| {}).unwrap();
    let reader = SerializedFileReader::new(fs::File::open(&output).unwrap()).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap().to_string();
    let columns = reader.metadata().file_metadata().schema_descr().columns();
    let kinds: Vec<String> = columns.iter().map(|column| column.converted_type().to_string()).collect();
    assert_eq!(kinds, ["UTF8", "DATE", "NONE", "UTF8"], "{row}");
    assert!(row.contains("2026-11-29") && row.contains("Ann says") && !row.contains("on 2026"), "{row}");
}

#[test]
fn nothing_may_be_drawn_for_the_raw_value_of_a_noisy_column() {
    let noisy = column("income", "sensitive", "treatment = \"noise\"\nlo = 0\nhi = 10\nepsilon = 1.0");
    for other in [
        column("born", "sensitive", "treatment = \"shift-dates\"\nsubject = \"income\"\ndays = 30"),
        column("note", "insensitive", "treatment = \"redact-text\"\ncolumns = [\"income\"]"),
    ] {
        let refusal = ColumnSchema::parse(&format!("{noisy}{other}"), None).unwrap_err().to_string();
        assert!(refusal.contains("its raw value would show"), "{refusal}");
    }
}
