//! The releases: hashed as the handout does, done right by a schema, and grouped.

use std::path::{Path, PathBuf};

use burn_privacy::mechanisms::{Entropy, PrivacyKey, fill_gaussian_f64};
use burn_privacy_anonymize::columns::{ColumnSchema, TransformOptions, transform_file};
use burn_privacy_anonymize::microaggregation::{Records, mdav};
use burn_privacy_anonymize::pseudonym::{PseudonymKey, unkeyed_hash};
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{COLUMNS, MOST_TEXT, Row, positions};
use burn_privacy_output::write_atomically;

/// SHA-256 of names and addresses, and N(0, 1000) on the income: the handout's snippet.
pub fn as_the_handout_does(raw: &Path, folder: &Path) -> Result<PathBuf> {
    let release = folder.join("hashed.csv");
    let mut reader = csv::Reader::from_path(raw)?;
    let header = reader.headers()?.clone();
    let places = positions(raw, &header, &["name", "email", "income"])?;
    let records = reader.records().collect::<std::result::Result<Vec<_>, _>>()?;
    let mut noise = vec![0.0; records.len()];
    fill_gaussian_f64(&PrivacyKey::draw(Entropy::os())?, 0, 0, &mut noise, 1_000.0)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for (record, noise) in records.iter().zip(noise) {
        let cells = record.iter().enumerate().map(|(place, cell)| match place {
            _ if place == places[0] || place == places[1] => unkeyed_hash(cell),
            _ if place == places[2] => (cell.parse::<f64>().unwrap_or(f64::NAN) + noise).to_string(),
            _ => cell.to_owned(),
        });
        writer.write_record(cells)?;
    }
    write_atomically(&release, writer.into_inner().map_err(|error| error.to_string())?)?;
    Ok(release)
}

/// The same table by a schema: no name, a keyed pseudonym of the address, coarse numbers of which each combination has k rows, and
/// what the model is to learn.
pub fn done_right(raw: &Path, folder: &Path, key: &PseudonymKey, k: usize) -> Result<PathBuf> {
    // Coarser for larger k, stated without a look at the table.
    let coarse = if k < 20 { [10, 10_000, 10_000, 50_000] } else { [20, 25_000, 20_000, 100_000] };
    let [age, income, expenditure, price] = coarse;
    let round = |name: &str, to: i32| {
        format!("[[column]]\nname = \"{name}\"\nrole = \"quasi-identifier\"\ntreatment = \"round\"\nto = {to}\n\n")
    };
    let schema = format!(
        "k = {k}\n\n\
         [[column]]\nname = \"name\"\nrole = \"identifier\"\ntreatment = \"drop\"\n\n\
         [[column]]\nname = \"email\"\nrole = \"identifier\"\ntreatment = \"pseudonym\"\nmethod = \"hmac\"\n\n\
         [[column]]\nname = \"postcode\"\nrole = \"quasi-identifier\"\ntreatment = \"drop\"\n\n\
         {}{}{}{}\
         [[column]]\nname = \"affordability\"\nrole = \"sensitive\"\ntreatment = \"round\"\nto = 0.01\n",
        round("age", age),
        round("income", income),
        round("expenditure", expenditure),
        round("house_price", price),
    );
    let file = folder.join(format!("schema-{k}.toml"));
    write_atomically(&file, &schema)?;
    let schema = ColumnSchema::parse(&schema, None)?;
    let release = folder.join(format!("rounded-{k}.csv"));
    let options = TransformOptions { replace: true, ..TransformOptions::default() };
    let statement = transform_file(&schema, Some(key), raw, &release, &options, &mut |_| {})?;
    write_atomically(folder.join(format!("rounded-{k}.statement.txt")), statement.to_string())?;
    Ok(release)
}

/// The four numbers replaced by the means of groups of at least k households, in the rows' order; what the model is to learn stays.
pub fn grouped(raw: &Path, folder: &Path, k: usize) -> Result<PathBuf> {
    let rows = rows_of(raw)?;
    let names = COLUMNS[..COLUMNS.len() - 1].iter().map(|name| (*name).to_owned()).collect();
    let known: Vec<Vec<f64>> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let records = Records::new(names, &known)?;
    let grouping = mdav(&records, k)?;
    let means = grouping.aggregate(&records);
    let mut lines: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(row, cells)| {
            let target = cells[COLUMNS.len() - 1];
            means.record(row).iter().chain([&target]).map(f64::to_string).collect()
        })
        .collect();
    // The order of the rows tells nothing.
    lines.sort_unstable();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    lines.iter().try_for_each(|line| writer.write_record(line))?;
    let release = folder.join(format!("grouped-{k}.csv"));
    write_atomically(&release, writer.into_inner().map_err(|error| error.to_string())?)?;
    write_atomically(folder.join(format!("grouped-{k}.statement.txt")), grouping.statement(&records)?.to_string())?;
    Ok(release)
}

/// The five columns of a release.
pub fn rows_of(file: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read(file)?;
    if text.len() as u64 > MOST_TEXT {
        return Err(format!("{} is too large for this program", file.display()).into());
    }
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let places = positions(file, reader.headers()?, &COLUMNS)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let mut row = [0.0; COLUMNS.len()];
        for (cell, &place) in row.iter_mut().zip(&places) {
            *cell = record.get(place).unwrap_or_default().parse()?;
        }
        rows.push(row);
    }
    Ok(rows)
}
