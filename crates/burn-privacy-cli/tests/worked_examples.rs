//! Runs the binary: one worked example for each subcommand, with the numbers that it has to print.

mod common;

use common::{run, run_with_input, temporary};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn assert_between(value: &Value, low: f64, high: f64) {
    let value = value.as_f64().unwrap();
    assert!((low..=high).contains(&value), "{value} is not in [{low}, {high}]");
}

const RUN: [&str; 6] = ["--sampling-rate", "0.005", "--noise-multiplier", "1.1", "--steps", "2000"];

#[test]
fn epsilon() {
    // The true value is 1.007673204; by Renyi divergences 1.1832.
    let shown = run(&[&["epsilon"], &RUN[..], &["--delta", "1e-5"]].concat());
    assert!(shown.ok, "{}", shown.err);
    assert!(shown.out.contains("1.008") && shown.out.contains("1.184"), "{}", shown.out);
    assert!(shown.out.contains("upper bound") && shown.out.contains("PLD") && shown.out.contains("RDP"));

    let answer = json(&run(&[&["epsilon"], &RUN[..], &["--delta", "1e-5", "--json"]].concat()).out);
    assert_between(&answer["epsilon"], 1.007_673_204, 1.007_773_98);
    assert_between(&answer["lower"], 1.007_572_43, 1.007_673_205);
    assert_between(&answer["epsilon_by_rdp"], 1.183_2, 1.183_3);

    // The convenient form is the same run.
    let convenient =
        "epsilon --dataset-size 50000 --batch-size 250 --epochs 10 --noise-multiplier 1.1 --delta 1e-5 --json";
    assert_eq!(json(&run(&convenient.split(' ').collect::<Vec<_>>()).out), answer);

    // Given orders: rdp(8) = 3 x 8 / (2 x 2^2), and the conversion at that order.
    let listed = "epsilon --sampling-rate 1 --noise-multiplier 2 --steps 3 --delta 1e-5 --orders 8,2 --json";
    let listed = json(&run(&listed.split(' ').collect::<Vec<_>>()).out);
    let expected = 3.0 + (7.0_f64 / 8.0).ln() - (8e-5_f64).ln() / 7.0;
    assert_between(&listed["epsilon"], expected, expected * (1.0 + 1e-9));
    assert_eq!(listed["accountant"], "rdp");

    let contour = run(&[&["epsilon"], &RUN[..], &["--delta", "1e-5", "--accountant", "contour"]].concat());
    assert!(contour.out.contains("an estimate, not a bound"), "{}", contour.out);
}

#[test]
fn delta() {
    let answer = json(&run(&[&["delta"], &RUN[..], &["--epsilon", "1.01", "--json"]].concat()).out);
    assert_between(&answer["delta"], 9.683_8e-6, 9.70e-6);
    assert_between(&answer["lower"], 9.66e-6, 9.683_81e-6);
    let shown = run(&[&["delta"], &RUN[..], &["--epsilon", "1.01"]].concat());
    assert!(shown.out.starts_with("delta"), "{}", shown.out);
}

#[test]
fn noise() {
    // The exact answer is 0.712183132.
    let args = ["noise", "--sampling-rate", "0.005", "--steps", "2000", "--epsilon", "3", "--delta", "1e-5"];
    let answer = json(&run(&[&args[..], &["--json"]].concat()).out);
    assert_between(&answer["noise_multiplier"], 0.712_183_13, 0.712_26);
    assert_between(&answer["epsilon"], 2.999, 3.0);
    assert!(run(&args).out.starts_with("noise multiplier  0.7121"), "{}", run(&args).out);
    let rdp = json(&run(&[&args[..], &["--json", "--accountant", "rdp"]].concat()).out);
    assert_between(&rdp["noise_multiplier"], 0.760_77, 0.760_78);
}

#[test]
fn steps() {
    let args =
        ["steps", "--sampling-rate", "0.005", "--noise-multiplier", "1.1", "--epsilon", "1.0078", "--delta", "1e-5"];
    let answer = json(&run(&[&args[..], &["--json"]].concat()).out);
    assert_between(&answer["steps"], 1_999.0, 2_003.0);
    assert!(run(&args).out.starts_with("steps"));
}

