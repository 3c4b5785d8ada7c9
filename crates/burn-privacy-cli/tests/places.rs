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
    // What is refused for its arguments is not paid for.
    std::fs::write(at.join("taken.csv"), "").unwrap();
    for (arguments, words) in [
        ("--output taken.csv", "exists already"),
        ("--keep nobody --output d.csv", "nobody"),
        ("--output no/folder.csv", "folder.csv"),
    ] {
        let error = refused(at, &format!("{mask} 10 --run other {arguments}"));
        assert!(error.contains(words), "{error}");
    }
    assert!(ledger("ledger total l.ledger --delta 1e-6").contains("Charged   5 steps of 1 runs"));
    // A ledger without a budget counts, too.
    let said = answered(at, &format!("{mask} 500 --run far --output c.csv").replace("l.ledger", "m.ledger"));
    assert!(said.contains("epsilon 25"), "{said}");
}

#[test]
fn no_output_replaces_what_is_read() {
    let folder = street();
    let at = folder.path();
    let before = fs::read_to_string(at.join("homes.csv")).unwrap();
    fs::copy(at.join("homes.csv"), at.join("all.csv")).unwrap();
    for arguments in [
        "mask homes.csv --method planar-laplace --epsilon 0.01 --ledger l.ledger --dataset homes --within 10 --output homes.csv",
        "mask all.csv --method swap --radius 500 --population homes.csv --output homes.csv",
        "aggregate cells homes.csv --level 8 --k 10 --output homes.csv",
        "aggregate cells all.csv --level 8 --epsilon 1 --population homes.csv --output homes.csv",
        "aggregate quadtree homes.csv --k 20 --output homes.csv",
    ] {
        let error = refused(at, &format!("{arguments} --force"));
        assert!(error.contains("the output is the input"), "{arguments}: {error}");
        assert_eq!(fs::read_to_string(at.join("homes.csv")).unwrap(), before, "{arguments}");
    }
    assert!(!at.join("l.ledger").exists());
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

#[test]
fn geojson_goes_in_and_out_with_the_properties_to_keep() {
    let folder = street();
    let at = folder.path();
    answered(at, "mask homes.csv --method grid --grid 5 --keep user,name --output homes.geojson");
    let read = |file: &str| -> serde_json::Value { serde_json::from_slice(&fs::read(at.join(file)).unwrap()).unwrap() };
    let homes = read("homes.geojson");
    assert_eq!(homes["features"].as_array().unwrap().len(), 300);
    assert_eq!(homes["features"][3]["properties"], serde_json::json!({ "user": "u3", "name": "Ann 3" }));
    let moved = "mask homes.geojson --method planar-laplace --epsilon 0.01 --subject user";
    let said = answered(at, &format!("{moved} --keep user --output moved.geojson"));
    assert!(said.contains("all 5 draws"), "{said}");
    let features = read("moved.geojson")["features"].as_array().unwrap().clone();
    assert!(features.len() == 300 && features[7]["properties"] == serde_json::json!({ "user": "u7" }));
    answered(at, "mask homes.geojson --method disc --radius 9 --output back.csv");
    assert_eq!(fs::read_to_string(at.join("back.csv")).unwrap().lines().count(), 301);
    answered(at, "attack averaging moved.geojson --truth homes.geojson --subject user --population homes.geojson");
    let found = answered(at, "attack nearest-address moved.geojson --truth homes.csv --population homes.csv");
    assert!(found.contains("before masking") && found.contains("1.000"), "{found}");
    answered(at, "aggregate quadtree homes.geojson --k 20 --output q.geojson");
    answered(at, "map --before homes.geojson --after moved.geojson --output map.html");
    // A feature without a point is a row without a place.
    let none = homes.to_string().replacen(r#"{"coordinates":[10.0"#, r#"{"was":[10.0"#, 1);
    fs::write(at.join("none.geojson"), none).unwrap();
    assert!(refused(at, "mask none.geojson --method disc --radius 9 --output n.csv").contains("none.geojson"));
    let point = |geometry: &str| {
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{}},"geometry":{geometry}}}]}}"#
        )
    };
    for (geometry, words) in [
        ("null", "feature 0: there is no place"),
        (r#"{"type":"Point","coordinates":[51.5,-122.4]}"#, "feature 0: this is no place"),
        (r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#, "feature 0: it is no point"),
    ] {
        fs::write(at.join("one.geojson"), point(geometry)).unwrap();
        let error = refused(at, "mask one.geojson --method disc --radius 9 --output n.csv");
        assert!(error.contains(words), "{error}");
    }
    fs::write(at.join("one.geojson"), point("null")).unwrap();
    answered(at, "mask one.geojson --method disc --radius 9 --skip-unplaced --output n.geojson");
    assert_eq!(read("n.geojson")["features"], serde_json::json!([]));
}

#[test]
fn what_makes_no_sense_is_refused_in_sentences() {
    let folder = street();
    let at = folder.path();
    fs::write(at.join("nobody.csv"), "latitude,longitude,people\n60,10,0\n60.1,10,0\n").unwrap();
    fs::write(at.join("two.csv"), "latitude,longitude,people\n60,10,30\n60,10,40\n").unwrap();
    fs::write(at.join("empty.csv"), "").unwrap();
    fs::write(at.join("header.csv"), "latitude,longitude\n").unwrap();
    for (arguments, words) in [
        (
            "--method remapped-laplace --epsilon 0.01 --population nobody.csv --people people",
            "number of all people is 0",
        ),
        ("--method adaptive-donut --k 301 --population homes.csv", "whole population of 300"),
        ("--method adaptive-donut --k 5 --population empty.csv", "no header"),
        ("--method adaptive-donut --k 5 --population header.csv", "the population is empty"),
        ("--method optimal --epsilon 0.01 --population two.csv", "two at one place"),
        ("--method disc --radius 2e6", "at most 1000000 meters"),
        ("--method disc --radius -5", "radius is -5"),
        ("--method disc --radius nan", "nan"),
        ("--method donut --inner 300 --radius 200", "inner radius"),
        ("--method planar-laplace --epsilon -0.01", "epsilon is -0.01"),
        ("--method planar-laplace --epsilon 0.01 --grid 1e-5", "spacing"),
        ("--method grid --grid 0", "spacing is 0"),
        ("--method planar-laplace --epsilon 0.01 --latitude name", "no number of degrees"),
        ("--method planar-laplace --epsilon 0.01 --latitude latitude --longitude latitude", "one column"),
    ] {
        let error = refused(at, &format!("mask homes.csv {arguments} --output n.csv"));
        assert!(error.to_lowercase().contains(words), "{arguments}: {error}");
    }
    assert!(!at.join("n.csv").exists());
    assert!(refused(at, "mask empty.csv --method disc --radius 9 --output n.csv").contains("no header"));
    let none = answered(at, "mask header.csv --method disc --radius 9 --output none.csv");
    assert!(none.contains("Rows released"), "{none}");
    assert_eq!(fs::read_to_string(at.join("none.csv")).unwrap(), "latitude,longitude\n");
    assert!(refused(at, "map --before header.csv --output m.html").contains("no place to draw"));
    // Everybody at one point: nobody is nearer than anybody else.
    let said =
        answered(at, "mask two.csv --method adaptive-donut --k 70 --population two.csv --people people --output d.csv");
    assert!(said.contains("0 never did"), "{said}");
}

#[test]
fn the_first_place_of_a_period_is_one_draw_however_it_jitters() {
    let folder = street();
    let at = folder.path();
    fs::write(at.join("key"), "5a".repeat(32)).unwrap();
    let mut text = "user,latitude,longitude,day\n".to_owned();
    for (hour, day) in [(3, 2), (1, 1), (2, 1), (9, 2)] {
        text += &format!("ann,60.00{hour},10,2026-11-0{day}\n");
    }
    fs::write(at.join("trace.csv"), text).unwrap();
    let mask = "mask trace.csv --method planar-laplace --epsilon 0.01 --subject user --key key --period day";
    let said = answered(at, &format!("{mask} --output kept.csv"));
    assert!(said.contains("all 4 draws") && said.contains("jitters"), "{said}");
    let said = answered(at, &format!("{mask} --first-place --output first.csv"));
    assert!(said.contains("all 2 draws"), "{said}");
    let text = fs::read_to_string(at.join("first.csv")).unwrap();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert!(rows[0] == rows[3] && rows[1] == rows[2] && rows[0] != rows[1], "{rows:?}");
    assert!(refused(at, "mask trace.csv --method disc --radius 9 --first-place --output n.csv").contains("--key"));
}
