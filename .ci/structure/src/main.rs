//! Checks of the workspace's structure, run by `.ci/run`: `cargo run -p structure`.
//!
//! Each rule lists its violations with their files; any violation makes the exit code 1.

mod circles;
mod files;
mod floors;
mod links;
mod mutants;
mod packages;
mod walks;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut failed = false;
    for (rule, check) in rules() {
        let violations = check(&root).unwrap_or_else(|error| vec![error.to_string()]);
        println!("{rule}: {}", if violations.is_empty() { "ok" } else { "violated" });
        for violation in &violations {
            println!("  {violation}");
        }
        failed |= !violations.is_empty();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A rule: the violations that it finds below the root of a workspace.
type Check = fn(&Path) -> std::io::Result<Vec<String>>;

fn rules() -> [(&'static str, Check); 9] {
    [
        ("a crate depends on lower floors only, and on Burn from floor 3 on", floors::check),
        ("no circle of modules", circles::check),
        ("every source file begins with //!", files::headers),
        ("a file above 400 lines says in its header why it is long", files::lengths),
        ("no crate holds more than a quarter of the lines", files::shares),
        ("links of README files and of the book lead somewhere", links::check),
        ("every crate can be published: named, described, licensed, and small", packages::check),
        ("every planted fault has its place in the code", mutants::check),
        ("the files of the walks on the design page are there", walks::check),
    ]
}

#[cfg(test)]
mod planted {
    //! Each rule finds a violation that is planted.
    use std::fs;
    use std::path::Path;

    use super::*;

    fn violations(rule: usize, files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
            fs::write(path, text).unwrap();
        }
        (rules()[rule].1)(root.path()).unwrap()
    }

    #[test]
    fn an_arrow_up_and_burn_below_floor_three() {
        let manifest = |name: &str, dependency: &str| {
            format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependency}.workspace = true\n")
        };
        let for_a_target =
            "[package]\nname = \"burn-privacy-audit\"\n[target.'cfg(unix)'.dependencies]\nburn-nn = \"1\"\n";
        let renamed =
            "[package]\nname = \"burn-privacy-audit\"\n[dependencies]\nx = { package = \"burn\", version = \"1\" }\n";
        let up = manifest("burn-privacy-accounting", "burn-privacy-budget");
        let burn = manifest("burn-privacy-budget", "burn");
        let unknown = manifest("burn-privacy-cellar", "serde");
        for text in [up.as_str(), &burn, &unknown, for_a_target, renamed] {
            assert_eq!(violations(0, &[("crates/x/Cargo.toml", text)]).len(), 1, "{text}");
        }
        let fine = manifest("burn-privacy-budget", "burn-privacy-accounting");
        assert!(violations(0, &[("crates/x/Cargo.toml", &fine)]).is_empty());
    }

    #[test]
    fn two_modules_in_a_circle() {
        let lib = ("crates/x/src/lib.rs", "//! X.\nmod a;\nmod b;\npub use a::A;\n");
        let a = ("crates/x/src/a.rs", "//! A.\nuse crate::b::B;\npub struct A(B);\n");
        let circle = ("crates/x/src/b.rs", "//! B.\nuse super::{A};\npub struct B(Box<A>);\n");
        let found = violations(1, &[lib, a, circle]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("a.rs") && found[0].contains("b.rs"));
        let fine = ("crates/x/src/b.rs", "//! B.\npub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}\n");
        assert!(violations(1, &[lib, a, fine]).is_empty());
        let calls = ("crates/x/src/a/mod.rs", "//! A.\nmod b;\npub fn f() {\n    b::g()\n}\n");
        let called = ("crates/x/src/a/b.rs", "//! B.\npub fn g() {\n    super::f()\n}\n");
        assert_eq!(violations(1, &[("crates/x/src/lib.rs", "//! X.\nmod a;\n"), calls, called]).len(), 1);
    }

    #[test]
    fn a_file_without_header_a_long_one_and_a_large_crate() {
        for path in ["crates/x/src/lib.rs", "crates/x/tests/deep/t.rs", "examples/x/main.rs", "benches/b.rs"] {
            let root = ("crates/x/README.md", "");
            assert_eq!(violations(2, &[root, (path, "pub fn f() {}\n")]).len(), 1, "{path}");
        }
        let long = format!("//! X.\n{}", "// line\n".repeat(401));
        assert_eq!(violations(3, &[("crates/x/src/lib.rs", &long)]).len(), 1);
        let reason = format!("//! X.\n//!\n//! Long because: a table.\n{}", "// line\n".repeat(401));
        assert!(violations(3, &[("crates/x/src/lib.rs", &reason)]).is_empty());
        let lines = "//! X.\n".repeat(100);
        let crates: Vec<(String, &str)> = (0..4).map(|c| (format!("crates/{c}/src/lib.rs"), lines.as_str())).collect();
        let mut files: Vec<(&str, &str)> = crates.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert!(violations(4, &files).is_empty());
        files.push(("crates/0/src/more.rs", "//! X.\n"));
        assert_eq!(violations(4, &files).len(), 1);
    }

    #[test]
    fn a_dead_link_and_a_page_that_the_book_forgot() {
        let summary = ("docs/src/SUMMARY.md", "[Here](here.md)");
        let here = ("docs/src/here.md", "# Top of `it`\n[up](../../README.md) [web](https://burn.dev) `code`");
        let readme = ("README.md", "# Top\n[book](docs/src/here.md#top-of-it) [here](#top)");
        assert!(violations(5, &[summary, here, readme]).is_empty());
        for dead in ["[book](docs/src/there.md)", "[book](docs/src/here.md#bottom)", "[here](#top)"] {
            assert_eq!(violations(5, &[summary, here, ("README.md", dead)]).len(), 1, "{dead}");
        }
        let forgotten = ("docs/src/there.md", "");
        assert_eq!(violations(5, &[summary, here, readme, forgotten]).len(), 1);
    }

    #[test]
    fn a_planted_fault_whose_place_is_gone() {
        let list = "[[mutant]]\nname = \"no noise\"\nfile = \"crates/x/src/lib.rs\"\nold = \"x + noise\"\n";
        let with =
            |code: &str| violations(7, &[("benches/mutants/mutants.toml", list), ("crates/x/src/lib.rs", code)]).len();
        assert_eq!(["f(x + noise)", "f(noise + x)", "x + noise; x + noise"].map(with), [0, 1, 1]);
    }

    #[test]
    fn a_walk_past_a_file_that_is_gone() {
        let page = "# Design\n\n## Four walks\n\nIn order.\n\n**A step** (`burn-privacy-x`)\n\n1. It is drawn: `a/b.rs`,\n   `a/`; `burn-privacy-y`: `c.rs`.\n\n### Before\n\n`gone.rs`\n";
        let with = |file: &str| {
            let c = ("crates/burn-privacy-y/src/c.rs", "//! C.\n");
            violations(8, &[("docs/src/design.md", page), (file, "//! B.\n"), c])
        };
        assert!(with("crates/burn-privacy-x/src/a/b.rs").is_empty());
        assert_eq!(with("crates/burn-privacy-x/src/a/d.rs").len(), 1);
        assert_eq!(with("crates/burn-privacy-y/src/b.rs").len(), 2);
    }

    #[test]
    fn a_crate_that_cannot_be_published() {
        let manifest =
            "[package]\nname = \"x\"\ndescription = \"X.\"\nlicense.workspace = true\nreadme = \"README.md\"\n";
        let files = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"].map(|name| (format!("crates/x/{name}"), "x"));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let with = |manifest: &str, more: &[(&str, &str)]| {
            let mut all = files.clone();
            all.extend([("Cargo.toml", "[workspace.package]\nlicense = \"MIT\"\n"), ("crates/x/Cargo.toml", manifest)]);
            all.extend(more);
            violations(6, &all)
        };
        assert!(with(manifest, &[]).is_empty());
        for (from, to) in [
            ("description = \"X.\"\n", ""),
            ("\"X.\"", "\"\""),
            ("license.workspace = true\n", ""),
            ("README", "README2"),
        ] {
            assert_eq!(with(&manifest.replace(from, to), &[]).len(), 1, "{from}");
        }
        assert_eq!(with(&format!("{manifest}publish = false\n"), &[]).len(), 1);
        let large = "x".repeat(300_000);
        assert_eq!(with(manifest, &[("crates/x/data/large.csv", &large)]).len(), 1);
    }
}