#[test]
fn compose() {
    // The true value is 1.470045005.
    let phases = r#"{"phases": [{"sampling_rate": 0.01, "noise_multiplier": 1.0, "steps": 500},
                                {"sampling_rate": 0.01, "noise_multiplier": 2.0, "steps": 1000}]}"#;
    let file = temporary("phases.json", phases);
    let answer = json(&run(&["compose", &file, "--delta", "1e-5", "--json"]).out);
    assert_between(&answer["epsilon"], 1.470_045, 1.470_2);
    assert_between(&answer["lower"], 1.469_89, 1.470_046);
    let piped = run_with_input(&["compose", "-", "--delta", "1e-5"], phases.as_bytes());
    assert!(piped.out.contains("1.471") || piped.out.contains("1.470"), "{}", piped.out);

    let event = r#"{"composed": {"events": [{"gaussian": {"noise_multiplier": 2.0}}, {"gaussian": {"noise_multiplier": 3.0}}]}}"#;
    let document = format!(r#"{{"schema": "burn-privacy/dp-event", "version": 1, "event": {event}}}"#);
    for text in [event, &document] {
        let answer = json(&run_with_input(&["compose", "-", "--delta", "1e-5", "--json"], text.as_bytes()).out);
        assert_between(&answer["epsilon"], 2.449_165_77, 2.449_165_79);
    }
    // Users of whom two records at most are sampled, each by itself: dp-accounting says 3.97909.
    let users = r#"{"self_composed": {"count": 1000, "event": {"group_poisson_sampled": {"sampling_rate": 0.01, "group_size": 2,
                    "event": {"gaussian": {"noise_multiplier": 1.0}}}}}}"#;
    let shown = run_with_input(&["compose", "-", "--delta", "1e-5"], users.as_bytes());
    assert!(shown.out.contains("3.97") && shown.out.contains("PLD") && !shown.out.contains("RDP"), "{}", shown.out);
    // zCDP has no privacy loss distribution: Renyi divergences answer alone.
    let zcdp = run_with_input(&["compose", "-", "--delta", "1e-5"], br#"{"zcdp": {"rho": 0.125}}"#);
    assert!(zcdp.out.contains("2.166") && zcdp.out.contains("RDP") && !zcdp.out.contains("PLD"), "{}", zcdp.out);
}

#[test]
fn curve() {
    let args = [&["curve"], &RUN[..], &["--delta", "1e-5", "--points", "5"]].concat();
    let shown = run(&args);
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines[0], "steps,epsilon_pld_lower,epsilon_pld_upper,epsilon_rdp_upper");
    assert_eq!(lines[1], "0,0,0,0");
    assert!(lines[2].starts_with("1,") && lines.len() == 7, "{lines:?}");
    let last: Vec<f64> = lines[6].split(',').map(|cell| cell.parse().unwrap()).collect();
    assert!(last[0] == 2000.0 && last[1] <= 1.007_673_205 && last[2] >= 1.007_673_204 && last[3] > 1.18, "{last:?}");

    let over = run(&[&args[..], &["--kind", "delta-over-epsilon"]].concat());
    assert!(over.out.starts_with("epsilon,delta_pld_lower"), "{}", over.out);

    let csv = temporary("curve.csv", "");
    assert!(run(&[&args[..], &["--output", &csv]].concat()).ok);
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), shown.out);
    let odd = run(&[&args[..], &["--output", "curve.pdf"]].concat());
    assert!(odd.code == 1 && odd.err.contains(".csv"), "{}", odd.err);
}

#[test]
fn curve_as_a_picture() {
    for (kind, name, start) in [
        ("epsilon-over-steps", "curve.svg", &b"<svg"[..]),
        ("delta-over-epsilon", "delta.svg", b"<svg"),
        ("epsilon-over-steps", "curve.png", b"\x89PNG"),
    ] {
        let file = temporary(name, "");
        let args = ["--delta", "1e-5", "--points", "5", "--kind", kind, "--output", &file];
        let shown = run(&[&["curve"], &RUN[..], &args].concat());
        assert!(shown.ok, "{}", shown.err);
        let picture = std::fs::read(&file).unwrap();
        assert!(picture.starts_with(start), "{name}");
        assert!(picture.len() > 3_000, "{name}: {}", picture.len());
    }
}

