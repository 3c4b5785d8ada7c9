//! `burn-privacy anonymize places`: mask, attack, count and draw, from file to file.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn places(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_burn-privacy"))
        .args(["anonymize", "places"])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn answered(folder: &Path, arguments: &str) -> String {
    let output = places(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &str) -> String {
    let output = places(folder, arguments);
    assert!(!output.status.success(), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

/// A street of 60 homes at 60 degrees north, with 5 reports each.
fn street() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "user,latitude,longitude,name\n".to_owned();
    for report in 0..300 {
        let home = report % 60;
        text += &format!("u{home},60.0,{:.5},Ann {home}\n", 10.0 + 0.001 * f64::from(home));
    }
    fs::write(folder.path().join("homes.csv"), text).unwrap();
    folder
}

#[test]
fn masks_say_what_they_are_worth_and_release_no_other_column() {
    let folder = street();
    let at = folder.path();
    let said = answered(at, "mask homes.csv --method planar-laplace --epsilon 0.01 --subject user --output a.csv");
    assert!(said.contains("geo-indistinguishability at 0.05") && said.contains("all 5 draws"), "{said}");
    assert!(fs::read_to_string(at.join("a.csv")).unwrap().starts_with("latitude,longitude\n"));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(at.join("a.csv.statement.json")).unwrap()).unwrap();
    assert!(json["differential_privacy"].is_null() && json["metric_privacy"]["unit"] == "meter", "{json}");
    assert!(refused(at, "mask homes.csv --method disc --radius 50 --output a.csv").contains("exists"));

    for (method, words) in [
        ("disc --radius 300", "disguised: "),
        ("grid --grid 500", "disguised: "),
        ("donut --inner 100 --radius 300", "disguised: "),
        ("gaussian --radius 100", "disguised: "),
        ("swap --radius 500 --population homes.csv", "disguised: "),
        ("voronoi --population homes.csv", "disguised: "),
        ("adaptive-donut --k 20 --population homes.csv", "spatial k-anonymity with k = 20"),
        ("remapped-laplace --epsilon 0.01 --population homes.csv", "geo-indistinguishability"),
    ] {
        let said = answered(at, &format!("mask homes.csv --method {method} --output m.csv --force"));
        assert!(said.contains(words), "{method}: {said}");
        assert!(words != "disguised: " || !said.to_lowercase().contains("anonym"), "{said}");
    }
    assert!(refused(at, "mask homes.csv --method disc --output n.csv").contains("radius is missing"));
    assert!(refused(at, "mask homes.csv --method disc --radius 9 --k 3 --output n.csv").contains("does not use it"));
    assert!(refused(at, "mask homes.csv --method swap --radius 10 --output n.csv").contains("--population"));
    assert!(refused(at, "mask homes.csv --latitude longitude --longitude latitude --method planar-laplace --epsilon -1 --output n.csv").contains("epsilon"));
    assert!(!at.join("n.csv").exists());
}

#[test]
fn reports_are_charged_before_anything_is_written_and_a_budget_counts_them() {
    let folder = street();
    let at = folder.path();
    let ledger = |arguments: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_burn-privacy"))
            .args(arguments.split(' '))
            .current_dir(at)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    ledger(
        "ledger budget l.ledger --dataset homes --epsilon 6 --delta 1e-6 --adjacency replace-one --noise-multiplier 1",
    );
    let mask = "mask homes.csv --method planar-laplace --epsilon 0.01 --subject user --ledger l.ledger --dataset homes --within";
    // Five reports of places up to 500 m apart: epsilon 25.
    let error = refused(at, &format!("{mask} 500 --run far --output b.csv"));
    assert!(error.contains("budget") && error.contains("far"), "{error}");
    assert!(!at.join("b.csv").exists());
    // Five reports of places up to 10 m apart that are moved to a grid first. Their tail of 2^-70 is charged to what the budget's
    // delta sets aside.
    let said = answered(at, &format!("{mask} 10 --run near --output b.csv"));
    assert!(said.contains("Charged to the ledger") && said.contains("epsilon 0.6"), "{said}");
    let total = ledger("ledger total l.ledger --delta 1e-6");
    assert!(total.contains("Charged   5 steps of 1 runs") && total.contains("mechanisms that may fail"), "{total}");
    let epsilon: f64 = total.split("Epsilon   ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(epsilon > 0.3 && epsilon < 0.7, "{total}");
    // A ledger without a budget counts, too.
    let said = answered(at, &format!("{mask} 500 --run far --output c.csv").replace("l.ledger", "m.ledger"));
    assert!(said.contains("epsilon 25"), "{said}");
}

#[test]
fn attacks_counts_and_maps_read_what_masks_write() {
    let folder = street();
    let at = folder.path();
    answered(at, "mask homes.csv --method planar-laplace --epsilon 0.01 --subject user --keep user --output moved.csv");
    let averaged: serde_json::Value =
        serde_json::from_str(&answered(at, "attack averaging moved.csv --truth homes.csv --subject user --json"))
            .unwrap();
    let mean = |name: &str| averaged[name]["mean_m"].as_f64().unwrap();
    assert!(mean("the_mean_of_a_subject's_reports") < mean("a_single_report"), "{averaged}");
    let guess = answered(at, "attack bayes moved.csv --truth homes.csv --epsilon 0.01 --population homes.csv");
    assert!(guess.contains("the best guess") && guess.contains("what no guess beats"), "{guess}");
    assert!(
        answered(at, "attack nearest-address moved.csv --truth homes.csv --population homes.csv")
            .contains("people as near")
    );

    answered(at, "aggregate cells homes.csv --level 8 --k 10 --output cells.geojson");
    answered(at, "aggregate quadtree homes.csv --k 20 --output quarters.geojson");
    let noisy = answered(
        at,
        "aggregate cells homes.csv --system s2 --level 12 --epsilon 1 --population homes.csv --output n.geojson",
    );
    assert!(noisy.contains("(1, 0)-differential privacy"), "{noisy}");
    let areas =
        answered(at, "aggregate areas homes.csv --areas quarters.geojson --name count --k 20 --output areas.csv");
    assert!(areas.contains("syntactic"), "{areas}");
    for file in ["map.html", "map.png", "map.svg"] {
        answered(
            at,
            &format!("map --before homes.csv --after moved.csv --radius 200 --outlines cells.geojson --output {file}"),
        );
        assert!(fs::metadata(at.join(file)).unwrap().len() > 1_000);
    }
    assert!(refused(at, "map --before homes.csv --output map.pdf").contains(".html"));
}
