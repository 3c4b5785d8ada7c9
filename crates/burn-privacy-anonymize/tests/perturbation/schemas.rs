//! What schemas are refused, and what those that aren't amount to.

use burn_privacy_anonymize::perturb::{PerturbationStatement, ProtectionLevel, TableError, TableSchema};
use burn_privacy_budget::statement::Statement;
use burn_privacy_mechanisms::Entropy;

const REAL: &str = "name = 'x'\nkind = 'real'\nlo = 0\nhi = 1\ndefault = 0.5\ntreatment = 'randomize'\n";

fn column(keys: &str) -> String {
    format!("[[column]]\n{keys}\n")
}

fn refusal(text: &str) -> String {
    TableSchema::parse(text, None).unwrap_err().to_string()
}

fn statement(text: &str) -> PerturbationStatement {
    TableSchema::parse(text, None).unwrap().statement(Entropy::os())
}

#[test]
fn bad_schemas_are_refused_with_the_column_and_the_remedy() {
    let budget = "epsilon = 1.0\n";
    for (old, new, expected) in [
        ("lo = 0", "lo = 1", "not an interval"),
        ("lo = 0", "lo = 2", "not an interval"),
        ("lo = 0", "lo = nan", "not an interval"),
        ("hi = 1", "hi = inf", "not an interval"),
        ("lo = 0", "", "needs lo, hi and default"),
        ("default = 0.5", "default = nan", "default is NaN"),
        ("default = 0.5", "default = 1.5", "must be from 0 to 1"),
        ("'real'", "'category'", "lo is for numbers"),
        ("'real'", "'text'", "unknown variant `text`"),
        ("kind = 'real'", "", "no kind"),
        ("kind = 'real'", "kind = 'integer'", "must be a whole number"),
        ("'randomize'", "'obfuscate'\ndelta = 1e-5", "needs standard_deviation"),
        ("'randomize'", "'randomize'\nmechanism = 'randomized-response'", "takes mechanism laplace"),
        ("'randomize'", "'randomize'\nmechanism = 'gaussian'", "`delta` at the top"),
        ("'randomize'", "'randomize'\ndelta = 1e-5", "delta is for Gaussian noise"),
        ("'randomize'", "'randomize'\nepsilon = 0.5\nshare = 1", "exclude each other"),
        ("'randomize'", "'randomize'\nepsilon = 2", "in sum"),
        ("'randomize'", "'randomize'\nepsilon = -1", "epsilon is -1"),
        ("'randomize'", "'randomize'\nepsilon = nan", "epsilon is NaN"),
        ("'randomize'", "'randomize'\nshare = 0", "share is 0"),
        ("'randomize'", "'randomize'\nvalues = ['a']", "values is for categories"),
        ("'randomize'", "'randomize'\nlow = 0", "unknown field `low`"),
        ("'randomize'", "'drop'", "perturbs no column"),
        ("name = 'x'", "name = ' x'", "must not begin or end with a space"),
        ("'randomize'", "'randomize'\nthousands = '.'", "1.234 could be either"),
        ("'randomize'", "'randomize'\ndecimal = '1'", "must be one character"),
        ("'randomize'", "'randomize'\nmechanism = 'gaussian'\ndelta = 0.2", "must be below 0.1"),
        ("default = 0.5", "default = 0.5\n[[column]]\nname = 'y'\ntreatment = 'drop'\nsuffix = 1", "can't be read"),
    ] {
        let text = budget.to_owned() + &column(&REAL.replace(old, new));
        let refused = refusal(&text);
        assert!(refused.contains(expected), "{new}: {refused}");
    }
    assert!(matches!(TableSchema::parse("epsilon = 1.0", None), Err(TableError::NoColumns)));
    let twice = budget.to_owned() + &column(REAL) + &column(REAL);
    assert!(matches!(TableSchema::parse(&twice, None), Err(TableError::DuplicateColumn { .. })));
    assert!(refusal(&(budget.to_owned() + "epsilons = 1\n" + &column(REAL))).contains("epsilons"));
    assert!(refusal(&column(REAL)).contains("`epsilon` at the top"));
    assert!(refusal("not toml").contains("can't be read"));
    for epsilon in ["0.0", "-1.0", "nan", "inf", "1e9"] {
        assert!(TableSchema::parse(&format!("epsilon = {epsilon}\n{}", column(REAL)), None).is_err());
    }
}