#[test]
fn statement() {
    let args = [
        "statement",
        "--dataset",
        "CIFAR-10",
        "--unit",
        "one training image",
        "--dataset-size",
        "50000",
        "--batch-size",
        "250",
        "--epochs",
        "10",
        "--noise-multiplier",
        "1.1",
        "--clipping-norm",
        "1",
        "--delta",
        "1e-5",
    ];
    let text = run(&args).out;
    for part in
        ["(1.008, 1e-5)-differential privacy of one training image", "CIFAR-10", "2000 planned", "RDP, upper bound"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let markdown = run(&[&args[..], &["--format", "markdown"]].concat()).out;
    assert!(markdown.starts_with("## Privacy statement"));
    let object = json(&run(&[&args[..], &["--format", "json"]].concat()).out);
    assert_between(&object["planned_epsilon"][0]["epsilon"], 1.007_673, 1.007_8);
}

#[test]
fn query() {
    let lines = r#"{"query":"epsilon","accountant":"rdp","sampling_rate":0.005,"noise_multiplier":1.1,"steps":2000,"delta":1e-5}
{"query":"epsilon","accountant":"pld","sampling_rate":0.005,"noise_multiplier":1.1,"steps":2000,"delta":1e-5}
{"query":"epsilon","accountant":"contour","sampling_rate":0.005,"noise_multiplier":1.1,"steps":2000,"delta":1e-5}
not json
{"query":"delta","sampling_rate":0.005,"noise_multiplier":1.1,"steps":2000,"epsilon":1.01}
{"query":"noise_multiplier","sampling_rate":0.005,"steps":2000,"epsilon":3,"delta":1e-5}
{"query":"steps","sampling_rate":0.005,"noise_multiplier":1.1,"epsilon":1.2,"delta":1e-5,"accountant":"rdp"}
{"query":"rdp","sampling_rate":1,"noise_multiplier":2,"steps":3,"order":8}
{"query":"gaussian_sigma","epsilon":1,"delta":1e-5,"sensitivity":2}
{"query":"zcdp_epsilon","rho":0.125,"delta":1e-5}
{"query":"epsilon","sampling_rate":0.1,"noise_multiplier":0,"steps":5,"delta":1e-5}
{"query":"epsilon","phases":[{"sampling_rate":0.01,"noise_multiplier":1,"steps":500},{"sampling_rate":0.01,"noise_multiplier":2,"steps":1000}],"delta":1e-5}
{"query":"epsilon","accountant":"rdp","orders":[8],"noise_multiplier":2,"steps":3,"delta":1e-5}
{"query":"epsilon","event":{"randomized_response":{"noise_probability":0.5,"categories":2}},"adjacency":"replace_one","delta":1e-9}
"#;
    let shown = run_with_input(&["query"], lines.as_bytes());
    assert!(shown.ok, "{}", shown.err);
    let answers: Vec<Value> = shown.out.lines().map(json).collect();
    assert_eq!(answers.len(), 14);
    assert_between(&answers[0]["epsilon"], 1.183_2, 1.183_3);
    assert!(answers[0].get("lower").is_none() && answers[0]["upper"] == answers[0]["epsilon"]);
    assert_between(&answers[1]["lower"], 1.007_5, 1.007_673_205);
    assert_between(&answers[1]["upper"], 1.007_673_204, 1.007_78);
    assert_between(&answers[2]["epsilon"], 1.007_673_203, 1.007_673_206);
    assert!(answers[2].get("upper").is_none());
    assert!(answers[3]["error"].as_str().unwrap().contains("line"));
    assert_between(&answers[4]["delta"], 9.68e-6, 9.70e-6);
    assert_between(&answers[5]["noise_multiplier"], 0.712_183_1, 0.712_26);
    assert_between(&answers[6]["steps"], 2_050.0, 2_100.0);
    assert_between(&answers[7]["rdp"], 3.0, 3.0 + 1e-12);
    assert_between(&answers[8]["gaussian_sigma"], 7.461_263_269_631, 7.461_263_269_652);
    assert_between(&answers[9]["zcdp_epsilon"], 2.165_715, 2.165_716);
    assert_eq!(answers[10]["epsilon"], "inf");
    assert_between(&answers[11]["epsilon"], 1.470_045, 1.470_2);
    assert_between(&answers[12]["epsilon"], 4.214_1, 4.214_2);
    assert_between(&answers[13]["epsilon"], 1.098_61, 1.098_613);
}

#[test]
fn completions_and_man() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let shown = run(&["completions", shell]);
        assert!(shown.ok && shown.out.contains("burn-privacy") && shown.out.contains("sampling-rate"), "{shell}");
    }
    let man = run(&["man"]);
    assert!(man.ok && man.out.contains(".TH") && man.out.contains("noise\\-multiplier"));
}

#[test]
fn help_names_everything() {
    let help = run(&["--help"]).out;
    for name in ["epsilon", "delta", "noise", "steps", "compose", "curve", "statement", "query", "Exit codes"] {
        assert!(help.contains(name), "{name}");
    }
    for subcommand in ["epsilon", "delta", "noise", "steps", "compose", "curve", "statement", "query"] {
        let help = run(&[subcommand, "--help"]);
        assert!(help.ok && help.out.contains("Example"), "{subcommand}");
    }
}
