//! `burn-privacy anonymize apply` with Parquet on either side: runs the binary.
#![cfg(feature = "parquet")]
#![allow(missing_docs)]

mod common;

use std::path::Path;

use common::{run, temporary};

const KEY: &str = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";

#[test]
fn a_table_goes_into_parquet_and_comes_back_with_k_counted_on_the_way() {
    let csv = temporary("rows.csv", "id,age,pay\nann,21,1.5\nbob,24,\n,58,3.25\n\"c,d\",23,4\n");
    let beside = |name: &str| Path::new(&csv).with_file_name(name).to_str().unwrap().to_owned();
    let kept = temporary(
        "kept.toml",
        "[[column]]\nname = \"id\"\nrole = \"insensitive\"\ntreatment = \"keep\"\n\
         [[column]]\nname = \"age\"\nrole = \"insensitive\"\ntreatment = \"top-code\"\nhi = 50\n\
         [[column]]\nname = \"pay\"\nrole = \"sensitive\"\ntreatment = \"keep\"\n",
    );
    let (packed, back) = (beside("rows.parquet"), beside("back.csv"));
    let shown = run(&["anonymize", "apply", &kept, &csv, &packed]);
    assert!(shown.ok, "{}", shown.err);
    assert_eq!(&std::fs::read(&packed).unwrap()[..4], b"PAR1");
    let treated = temporary(
        "treated.toml",
        "k = 3\n[[column]]\nname = \"id\"\nrole = \"identifier\"\ntreatment = \"pseudonym\"\nmethod = \"hmac\"\n\
         [[column]]\nname = \"age\"\ntreatment = \"round\"\nto = 10\n\
         [[column]]\nname = \"pay\"\nrole = \"sensitive\"\ntreatment = \"keep\"\n",
    );
    let key = temporary("parquet.key", KEY);
    let shown = run(&["anonymize", "apply", &treated, &packed, &back, "--key", &key]);
    assert!(shown.ok && shown.out.contains("Rows of the smallest class"), "{}", shown.err);
    let text = std::fs::read_to_string(&back).unwrap();
    // The fourth of the rows is in a class of its own.
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.lines().skip(1).all(|line| line.contains(",20,")) && !text.contains("c,d"), "{text}");
    // The same rows from CSV.
    let (straight, treated) = (beside("straight.csv"), treated.as_str());
    assert!(run(&["anonymize", "apply", treated, &csv, &straight, "--key", &key]).ok);
    assert_eq!(std::fs::read_to_string(&straight).unwrap(), text);
    let streamed = run(&["anonymize", "apply", &kept, "-", &beside("s.csv"), "--from", "parquet"]);
    assert!(!streamed.ok && streamed.err.contains("a file"), "{}", streamed.err);
}