#[test]
fn bad_categories_are_refused() {
    let of =
        |keys: &str| column(&format!("name = 'c'\nkind = 'category'\ntreatment = 'randomize'\nepsilon = 1.0\n{keys}"));
    for (keys, expected) in [
        ("values = ['a', 'b']", "needs values and other"),
        ("other = 'a'", "needs values and other"),
        ("values = []\nother = 'a'", "1 categories"),
        ("values = ['a', 'a']\nother = 'b'", "twice"),
        ("values = ['a ']\nother = 'b'", "a space"),
        ("values = ['a']\nother = 'b'\ndefault = 1", "default is for numbers"),
    ] {
        let refused = refusal(&of(keys));
        assert!(refused.contains(expected), "{keys}: {refused}");
    }
    let _ = statement(&of("values = ['a', 'b']\nother = 'b'"));
}

#[test]
fn a_row_budget_is_divided() {
    let text = [
        "epsilon = 4.0\ndelta = 1e-6\n",
        &column(REAL),
        &column(&REAL.replace('x', "y").replace("'randomize'", "'randomize'\nepsilon = 1.0")),
        &column(&REAL.replace('x', "z").replace("'randomize'", "'randomize'\nshare = 2\nmechanism = 'gaussian'")),
        &column("name = 'n'\ntreatment = 'drop'"),
    ]
    .concat();
    let made = statement(&text);
    assert_eq!((made.level, made.epsilon, made.delta), (ProtectionLevel::Row, 4.0, 1e-6));
    let epsilons: Vec<f64> = made.protected_columns.iter().map(|column| column.epsilon).collect();
    for (epsilon, expected) in epsilons.iter().zip([1.0, 1.0, 2.0]) {
        assert!((epsilon - expected).abs() < 1e-12 && *epsilon <= expected);
    }
    assert!(epsilons.iter().sum::<f64>() <= 4.0);
    let overridden = TableSchema::parse(&text, Some(2.5)).unwrap();
    assert_eq!((overridden.epsilon(), overridden.delta()), (2.5, 1e-6));
    assert_eq!(made.dropped_columns, ["n"]);
}

#[test]
fn obfuscation_says_what_it_amounts_to() {
    let income = "name = 'income'\nkind = 'real'\nlo = 0\nhi = 100000\ndefault = 30000\ntreatment = 'obfuscate'\n\
                  standard_deviation = 50000\ndelta = 1e-5\n";
    let made = statement(&column(income));
    let ideal = burn_privacy_accounting::gaussian_epsilon(0.5, 1e-5).unwrap();
    assert!(made.epsilon >= ideal && made.epsilon < ideal + 1e-5, "{} {ideal}", made.epsilon);
    assert_eq!(made.delta, 1e-5);
    assert!(made.protected_columns[0].mechanism.contains("plain obfuscation"));
}

#[test]
fn the_level_is_that_of_what_is_left_unprotected() {
    let kept = column("name = 'k'\ntreatment = 'keep'");
    let randomized = column(&REAL.replace("'randomize'", "'randomize'\nepsilon = 1.0"));
    let label = column(&REAL.replace("'randomize'", "'randomize'\nepsilon = 1.0\nlabel = true"));
    let other = randomized.replace('x', "y");
    let level = |columns: &[&String]| statement(&columns.iter().map(|c| c.as_str()).collect::<String>()).level;
    assert_eq!(level(&[&randomized]), ProtectionLevel::Row);
    assert_eq!(level(&[&label]), ProtectionLevel::Row);
    assert_eq!(level(&[&label, &kept]), ProtectionLevel::Label);
    assert_eq!(level(&[&randomized, &kept]), ProtectionLevel::Attribute);
    assert_eq!(level(&[&label, &other, &kept]), ProtectionLevel::Attribute);

    let made = statement(&[randomized, kept].concat());
    assert_eq!(made.unprotected_columns, ["k"]);
    for text in [made.to_string(), made.to_markdown()] {
        assert!(text.contains("LOCAL DP") && text.contains("replace-one") && !text.contains("NOT PRIVATE"), "{text}");
        assert!(text.contains("the others are not protected"), "{text}");
    }
    let read: PerturbationStatement = serde_json::from_str(&made.to_json()).unwrap();
    assert_eq!(read, made);
}

#[test]
fn a_fixed_seed_is_called_not_private_first_of_all() {
    let schema = TableSchema::parse(&("epsilon = 1.0\n".to_owned() + &column(REAL)), None).unwrap();
    let made = schema.statement(Entropy::seeded(3));
    for text in [made.to_string(), made.to_markdown()] {
        assert!(text.lines().next().is_some_and(|line| line.contains("NOT PRIVATE: fixed seed")), "{text}");
    }
    assert!(made.is_void() && made.to_json().starts_with("{\n  \"warning\": \"NOT PRIVATE: fixed seed\""));
    assert!(!schema.statement(Entropy::os()).to_json().contains("NOT PRIVATE"));
}
